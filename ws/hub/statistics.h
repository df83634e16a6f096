#pragma once

/*
 * WsStats: the statistics that dialects A and E send by themselves.
 *
 * Asks the readers once for all scopes (a user, or 0 for those who see everything) that have a
 * socket, never while an earlier question is open, and sends an answer to the sockets of its scope
 * when it differs from the one before (times apart), when a socket has had none yet, and, in
 * dialect E, when the last one is old. Loop thread.
 */

#include "base/base.h"

typedef struct WsLoop WsLoop;
typedef struct WsStats WsStats;

MUST_CHECK int ws_stats_new(WsStats **ret_stats, WsLoop *loop); /* borrowed */
WsStats *ws_stats_free(WsStats *stats);

MUST_CHECK int ws_stats_tick(WsStats *stats); /* each stats_interval_ms */
MUST_CHECK int ws_stats_poke(WsStats *stats); /* after work: asks now if somebody waits */

/* Equal for two bodies that differ in the values of "timestamp" members alone. Never 0. */
uint64_t ws_stats_digest(Text body);

DEFINE_CLEANUP(WsStats *, ws_stats_free);
