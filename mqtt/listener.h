#pragma once

/*
 * MqttListener: hears what filters bring, with QoS 0 and a session of its own that ends with its
 * connection: the broker keeps nothing for it, and what the source has does not know of it.
 *
 * It has a thread for connecting and subscribing; @heard runs on Paho's, for which there is one in
 * the process: it must be short, and must not wait. Each message once, though filters overlap.
 * Paho holds a lock while the source waits for room in the journal, so all that needs it is done
 * on our thread; one that does not end when it is to is left behind, with what it uses.
 */

#include "base/base.h"
#include "model/inbound.h"
#include "mqtt/options.h"

typedef struct MqttListener MqttListener;
typedef void (*MqttHeardFn)(void *arg, const Inbound *inbound);

/* @options, @what (for the log and for the thread: "mqtt_explore") and @arg are borrowed. */
MUST_CHECK int mqtt_listener_new(MqttListener **ret_listener,
                                 const MqttOptions *options,
                                 const char *what,
                                 const char *client_id,
                                 MqttHeardFn heard,
                                 void *arg);
/* NULL; or itself, when it could not be ended: it goes on using what it borrowed. */
MqttListener *mqtt_listener_free(MqttListener *listener);

/* The owner's thread; copies. Valid ones; none: it has no connection. Nothing waits. */
MUST_CHECK int mqtt_listener_set_filters(MqttListener *listener,
                                         const char *const filters[],
                                         size_t n_filters);
