#include "ws/hub/connections.h"

#include "base/clock.h"
#include "model/metrics.h"
#include "ws/device/edge.h"
#include "ws/device/uplink.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"

size_t ws_connections_length(const WsLoop *loop) {
        return ws_list_length(ws_index_find(loop->index, 0, WS_SCOPE_EVERYONE, 0));
}

size_t ws_connections_of(const WsLoop *loop, int64_t user_id) {
        return ws_list_length(ws_index_find(loop->index, 0, WS_SCOPE_PERSON, user_id));
}

static void ws_connections_describe(const WsClient *client, WsConnectionInfo *ret_info) {
        int64_t oldest_us = ws_backlog_oldest_us(&client->backlog);

        *ret_info = (WsConnectionInfo){
                .dialect = client->dialect->name,
                .user_id = client->user_id,
                .vehicle_id = client->scope == WS_SCOPE_VEHICLE ? client->target_id : 0,
                .device_id = client->edge                       ? ws_edge_device(client->edge)
                             : client->uplink                   ? ws_uplink_device(client->uplink)
                             : client->scope == WS_SCOPE_DEVICE ? client->target_id
                                                                : 0,
                .connected_us = client->connected_us,
                .queued_frames = client->backlog.n_frames,
                .queued_bytes = client->backlog.n_bytes,
                .lag_us = oldest_us ? clock_mono_us() - oldest_us : 0,
                .offered = client->backlog.offered,
                .sent = client->backlog.sent,
                .conflated = client->backlog.conflated,
                .dropped = client->backlog.dropped,
        };
}

void ws_connections_each(const WsLoop *loop, WsConnectionFn fn, void *arg) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_EVERYONE, 0);

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                WsConnectionInfo info;

                ws_connections_describe(ws_list_at(list, i), &info);
                fn(arg, &info);
        }
}

typedef struct WsAudit WsAudit;

struct WsAudit {
        int64_t drift;  /* of single sockets */
        int64_t queued; /* by all of them */
};

static void ws_connections_audit_one(void *arg, const WsConnectionInfo *info) {
        WsAudit *audit = arg;

        audit->drift += llabs((int64_t)(info->offered - info->sent - info->conflated -
                                        info->dropped - info->queued_frames));
        audit->queued += (int64_t)info->queued_frames;
}

void ws_connections_audit(WsLoop *loop) {
        WsAudit audit = { 0 };
        int64_t queued;

        ws_tally_publish(&loop->tally);
        ws_connections_each(loop, ws_connections_audit_one, &audit);
        queued = metric_get(METRIC_WS_QUEUED);
        audit.drift += llabs(queued - audit.queued);
        audit.drift +=
                llabs(metric_get(METRIC_WS_OFFERED) - metric_get(METRIC_WS_SENT) -
                      metric_get(METRIC_WS_CONFLATED) - metric_get(METRIC_WS_DROPPED) - queued);
        metric_set(METRIC_WS_ACCOUNTING_DRIFT, audit.drift);
}
