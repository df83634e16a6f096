#pragma once

/*
 * MqttCanary: a message to ourselves now and then, because Paho sleeps 100 ms at a time once
 * nothing has come for a second.
 *
 * On `tidegate/canary/<client id>`, QoS 0. A broker that does not let us have it is not asked all
 * the time: it is a convenience. But its rules may change, or it may be another one, so nothing is
 * believed for good: where it refused the subscription or dropped the messages, it is asked again
 * on the next connection, and after some minutes on this one; where it hung up on us, after some
 * minutes, then after twice as long each time, up to a day. That it did is only known once a
 * connection without the message has held: where that one goes as well, it was the network.
 * Belongs to the source's thread, but for mqtt_canary_hear().
 */

#include "base/base.h"
#include "mqtt/sending.h"

typedef struct MqttCanary MqttCanary;

/* Why the broker ended a connection. */
typedef enum MqttCanaryVerdict {
        MQTT_CANARY_INNOCENT,
        MQTT_CANARY_SUSPECT, /* it was tried and not heard */
        MQTT_CANARY_ACCUSED, /* once too often: there will be none for a while */
} MqttCanaryVerdict;

struct MqttCanary {
        char topic[256]; /* "" = off */
        int interval_ms;
        bool is_subscribed;
        int64_t sent_us;
        int64_t resting_us; /* no more of them until then */
        int64_t denied_us;  /* how long it rests for the last time we were hung up on */
        unsigned n_lost;    /* connections in a row that went before one was heard */
        bool is_accused;    /* and whether it is why is not known yet */
        int64_t since_us;   /* when it was asked for first on this connection; 0: not yet */
        bool is_said;       /* that there is none */
        MqttSending sending;
        _Atomic unsigned n_unheard; /* in a row */
        _Atomic bool is_heard;      /* on this connection */
};

void mqtt_canary_init(MqttCanary *canary, const char *client_id, int interval_ms);
bool mqtt_canary_hear(MqttCanary *canary, Text topic); /* any thread: is it one? */
void mqtt_canary_rest(MqttCanary *canary);             /* we have closed the connection */
MqttCanaryVerdict mqtt_canary_lose(MqttCanary *canary, int64_t now_us);
/* True once, when a connection without it has held: it was why those before did not. */
bool mqtt_canary_is_guilty(MqttCanary *canary, int64_t now_us);
void mqtt_canary_sing(MqttCanary *canary, MqttSession *session, int64_t now_us);
