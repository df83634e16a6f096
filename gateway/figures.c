#include "gateway/figures.h"

#include "base/json_out.h"
#include "model/metrics.h"

typedef struct Figure Figure;

/* The sum of some that stand behind each other. */
struct Figure {
        const char *name;
        Metric first, last;
};

#define FIGURE(name, metric) \
        { name, metric, metric }

/* As /api/ws/stats has them. What ends in _lag_us, or in _connected, is no sum (db/read/nodes.h).
 */
static const Figure figures[] = {
        { "active_connections", METRIC_WS_CONNECTIONS_A, METRIC_WS_CONNECTIONS_NATIVE },
        FIGURE("received_mqtt", METRIC_RECEIVED_MQTT),
        FIGURE("received_ws", METRIC_RECEIVED_WS),
        FIGURE("received_http", METRIC_RECEIVED_HTTP),
        FIGURE("received_uplink", METRIC_RECEIVED_UPLINK),
        FIGURE("received_recovered", METRIC_RECEIVED_RECOVERED),
        FIGURE("committed", METRIC_COMMITTED),
        FIGURE("duplicate", METRIC_DUPLICATE),
        FIGURE("in_journal", METRIC_IN_JOURNAL),
        FIGURE("refused_journal_full", METRIC_REFUSED_JOURNAL_FULL),
        FIGURE("drift", METRIC_ACCOUNTING_DRIFT),
        FIGURE("elsewhere", METRIC_ELSEWHERE),
        FIGURE("offered", METRIC_WS_OFFERED),
        FIGURE("sent", METRIC_WS_SENT),
        FIGURE("conflated", METRIC_WS_CONFLATED),
        FIGURE("dropped", METRIC_WS_DROPPED),
        FIGURE("queued", METRIC_WS_QUEUED),
        FIGURE("queued_bytes", METRIC_WS_QUEUED_BYTES),
        FIGURE("bytes_out", METRIC_WS_BYTES_OUT),
        FIGURE("closed_slow", METRIC_WS_CLOSED_SLOW),
        FIGURE("outbox_length", METRIC_OUTBOX_LENGTH),
        FIGURE("outbox_dropped", METRIC_OUTBOX_DROPPED),
        FIGURE("journal_bytes", METRIC_JOURNAL_BYTES),
        FIGURE("login_failed", METRIC_LOGIN_FAILED),
        FIGURE("live_told", METRIC_LIVE_TOLD),
        FIGURE("live_heard", METRIC_LIVE_HEARD),
        FIGURE("live_caught_up", METRIC_LIVE_CAUGHT),
        FIGURE("database_lag_us", METRIC_DB_LAG_SECONDS),
        FIGURE("database_connected", METRIC_DB_CONNECTED),
        FIGURE("mqtt_connected", METRIC_MQTT_CONNECTED),
};

void figures_write(Buf *buf) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        for (size_t i = 0; i < N_ELEMENTS(figures); ++i) {
                int64_t sum = 0;

                for (int j = figures[i].first; j <= (int)figures[i].last; ++j)
                        sum += metric_get((Metric)j);
                json_out_int(&out, figures[i].name, sum);
        }
        json_out_int(&out, "dead_lettered", metric_get_dead_letters());
        json_out_object_end(&out);
        buf_append(buf, "", 1); /* a text, for who sends it */
}
