#pragma once

/*
 * WsServer: HTTP and WebSocket on one libuv loop, which is a thread of its own.
 *
 * Takes Events from the outbox, hands them to the hub, and serves the dialects of
 * docs/protocol.md, 3. Everything behind this header belongs to the loop's thread; only the
 * functions below may be called from another one.
 */

#include "base/base.h"

typedef struct Queue Queue;
typedef struct WsAuth WsAuth;
typedef struct WsOptions WsOptions;
typedef struct WsServer WsServer;

enum {
        WS_SERVER_E_START = 1, /* cannot listen there, or cannot use the certificate: logged */
};

MUST_CHECK int ws_server_new(WsServer **ret_server,
                             const WsOptions *options,
                             const WsAuth *auth,
                             Queue *outbox);
WsServer *ws_server_free(WsServer *server); /* stops, joins */

MUST_CHECK int ws_server_start(WsServer *server);
int ws_server_port(const WsServer *server);
int ws_server_health_port(const WsServer *server); /* 0 = none */
/* A fault (< 0) once the thread has ended with one; it has closed both queues then. */
int ws_server_result(const WsServer *server);
MUST_CHECK int ws_server_reload(WsServer *server,
                                const WsOptions *options); /* limits and certificates; copies */
/* Other keys and rules for the credentials that come from now on; takes *@authp. Any thread. */
void ws_server_set_auth(WsServer *server, WsAuth **authp);
/* Refuses new sockets, closes the others with 4200 spread over @grace_ms; returns when done or
 * over. */
void ws_server_drain(WsServer *server, int grace_ms);

DEFINE_CLEANUP(WsServer *, ws_server_free);
