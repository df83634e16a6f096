#pragma once

/*
 * WsThrottle: how many sockets one source address may open in a second, twice that in a burst.
 *
 * An IPv6 address counts as its /64. The table is bounded; when it is full, those who have their
 * whole burst back are forgotten, and if nobody has, everybody. Loop thread.
 */

#include "base/base.h"

typedef struct WsThrottle WsThrottle;

MUST_CHECK int ws_throttle_new(WsThrottle **ret_throttle, size_t capacity);
WsThrottle *ws_throttle_free(WsThrottle *throttle);

/* May @source (an address as text) open one more? @per_s <= 0: always. */
bool ws_throttle_take(WsThrottle *throttle, const char *source, int per_s, int64_t now_ms);

DEFINE_CLEANUP(WsThrottle *, ws_throttle_free);
