#include "mqtt/upkeep.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"
#include "mqtt/broker.h"
#include "mqtt/door.h"
#include "mqtt/filters.h"
#include "mqtt/session.h"
#include "mqtt/subscribing.h"

#define MQTT_UPKEEP_QOS     1
#define MQTT_UPKEEP_TRIES   3
#define MQTT_UPKEEP_REST_US INT64_C(3600000000)

int mqtt_upkeep_init(MqttUpkeep *upkeep, const MqttOptions *options) {
        *upkeep = (MqttUpkeep){ .options = options };
        return err_up(mqtt_filters_new(&upkeep->filters, NULL, 0));
}

void mqtt_upkeep_done(MqttUpkeep *upkeep) {
        upkeep->filters = mqtt_filters_free(upkeep->filters);
        mqtt_filters_free(atomic_exchange(&upkeep->next, NULL));
        mqtt_door_free(atomic_exchange(&upkeep->door, NULL));
}

int mqtt_upkeep_want(MqttUpkeep *upkeep, const char *const filters[], size_t n_filters) {
        MqttFilters *next = NULL;
        int r;

        r = mqtt_filters_new(&next, filters, n_filters);
        if (r < 0)
                return err_up(r);
        mqtt_filters_free(atomic_exchange(&upkeep->next, next));
        return 0;
}

bool mqtt_upkeep_takes(const MqttUpkeep *upkeep, Text topic) {
        return mqtt_door_takes(atomic_load(&upkeep->door), topic);
}

static void mqtt_upkeep_set_door(MqttUpkeep *upkeep) {
        MqttDoor *before = atomic_load(&upkeep->door), *door = NULL;

        if (!upkeep->knows_session || mqtt_door_new(&door, upkeep->filters, &before) < 0)
                return;
        atomic_store(&upkeep->door, door);
}

void mqtt_upkeep_turn(MqttUpkeep *upkeep) {
        CLEANUP(mqtt_filters_free) MqttFilters *next = NULL;

        next = atomic_exchange(&upkeep->next, NULL);
        if (!next)
                return;
        if (mqtt_filters_replace(&upkeep->filters, &next) < 0)
                log_error("mqtt_filters_kept reason=out_of_memory");
        mqtt_upkeep_set_door(upkeep);
}

void mqtt_upkeep_look(MqttUpkeep *upkeep) {
        if (upkeep->has_looked)
                return;
        upkeep->has_looked = true;
        upkeep->knows_session =
                upkeep->options->state_file && mqtt_filters_load(upkeep->filters,
                                                                 upkeep->options->state_file,
                                                                 upkeep->options->client_id);
        mqtt_upkeep_set_door(upkeep);
}

void mqtt_upkeep_connected(MqttUpkeep *upkeep, bool is_session_new) {
        upkeep->refused = (Backoff){ 0 };
        mqtt_filters_reset(upkeep->filters, is_session_new);
        upkeep->knows_session |= is_session_new;
        mqtt_upkeep_set_door(upkeep);
}

/* False: the connection is gone, or we are to stop. */
static bool mqtt_upkeep_ask(MqttUpkeep *upkeep, MqttSession *session, MqttFilterState state) {
        MqttFilter *items[MQTT_SESSION_FILTERS];
        const char *texts[MQTT_SESSION_FILTERS];
        int codes[MQTT_SESSION_FILTERS] = { 0 };
        size_t n = mqtt_filters_pick(upkeep->filters, state, items, MQTT_SESSION_FILTERS);

        for (size_t i = 0; i < n; ++i)
                texts[i] = items[i]->text;
        if (n > 0 && mqtt_subscribing_begin(session, texts, n, MQTT_UPKEEP_QOS, codes) != 0)
                return false;
        for (size_t i = 0; i < n; ++i)
                mqtt_filter_answered(items[i], codes[i], MQTT_UPKEEP_QOS);
        return true;
}

/* Noted before the broker knows of it: what is in the session is in the file, at any moment. */
static void mqtt_upkeep_note(MqttUpkeep *upkeep) {
        if (upkeep->filters->is_changed && upkeep->options->state_file)
                mqtt_filters_save(upkeep->filters,
                                  upkeep->options->state_file,
                                  upkeep->options->client_id);
}

bool mqtt_upkeep_subscribe(MqttUpkeep *upkeep, MqttSession *session) {
        mqtt_upkeep_note(upkeep);
        mqtt_filters_cover(upkeep->filters);
        while (mqtt_filters_have(upkeep->filters, MQTT_FILTER_WANTED)) {
                if (!mqtt_upkeep_ask(upkeep, session, MQTT_FILTER_WANTED))
                        return false;
                mqtt_filters_cover(upkeep->filters); /* a wide one may have been refused */
        }
        return true;
}

static bool mqtt_upkeep_may_unsubscribe(const MqttUpkeep *upkeep) {
        return upkeep->n_unanswered < MQTT_UPKEEP_TRIES ||
               clock_mono_us() - upkeep->unanswered_us >= MQTT_UPKEEP_REST_US;
}

static void mqtt_upkeep_unanswered(MqttUpkeep *upkeep, const char *filter) {
        upkeep->unanswered_us = clock_mono_us();
        if (++upkeep->n_unanswered == MQTT_UPKEEP_TRIES)
                log_warning("mqtt_unsubscribe_unanswered filter=%s", filter);
}

/* A broker that does not answer has lost the connection like any other. */
static void mqtt_upkeep_unsubscribe(MqttUpkeep *upkeep,
                                    MqttSession *session,
                                    MqttFilterState state) {
        MqttFilter *items[MQTT_SESSION_FILTERS];
        const char *texts[MQTT_SESSION_FILTERS];
        size_t n;

        while (mqtt_upkeep_may_unsubscribe(upkeep) &&
               (n = mqtt_filters_pick(upkeep->filters, state, items, MQTT_SESSION_FILTERS)) > 0) {
                for (size_t i = 0; i < n; ++i)
                        texts[i] = items[i]->text;
                if (mqtt_subscribing_end(session, texts, n) != 0) {
                        mqtt_upkeep_unanswered(upkeep, texts[0]);
                        return;
                }
                upkeep->n_unanswered = 0;
                for (size_t i = 0; i < n; ++i)
                        mqtt_filter_unsubscribed(items[i]);
                mqtt_filters_drop_gone(upkeep->filters);
                if (state == MQTT_FILTER_STALE)
                        mqtt_upkeep_set_door(upkeep);
        }
}

/* False: as mqtt_upkeep_ask(). */
static bool mqtt_upkeep_ask_again(MqttUpkeep *upkeep, MqttSession *session) {
        if (!mqtt_filters_have(upkeep->filters, MQTT_FILTER_REFUSED) ||
            !mqtt_session_is_connected(session) || backoff_left_ms(&upkeep->refused) > 0)
                return true;
        if (upkeep->refused.n_failures > 0 &&
            !mqtt_upkeep_ask(upkeep, session, MQTT_FILTER_REFUSED))
                return false;
        (void)backoff_fail_apart(&upkeep->refused,
                                 upkeep->options->backoff_min_ms,
                                 upkeep->options->backoff_max_ms);
        return true;
}

void mqtt_upkeep_tidy(MqttUpkeep *upkeep, MqttSession *session) {
        mqtt_upkeep_unsubscribe(upkeep, session, MQTT_FILTER_DOUBLED);
        mqtt_upkeep_unsubscribe(upkeep, session, MQTT_FILTER_STALE);
        if (!mqtt_upkeep_ask_again(upkeep, session))
                return;
        metric_set(METRIC_MQTT_FILTERS_REFUSED, (int64_t)mqtt_filters_n_refused(upkeep->filters));
        mqtt_upkeep_note(upkeep);
}
