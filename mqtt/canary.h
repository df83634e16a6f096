#pragma once

/*
 * MqttCanary: a message to ourselves now and then, because Paho sleeps 100 ms at a time once
 * nothing has come for a second.
 *
 * On `tidegate/canary/<client id>`, QoS 0. A broker that does not let us have it (refuses the
 * subscription, drops the messages, or the connection) is not asked for long: it is a convenience.
 * One that did let us have it once, and now hangs up, is asked again a while later.
 * Belongs to the source's thread, but for mqtt_canary_hear().
 */

#include "base/base.h"

typedef struct MqttCanary MqttCanary;
typedef struct MqttSession MqttSession;

/* Why the broker ended a connection. */
typedef enum MqttCanaryVerdict {
        MQTT_CANARY_INNOCENT,
        MQTT_CANARY_SUSPECT, /* it was tried and not heard */
        MQTT_CANARY_GUILTY,  /* once too often: there will be none for a while, or ever */
} MqttCanaryVerdict;

struct MqttCanary {
        char topic[256]; /* "" = off */
        int interval_ms;
        bool is_subscribed;
        int64_t sent_us;
        int64_t resting_us;         /* no more of them until then */
        unsigned n_lost;            /* connections in a row that went before one was heard */
        _Atomic unsigned n_unheard; /* in a row */
        _Atomic bool is_heard;      /* on this connection */
        _Atomic bool was_ever_heard;
};

void mqtt_canary_init(MqttCanary *canary, const char *client_id, int interval_ms);
bool mqtt_canary_hear(MqttCanary *canary, Text topic); /* any thread: is it one? */
void mqtt_canary_rest(MqttCanary *canary);             /* we have closed the connection */
MqttCanaryVerdict mqtt_canary_lose(MqttCanary *canary, int64_t now_us);
void mqtt_canary_sing(MqttCanary *canary, MqttSession *session, int64_t now_us);
