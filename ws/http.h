#pragma once

/*
 * WsHttp: the plain HTTP requests of one loop: health, metrics, stats, token, statistics, the page
 * at `/`.
 *
 * server.c forwards every LWS_CALLBACK_*HTTP* reason of a request that is not an upgrade (HTTP,
 * HTTP_BODY, HTTP_BODY_COMPLETION, HTTP_WRITEABLE, CLOSED_HTTP, HTTP_DROP_PROTOCOL). What needs the
 * database is a Query; its Answer comes back through the outbox and ws_http_answer(). An asker who
 * has gone away by then is known by his ticket, which is never used twice. HTTP/1 only. Loop
 * thread.
 */

#include "gateway/base/base.h"
#include "gateway/base/buf.h"
#include "gateway/base/query.h"
#include "gateway/base/registry.h"
#include "ws/auth.h"
#include "ws/request.h"
#include "ws/server.h"

typedef struct WsHttp WsHttp;
typedef struct WsHub WsHub;
struct lws;

MUST_CHECK int ws_http_new(WsHttp **ret_http,
                           const WsOptions *options, /* borrowed; may change between calls */
                           const WsAccess *access,   /* borrowed: auth, registry, tickets */
                           WsHub *hub,
                           Queue *queries);
WsHttp *ws_http_free(WsHttp *http);

size_t ws_http_session_size(void); /* bytes lws keeps for each connection of ours */

/* @reason is an enum lws_callback_reasons, @session ws_http_session_size() zeroed bytes; returns
 * what the lws callback returns. */
int ws_http_callback(WsHttp *http,
                     struct lws *wsi,
                     int reason,
                     void *session,
                     void *in,
                     size_t n_in);

void ws_http_answer(WsHttp *http, const Answer *answer); /* ticket != 0 */

/* About once a second: gives up on queries that nobody answers (504), takes the rates. */
void ws_http_tick(WsHttp *http);

/* Writes a whole problem+json answer (RFC 9457) for a request or a refused upgrade; returns what
 * the lws callback returns. */
int ws_http_problem(struct lws *wsi,
                    int status,
                    const char *code,
                    const char *detail,
                    int retry_after_s);

DEFINE_CLEANUP(WsHttp *, ws_http_free);
