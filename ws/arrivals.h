#pragma once

/*
 * WsArrivals: who has connected and not said yet what for.
 *
 * libwebsockets has a timer for that as well, which tells nobody, and which a reload cannot change;
 * this one counts (METRIC_WS_REFUSED_TIMEOUT) and runs out first. As many as there may be sockets.
 * Loop thread.
 */

#include "gateway/base/base.h"

typedef struct WsArrivals WsArrivals;
struct lws;

MUST_CHECK int ws_arrivals_new(WsArrivals **ret_arrivals);
WsArrivals *ws_arrivals_free(WsArrivals *arrivals);

/* Out of memory: it is left to the timer of lws. */
void ws_arrivals_add(WsArrivals *arrivals, struct lws *wsi, int64_t now_ms);
void ws_arrivals_remove(WsArrivals *arrivals, struct lws *wsi); /* it has asked, or is gone */
/* Hangs up on those that came before @before_ms. */
void ws_arrivals_sweep(WsArrivals *arrivals, int64_t before_ms);

DEFINE_CLEANUP(WsArrivals *, ws_arrivals_free);
