#pragma once

/* WsConnections: who is connected, a line each, and whether their books agree. Loop thread. */

#include "base/base.h"

typedef struct WsConnectionInfo WsConnectionInfo;
typedef struct WsLoop WsLoop;

/* One line of /api/ws/stats and /api/ws/status. */
struct WsConnectionInfo {
        const char *dialect;           /* "A" ... "E", "native" */
        int64_t user_id;               /* 0 = anonymous or a device */
        int64_t vehicle_id, device_id; /* what the path names; 0 = none */
        int64_t connected_us;
        size_t queued_frames, queued_bytes;
        int64_t lag_us; /* age of the oldest queued frame */
        uint64_t offered, sent, conflated, dropped;
};

typedef void (*WsConnectionFn)(void *arg, const WsConnectionInfo *info);

size_t ws_connections_length(const WsLoop *loop);
size_t ws_connections_of(const WsLoop *loop, int64_t user_id);
void ws_connections_each(const WsLoop *loop, WsConnectionFn fn, void *arg);
/* docs/protocol.md, 6, checked: for each socket and for all of them, offered = sent + conflated +
 * dropped + queued. What does not fit goes to METRIC_WS_ACCOUNTING_DRIFT. */
void ws_connections_audit(WsLoop *loop);
