#pragma once

/*
 * MqttListener: hears what filters bring, with QoS 0 and a session of its own that ends with its
 * connection: the broker keeps nothing for it, and what the source has does not know of it.
 *
 * It has a thread for connecting and subscribing; sink.heard() runs on Paho's, for which there is
 * one in the process: it must be short, and must not wait. Each message once, though filters
 * overlap. Paho holds a lock while the source waits for room in the journal, so all that needs it
 * is done on our thread; one that does not end when it is to is left behind, with what it uses.
 */

#include "base/base.h"
#include "model/inbound.h"
#include "mqtt/options.h"

typedef struct MqttListener MqttListener;
typedef struct MqttListenerSink MqttListenerSink;

struct MqttListenerSink {
        void *arg; /* borrowed */
        void (*heard)(void *arg, const Inbound *inbound);
        /* On our thread; NULL: of no interest. From a new connection on all that is retained comes
         * anew. */
        void (*turned)(void *arg, bool is_connected);
};

/* @options and @what (for the log and for the thread: "mqtt_explore") are borrowed. */
MUST_CHECK int mqtt_listener_new(MqttListener **ret_listener,
                                 const MqttOptions *options,
                                 const char *what,
                                 const char *client_id,
                                 const MqttListenerSink *sink);
/* NULL; or itself, when it could not be ended: it goes on using what it borrowed. */
MqttListener *mqtt_listener_free(MqttListener *listener);

/* The owner's thread; copies. Valid ones; none: it has no connection. Nothing waits. */
MUST_CHECK int mqtt_listener_set_filters(MqttListener *listener,
                                         const char *const filters[],
                                         size_t n_filters);
