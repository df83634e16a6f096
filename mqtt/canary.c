#include "mqtt/canary.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "mqtt/session.h"
#include "mqtt/subscribing.h"

#define MQTT_CANARY_MAX_UNHEARD  20
#define MQTT_CANARY_MAX_LOST     3
#define MQTT_CANARY_PROOF_US     INT64_C(5000000) /* of a connection that was none of its business */
#define MQTT_CANARY_REST_US      INT64_C(300000000)
#define MQTT_CANARY_LONG_REST_US INT64_C(86400000000)

void mqtt_canary_init(MqttCanary *canary, const char *client_id, int interval_ms) {
        int n;

        *canary = (MqttCanary){ .interval_ms = interval_ms };
        if (interval_ms <= 0 || strpbrk(client_id, "+#/"))
                return;
        n = snprintf(canary->topic, sizeof(canary->topic), "tidegate/canary/%s", client_id);
        if (n < 0 || (size_t)n >= sizeof(canary->topic))
                canary->topic[0] = '\0';
}

void mqtt_canary_rest(MqttCanary *canary) {
        canary->is_subscribed = false;
        canary->since_us = 0;
        atomic_store(&canary->is_heard, false);
        atomic_store(&canary->n_unheard, 0);
        if (canary->denied_us == 0)
                canary->resting_us = 0;
}

/* Until it is heard there is one line of it, whatever connections lie between. */
static void mqtt_canary_give_up(MqttCanary *canary, const char *reason, int64_t now_us) {
        if (!canary->is_said)
                log_info("mqtt_canary_off topic=%s reason=%s hint=sparse messages may come 100 ms "
                         "late",
                         canary->topic,
                         reason);
        canary->is_said = true;
        mqtt_canary_rest(canary);
        canary->resting_us = now_us + MQTT_CANARY_REST_US;
}

/* To ask costs a connection each time, so it is asked ever less often. */
static void mqtt_canary_accuse(MqttCanary *canary, int64_t now_us) {
        int64_t rest_us = canary->denied_us * 2;

        if (rest_us == 0)
                rest_us = MQTT_CANARY_REST_US;
        if (rest_us > MQTT_CANARY_LONG_REST_US)
                rest_us = MQTT_CANARY_LONG_REST_US;
        canary->denied_us = rest_us;
        canary->resting_us = now_us + rest_us;
        canary->is_accused = true;
        canary->n_lost = MQTT_CANARY_MAX_LOST - 1; /* the next is enough */
}

/* Connections go without it, too. */
static void mqtt_canary_acquit(MqttCanary *canary) {
        canary->is_accused = false;
        canary->denied_us = 0;
        canary->resting_us = 0;
        canary->n_lost = 0;
}

bool mqtt_canary_is_guilty(MqttCanary *canary, int64_t now_us) {
        if (!canary->is_accused || canary->since_us == 0 ||
            now_us - canary->since_us < MQTT_CANARY_PROOF_US)
                return false;
        canary->is_accused = false;
        canary->is_said = true;
        return true;
}

static void mqtt_canary_allowed(MqttCanary *canary) {
        canary->denied_us = 0;
        canary->n_lost = 0;
        canary->is_accused = false;
        if (canary->is_said)
                log_info("mqtt_canary_on topic=%s", canary->topic);
        canary->is_said = false;
}

bool mqtt_canary_hear(MqttCanary *canary, Text topic) {
        if (canary->topic[0] == '\0' || !text_equal(topic, text_of(canary->topic)))
                return false;
        atomic_store(&canary->n_unheard, 0);
        atomic_store(&canary->is_heard, true);
        return true;
}

MqttCanaryVerdict mqtt_canary_lose(MqttCanary *canary, int64_t now_us) {
        bool was_tried = now_us >= canary->resting_us &&
                         (canary->is_subscribed || atomic_load(&canary->n_unheard) > 0);
        bool was_heard = atomic_load(&canary->is_heard);

        if (was_heard)
                mqtt_canary_allowed(canary);
        if (canary->is_accused && !was_tried && canary->since_us != 0)
                mqtt_canary_acquit(canary);
        mqtt_canary_rest(canary);
        if (canary->interval_ms == 0 || !was_tried || was_heard)
                return MQTT_CANARY_INNOCENT;
        if (++canary->n_lost < MQTT_CANARY_MAX_LOST)
                return MQTT_CANARY_SUSPECT;
        mqtt_canary_accuse(canary, now_us);
        return MQTT_CANARY_ACCUSED;
}

static bool mqtt_canary_subscribe(MqttCanary *canary, MqttSession *session, int64_t now_us) {
        const char *filter = canary->topic;
        int code = 0;

        atomic_store(&canary->n_unheard, 1); /* it is being tried */
        if (mqtt_subscribing_begin(session, &filter, 1, 0, &code) != 0)
                return false;
        canary->is_subscribed = code < MQTT_SESSION_REFUSED;
        atomic_store(&canary->n_unheard, 0);
        if (!canary->is_subscribed)
                mqtt_canary_give_up(canary, "refused", now_us);
        return canary->is_subscribed;
}

void mqtt_canary_sing(MqttCanary *canary, MqttSession *session, int64_t now_us) {
        if (canary->since_us == 0)
                canary->since_us = now_us;
        if (atomic_load(&canary->is_heard))
                mqtt_canary_allowed(canary);
        if (canary->interval_ms <= 0 || canary->topic[0] == '\0' ||
            now_us - canary->sent_us < canary->interval_ms * INT64_C(1000) ||
            now_us < canary->resting_us)
                return;
        if (!canary->is_subscribed && !mqtt_canary_subscribe(canary, session, now_us))
                return;

        canary->sent_us = now_us;
        if (atomic_fetch_add(&canary->n_unheard, 1) >= MQTT_CANARY_MAX_UNHEARD) {
                mqtt_canary_give_up(canary, "not_heard", now_us);
                return;
        }
        if (mqtt_sending_start(&canary->sending,
                               session,
                               &(MqttMessage){ .topic = canary->topic, .payload = TEXT(".") }) != 0)
                log_debug("mqtt_canary_not_sent");
}
