#pragma once

/*
 * WsLastKnown: the last telemetry of each device and the last vehicle_log of each vehicle.
 *
 * Holds references to Events. Bounded by what the registry knows: ws_last_known_prune() forgets the
 * rest. Loop thread.
 */

#include "base/base.h"
#include "model/event.h"

typedef struct WsLastKnown WsLastKnown;

MUST_CHECK int ws_last_known_new(WsLastKnown **ret_recall);
WsLastKnown *ws_last_known_free(WsLastKnown *recall);

MUST_CHECK int ws_last_known_put(WsLastKnown *recall, Event *event); /* other kinds are ignored */
const Event *ws_last_known_get(const WsLastKnown *recall, Kind kind, int64_t id); /* NULL if none */
void ws_last_known_prune(WsLastKnown *recall, const Registry *registry);

DEFINE_CLEANUP(WsLastKnown *, ws_last_known_free);
