#pragma once

/*
 * WsLastKnown: the last telemetry of each device, the last vehicle_log of each vehicle, and where
 * that was: a log that does not say leaves it where it was.
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
/* Latitude and longitude; false: it has not said any. */
bool ws_last_known_place(const WsLastKnown *recall, int64_t vehicle_id, double ret_place[2]);
/* Of what @event is about: what it says itself first, if it is not of long ago. */
bool ws_last_known_where(const WsLastKnown *recall,
                         const Registry *registry,
                         const Event *event,
                         double ret_place[2]);
void ws_last_known_prune(WsLastKnown *recall, const Registry *registry);

DEFINE_CLEANUP(WsLastKnown *, ws_last_known_free);
