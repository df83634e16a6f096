#pragma once

/*
 * MqttDoor: which topics we want, of those that a join of filters brings (see mqtt_filters_new()).
 *
 * Made by the source's thread, read by Paho's, and never changed: a newer one keeps those before
 * it, as somebody may be reading them, and all go together.
 */

#include "base/base.h"

typedef struct MqttDoor MqttDoor;
typedef struct MqttFilters MqttFilters;

/* Takes over *beforep (may be NULL) on success, and is that one if nothing has changed. */
MUST_CHECK int mqtt_door_new(MqttDoor **ret_door, const MqttFilters *filters, MqttDoor **beforep);
MqttDoor *mqtt_door_free(MqttDoor *door);

bool mqtt_door_takes(const MqttDoor *door, Text topic);

DEFINE_CLEANUP(MqttDoor *, mqtt_door_free);
