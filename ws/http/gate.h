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

typedef struct WsClient WsClient;
typedef struct WsGate WsGate;
typedef struct WsHead WsHead;
typedef struct WsLoop WsLoop;

MUST_CHECK int ws_gate_new(WsGate **ret_gate, WsLoop *loop, const WsAccess *access);
WsGate *ws_gate_free(WsGate *gate);
void ws_gate_shut(WsGate *gate); /* draining: 503 from now on */
WsLoop *ws_gate_loop(const WsGate *gate);

/* Without a client in *@ret_client, @response refuses. */
MUST_CHECK int ws_gate_open(WsGate *gate,
                            const WsHead *head,
                            const WsRequest *request,
                            WsResponse *response,
                            Buf *hello,
                            WsClient **ret_client);

DEFINE_CLEANUP(WsGate *, ws_gate_free);
