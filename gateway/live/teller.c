#include "gateway/live/teller.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "gateway/live/frame.h"
#include "gateway/live/keys.h"
#include "gateway/live/telling.h"
#include "model/metrics.h"
#include "mqtt/sending.h"
#include "mqtt/session.h"

#define LIVE_TELLER_WHAT    "live_teller"
#define LIVE_TELLER_ROOM    1024 /* beyond it, for what is no message */
#define LIVE_TELLER_PIECE   256  /* events at a time */
#define LIVE_TELLER_WINDOW  64   /* frames that are not written yet */
#define LIVE_TELLER_TICK_MS 200
#define LIVE_TELLER_BUSY_MS 20
#define LIVE_TELLER_TRIES   50 /* of these, before a frame is not said */
#define LIVE_TELLER_STOP_MS 1000

struct LiveTeller {
        LiveTellerOptions options;
        const MqttOptions *mqtt; /* borrowed */
        char *client_id;         /* owned */
        Queue *queue;            /* of Event; owned */
        pthread_t thread;
        bool has_thread;
        _Atomic(MqttSession *) session; /* made by the thread, once */
        _Atomic bool is_stopping, is_running;
        _Atomic bool owns[SLOT_MAX];

        /* {thread} from here on */
        LiveTelling telling;
        Buf signed_frame;
        MqttSending sending; /* of all frames */
        Backoff connecting;
        bool was_connected;
};

static void live_teller_drop(void *event) {
        event_unref(event);
}

/* ---- what is to be said --------------------------------------------------------------------- */

void live_teller_hear(void *arg, Event *event) {
        LiveTeller *teller = arg;

        if (!atomic_load_explicit(&teller->is_running, memory_order_relaxed))
                return;
        if (event->type == EVENT_MESSAGE &&
            queue_length(teller->queue) >= teller->options.capacity) {
                metric_add(METRIC_LIVE_UNTOLD, 1);
                return;
        }
        if (queue_push(teller->queue, event_ref(event), 0) == 0)
                return;
        metric_add(METRIC_LIVE_UNTOLD, event->type == EVENT_MESSAGE);
        event_unref(event);
}

void live_teller_own(LiveTeller *teller, unsigned place, bool is_ours) {
        assert(place < SLOT_MAX);
        atomic_store(&teller->owns[place], is_ours);
}

static void live_teller_on_news(void *arg) {
        LiveTeller *teller = arg;
        MqttSession *session = atomic_load(&teller->session);

        if (session)
                mqtt_session_wake(session);
}

/* ---- on our thread -------------------------------------------------------------------------- */

static int live_teller_publish(LiveTeller *teller, unsigned place, Text frame) {
        MqttSession *session = atomic_load(&teller->session);
        char topic[LIVE_TOPIC_SIZE];
        const MqttMessage message = { .topic = topic, .payload = frame };
        int r = MQTT_SESSION_E_BUSY;

        snprintf(topic,
                 sizeof(topic),
                 LIVE_TOPIC "%s/%d",
                 teller->options.cluster,
                 teller->options.first_slot + (int)place);
        for (int i = 0; r == MQTT_SESSION_E_BUSY && i < LIVE_TELLER_TRIES; ++i) {
                if (!mqtt_session_is_connected(session) || atomic_load(&teller->is_stopping))
                        return MQTT_SESSION_E_OFFLINE;
                r = mqtt_sending_start(&teller->sending, session, &message);
                if (r == MQTT_SESSION_E_BUSY)
                        mqtt_session_wait(session, LIVE_TELLER_BUSY_MS);
        }
        return r;
}

static void live_teller_say(void *arg, unsigned place, Text frame, size_t n_events) {
        LiveTeller *teller = arg;
        Text bytes;

        if (live_keys_sign(teller->options.keys, frame, &teller->signed_frame, &bytes) != 0 ||
            live_teller_publish(teller, place, bytes) != 0) {
                metric_add(METRIC_LIVE_UNTOLD, (int64_t)n_events);
                return;
        }
        metric_add(METRIC_LIVE_FRAMES, 1);
        metric_add(METRIC_LIVE_TOLD, (int64_t)n_events);
}

static void live_teller_connect(LiveTeller *teller, MqttSession *session) {
        int r;

        if (teller->was_connected && !mqtt_session_is_connected(session)) {
                teller->was_connected = false;
                (void)backoff_fail_apart(&teller->connecting,
                                         teller->mqtt->backoff_min_ms,
                                         teller->mqtt->backoff_max_ms);
                log_warning(LIVE_TELLER_WHAT "_lost reason=0x%02x",
                            (unsigned)mqtt_session_lost_code(session));
        }
        if (mqtt_session_is_connected(session) || backoff_left_ms(&teller->connecting) > 0)
                return;
        r = mqtt_session_connect(session);
        if (r == 0) {
                teller->was_connected = true;
                teller->connecting = (Backoff){ 0 };
                log_info(LIVE_TELLER_WHAT "_connected url=%s client_id=%s",
                         mqtt_session_url(session),
                         teller->client_id);
                return;
        }
        if (r == MQTT_SESSION_E_INTERRUPTED || mqtt_session_has_more(session))
                return;
        if (teller->connecting.n_failures == 0)
                log_warning(LIVE_TELLER_WHAT "_not_connected url=%s error=\"%s\"",
                            mqtt_session_url(session),
                            mqtt_session_error(session));
        (void)backoff_fail_apart(&teller->connecting,
                                 teller->mqtt->backoff_min_ms,
                                 teller->mqtt->backoff_max_ms);
}

static int live_teller_beat(LiveTeller *teller, int64_t now_us) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < teller->options.n_slots; ++i)
                if (atomic_load_explicit(&teller->owns[i], memory_order_relaxed))
                        r = live_telling_beat(&teller->telling, i, now_us);
        return err_up(r);
}

/* All that is there, frame by frame; a fault is memory that is lacking, and what was lost with it
 * is read by the others. */
static void live_teller_turn(LiveTeller *teller, MqttSession *session) {
        void *items[LIVE_TELLER_PIECE];
        size_t n;
        int r = 0;

        mqtt_session_check(session);
        live_teller_connect(teller, session);
        while ((n = queue_pop(teller->queue, items, LIVE_TELLER_PIECE, 0)) > 0)
                for (size_t i = 0; i < n; ++i) {
                        if (r == 0)
                                r = live_telling_take(&teller->telling, items[i], clock_mono_us());
                        event_unref(items[i]);
                }
        if (r == 0)
                r = live_telling_flush(&teller->telling, clock_mono_us());
        if (r == 0)
                r = live_teller_beat(teller, clock_mono_us());
        if (r < 0)
                log_error(LIVE_TELLER_WHAT "_failed error=\"%s\"", err_text(r));
        mqtt_session_wait(session, LIVE_TELLER_TICK_MS);
}

static void *live_teller_run(void *arg) {
        LiveTeller *teller = arg;
        MqttSession *session = NULL;

        (void)pthread_setname_np(pthread_self(), LIVE_TELLER_WHAT);
        if (mqtt_session_new(&session,
                             teller->mqtt,
                             teller->client_id,
                             true,
                             LIVE_TELLER_WINDOW,
                             &(MqttSessionSink){ 0 }) != 0) {
                log_error(LIVE_TELLER_WHAT "_unusable");
                atomic_store(&teller->is_running, false);
                return NULL;
        }
        atomic_store(&teller->session, session);
        while (!atomic_load(&teller->is_stopping))
                live_teller_turn(teller, session);
        mqtt_session_disconnect(session);
        mqtt_session_free(session);
        return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

int live_teller_new(LiveTeller **ret_teller, const LiveTellerOptions *options) {
        LiveTeller *teller = calloc(1, sizeof(*teller));
        int r;

        if (!teller)
                return err_new(-ENOMEM);
        assert(options->n_slots <= SLOT_MAX);
        teller->options = *options;
        teller->telling = (LiveTelling){ .first_slot = options->first_slot,
                                         .say = live_teller_say,
                                         .arg = teller };
        r = queue_new(&teller->queue, options->capacity + LIVE_TELLER_ROOM, live_teller_drop);
        if (r < 0) {
                free(teller);
                return err_up(r);
        }
        queue_set_wake(teller->queue, live_teller_on_news, teller);
        *ret_teller = teller;
        return 0;
}

int live_teller_start(LiveTeller *teller, const MqttOptions *mqtt, const char *client_id) {
        int r;

        teller->mqtt = mqtt;
        teller->client_id = strdup(client_id);
        if (!teller->client_id)
                return err_new(-ENOMEM);
        atomic_store(&teller->is_running, true);
        r = pthread_create(&teller->thread, NULL, live_teller_run, teller);
        if (r != 0)
                return err_new(-r);
        teller->has_thread = true;
        return 0;
}

/* False: its thread does not end in time, and has all that is its own for ever. */
static bool live_teller_join(LiveTeller *teller) {
        struct timespec until = deadline_in(LIVE_TELLER_STOP_MS);
        MqttSession *session = atomic_load(&teller->session);

        if (session)
                mqtt_session_interrupt(session);
        atomic_store(&teller->is_stopping, true); /* it may free its session now */
        if (deadline_join(teller->thread, &until))
                return true;
        MUST(pthread_detach(teller->thread));
        return false;
}

bool live_teller_free(LiveTeller *teller) {
        if (teller->has_thread && !live_teller_join(teller))
                return true;
        live_telling_done(&teller->telling);
        buf_done(&teller->signed_frame);
        queue_free(teller->queue);
        free(teller->client_id);
        free(teller);
        return false;
}
