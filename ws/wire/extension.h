#pragma once

/*
 * WsExtension: what a client offers in Sec-WebSocket-Extensions, and what we answer.
 *
 * Accepts the first offer of permessage-deflate (RFC 7692) that we can keep, and always on our
 * terms: no context is taken over on either side, so that one compressed frame serves all and
 * nothing is remembered of what comes in. An offer that is malformed, has a parameter that we do
 * not know, or asks for a window smaller than ours is declined, which costs no more than the
 * compression. Pure.
 */

#include "base/base.h"

#define WS_EXTENSION_NAME        "permessage-deflate"
#define WS_EXTENSION_WINDOW_BITS 12 /* ours; published clients ask for 12 or for 15 */

typedef struct WsExtension WsExtension;

struct WsExtension {
        bool is_accepted;
        char answer[128]; /* parameters, to be written behind the name */
};

void ws_extension_read(WsExtension *ret_extension, const char *offers);
