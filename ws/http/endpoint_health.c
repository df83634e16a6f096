#include "base/clock.h"
#include "model/metrics.h"
#include "model/metrics_text.h"
#include "ws/http/endpoint.h"

typedef struct WsReason WsReason;

struct WsReason {
        bool holds;
        const char *name;
};

/* Whoever waits for its turn lacks everything else for that reason alone. */
static bool ws_health_stands_by(void) {
        return metric_get(METRIC_LEASE_WAITING) != 0;
}

/* What is wrong, as a JSON array; the number of things. Metrics are the one view of the whole
 * process that a loop has. */
static size_t ws_health_reasons(const WsCall *call, const char *holder, Buf *buf) {
        bool is_in = !ws_health_stands_by();
        const WsReason reasons[] = {
                { !is_in, "standby" },
                { is_in && *holder, "superseded" },
                { is_in && metric_get(METRIC_DB_CONNECTED) == 0, "database_away" },
                { is_in && metric_get(METRIC_MQTT_CONNECTED) == 0 && !call->options->no_broker,
                  "broker_away" },
                { metric_get(METRIC_JOURNAL_FULL) != 0, "journal_full" },
                { metric_get(METRIC_JOURNAL_FAILED) != 0, "journal_failed" },
                { metric_get(METRIC_BOOKS_DRIFT) != 0, "accounting_drift" },
                { is_in && metric_get(METRIC_DB_POOLED) != 0, "transaction_pooling" },
                { is_in && !registry_is_loaded(call->access->registry), "registry_not_loaded" },
                { is_in && metric_get(METRIC_REGISTRY_STALE) != 0 &&
                          metric_get(METRIC_DB_CONNECTED) != 0,
                  "registry_stale" },
        };
        size_t n = 0;

        buf_append_char(buf, '[');
        for (size_t i = 0; i < N_ELEMENTS(reasons); ++i) {
                if (!reasons[i].holds)
                        continue;
                if (n++ > 0)
                        buf_append_char(buf, ',');
                buf_json_string(buf, text_of(reasons[i].name));
        }
        buf_append_char(buf, ']');
        return n;
}

/* What an operator should know, though all who ask are served. */
static void ws_health_notes(Buf *body) {
        const WsReason notes[] = {
                { metric_get(METRIC_RETENTION_HELD) != 0, "retention_held" },
                { metric_get(METRIC_MQTT_FILTERS_REFUSED) != 0, "subscriptions_refused" },
                { metric_get(METRIC_JOURNAL_GAPS) != 0, "journal_gap" },
                { metric_get(METRIC_JOURNAL_FILES_GONE) != 0, "journal_files_gone" },
                { metric_get(METRIC_LETTERS_MANY) != 0, "dead_letters_many" },
        };
        size_t n = 0;

        for (size_t i = 0; i < N_ELEMENTS(notes); ++i) {
                if (!notes[i].holds)
                        continue;
                buf_append_string(body, n++ == 0 ? ",\"notes\":[" : ",");
                buf_json_string(body, text_of(notes[i].name));
        }
        if (n > 0)
                buf_append_char(body, ']');
}

/* Which error keeps the database away, as PostgreSQL numbers them; nothing that tells of us. */
static void ws_health_cause(Buf *body) {
        char sqlstate[METRICS_CAUSE_SIZE];

        metrics_get_cause(sqlstate);
        if (!*sqlstate)
                return;
        buf_append_string(body, ",\"sqlstate\":");
        buf_json_string(body, text_of(sqlstate));
}

static int64_t ws_health_connections(void) {
        int64_t n = 0;

        for (int i = METRIC_WS_CONNECTIONS_A; i <= METRIC_WS_CONNECTIONS_NATIVE; ++i)
                n += metric_get((Metric)i);
        return n;
}

static int ws_health_answer(WsCall *call, const char *good, const char *bad, bool is_health) {
        CLEANUP_BUF Buf reasons = { 0 };
        Buf *body = ws_response_json(call->response);
        char holder[METRICS_HOLDER_SIZE];
        size_t n_reasons;

        metrics_get_holder(holder);
        n_reasons = ws_health_reasons(call, holder, &reasons);
        if (ws_health_stands_by())
                bad = "standby";
        if (n_reasons > 0)
                call->response->status = 503;
        ws_response_header(call->response, "Cache-Control", "no-store");

        buf_append_string(body, "{\"status\":");
        buf_json_string(body, text_of(n_reasons > 0 ? bad : good));
        buf_append_string(body, ",\"timestamp\":");
        buf_json_time(body, call->now_us);
        if (is_health) {
                buf_append_string(body, ",\"websocket_connections\":");
                buf_json_int(body, ws_health_connections());
        }
        if (n_reasons > 0) {
                buf_append_string(body, ",\"reasons\":");
                buf_append_text(body, buf_text(&reasons));
                ws_health_cause(body);
        }
        if (*holder) {
                buf_append_string(body, ",\"holder\":");
                buf_json_string(body, text_of(holder));
        }
        ws_health_notes(body);
        buf_append_string(body, "}");
        return 0;
}

int ws_endpoint_health(WsCall *call) {
        return ws_health_answer(call, "healthy", "degraded", true);
}

int ws_endpoint_readyz(WsCall *call) {
        return ws_health_answer(call, "ready", "not_ready", false);
}

/* That this runs is the answer. */
int ws_endpoint_livez(WsCall *call) {
        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_append_string(ws_response_json(call->response), "{\"status\":\"alive\"}");
        return 0;
}

int ws_endpoint_metrics(WsCall *call) {
        call->response->status = 200;
        call->response->content_type = "text/plain; version=0.0.4; charset=utf-8";
        ws_response_header(call->response, "Cache-Control", "no-store");
        metrics_text_write(&call->response->body);
        return 0;
}
