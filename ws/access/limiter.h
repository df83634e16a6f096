#pragma once

/*
 * WsLimiter: how often one name (an address, an account) may try; a token bucket for each.
 *
 * The table is bounded: when it is full, the name that has tried least makes room. Names are kept
 * as keyed hashes, so nobody can aim at somebody else's place. Loop thread.
 */

#include "base/base.h"

typedef struct WsLimiter WsLimiter;

MUST_CHECK int ws_limiter_new(WsLimiter **ret_limiter, size_t capacity);
WsLimiter *ws_limiter_free(WsLimiter *limiter);

/* What this node lets through of so many a minute that are meant of all nodes: its part, rounded
 * up. */
int ws_limiter_part(int per_minute);
/* Seconds to wait before the next try of @name; 0: go ahead, and the try is counted. */
int ws_limiter_take(WsLimiter *limiter, Text name, int per_minute, int64_t now_us);
/* Is a try of @name on record, of the last minutes, that was not given back? */
bool ws_limiter_is_known(WsLimiter *limiter, Text name, int64_t now_us);
void ws_limiter_give_back(WsLimiter *limiter, Text name); /* the try was a good one */

DEFINE_CLEANUP(WsLimiter *, ws_limiter_free);
