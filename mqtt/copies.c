#include "mqtt/copies.h"

#include "model/metrics.h"

#define MQTT_COPIES_KEPT ((size_t)1024 * 1024) /* memory that stays behind a larger message */

static bool mqtt_copies_has(const MqttCopies *copies, uint32_t filter) {
        for (size_t i = 0; i < copies->n_seen; ++i)
                if (copies->seen[i] == filter)
                        return true;
        return false;
}

static bool mqtt_copies_equals(const MqttCopies *copies, const Inbound *inbound) {
        Text topic = inbound->topic, payload = inbound->payload;

        return copies->n_topic == topic.n && copies->last.n == topic.n + payload.n &&
               copies->qos == inbound->qos && memcmp(copies->last.data, topic.data, topic.n) == 0 &&
               (payload.n == 0 ||
                memcmp(copies->last.data + topic.n, payload.data, payload.n) == 0);
}

static void mqtt_copies_begin(MqttCopies *copies, const Inbound *inbound, unsigned n_answers) {
        if (copies->last.capacity > MQTT_COPIES_KEPT)
                buf_done(&copies->last);
        buf_reset(&copies->last);
        buf_append_text(&copies->last, inbound->topic);
        buf_append_text(&copies->last, inbound->payload);
        copies->n_topic = inbound->topic.n;
        copies->qos = inbound->qos;
        copies->n_answers = n_answers;
        copies->seen[0] = inbound->subscription;
        copies->n_seen = buf_failed(&copies->last) ? 0 : 1;
}

bool mqtt_copies_hear(MqttCopies *copies, const Inbound *inbound, unsigned n_answers) {
        if (inbound->subscription == 0 || inbound->is_retained) {
                mqtt_copies_forget(copies);
                return false;
        }
        if (copies->n_seen == 0 || copies->n_seen == MQTT_COPIES_MAX ||
            copies->n_answers != n_answers || mqtt_copies_has(copies, inbound->subscription) ||
            !mqtt_copies_equals(copies, inbound)) {
                mqtt_copies_begin(copies, inbound, n_answers);
                return false;
        }
        copies->seen[copies->n_seen++] = inbound->subscription;
        metric_add(METRIC_MQTT_COPIES, 1);
        return true;
}

void mqtt_copies_forget(MqttCopies *copies) {
        copies->n_seen = 0;
}

void mqtt_copies_done(MqttCopies *copies) {
        buf_done(&copies->last);
        *copies = (MqttCopies){ 0 };
}
