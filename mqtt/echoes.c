#include "mqtt/echoes.h"

#include "base/text.h"
#include "model/metrics.h"

#define MQTT_ECHOES_BYTES  256 /* of a payload that are looked at, and its length */
#define MQTT_ECHOES_SAY_US INT64_C(60000000)

/* Who makes two messages that agree in it has a line in the log to gain. */
static uint64_t mqtt_echoes_hash(uint64_t hash, Text text) {
        size_t n = text.n < MQTT_ECHOES_BYTES ? text.n : MQTT_ECHOES_BYTES;

        return text_hash(text_hash(hash, text.data, n), &text.n, sizeof(text.n));
}

static bool mqtt_echoes_has(MqttEchoes *echoes, Text topic, Text payload, int64_t now_us) {
        uint64_t hash = mqtt_echoes_hash(mqtt_echoes_hash(TEXT_HASH, topic), payload);
        MqttEcho *echo = &echoes->slots[(hash >> 32) % MQTT_ECHOES_SLOTS];

        if (echo->hash != hash && echo->n_votes > 0) {
                --echo->n_votes;
                return false;
        }
        if (echo->hash != hash || now_us - echo->since_us >= MQTT_ECHOES_US)
                *echo = (MqttEcho){ .hash = hash, .since_us = now_us };
        ++echo->n_votes;
        return ++echo->n > MQTT_ECHOES_MANY;
}

bool mqtt_echoes_hear(MqttEchoes *echoes, const Inbound *inbound, int64_t now_us) {
        if (!mqtt_echoes_has(echoes, inbound->topic, inbound->payload, now_us))
                return false;
        metric_add(METRIC_MQTT_ECHOES, 1);
        if (echoes->said_us != 0 && now_us - echoes->said_us < MQTT_ECHOES_SAY_US)
                return false;
        echoes->said_us = now_us;
        return true;
}
