#pragma once

/*
 * WsGate: which upgrades become WebSockets.
 *
 * Checks what libwebsockets does not (FACTS): method, version of HTTP and of WebSocket, key,
 * protocol, origin, rate, capacity, credential, path and right; refuses with a whole HTTP answer,
 * or attaches a new WsClient to the connection (lws_get_opaque_user_data()). Loop thread.
 */

#include "gateway/base/base.h"
#include "ws/request.h"

typedef struct WsClient WsClient;
typedef struct WsGate WsGate;
typedef struct WsHub WsHub;
struct lws;
struct lws_extension;

MUST_CHECK int ws_gate_new(WsGate **ret_gate, WsHub *hub, const WsAccess *access);
WsGate *ws_gate_free(WsGate *gate);
void ws_gate_shut(WsGate *gate); /* draining: 503 from now on */

/*
 * The name of the one lws protocol, as memory that changes: lws drops whoever offers subprotocols
 * of which it knows none, so for the length of a handshake it knows the first that was offered,
 * and has forgotten the name when it writes the answer, which therefore names none.
 */
const char *ws_gate_protocol(const WsGate *gate);
void ws_gate_forget_protocol(WsGate *gate);
void ws_gate_reset_protocol(WsGate *gate);

/*
 * permessage-deflate on our terms (ws/extension.h): lws asks for each mention whether it is wanted,
 * names it in its answer, and then leaves room for our parameters. They return what the lws
 * callback returns.
 */
const struct lws_extension *ws_gate_extensions(void);
int ws_gate_confirm_extension(WsGate *gate, WsClient *client);
int ws_gate_add_headers(const WsGate *gate, const WsClient *client, void *html_args);

int ws_gate_confirm(WsGate *gate, struct lws *wsi); /* returns what the lws callback returns */

DEFINE_CLEANUP(WsGate *, ws_gate_free);
