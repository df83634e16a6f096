#include "mqtt/listener.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/err.h"
#include "base/log.h"
#include "mqtt/candidates.h"
#include "mqtt/door.h"
#include "mqtt/filters.h"
#include "mqtt/session.h"
#include "mqtt/subscribing.h"

#define MQTT_LISTENER_TICK_MS   250
#define MQTT_LISTENER_STOP_MS   1000
#define MQTT_LISTENER_STABLE_US 10000000 /* a connection that lasts so long was a good one */
#define MQTT_LISTENER_WINDOW    1        /* publishes: none */

struct MqttListener {
        const MqttOptions *options; /* borrowed */
        const char *what;           /* borrowed */
        char *client_id;            /* owned */
        MqttListenerSink sink;
        pthread_t thread;

        _Atomic(MqttSession *) session;      /* made by our thread, once */
        _Atomic(MqttFilters *) next_filters; /* set by the owner, taken by ours */
        _Atomic(MqttDoor *) door;            /* set by ours */
        _Atomic bool is_stopping;

        /* {our thread} from here on */
        MqttFilters *filters;
        Backoff connecting;
        bool was_connected;
        int64_t connected_us;
        MqttSaid said[MQTT_CANDIDATES_MAX];
};

static void mqtt_listener_on_message(void *arg, const Inbound *inbound) {
        MqttListener *listener = arg;

        if (mqtt_door_takes(atomic_load(&listener->door), inbound->topic))
                listener->sink.heard(listener->sink.arg, inbound);
}

/* ---- on our thread ---- */

static void mqtt_listener_tell(const MqttListener *listener, bool is_connected) {
        if (listener->sink.turned)
                listener->sink.turned(listener->sink.arg, is_connected);
}

static void mqtt_listener_back_off(MqttListener *listener) {
        (void)backoff_fail_apart(&listener->connecting,
                                 listener->options->backoff_min_ms,
                                 listener->options->backoff_max_ms);
}

/* What a new table wants is subscribed on a new connection: its session begins with nothing. */
static void mqtt_listener_take_filters(MqttListener *listener, MqttSession *session) {
        MqttFilters *next = atomic_exchange(&listener->next_filters, NULL);
        MqttDoor *before = atomic_load(&listener->door), *door = NULL;

        if (!next)
                return;
        if (mqtt_door_new(&door, next, &before) < 0) {
                mqtt_filters_free(next);
                log_error("%s_kept reason=out_of_memory", listener->what);
                return;
        }
        mqtt_session_disconnect(session);
        mqtt_listener_tell(listener, false);
        listener->was_connected = false;
        listener->connecting = (Backoff){ 0 };
        atomic_store(&listener->door, door);
        mqtt_filters_free(listener->filters);
        listener->filters = next;
}

static void mqtt_listener_connect(MqttListener *listener, MqttSession *session) {
        int left_ms = backoff_left_ms(&listener->connecting);
        int r;

        if (left_ms > 0) {
                mqtt_session_wait(session,
                                  left_ms < MQTT_LISTENER_TICK_MS ? left_ms
                                                                  : MQTT_LISTENER_TICK_MS);
                return;
        }
        r = mqtt_session_connect(session);
        if (r == 0) {
                listener->was_connected = true;
                listener->connected_us = clock_mono_us();
                mqtt_filters_reset(listener->filters, true);
                mqtt_listener_tell(listener, true);
                log_info("%s_connected url=%s client_id=%s",
                         listener->what,
                         mqtt_session_url(session),
                         listener->client_id);
        } else if (r != MQTT_SESSION_E_INTERRUPTED) {
                if (mqtt_said_is_news(listener->said,
                                      mqtt_session_url(session),
                                      mqtt_session_error(session)))
                        log_warning("%s_not_connected url=%s error=\"%s\"",
                                    listener->what,
                                    mqtt_session_url(session),
                                    mqtt_session_error(session));
                if (!mqtt_session_has_more(session))
                        mqtt_listener_back_off(listener);
        }
}

static void mqtt_listener_lost(MqttListener *listener, const MqttSession *session) {
        mqtt_listener_tell(listener, false);
        listener->was_connected = false;
        if (clock_mono_us() - listener->connected_us >= MQTT_LISTENER_STABLE_US) {
                memset(listener->said, 0, sizeof(listener->said));
                listener->connecting = (Backoff){ 0 };
        }
        mqtt_listener_back_off(listener);
        log_warning("%s_lost reason=0x%02x",
                    listener->what,
                    (unsigned)mqtt_session_lost_code(session));
}

/* What is refused is asked for again with the next connection; narrower ones stand in. */
static void mqtt_listener_subscribe(MqttListener *listener, MqttSession *session) {
        MqttFilter *items[MQTT_SESSION_FILTERS];
        const char *texts[MQTT_SESSION_FILTERS];
        int codes[MQTT_SESSION_FILTERS] = { 0 };
        size_t n;

        mqtt_filters_cover(listener->filters);
        while ((n = mqtt_filters_pick(listener->filters,
                                      MQTT_FILTER_WANTED,
                                      items,
                                      MQTT_SESSION_FILTERS)) > 0) {
                for (size_t i = 0; i < n; ++i)
                        texts[i] = items[i]->text;
                if (mqtt_subscribing_begin(session, texts, n, 0, codes) != 0)
                        return;
                for (size_t i = 0; i < n; ++i)
                        mqtt_filter_answered(items[i], codes[i], 0);
                mqtt_filters_cover(listener->filters);
        }
}

static void mqtt_listener_turn(MqttListener *listener, MqttSession *session) {
        mqtt_listener_take_filters(listener, session);
        mqtt_session_check(session);
        if (listener->was_connected && !mqtt_session_is_connected(session))
                mqtt_listener_lost(listener, session);
        if (listener->filters->n_items > 0 && !mqtt_session_is_connected(session)) {
                mqtt_listener_connect(listener, session);
                return;
        }
        if (listener->filters->n_items > 0)
                mqtt_listener_subscribe(listener, session);
        mqtt_session_wait(session, MQTT_LISTENER_TICK_MS);
}

static void *mqtt_listener_run(void *arg) {
        MqttListener *listener = arg;
        MqttSession *session = NULL;

        (void)pthread_setname_np(pthread_self(), listener->what);
        if (mqtt_session_new(&session,
                             listener->options,
                             listener->client_id,
                             true,
                             MQTT_LISTENER_WINDOW,
                             &(MqttSessionSink){ .arg = listener,
                                                 .message = mqtt_listener_on_message }) != 0) {
                log_error("%s_unusable", listener->what);
                return NULL;
        }
        atomic_store(&listener->session, session);
        while (!atomic_load(&listener->is_stopping))
                mqtt_listener_turn(listener, session);
        mqtt_session_disconnect(session);
        mqtt_session_free(session);
        return NULL;
}

/* ---- life ---- */

static void mqtt_listener_done(MqttListener *listener) {
        mqtt_filters_free(listener->filters);
        mqtt_filters_free(atomic_load(&listener->next_filters));
        mqtt_door_free(atomic_load(&listener->door));
        free(listener->client_id);
        free(listener);
}

int mqtt_listener_new(MqttListener **ret_listener,
                      const MqttOptions *options,
                      const char *what,
                      const char *client_id,
                      const MqttListenerSink *sink) {
        MqttListener *listener = calloc(1, sizeof(*listener));
        int r;

        if (!listener)
                return err_new(-ENOMEM);
        listener->options = options;
        listener->what = what;
        listener->sink = *sink;
        listener->client_id = strdup(client_id);
        r = listener->client_id ? mqtt_filters_new(&listener->filters, NULL, 0) : err_new(-ENOMEM);
        if (r == 0) {
                r = -pthread_create(&listener->thread, NULL, mqtt_listener_run, listener);
                r = r == 0 ? 0 : err_new(r);
        }
        if (r < 0) {
                mqtt_listener_done(listener);
                return err_up(r);
        }
        *ret_listener = listener;
        return 0;
}

MqttListener *mqtt_listener_free(MqttListener *listener) {
        struct timespec until;
        MqttSession *session;

        if (!listener)
                return NULL;
        session = atomic_load(&listener->session);
        if (session)
                mqtt_session_interrupt(session);
        atomic_store(&listener->is_stopping, true); /* from here on it may free its session */
        until = deadline_in(MQTT_LISTENER_STOP_MS);
        if (!deadline_join(listener->thread, &until)) {
                MUST(pthread_detach(listener->thread));
                return listener;
        }
        mqtt_listener_done(listener);
        return NULL;
}

int mqtt_listener_set_filters(MqttListener *listener,
                              const char *const filters[],
                              size_t n_filters) {
        MqttFilters *next = NULL;
        int r = mqtt_filters_new(&next, filters, n_filters);

        if (r < 0)
                return err_up(r);
        mqtt_filters_free(atomic_exchange(&listener->next_filters, next));
        return 0;
}
