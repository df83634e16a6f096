#pragma once

/*
 * WsGate: which upgrades become WebSockets.
 *
 * Checks the form of the handshake, origin, rate, capacity, credential, path and right; gives the
 * new WsClient and the head of the answer that welcomes it, or the answer that refuses. Loop
 * thread.
 */

#include "base/base.h"
#include "base/buf.h"
#include "ws/http/request.h"
#include "ws/http/response.h"

typedef struct WsCall WsCall;
typedef struct WsClient WsClient;
typedef struct WsConn WsConn;
typedef struct WsExchange WsExchange;
typedef struct WsGate WsGate;
typedef struct WsHead WsHead;
typedef struct WsLoop WsLoop;

MUST_CHECK int ws_gate_new(WsGate **ret_gate, WsLoop *loop, const WsAccess *access);
WsGate *ws_gate_free(WsGate *gate);
void ws_gate_shut(WsGate *gate); /* draining: 503 from now on */
WsLoop *ws_gate_loop(const WsGate *gate);

enum {
        WS_GATE_E_UNPROVEN = 1, /* the token has to be looked at first: ws_gate_prove() */
        WS_GATE_E_BUSY,         /* too much is asked already */
};

/* The handshake once more, from its bytes. */
typedef void (*WsGateAgainFn)(void *arg, WsExchange *session, Text head);

/* Without a client in *@ret_client, @response refuses. WS_GATE_E_UNPROVEN. */
MUST_CHECK int ws_gate_open(WsGate *gate,
                            const WsHead *head,
                            const WsRequest *request,
                            WsResponse *response,
                            Buf *hello,
                            WsClient **ret_client);

/* After WS_GATE_E_UNPROVEN: asks, and calls @again when it is known; that opens it again, and is
 * not told to wait a second time. Meanwhile the session waits. WS_GATE_E_BUSY: it does not. */
MUST_CHECK int ws_gate_prove(WsGate *gate,
                             WsExchange *session,
                             Text head, /* all of it */
                             WsGateAgainFn again,
                             void *arg);

/* For the log, of requests that meant a WebSocket and did not come to ws_gate_open(): one that
 * cannot be read, of which there are but its @bytes, */
void ws_gate_misread(WsGate *gate, Text bytes, const WsConn *conn, int status);
/* and one that was answered as another request; or an event stream that was refused. */
void ws_gate_missed(WsGate *gate, const WsCall *call);

/* Has he said who he is, or does auth.anonymous still open his path? @auth: a WsAuth. */
bool ws_gate_leaves_open(const void *auth, const WsClient *client);

DEFINE_CLEANUP(WsGate *, ws_gate_free);
