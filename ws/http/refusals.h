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
#include "ws/http/request.h"

typedef struct WsCall WsCall;
typedef struct WsMisread WsMisread;
typedef struct WsProxies WsProxies;
typedef struct WsRefused WsRefused;
typedef struct WsRefusals WsRefusals;

struct WsRefused {
        const char *path, *origin, *source; /* of the request; origin "" if none */
        int status;
        const char *code, *why;
        const char *key; /* of the configuration, that would change it; NULL: none would */
};

struct WsMisread {
        Text bytes;
        const char *peer; /* the address that it came from */
        int status;       /* of the answer */
};

MUST_CHECK int ws_refusals_new(WsRefusals **ret_refusals);
WsRefusals *ws_refusals_free(WsRefusals *refusals);

/* A request that could not be read, of which there are but the bytes: a line and a count if it was
 * one for a WebSocket. What it said is read again, as far as it can be. */
void ws_refusals_misread(WsRefusals *refusals, const WsMisread *misread, const WsProxies *proxies);
/* The same of one that was answered as a request like any other, and of an event stream or a poll
 * that was refused. */
void ws_refusals_missed(WsRefusals *refusals, const WsCall *call);

/* The key that decides of a credential that is refused for this reason, or would have let in who
 * came without one; NULL: none. */
const char *ws_refusals_key(const WsRequest *request, const char *why);

/* True: it was written. */
bool ws_refusals_say(WsRefusals *refusals, const WsRefused *refused, int64_t now_us);

DEFINE_CLEANUP(WsRefusals *, ws_refusals_free);
