#pragma once

/*
 * MqttEchoes: does one message come over and over? As it does where bridges of brokers make a ring.
 *
 * Each comes with an id of its own, and to the protocol each is another message: they are told, and
 * nothing else. The table is small and of one size; what comes often displaces what does not.
 * Memory of the caller, `{ 0 }`; one thread.
 */

#include "base/base.h"
#include "model/inbound.h"

#define MQTT_ECHOES_SLOTS 64
#define MQTT_ECHOES_MANY  1000 /* equal ones within the time */
#define MQTT_ECHOES_US    INT64_C(10000000)

typedef struct MqttEcho MqttEcho;
typedef struct MqttEchoes MqttEchoes;

struct MqttEcho {
        uint64_t hash;
        int64_t since_us;
        uint32_t n, n_votes;
};

struct MqttEchoes {
        MqttEcho slots[MQTT_ECHOES_SLOTS];
        int64_t said_us; /* 0: never */
};

/* Counts one of more than MQTT_ECHOES_MANY in the running MQTT_ECHOES_US. True: and they are to be
 * told of, once a minute at most. @now_us: monotonic. */
bool mqtt_echoes_hear(MqttEchoes *echoes, const Inbound *inbound, int64_t now_us);
