#pragma once

/*
 * MqttConnecting: a CONNECT as Paho wants it, in MQTT 5 and in 3.1.1, and the broker's answer.
 *
 * One of the few that know Paho. Its sink is called on Paho's threads, and must stay until the
 * client is destroyed.
 */

#include "base/base.h"
#include "mqtt/options.h"

typedef struct MqttConnecting MqttConnecting;
typedef struct MqttConnectingSink MqttConnectingSink;

struct MqttConnectingSink {
        void *arg;
        /* @is_present: a session of before; @has_no_names: no subscription identifiers. */
        void (*connected)(void *arg, bool is_present, bool has_no_names);
        /* @code > 0: the broker's; @message: Paho's, or NULL. */
        void (*refused)(void *arg, int code, const char *message);
        void (*tls_error)(void *arg, const char *reason);
};

struct MqttConnecting {
        const MqttOptions *options;
        const char *password; /* NULL = none */
        bool is_v5, is_tls, is_clean;
        const MqttConnectingSink *sink; /* borrowed */
};

/* Asks; false: Paho does not take the options, and says nothing more. @paho is an MQTTAsync. */
MUST_CHECK bool mqtt_connecting_start(const MqttConnecting *connecting, void *paho);
