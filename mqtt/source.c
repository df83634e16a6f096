#include "mqtt/source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/err.h"
#include "base/log.h"
#include "base/watch.h"
#include "model/metrics.h"
#include "mqtt/canary.h"
#include "mqtt/candidates.h"
#include "mqtt/copies.h"
#include "mqtt/echoes.h"
#include "mqtt/session.h"
#include "mqtt/upkeep.h"

#define MQTT_SOURCE_TICK_MS   250      /* how often high water is looked at */
#define MQTT_SOURCE_FULL_MS   10       /* between attempts to hand over a message */
#define MQTT_SOURCE_LOOK_MS   50       /* at what it is doing, while we wait for its end */
#define MQTT_SOURCE_STOP_MS   500      /* for a message that is not taken while we stop */
#define MQTT_SOURCE_STABLE_US 10000000 /* a connection that lasts so long was a good one */
#define MQTT_SOURCE_FLAPS     3
#define MQTT_SOURCE_WINDOW    16 /* canaries: one is enough */

struct MqttSource {
        const MqttOptions *options; /* borrowed */
        MqttSink sink;
        MqttSession *session;
        pthread_t thread;
        bool is_started;
        unsigned place;    /* metrics.h */
        bool is_abandoned; /* Paho's thread is in mqtt_source_park() */

        MqttUpkeep upkeep; /* of what is subscribed */
        _Atomic bool is_stopping;
        _Atomic int64_t stopping_us;
        _Atomic bool is_parked;
        _Atomic bool is_connected;
        _Atomic bool is_session_new; /* told by Paho's thread, taken by ours */
        _Atomic bool is_high;        /* seen by Paho's thread */
        int64_t waiting_us;          /* {Paho's thread} when it last said that it waits */
        MqttCopies copies;           /* {Paho's thread} */
        MqttEchoes echoes;           /* {Paho's thread} */

        /* {source's thread} from here on */
        MqttCanary canary; /* but for hearing it */
        Backoff connecting;
        bool was_connected;
        bool is_held; /* disconnected for high water */
        bool is_left; /* to another client that has taken the session */
        int64_t connected_us;
        unsigned n_short;                   /* connections in a row */
        MqttSaid said[MQTT_CANDIDATES_MAX]; /* why we could not connect, as logged */
};

/* Some source of this process: Paho's lock is taken for good, and nobody gets anything from it. */
static _Atomic bool mqtt_source_has_parked;

bool mqtt_source_has_stuck(void) {
        return atomic_load(&mqtt_source_has_parked);
}

/* ---- on Paho's thread ---- */

/*
 * Once we return, Paho acknowledges. Its lock is held, so it can do nothing else either: the
 * connection ends with the process, and the broker sends the message again to the next one.
 */
_Noreturn static void mqtt_source_park(MqttSource *source) {
        atomic_store(&source->is_parked, true);
        atomic_store(&mqtt_source_has_parked, true);
        for (;;)
                (void)pause();
}

static bool mqtt_source_may_wait(MqttSource *source) {
        return !atomic_load(&source->is_stopping) ||
               clock_mono_us() - atomic_load(&source->stopping_us) <
                       MQTT_SOURCE_STOP_MS * INT64_C(1000);
}

/* The last resort: nothing more is read from the broker as long as we are here. */
static void mqtt_source_hand_over(MqttSource *source, const Inbound *inbound) {
        const struct timespec pause = { .tv_nsec = MQTT_SOURCE_FULL_MS * 1000000L };
        bool is_said;

        if (source->sink.inbound(source->sink.arg, inbound) == 0)
                return;
        is_said = clock_mono_us() - source->waiting_us > MQTT_SOURCE_STABLE_US;
        if (is_said)
                log_warning("mqtt_waiting reason=journal_full");
        source->waiting_us = clock_mono_us();
        do {
                if (!mqtt_source_may_wait(source))
                        mqtt_source_park(source);
                (void)nanosleep(&pause, NULL);
        } while (source->sink.inbound(source->sink.arg, inbound) != 0);
        if (is_said)
                log_info("mqtt_goes_on");
}

static void mqtt_source_take(MqttSource *source, const Inbound *inbound) {
        if (mqtt_canary_hear(&source->canary, inbound->topic))
                return;
        if (!mqtt_upkeep_takes(&source->upkeep, inbound->topic) ||
            (source->sink.is_wanted &&
             !source->sink.is_wanted(source->sink.wanted, inbound->topic))) {
                metric_add(METRIC_MQTT_UNWANTED, 1);
                return;
        }
        if (mqtt_copies_hear(&source->copies,
                             inbound,
                             atomic_load(&mqtt_session_answers(source->session)->n)))
                return;
        mqtt_source_hand_over(source, inbound);
        if (mqtt_echoes_hear(&source->echoes, inbound, clock_mono_us()))
                log_warning("mqtt_echoes url=%s hint=\"many equal messages on one topic: bridges "
                            "of "
                            "brokers that make a ring? Each is stored\"",
                            mqtt_session_url(source->session));
        if (!atomic_load_explicit(&source->is_high, memory_order_relaxed) &&
            source->sink.is_high(source->sink.arg)) {
                atomic_store(&source->is_high, true);
                mqtt_session_wake(source->session);
        }
}

static void mqtt_source_on_message(void *arg, const Inbound *inbound) {
        MqttSource *source = arg;
        unsigned before = metrics_enter(source->place);

        mqtt_source_take(source, inbound);
        (void)metrics_enter(before);
}

/* What the broker may have sent at a time and not heard of: 3.1.1 knows no limit but its ids. */
static unsigned mqtt_source_in_flight(const MqttSource *source) {
        int n_max = source->options->receive_maximum;

        return mqtt_session_is_v5(source->session) && n_max > 0 ? (unsigned)n_max : UINT16_MAX;
}

/* By its URL: FNV-1a of 32 bits, folded, as it stands in journals. */
static uint16_t mqtt_source_broker(const MqttSource *source) {
        uint32_t hash = 2166136261U;

        for (const char *c = mqtt_session_url(source->session); *c; ++c)
                hash = (hash ^ (uint8_t)*c) * 16777619U;
        hash = (hash >> 16) ^ (hash & UINT16_MAX);
        return hash == 0 ? 1 : (uint16_t)hash;
}

static void mqtt_source_on_connected(void *arg, bool is_present) {
        MqttSource *source = arg;
        uint16_t broker = mqtt_source_broker(source);

        mqtt_copies_forget(&source->copies);
        if (is_present) {
                source->sink.session_resumed(source->sink.arg,
                                             broker,
                                             mqtt_source_in_flight(source));
        } else {
                source->sink.session_lost(source->sink.arg, broker);
                atomic_store(&source->is_session_new, true);
        }
        metric_add(METRIC_MQTT_CONNECTS, 1);
}

/* Ready means subscribed: before that, a broker with a new session drops what is published. */
static void mqtt_source_set_ready(MqttSource *source, bool is_ready) {
        atomic_store(&source->is_connected, is_ready);
        metric_set(METRIC_MQTT_CONNECTED, is_ready);
}

static void mqtt_source_on_lost(void *arg) {
        MqttSource *source = arg;
        unsigned before = metrics_enter(source->place);

        mqtt_source_set_ready(source, false);
        metric_add(METRIC_MQTT_DISCONNECTS, 1);
        (void)metrics_enter(before);
}

/* ---- connection ---- */

static int mqtt_source_back_off(MqttSource *source) {
        return backoff_fail_apart(&source->connecting,
                                  source->options->backoff_min_ms,
                                  source->options->backoff_max_ms);
}

static void mqtt_source_connected(MqttSource *source) {
        bool is_new = atomic_exchange(&source->is_session_new, false);

        source->was_connected = true;
        source->connected_us = clock_mono_us();
        memset(source->said, 0, sizeof(source->said));
        log_info("mqtt_connected url=%s client_id=%s version=%d session=%s",
                 mqtt_session_url(source->session),
                 source->options->client_id,
                 mqtt_session_is_v5(source->session) ? 5 : 4,
                 is_new ? "new" : "resumed");
        mqtt_upkeep_connected(&source->upkeep, is_new);
}

/* One line for each new reason of each broker, not for each attempt. */
static void mqtt_source_refused(MqttSource *source, int r, int retry_ms) {
        const char *error = mqtt_session_error(source->session);
        const char *url = mqtt_session_url(source->session);

        if (!mqtt_said_is_news(source->said, url, error))
                return;
        log_warning("mqtt_not_connected url=%s %s=\"%s\" retry_ms=%d",
                    url,
                    r == MQTT_SESSION_E_REFUSED ? "refused" : "failed",
                    error,
                    retry_ms);
}

static void mqtt_source_connect(MqttSource *source) {
        int left_ms = backoff_left_ms(&source->connecting);
        int r;

        if (left_ms > 0) {
                mqtt_session_wait(source->session,
                                  left_ms < MQTT_SOURCE_TICK_MS ? left_ms : MQTT_SOURCE_TICK_MS);
                return;
        }
        mqtt_upkeep_look(&source->upkeep);
        r = mqtt_session_connect(source->session);
        if (r == 0)
                mqtt_source_connected(source);
        else if (r != MQTT_SESSION_E_INTERRUPTED)
                mqtt_source_refused(source,
                                    r,
                                    mqtt_session_has_more(source->session)
                                            ? 0
                                            : mqtt_source_back_off(source));
}

static bool mqtt_source_is_ours(const MqttSource *source) {
        return !source->sink.is_ours || source->sink.is_ours(source->sink.owner);
}

static bool mqtt_source_may_be_others(const MqttSource *source) {
        return source->sink.may_be_others && source->sink.may_be_others(source->sink.owner);
}

/*
 * Another client with our id makes the broker drop us; if it comes back as we do, the two take the
 * session from each other for ever. MQTT 5 says so; with 3.1.1 it shows in connections that never
 * last. From the second time on the longest pause is right, and people have to be told. Where it
 * is not sure that the session is ours, it is left to the other one: of who waits in a callback
 * when the broker says it, Paho hears no more than that the connection is over.
 */
static void mqtt_source_lost(MqttSource *source) {
        bool was_short = clock_mono_us() - source->connected_us < MQTT_SOURCE_STABLE_US;
        int code = mqtt_session_lost_code(source->session);
        MqttCanaryVerdict canary = mqtt_canary_lose(&source->canary, clock_mono_us());
        int retry_ms;

        source->was_connected = false;
        if (!was_short || canary == MQTT_CANARY_INNOCENT)
                source->n_short = was_short ? source->n_short + 1 : 0;
        if (!was_short)
                source->connecting = (Backoff){ 0 };
        if (code == MQTT_SESSION_TAKEN_OVER && was_short)
                backoff_be_longest(&source->connecting);
        retry_ms = mqtt_source_back_off(source);

        source->is_left =
                (code == MQTT_SESSION_TAKEN_OVER || source->n_short >= MQTT_SOURCE_FLAPS ||
                 mqtt_source_may_be_others(source)) &&
                !mqtt_source_is_ours(source);
        if (source->is_left)
                log_info("mqtt_session_left client_id=%s hint=\"another gateway has taken it, and "
                         "the database cannot be asked whose it is\"",
                         source->options->client_id);
        else if (code == MQTT_SESSION_TAKEN_OVER)
                log_error("mqtt_session_taken_over client_id=%s retry_ms=%d "
                          "hint=\"another client uses this client id\"",
                          source->options->client_id,
                          retry_ms);
        else if (source->n_short == MQTT_SOURCE_FLAPS)
                log_error("mqtt_connection_flapping client_id=%s retry_ms=%d "
                          "hint=\"does another client use this client id?\"",
                          source->options->client_id,
                          retry_ms);
        else
                log_warning("mqtt_lost reason=0x%02x why=\"%s\" retry_ms=%d",
                            (unsigned)code,
                            mqtt_session_error(source->session),
                            retry_ms);
}

/* True while another client has the session, and nobody says that it is ours. */
static bool mqtt_source_leave(MqttSource *source) {
        if (!source->is_left)
                return false;
        if (!mqtt_source_is_ours(source))
                return true;
        log_info("mqtt_session_reclaimed client_id=%s", source->options->client_id);
        source->is_left = false;
        source->connecting = (Backoff){ 0 };
        source->n_short = 0;
        return false;
}

/* True while the broker is to keep what comes. */
static bool mqtt_source_hold(MqttSource *source) {
        bool is_high = source->sink.is_high(source->sink.arg);

        atomic_store(&source->is_high, is_high);
        if (is_high && !source->is_held) {
                log_warning("mqtt_held reason=journal_high");
                mqtt_session_disconnect(source->session);
                source->was_connected = false;
                mqtt_canary_rest(&source->canary);
        } else if (!is_high && source->is_held) {
                log_info("mqtt_released");
        }
        source->is_held = is_high;
        return is_high;
}

/* Ready means subscribed, whatever the broker's session has besides. */
static void mqtt_source_subscribe(MqttSource *source) {
        if (!mqtt_upkeep_subscribe(&source->upkeep, source->session))
                return;
        if (!atomic_load(&source->is_connected) && mqtt_session_is_connected(source->session))
                mqtt_source_set_ready(source, true);
        mqtt_upkeep_tidy(&source->upkeep, source->session);
}

/* ---- the thread ---- */

static void mqtt_source_turn(MqttSource *source) {
        int tick_ms = MQTT_SOURCE_TICK_MS;

        mqtt_upkeep_turn(&source->upkeep);
        mqtt_session_check(source->session);
        if (source->was_connected && !mqtt_session_is_connected(source->session)) {
                mqtt_source_set_ready(source, false); /* it may have gone while we became ready */
                mqtt_source_lost(source);
        }
        if (mqtt_source_leave(source) || mqtt_source_hold(source)) {
                mqtt_session_wait(source->session, tick_ms);
                return;
        }
        if (!mqtt_session_is_connected(source->session)) {
                watch_rest(); /* it takes as long as its own time-outs say */
                mqtt_source_connect(source);
                return;
        }
        mqtt_source_subscribe(source);
        if (mqtt_canary_is_guilty(&source->canary, clock_mono_us()))
                log_warning("mqtt_canary_denied topic=%s hint=\"the broker hangs up before our own "
                            "message on this topic comes back: let us write and read it, or set "
                            "mqtt.canary = 0\"",
                            source->canary.topic);
        mqtt_canary_sing(&source->canary, source->session, clock_mono_us());
        if (source->canary.interval_ms > 0 && source->canary.interval_ms < tick_ms)
                tick_ms = source->canary.interval_ms;
        mqtt_session_wait(source->session, tick_ms);
}

static void *mqtt_source_run(void *arg) {
        MqttSource *source = arg;

        (void)pthread_setname_np(pthread_self(), "mqtt-source");
        watch_enter("mqtt-source");
        (void)metrics_enter(source->place);
        while (!atomic_load(&source->is_stopping)) {
                watch_turn();
                mqtt_source_turn(source);
        }
        watch_leave();
        mqtt_session_disconnect(source->session);
        return NULL;
}

/* ---- life ---- */

int mqtt_source_new(MqttSource **ret_source, const MqttOptions *options, const MqttSink *sink) {
        CLEANUP(mqtt_source_free) MqttSource *source = NULL;
        int r;

        source = calloc(1, sizeof(*source));
        if (!source)
                return err_new(-ENOMEM);
        source->options = options;
        source->sink = *sink;
        source->place = metrics_place();
        r = mqtt_upkeep_init(&source->upkeep, options);
        if (r < 0)
                return err_up(r);
        r = mqtt_session_new(&source->session,
                             options,
                             options->client_id,
                             false,
                             MQTT_SOURCE_WINDOW,
                             &(MqttSessionSink){
                                     .arg = source,
                                     .connected = mqtt_source_on_connected,
                                     .message = mqtt_source_on_message,
                                     .lost = mqtt_source_on_lost,
                             });
        if (r == MQTT_SESSION_E_INVALID)
                return MQTT_SOURCE_E_INVALID;
        if (r != 0)
                return err_up(r);
        mqtt_canary_init(&source->canary, options->client_id, options->canary_ms);

        *ret_source = TAKE(&source);
        return 0;
}

MqttSource *mqtt_source_free(MqttSource *source) {
        if (!source)
                return NULL;

        mqtt_source_stop(source);
        if (source->is_abandoned)
                return NULL; /* Paho's thread will look at it until the process ends */
        mqtt_session_free(source->session);
        mqtt_upkeep_done(&source->upkeep);
        mqtt_copies_done(&source->copies);
        free(source);
        return NULL;
}

int mqtt_source_set_filters(MqttSource *source, const char *const filters[], size_t n_filters) {
        int r;

        r = mqtt_upkeep_want(&source->upkeep, filters, n_filters);
        if (r < 0)
                return err_up(r);
        if (source->session)
                mqtt_session_wake(source->session);
        return 0;
}

int mqtt_source_start(MqttSource *source) {
        int r;

        r = pthread_create(&source->thread, NULL, mqtt_source_run, source);
        if (r != 0)
                return err_new(-r);
        source->is_started = true;
        return 0;
}

static bool mqtt_source_join(MqttSource *source) {
        const struct timespec until = deadline_in(MQTT_SOURCE_LOOK_MS);

        return deadline_join(source->thread, &until);
}

void mqtt_source_begin_stop(MqttSource *source) {
        if (!source->is_started || atomic_load(&source->is_stopping))
                return;
        atomic_store(&source->stopping_us, clock_mono_us());
        atomic_store(&source->is_stopping, true);
        mqtt_session_interrupt(source->session);
}

void mqtt_source_await(MqttSource *source) {
        mqtt_source_begin_stop(source);
        while (source->is_started && !mqtt_source_join(source)) {
                if (!atomic_load(&mqtt_source_has_parked))
                        continue;
                if (atomic_load(&source->is_parked))
                        log_warning(
                                "mqtt_abandoned reason=journal_full hint=\"the broker keeps what "
                                "was not acknowledged\"");
                MUST(pthread_detach(source->thread));
                source->is_abandoned = true;
                break;
        }
        source->is_started = false;
}

void mqtt_source_stop(MqttSource *source) {
        if (!source->is_started && !atomic_load(&source->is_stopping))
                return;

        mqtt_source_await(source);
        if (atomic_load(&mqtt_source_has_parked))
                source->is_abandoned = true;
        if (!source->is_abandoned) /* a connect may have been under way: nothing comes any more */
                source->session = mqtt_session_free(source->session);
        metric_set(METRIC_MQTT_CONNECTED, 0);
}

bool mqtt_source_is_connected(const MqttSource *source) {
        return atomic_load(&source->is_connected);
}
