#include "mqtt/subscribing.h"

#include <MQTTAsync.h>

#include <stdatomic.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/watch.h"
#include "mqtt/session.h"

#define MQTT_SUBSCRIBING_MAX_QOS   2
#define MQTT_SUBSCRIBING_NAMES     268435455 /* that MQTT has, from 1 on */
#define MQTT_SUBSCRIBING_SLICE_MS  250       /* between looks at the time */
#define MQTT_SUBSCRIBING_MAX_WAITS 6 /* time-outs of a broker that sends messages but no answer */

enum { /* outcomes; from 0 on they are the code that the broker gave */
       MQTT_SUBSCRIBING_PENDING = -1,
       MQTT_SUBSCRIBING_FAILED = -2, /* the connection went away */
       MQTT_SUBSCRIBING_WRONG = -3,  /* an answer that is none */
};

/* ---- Paho's thread ---- */

static void mqtt_subscribing_finish(MqttSubscribing *subscribing, int outcome) {
        atomic_fetch_add(&mqtt_session_answers(subscribing->session)->n, 1);
        atomic_store(&subscribing->outcome, outcome);
        mqtt_session_wake(subscribing->session);
}

/* Whatever else has our packet id than a SUBACK of one code brings no QoS. */
static void mqtt_subscribing_grant(MqttSubscribing *subscribing, int code) {
        bool is_qos = code >= 0 && code <= MQTT_SUBSCRIBING_MAX_QOS;

        mqtt_subscribing_finish(subscribing, is_qos ? code : MQTT_SUBSCRIBING_WRONG);
}

static void mqtt_subscribing_refuse(MqttSubscribing *subscribing, int code) {
        mqtt_subscribing_finish(subscribing,
                                code >= MQTT_SESSION_REFUSED ? code : MQTT_SUBSCRIBING_FAILED);
}

static void mqtt_subscribing_on_suback3(void *context, MQTTAsync_successData *data) {
        mqtt_subscribing_grant(context, data->alt.qos);
}

static void mqtt_subscribing_on_suback5(void *context, MQTTAsync_successData5 *data) {
        mqtt_subscribing_grant(context,
                               data->alt.sub.reasonCodeCount == 1 ? (int)data->reasonCode
                                                                  : MQTT_SUBSCRIBING_WRONG);
}

static void mqtt_subscribing_on_unsuback3(void *context, MQTTAsync_successData *data) {
        (void)data;
        mqtt_subscribing_finish(context, 0);
}

static void mqtt_subscribing_on_unsuback5(void *context, MQTTAsync_successData5 *data) {
        (void)data;
        mqtt_subscribing_finish(context, 0);
}

static void mqtt_subscribing_on_failure3(void *context, MQTTAsync_failureData *data) {
        mqtt_subscribing_refuse(context, data ? data->code : MQTT_SUBSCRIBING_FAILED);
}

static void mqtt_subscribing_on_failure5(void *context, MQTTAsync_failureData5 *data) {
        mqtt_subscribing_refuse(context, data ? (int)data->reasonCode : MQTT_SUBSCRIBING_FAILED);
}

/* ---- the owner ---- */

/* Of the filter's text, and so the same on every connection and of every process: what the session
 * has kept may come late. Two that have one by chance are told apart by nothing, as without. */
static uint32_t mqtt_subscribing_name(const char *filter) {
        uint64_t hash = text_hash(TEXT_HASH, filter, strlen(filter));

        return (uint32_t)((hash ^ hash >> 32) % MQTT_SUBSCRIBING_NAMES) + 1;
}

static MQTTAsync_responseOptions mqtt_subscribing_prepare(MqttSubscribing *subscribing,
                                                          MqttSession *session) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;

        subscribing->session = session;
        atomic_store(&subscribing->outcome, MQTT_SUBSCRIBING_PENDING);
        response.context = subscribing;
        if (mqtt_session_is_v5(session))
                response.onFailure5 = mqtt_subscribing_on_failure5;
        else
                response.onFailure = mqtt_subscribing_on_failure3;
        return response;
}

/* False: it did not get as far as Paho. */
static bool mqtt_subscribing_subscribe(MqttSubscribing *subscribing,
                                       MqttSession *session,
                                       const char *filter,
                                       int qos) {
        MQTTAsync_responseOptions response = mqtt_subscribing_prepare(subscribing, session);
        const MQTTSubscribe_options option = MQTTSubscribe_options_initializer;
        MQTTProperty name = { .identifier = MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER };
        bool is_sent;

        if (mqtt_session_is_v5(session)) {
                response.onSuccess5 = mqtt_subscribing_on_suback5;
                response.subscribeOptions = option;
                /* Retained messages only where the subscription is new. */
                response.subscribeOptions.retainHandling = 1;
                name.value.integer4 = mqtt_subscribing_name(filter);
                if (!atomic_load(&mqtt_session_answers(session)->has_no_names) &&
                    MQTTProperties_add(&response.properties, &name) != 0)
                        return false;
        } else {
                response.onSuccess = mqtt_subscribing_on_suback3;
        }
        is_sent = MQTTAsync_subscribe(mqtt_session_paho(session), filter, qos, &response) ==
                  MQTTASYNC_SUCCESS;
        MQTTProperties_free(&response.properties); /* Paho has a copy */
        return is_sent;
}

static bool mqtt_subscribing_unsubscribe(MqttSubscribing *subscribing,
                                         MqttSession *session,
                                         const char *filter) {
        MQTTAsync_responseOptions response = mqtt_subscribing_prepare(subscribing, session);

        if (mqtt_session_is_v5(session))
                response.onSuccess5 = mqtt_subscribing_on_unsuback5;
        else
                response.onSuccess = mqtt_subscribing_on_unsuback3;
        return MQTTAsync_unsubscribe(mqtt_session_paho(session), filter, &response) ==
               MQTTASYNC_SUCCESS;
}

static unsigned mqtt_subscribing_n_pending(const MqttSubscribing items[], size_t n) {
        unsigned n_pending = 0;

        for (size_t i = 0; i < n; ++i)
                n_pending += atomic_load(&items[i].outcome) == MQTT_SUBSCRIBING_PENDING;
        return n_pending;
}

/*
 * A broker has the time-out for its answers, and as long again while it sends what it kept for us,
 * which comes first: but not for ever. True: there are all of them.
 */
static bool mqtt_subscribing_await(MqttSession *session, const MqttSubscribing items[], size_t n) {
        int64_t timeout_us = mqtt_session_timeout_ms(session) * INT64_C(1000);
        int64_t last_us = clock_mono_us() + MQTT_SUBSCRIBING_MAX_WAITS * timeout_us;
        int64_t until_us = clock_mono_us() + timeout_us;
        unsigned n_pending = (unsigned)n;
        unsigned n_messages = mqtt_session_n_messages(session);

        while ((n_pending = mqtt_subscribing_n_pending(items, n)) > 0 &&
               mqtt_session_is_connected(session) && !mqtt_session_is_interrupted(session) &&
               clock_mono_us() < until_us) {
                watch_turn(); /* this may be longer than the watchdog has patience, but it ends */
                mqtt_session_wait(session, MQTT_SUBSCRIBING_SLICE_MS);
                if (mqtt_session_n_messages(session) != n_messages)
                        until_us = clock_mono_us() + timeout_us;
                if (until_us > last_us)
                        until_us = last_us;
                n_messages = mqtt_session_n_messages(session);
        }
        return n_pending == 0;
}

static int mqtt_subscribing_settle(MqttSession *session, size_t n, bool is_sent, int ret_codes[]) {
        const MqttSubscribing *items = mqtt_session_subscribings(session);
        bool is_answered = is_sent && mqtt_subscribing_await(session, items, n);
        const char *why = "no answer to a subscription in time";

        if (mqtt_session_is_interrupted(session))
                return MQTT_SESSION_E_INTERRUPTED;
        for (size_t i = 0; is_answered && i < n; ++i) {
                int outcome = atomic_load(&items[i].outcome);

                is_answered = outcome >= 0;
                if (outcome == MQTT_SUBSCRIBING_WRONG)
                        why = "an answer to a subscription that is none";
                if (is_answered && ret_codes)
                        ret_codes[i] = outcome;
        }
        if (is_answered)
                return 0;
        mqtt_session_give_up(session, why);
        return MQTT_SESSION_E_OFFLINE;
}

int mqtt_subscribing_begin(MqttSession *session,
                           const char *const filters[],
                           size_t n_filters,
                           int qos,
                           int ret_codes[]) {
        MqttSubscribing *items = mqtt_session_subscribings(session);
        bool is_sent = mqtt_session_is_connected(session);

        assert(n_filters > 0 && n_filters <= MQTT_SESSION_FILTERS);
        for (size_t i = 0; is_sent && i < n_filters; ++i)
                is_sent = mqtt_subscribing_subscribe(&items[i], session, filters[i], qos);
        return mqtt_subscribing_settle(session, n_filters, is_sent, ret_codes);
}

int mqtt_subscribing_end(MqttSession *session, const char *const filters[], size_t n_filters) {
        MqttSubscribing *items = mqtt_session_subscribings(session);
        bool is_sent = mqtt_session_is_connected(session);

        assert(n_filters > 0 && n_filters <= MQTT_SESSION_FILTERS);
        for (size_t i = 0; is_sent && i < n_filters; ++i)
                is_sent = mqtt_subscribing_unsubscribe(&items[i], session, filters[i]);
        return mqtt_subscribing_settle(session, n_filters, is_sent, NULL);
}
