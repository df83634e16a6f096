#pragma once

/*
 * WsRefusals: one line in the log for each handshake that is refused, so that whoever sets a client
 * up is told which key stands in its way.
 *
 * Paced, since anybody can bring them about: of one source (IPv6: a /64) twenty a minute, of
 * all together 120; the next line says how many were held back (`more=`). Never a query, which may
 * hold a token. Loop thread.
 */

#include "base/base.h"

typedef struct WsRefused WsRefused;
typedef struct WsRefusals WsRefusals;

struct WsRefused {
        const char *path, *origin, *source; /* of the request; origin "" if none */
        int status;
        const char *code, *why;
        const char *key; /* of the configuration, that would change it; NULL: none would */
};

MUST_CHECK int ws_refusals_new(WsRefusals **ret_refusals);
WsRefusals *ws_refusals_free(WsRefusals *refusals);

/* True: it was written. */
bool ws_refusals_say(WsRefusals *refusals, const WsRefused *refused, int64_t now_us);

DEFINE_CLEANUP(WsRefusals *, ws_refusals_free);
