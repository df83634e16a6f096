#pragma once

/*
 * MqttSubscribing: one SUBSCRIBE or UNSUBSCRIBE on its way, and what the broker said to it.
 *
 * Of one filter each: with several, Paho does not say how many codes a SUBACK of MQTT 3.1.1
 * brought, and whether they are in its structure or behind a pointer. Paho's thread writes the
 * outcome and wakes the session's owner, who reads it. Memory of the session: Paho keeps a pointer
 * to it until it has answered, or until its client is destroyed.
 *
 * A broker that does not answer each of them in time, or answers with something else, has lost the
 * connection: an answer that may still come must not meet anybody.
 */

#include "base/base.h"

typedef struct MqttSession MqttSession;

/* All of @filters. Waits; 0, MQTT_SESSION_E_OFFLINE, MQTT_SESSION_E_INTERRUPTED. */
MUST_CHECK int mqtt_subscribing_begin(
        MqttSession *session,
        const char *const filters[],
        size_t n_filters,
        int qos,
        int ret_codes[]); /* the QoS, or MQTT_SESSION_REFUSED and up */
MUST_CHECK int mqtt_subscribing_end(MqttSession *session,
                                    const char *const filters[],
                                    size_t n_filters);
