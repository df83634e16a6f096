#pragma once

/*
 * WsHttp: the HTTP of one loop: health, metrics, stats, token, statistics, history, the page at
 * `/`, and the handshakes of WebSockets.
 *
 * The server forwards what a connection reports (ws/net/conn.h). What needs the database is a
 * question of the loop (ws/loop/questions.h). One request of a connection at a time;
 * those sent ahead wait unread. HTTP/1 only. Loop thread.
 */

#include "base/base.h"
#include "base/buf.h"
#include "model/account.h"
#include "model/query.h"
#include "ws/access/auth.h"
#include "ws/http/request.h"
#include "ws/loop/options.h"

typedef struct WsConn WsConn;
typedef struct WsGate WsGate;
typedef struct WsHttp WsHttp;
typedef struct WsExchange WsExchange;

MUST_CHECK int ws_http_new(WsHttp **ret_http,
                           const WsOptions *options, /* borrowed; may change between calls */
                           const WsAccess *access,   /* borrowed: auth, registry, tickets */
                           WsGate *gate);            /* borrowed, with its loop */
WsHttp *ws_http_free(WsHttp *http);

/* @session: memory of who has the connection. */
void ws_http_opened(WsHttp *http, WsExchange *session, WsConn *conn);
/* As of WsConnHandler. */
size_t ws_http_receive(WsHttp *http, WsExchange *session, char *data, size_t n);
void ws_http_writable(WsHttp *http, WsExchange *session);
void ws_http_closed(WsExchange *session);
/* WsConnHandler's own; @http is not looked at. */
void ws_http_ended(void *http, WsConn *conn);
void ws_http_late(void *http, WsConn *conn);

/* About once a second: gives up on queries that nobody answers (504), takes the rates. */
void ws_http_tick(WsHttp *http);

DEFINE_CLEANUP(WsHttp *, ws_http_free);
