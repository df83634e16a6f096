#pragma once

/*
 * WsStatistics: the statistics that dialects A and E send by themselves.
 *
 * Asks the readers once for all scopes (a user, or 0 for those who see everything) that have a
 * socket, never while an earlier question is open, and sends an answer to the sockets of its scope
 * when it differs from the one before (times apart), when a socket has had none yet, and, in
 * dialect E, when the last one is old. Loop thread.
 */

#include "base/base.h"

typedef struct WsLoop WsLoop;
typedef struct WsStatistics WsStatistics;

MUST_CHECK int ws_statistics_new(WsStatistics **ret_stats, WsLoop *loop); /* borrowed */
WsStatistics *ws_statistics_free(WsStatistics *stats);

MUST_CHECK int ws_statistics_tick(WsStatistics *stats); /* each stats_interval_ms */
MUST_CHECK int ws_statistics_poke(WsStatistics *stats); /* after work: asks now if somebody waits */

/* Equal for two bodies that differ in the values of "timestamp" members alone. Never 0. */
uint64_t ws_statistics_digest(Text body);

DEFINE_CLEANUP(WsStatistics *, ws_statistics_free);
