#include "mqtt/publisher.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "model/metrics.h"
#include "mqtt/session.h"

#define MQTT_PUBLISHER_ID_SIZE 64
#define MQTT_PUBLISHER_TICK_MS 100

struct MqttPublisher {
        MqttOptions options;
        char client_id[MQTT_PUBLISHER_ID_SIZE];
        int window;
        MqttSession *session;  /* a new one for each connection: what was under way goes with it */
        MqttSending *sendings; /* [window], of mqtt_publisher_publish_all() */
        MqttSending others;    /* all of mqtt_publisher_publish() */
        _Atomic int n_waiting;
        _Atomic int n_refused; /* since the last flush */
        int n_failed;          /* before that, on this connection */
};

/* Paho's thread. */
static void mqtt_publisher_on_published(void *arg, MqttOutcome outcome) {
        MqttPublisher *publisher = arg;

        if (outcome == MQTT_OUTCOME_DONE)
                metric_add(METRIC_MQTT_PUBLISHED, 1);
        else
                atomic_fetch_add(&publisher->n_refused, 1);
        atomic_fetch_sub(&publisher->n_waiting, 1);
}

int mqtt_publisher_new(MqttPublisher **ret_publisher, const MqttOptions *options, int window) {
        CLEANUP(mqtt_publisher_free) MqttPublisher *publisher = NULL;
        char id[SECRET_ID_SIZE];
        int r;

        publisher = calloc(1, sizeof(*publisher));
        if (!publisher)
                return err_new(-ENOMEM);
        r = secret_id(id);
        if (r < 0)
                return err_up(r);
        publisher->options = *options;
        publisher->window = window > 0 ? window : 1;
        publisher->others = (MqttSending){ .told = mqtt_publisher_on_published, .arg = publisher };
        publisher->sendings = calloc((size_t)publisher->window, sizeof(*publisher->sendings));
        if (!publisher->sendings)
                return err_new(-ENOMEM);
        /* Never the gateway's own: that would take its session. */
        snprintf(publisher->client_id, sizeof(publisher->client_id), "tidegate-pub-%.10s", id);

        *ret_publisher = TAKE(&publisher);
        return 0;
}

MqttPublisher *mqtt_publisher_free(MqttPublisher *publisher) {
        if (!publisher)
                return NULL;

        if (publisher->session)
                mqtt_session_disconnect(publisher->session);
        mqtt_session_free(publisher->session);
        free(publisher->sendings);
        free(publisher);
        return NULL;
}

void mqtt_publisher_disconnect(MqttPublisher *publisher) {
        if (publisher->session)
                mqtt_session_disconnect(publisher->session);
        publisher->session = mqtt_session_free(publisher->session);
}

int mqtt_publisher_connect(MqttPublisher *publisher) {
        int r;

        publisher->session = mqtt_session_free(publisher->session);
        atomic_store(&publisher->n_waiting, 0);
        atomic_store(&publisher->n_refused, 0);
        publisher->n_failed = 0;
        r = mqtt_session_new(&publisher->session,
                             &publisher->options,
                             publisher->client_id,
                             true,
                             2 * publisher->window,
                             &(MqttSessionSink){ 0 });
        if (r == 0)
                do
                        r = mqtt_session_connect(publisher->session);
                while ((r == MQTT_SESSION_E_OFFLINE || r == MQTT_SESSION_E_REFUSED) &&
                       mqtt_session_has_more(publisher->session));
        switch (r) {
        case 0:
                return 0;
        case MQTT_SESSION_E_INVALID:
                return MQTT_PUBLISHER_E_REFUSED;
        case MQTT_SESSION_E_REFUSED:
                log_warning("mqtt_refused reason=\"%s\"", mqtt_session_error(publisher->session));
                return MQTT_PUBLISHER_E_REFUSED;
        case MQTT_SESSION_E_OFFLINE:
        case MQTT_SESSION_E_INTERRUPTED:
                return MQTT_PUBLISHER_E_OFFLINE;
        default:
                return err_up(r);
        }
}

int mqtt_publisher_n_unsure(const MqttPublisher *publisher) {
        return atomic_load(&publisher->n_waiting) + atomic_load(&publisher->n_refused) +
               publisher->n_failed;
}

bool mqtt_publisher_is_online(const MqttPublisher *publisher) {
        return publisher->session && mqtt_session_is_connected(publisher->session);
}

/*
 * Until at most @n are waiting; false when the connection is gone, the time is up, or the broker
 * has acknowledged nothing for as long as a connection may take.
 */
static bool mqtt_publisher_wait(MqttPublisher *publisher, int n, int64_t until_us) {
        int64_t patience_us = publisher->options.connect_timeout_ms * INT64_C(1000);
        int64_t moved_us = clock_mono_us();
        int n_seen = atomic_load(&publisher->n_waiting);

        while (atomic_load(&publisher->n_waiting) > n) {
                int64_t now_us = clock_mono_us();

                if (atomic_load(&publisher->n_waiting) != n_seen)
                        moved_us = now_us;
                n_seen = atomic_load(&publisher->n_waiting);
                if (!mqtt_publisher_is_online(publisher) || now_us >= until_us ||
                    now_us - moved_us >= patience_us)
                        return false;
                mqtt_session_wait(publisher->session, MQTT_PUBLISHER_TICK_MS);
                mqtt_session_check(publisher->session);
        }
        return true;
}

int mqtt_publisher_publish(MqttPublisher *publisher,
                           const char *topic,
                           Text payload,
                           int qos,
                           bool retain) {
        const MqttMessage message = {
                .topic = topic,
                .payload = payload,
                .qos = qos,
                .is_retained = retain,
        };
        int64_t until_us;
        int r = MQTT_SESSION_E_BUSY;

        if (!mqtt_publisher_wait(publisher, publisher->window - 1, INT64_MAX))
                return MQTT_PUBLISHER_E_OFFLINE;
        until_us = clock_mono_us() + publisher->options.connect_timeout_ms * INT64_C(1000);
        while (r == MQTT_SESSION_E_BUSY && mqtt_publisher_is_online(publisher) &&
               clock_mono_us() < until_us) {
                atomic_fetch_add(&publisher->n_waiting, 1);
                r = mqtt_sending_start(&publisher->others, publisher->session, &message);
                if (r == 0)
                        return 0;
                atomic_fetch_sub(&publisher->n_waiting, 1);
                if (r < 0)
                        return err_up(r);
                mqtt_session_wait(publisher->session, MQTT_PUBLISHER_TICK_MS);
        }
        return MQTT_PUBLISHER_E_OFFLINE;
}

int mqtt_publisher_flush(MqttPublisher *publisher, int timeout_ms) {
        int64_t until_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        int n_refused;

        if (!mqtt_publisher_wait(publisher, 0, until_us))
                return MQTT_PUBLISHER_E_OFFLINE;
        n_refused = atomic_exchange(&publisher->n_refused, 0);
        publisher->n_failed += n_refused;
        return n_refused == 0 ? 0 : MQTT_PUBLISHER_E_REFUSED;
}

const char *mqtt_publisher_error(const MqttPublisher *publisher) {
        return publisher->session ? mqtt_session_error(publisher->session) : "";
}

static bool mqtt_publisher_has_pending(const MqttPublisher *publisher, size_t n) {
        for (size_t i = 0; i < n; ++i)
                if (atomic_load(&publisher->sendings[i].outcome) == MQTT_OUTCOME_PENDING)
                        return true;
        return false;
}

int mqtt_publisher_publish_all(MqttPublisher *publisher,
                               const MqttMessage messages[],
                               size_t n,
                               int timeout_ms,
                               MqttOutcome ret_outcomes[]) {
        int64_t until_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        size_t n_sent = 0;
        int r = 0;

        assert(n <= (size_t)publisher->window);
        while (n_sent < n && r == 0 && mqtt_publisher_is_online(publisher)) {
                r = mqtt_sending_start(&publisher->sendings[n_sent],
                                       publisher->session,
                                       &messages[n_sent]);
                n_sent += r == 0;
        }
        if (r < 0)
                return err_up(r);
        while (mqtt_publisher_has_pending(publisher, n_sent) &&
               mqtt_publisher_is_online(publisher) && clock_mono_us() < until_us)
                mqtt_session_wait(publisher->session, MQTT_PUBLISHER_TICK_MS);

        r = 0;
        for (size_t i = 0; i < n; ++i) {
                ret_outcomes[i] =
                        i < n_sent ? (MqttOutcome)atomic_load(&publisher->sendings[i].outcome)
                                   : MQTT_OUTCOME_PENDING;
                if (ret_outcomes[i] == MQTT_OUTCOME_DONE)
                        metric_add(METRIC_MQTT_PUBLISHED, 1);
                else if (ret_outcomes[i] == MQTT_OUTCOME_PENDING)
                        r = MQTT_PUBLISHER_E_OFFLINE;
        }
        return r;
}
