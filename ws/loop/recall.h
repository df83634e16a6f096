#pragma once

/*
 * WsRecall: the last telemetry of each device and the last vehicle_log of each vehicle.
 *
 * Holds references to Events. Bounded by what the registry knows: ws_recall_prune() forgets the
 * rest. Loop thread.
 */

#include "base/base.h"
#include "model/event.h"

typedef struct WsRecall WsRecall;

MUST_CHECK int ws_recall_new(WsRecall **ret_recall);
WsRecall *ws_recall_free(WsRecall *recall);

MUST_CHECK int ws_recall_put(WsRecall *recall, Event *event); /* other kinds are ignored */
const Event *ws_recall_get(const WsRecall *recall, Kind kind, int64_t id); /* NULL if none */
void ws_recall_prune(WsRecall *recall, const Registry *registry);

DEFINE_CLEANUP(WsRecall *, ws_recall_free);
