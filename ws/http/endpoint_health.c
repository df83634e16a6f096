#include "base/json_out.h"
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
        return metrics_stand_by();
}

/* Those that hold, as a JSON array. */
static size_t ws_health_list(JsonOut *out, const WsReason reasons[], size_t n_reasons) {
        size_t n = 0;

        json_out_array(out, NULL);
        for (size_t i = 0; i < n_reasons; ++i) {
                if (!reasons[i].holds)
                        continue;
                json_out_string(out, NULL, reasons[i].name);
                ++n;
        }
        json_out_array_end(out);
        return n;
}

/* What is wrong, as a JSON array; the number of things. Metrics are the one view of the whole
 * process that a loop has. */
static size_t ws_health_reasons(const WsCall *call, const char *holder, JsonOut *out) {
        bool is_in = !ws_health_stands_by(), has_database = is_in && !call->options->is_edge;
        const WsReason reasons[] = {
                { !is_in, "standby" },
                { metric_get(METRIC_LAYOUT_DIFFERS) != 0, "cluster_differs" },
                { is_in && *holder, "superseded" },
                { has_database && metric_get(METRIC_DB_CONNECTED) == 0, "database_away" },
                { is_in && metric_get(METRIC_MQTT_CONNECTED) == 0 && !call->options->no_broker,
                  "broker_away" },
                { metric_get(METRIC_JOURNAL_FULL) != 0, "journal_full" },
                { metric_get(METRIC_JOURNAL_FAILED) != 0, "journal_failed" },
                { metric_get(METRIC_BOOKS_DRIFT) != 0, "accounting_drift" },
                { is_in && metric_get(METRIC_DB_POOLED) != 0, "transaction_pooling" },
                { has_database && !registry_is_loaded(call->access->registry),
                  "registry_not_loaded" },
                { is_in && metric_get(METRIC_REGISTRY_STALE) != 0 &&
                          metric_get(METRIC_DB_CONNECTED) != 0,
                  "registry_stale" },
        };
        return ws_health_list(out, reasons, N_ELEMENTS(reasons));
}

/* What an operator should know, though all who ask are served. */
static size_t ws_health_notes(const WsCall *call, JsonOut *out) {
        const WsReason notes[] = {
                { call->options->is_edge && metric_get(METRIC_UPLINK_CONNECTED) == 0,
                  "uplink_away" },
                { metric_get(METRIC_UPLINK_COPIED) != 0, "uplink_copied" },
                { metric_get(METRIC_UPLINK_LOSSY) != 0 || metric_get(METRIC_UPLINK_DROPPED) != 0,
                  "uplink_lost" },
                { metric_get(METRIC_RETENTION_HELD) != 0, "retention_held" },
                { metric_get(METRIC_MQTT_FILTERS_REFUSED) != 0, "subscriptions_refused" },
                { metric_get(METRIC_JOURNAL_GAPS) != 0, "journal_gap" },
                { metric_get(METRIC_LETTERS_REFUSED) != 0, "letters_refused" },
                { metric_get(METRIC_JOURNAL_FILES_GONE) != 0, "journal_files_gone" },
                { metric_get(METRIC_LETTERS_MANY) != 0, "dead_letters_many" },
                { metric_get(METRIC_JOURNALS_LEFT) != 0, "journals_left" },
        };
        return ws_health_list(out, notes, N_ELEMENTS(notes));
}

static int64_t ws_health_connections(void) {
        int64_t n = 0;

        for (int i = METRIC_WS_CONNECTIONS_A; i <= METRIC_WS_CONNECTIONS_NATIVE; ++i)
                n += metric_get((Metric)i);
        return n;
}

/* What is wrong, and which error keeps the database away, as PostgreSQL numbers them; nothing that
 * tells of us. */
static void ws_health_add_reasons(JsonOut *out, Text reasons) {
        char sqlstate[METRICS_CAUSE_SIZE];

        metrics_get_cause(sqlstate);
        json_out_raw(out, "reasons", reasons);
        if (*sqlstate)
                json_out_string(out, "sqlstate", sqlstate);
}

/* Each of several: whether it is ours, and what it lacks. */
static void ws_health_slots(const WsCall *call, JsonOut *out) {
        json_out_array(out, "slots");
        for (unsigned place = 1; place <= metrics_n_places(); ++place) {
                bool is_held = metric_get_of(METRIC_LEASE_HELD, place) != 0;
                bool is_leaving = metric_get_of(METRIC_SLOTS_LEAVING, place) != 0;
                const WsReason reasons[] = {
                        { is_held && metric_get_of(METRIC_DB_CONNECTED, place) == 0,
                          "database_away" },
                        { is_held && !is_leaving && !call->options->no_broker &&
                                  metric_get_of(METRIC_MQTT_CONNECTED, place) == 0,
                          "broker_away" },
                        { metric_get_of(METRIC_JOURNAL_FULL, place) != 0, "journal_full" },
                        { metric_get_of(METRIC_JOURNAL_FAILED, place) != 0, "journal_failed" },
                        { metric_get_of(METRIC_BOOKS_DRIFT, place) != 0, "accounting_drift" },
                };
                CLEANUP_BUF Buf list = { 0 };

                (void)ws_health_list(&(JsonOut){ .buf = &list }, reasons, N_ELEMENTS(reasons));
                json_out_object(out, NULL);
                json_out_int(out, "slot", metrics_slot(place));
                json_out_string(out,
                                "state",
                                is_leaving ? "leaving"
                                : is_held  ? "held"
                                           : "elsewhere");
                json_out_raw(out, "reasons", buf_text(&list));
                json_out_object_end(out);
        }
        json_out_array_end(out);
}

static int ws_health_answer(WsCall *call, const char *good, const char *bad, bool is_health) {
        CLEANUP_BUF Buf reasons = { 0 }, notes = { 0 };
        JsonOut out = { .buf = ws_response_json(call->response) };
        char holder[METRICS_HOLDER_SIZE];
        size_t n_reasons;

        metrics_get_holder(holder);
        n_reasons = ws_health_reasons(call, holder, &(JsonOut){ .buf = &reasons });
        if (ws_health_stands_by())
                bad = "standby";
        if (n_reasons > 0)
                call->response->status = 503;
        ws_response_header(call->response, "Cache-Control", "no-store");

        json_out_object(&out, NULL);
        json_out_string(&out, "status", n_reasons > 0 ? bad : good);
        json_out_time(&out, "timestamp", call->now_us);
        if (is_health)
                json_out_int(&out, "websocket_connections", ws_health_connections());
        if (n_reasons > 0)
                ws_health_add_reasons(&out, buf_text(&reasons));
        if (*holder)
                json_out_string(&out, "holder", holder);
        if (ws_health_notes(call, &(JsonOut){ .buf = &notes }) > 0)
                json_out_raw(&out, "notes", buf_text(&notes));
        if (metrics_n_places() > 0)
                ws_health_slots(call, &out);
        json_out_object_end(&out);
        return 0;
}

int ws_endpoint_health(WsCall *call) {
        return ws_health_answer(call, "healthy", "degraded", true);
}

/* As the camera dashboard has it. How many cameras there are is not for everybody. */
int ws_endpoint_camera_health(WsCall *call) {
        CLEANUP_BUF Buf reasons = { 0 };
        JsonOut out = { .buf = ws_response_json(call->response) };
        const char *bad = ws_health_stands_by() ? "standby" : "degraded";
        char holder[METRICS_HOLDER_SIZE];
        size_t n_reasons;

        metrics_get_holder(holder);
        n_reasons = ws_health_reasons(call, holder, &(JsonOut){ .buf = &reasons });
        if (n_reasons > 0)
                call->response->status = 503;
        ws_response_header(call->response, "Cache-Control", "no-store");

        json_out_object(&out, NULL);
        json_out_string(&out, "status", n_reasons > 0 ? bad : "healthy");
        json_out_null(&out, "active_cameras");
        json_out_string(&out, "face_recognition", "available");
        json_out_string(&out,
                        "database",
                        metric_get(METRIC_DB_CONNECTED) != 0 ? "connected" : "disconnected");
        json_out_object_end(&out);
        return 0;
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
