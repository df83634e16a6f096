#pragma once

/*
 * MqttSending: messages on their way to the broker, and what became of them.
 *
 * Memory of the caller, which must outlive the session. Paho's thread writes the outcome and wakes
 * the session's owner, who reads it. The second file that knows Paho.
 */

#include <stdatomic.h>

#include "base/base.h"
#include "mqtt/session.h"

typedef struct MqttMessage MqttMessage;
typedef struct MqttSending MqttSending;

/* Texts are borrowed; what MQTT 3.1.1 does not know is left out there. */
struct MqttMessage {
        const char *topic;
        Text payload;
        int qos;
        bool is_retained;
        const char *response_topic; /* NULL = none */
        Text correlation;           /* absent = none */
        unsigned expiry_s;          /* 0 = never */
};

typedef enum MqttOutcome {
        MQTT_OUTCOME_PENDING, /* nobody knows, also for ever, once the connection has ended */
        MQTT_OUTCOME_DONE,    /* the broker has it */
        MQTT_OUTCOME_REFUSED, /* the broker does not take it */
} MqttOutcome;

/* One of many messages, of which nobody asks what became of this one: then told() alone says. */
struct MqttSending {
        MqttSession *session; /* borrowed */
        _Atomic int outcome;  /* MqttOutcome */
        void (*told)(void *arg,
                     MqttOutcome outcome); /* Paho's thread; NULL. QoS 0: it is written */
        void *arg;
};

/* Does not wait. 0, MQTT_SESSION_E_BUSY, MQTT_SESSION_E_OFFLINE: it is not told of then. */
MUST_CHECK int mqtt_sending_start(MqttSending *sending,
                                  MqttSession *session,
                                  const MqttMessage *message);
