#include "mqtt/canary.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "mqtt/sending.h"
#include "mqtt/session.h"
#include "mqtt/subscribing.h"

#define MQTT_CANARY_MAX_UNHEARD 20
#define MQTT_CANARY_MAX_LOST    3
#define MQTT_CANARY_REST_US     INT64_C(300000000)

void mqtt_canary_init(MqttCanary *canary, const char *client_id, int interval_ms) {
        int n;

        *canary = (MqttCanary){ .interval_ms = interval_ms };
        if (interval_ms <= 0 || strpbrk(client_id, "+#/"))
                return;
        n = snprintf(canary->topic, sizeof(canary->topic), "tidegate/canary/%s", client_id);
        if (n < 0 || (size_t)n >= sizeof(canary->topic))
                canary->topic[0] = '\0';
}

static void mqtt_canary_give_up(MqttCanary *canary, const char *reason) {
        log_info("mqtt_canary_off topic=%s reason=%s hint=sparse messages may come 100 ms late",
                 canary->topic,
                 reason);
        canary->interval_ms = 0;
}

bool mqtt_canary_hear(MqttCanary *canary, Text topic) {
        if (canary->topic[0] == '\0' || !text_equal(topic, text_of(canary->topic)))
                return false;
        atomic_store(&canary->n_unheard, 0);
        atomic_store(&canary->is_heard, true);
        atomic_store(&canary->was_ever_heard, true);
        return true;
}

void mqtt_canary_rest(MqttCanary *canary) {
        canary->is_subscribed = false;
        atomic_store(&canary->is_heard, false);
        atomic_store(&canary->n_unheard, 0);
}

MqttCanaryVerdict mqtt_canary_lose(MqttCanary *canary, int64_t now_us) {
        bool was_tried = canary->is_subscribed || atomic_load(&canary->n_unheard) > 0;
        bool was_heard = atomic_load(&canary->is_heard);

        mqtt_canary_rest(canary);
        if (canary->interval_ms == 0 || !was_tried)
                return MQTT_CANARY_INNOCENT;
        canary->n_lost = was_heard ? 0 : canary->n_lost + 1;
        if (canary->n_lost < MQTT_CANARY_MAX_LOST)
                return was_heard ? MQTT_CANARY_INNOCENT : MQTT_CANARY_SUSPECT;
        if (atomic_load(&canary->was_ever_heard)) {
                canary->n_lost = MQTT_CANARY_MAX_LOST - 1; /* the next is enough */
                canary->resting_us = now_us + MQTT_CANARY_REST_US;
        } else {
                mqtt_canary_give_up(canary, "connection_lost");
        }
        return MQTT_CANARY_GUILTY;
}

static bool mqtt_canary_subscribe(MqttCanary *canary, MqttSession *session) {
        const char *filter = canary->topic;
        int code = 0;

        atomic_store(&canary->n_unheard, 1); /* it is being tried */
        if (mqtt_subscribing_begin(session, &filter, 1, 0, &code) != 0)
                return false;
        canary->is_subscribed = code < MQTT_SESSION_REFUSED;
        atomic_store(&canary->n_unheard, 0);
        if (!canary->is_subscribed)
                mqtt_canary_give_up(canary, "refused");
        return canary->is_subscribed;
}

void mqtt_canary_sing(MqttCanary *canary, MqttSession *session, int64_t now_us) {
        if (canary->interval_ms <= 0 || canary->topic[0] == '\0' ||
            now_us - canary->sent_us < canary->interval_ms * INT64_C(1000) ||
            now_us < canary->resting_us)
                return;
        if (!canary->is_subscribed && !mqtt_canary_subscribe(canary, session))
                return;

        canary->sent_us = now_us;
        if (atomic_fetch_add(&canary->n_unheard, 1) >= MQTT_CANARY_MAX_UNHEARD &&
            !atomic_load(&canary->was_ever_heard)) {
                mqtt_canary_give_up(canary, "not_heard");
                return;
        }
        if (mqtt_sending_post(session, canary->topic, TEXT("."), 0, false) != 0)
                log_debug("mqtt_canary_not_sent");
}
