#include <stdio.h>

#include "base/err.h"
#include "base/ids.h"
#include "base/json_out.h"
#include "base/vec.h"
#include "model/metrics.h"
#include "model/record.h"
#include "ws/http/endpoint.h"
#include "ws/hub/connections.h"
#include "ws/loop/loop.h"

#define WS_COUNTERS_LISTED    1000 /* connections listed one by one */
#define WS_COUNTERS_SLOW      5
#define WS_COUNTERS_NAME_SIZE 64
#define WS_COUNTERS_RETRY_S   2

typedef struct WsCountersJson WsCountersJson;
typedef struct WsCounter WsCounter;
typedef struct WsUsers WsUsers;

struct WsCounter {
        const char *name;
        Metric metric;
};

struct WsCountersJson {
        JsonOut *out;
        const User *user; /* NULL = sees all */
        size_t n_listed;
        WsConnectionInfo slow[WS_COUNTERS_SLOW]; /* by lag, then by bytes queued */
        size_t n_slow;
};

/* User ids, one a connection; sorted at the end. */
struct WsUsers {
        int64_t *ids;
        size_t n, capacity;
        bool failed;
};

static const WsCounter ws_counters_accounting[] = {
        { "committed", METRIC_COMMITTED },
        { "duplicate", METRIC_DUPLICATE },
        { "in_journal", METRIC_IN_JOURNAL },
        { "refused_journal_full", METRIC_REFUSED_JOURNAL_FULL },
        { "drift", METRIC_ACCOUNTING_DRIFT },
};

static const WsCounter ws_counters_fanout[] = {
        { "offered", METRIC_WS_OFFERED },
        { "sent", METRIC_WS_SENT },
        { "conflated", METRIC_WS_CONFLATED },
        { "dropped", METRIC_WS_DROPPED },
        { "queued", METRIC_WS_QUEUED },
        { "queued_bytes", METRIC_WS_QUEUED_BYTES },
        { "bytes_out", METRIC_WS_BYTES_OUT },
        { "closed_slow", METRIC_WS_CLOSED_SLOW },
        { "drift", METRIC_WS_ACCOUNTING_DRIFT },
        { "broadcast_persisted", METRIC_BROADCAST_PERSISTED },
        { "broadcast_unpersisted", METRIC_BROADCAST_UNPERSISTED },
};

static const WsCounter ws_counters_credentials[] = {
        { "token_refused", METRIC_CREDENTIALS_REFUSED },
        { "token_limited", METRIC_CREDENTIALS_LIMITED },
};

static const WsCounter ws_counters_outbox[] = {
        { "length", METRIC_OUTBOX_LENGTH },
        { "dropped", METRIC_OUTBOX_DROPPED },
};

static const WsCounter ws_counters_journal[] = {
        { "bytes", METRIC_JOURNAL_BYTES },
        { "high_bytes", METRIC_JOURNAL_HIGH_BYTES },
        { "segments", METRIC_JOURNAL_SEGMENTS },
};

static void ws_counters_fields(JsonOut *out, const WsCounter fields[], size_t n_fields) {
        for (size_t i = 0; i < n_fields; ++i)
                json_out_int(out, fields[i].name, metric_get(fields[i].metric));
}

/* A member for each label of the family to which @first belongs; their sum. */
static int64_t ws_counters_family(JsonOut *out, const char *prefix, Metric first) {
        int64_t sum = 0;

        for (int i = 0; i < METRIC_COUNT; ++i) {
                const MetricRow *row = metric_row((Metric)i);
                char name[WS_COUNTERS_NAME_SIZE];
                Text label;

                if (!metric_row_is_family(row, metric_row(first)))
                        continue;
                label = metric_row_label(row);
                snprintf(name, sizeof(name), "%s%.*s", prefix, (int)label.n, label.data);
                json_out_int(out, name, metric_get((Metric)i));
                sum += metric_get((Metric)i);
        }
        return sum;
}

static void ws_counters_object(JsonOut *out, const char *name, Metric first) {
        json_out_object(out, name);
        (void)ws_counters_family(out, "", first);
        json_out_object_end(out);
}

static void ws_counters_add_accounting(JsonOut *out) {
        json_out_object(out, "accounting");
        json_out_int(out, "received", ws_counters_family(out, "received_", METRIC_RECEIVED_MQTT));
        ws_counters_fields(out, ws_counters_accounting, N_ELEMENTS(ws_counters_accounting));
        json_out_int(out, "dead_lettered", metric_get_dead_letters());

        json_out_object(out, "dead_lettered_by_reason");
        for (int i = REASON_NONE + 1; i < REASON_COUNT; ++i)
                json_out_int(out, reason_name((Reason)i), metric_get_dead_letter((unsigned)i));
        json_out_object_end(out);
        json_out_object_end(out);
}

static void ws_counters_add_lease(JsonOut *out) {
        char holder[METRICS_HOLDER_SIZE];

        metrics_get_holder(holder);
        json_out_object(out, "lease");
        json_out_bool(out, "held", metric_get(METRIC_LEASE_HELD) != 0);
        json_out_text(out, "holder", *holder ? text_of(holder) : (Text){ 0 });
        json_out_object_end(out);
}

static void ws_counters_add_rates(JsonOut *out, const WsRates *rates) {
        json_out_object(out, "rates");
        json_out_fixed(out, "received_per_second", 1, rates->received);
        json_out_fixed(out, "committed_per_second", 1, rates->committed);
        json_out_fixed(out, "offered_per_second", 1, rates->offered);
        json_out_fixed(out, "sent_per_second", 1, rates->sent);
        json_out_object_end(out);
}

/* What was offered to viewers, or meant for them, and did not reach them. */
static void ws_counters_add_drops(JsonOut *out) {
        int64_t at_close = metric_get(METRIC_WS_DROPPED_AT_CLOSE);

        json_out_object(out, "drops_by_reason");
        json_out_int(out, "conflated", metric_get(METRIC_WS_CONFLATED));
        json_out_int(out, "queue_full", metric_get(METRIC_WS_DROPPED) - at_close);
        json_out_int(out, "connection_ended", at_close);
        json_out_int(out, "outbox_full", metric_get(METRIC_OUTBOX_DROPPED));
        json_out_object_end(out);
}

static void ws_counters_add_reasons(JsonOut *out) {
        ws_counters_add_drops(out);
        ws_counters_object(out, "refused_by_reason", METRIC_WS_REFUSED_UNAUTHORIZED);
        ws_counters_object(out, "closed_by_reason", METRIC_WS_CLOSED_SLOW);
        json_out_object(out, "credentials");
        (void)ws_counters_family(out, "login_", METRIC_LOGIN_OK);
        ws_counters_fields(out, ws_counters_credentials, N_ELEMENTS(ws_counters_credentials));
        json_out_object_end(out);
}

static void ws_counters_add_system(JsonOut *out) {
        json_out_object(out, "fanout");
        ws_counters_fields(out, ws_counters_fanout, N_ELEMENTS(ws_counters_fanout));
        json_out_object_end(out);
        ws_counters_object(out, "connections_by_dialect", METRIC_WS_CONNECTIONS_A);
        json_out_object(out, "outbox");
        ws_counters_fields(out, ws_counters_outbox, N_ELEMENTS(ws_counters_outbox));
        json_out_object_end(out);
        json_out_object(out, "journal");
        ws_counters_fields(out, ws_counters_journal, N_ELEMENTS(ws_counters_journal));
        json_out_bool(out, "full", metric_get(METRIC_JOURNAL_FULL) != 0);
        json_out_object_end(out);
        json_out_object(out, "database");
        json_out_bool(out, "connected", metric_get(METRIC_DB_CONNECTED) != 0);
        json_out_fixed(out, "lag_seconds", 3, (double)metric_get(METRIC_DB_LAG_SECONDS) / 1e6);
        json_out_object_end(out);
        json_out_object(out, "mqtt");
        json_out_bool(out, "connected", metric_get(METRIC_MQTT_CONNECTED) != 0);
        json_out_object_end(out);
}

static void ws_counters_add_connection(JsonOut *out, const WsConnectionInfo *info) {
        json_out_object(out, NULL);
        json_out_time(out, "connected_at", info->connected_us);
        json_out_object(out, "client_info");
        json_out_id(out, "vehicle_filter", info->vehicle_id);
        json_out_string(out, "dialect", info->dialect);
        json_out_id(out, "user_id", info->user_id);
        json_out_id(out, "device_id", info->device_id);
        json_out_object_end(out);
        json_out_int(out, "queued", (int64_t)info->queued_frames);
        json_out_int(out, "queued_bytes", (int64_t)info->queued_bytes);
        json_out_fixed(out, "lag_seconds", 3, (double)info->lag_us / 1e6);
        json_out_int(out, "offered", (int64_t)info->offered);
        json_out_int(out, "sent", (int64_t)info->sent);
        json_out_int(out, "conflated", (int64_t)info->conflated);
        json_out_int(out, "dropped", (int64_t)info->dropped);
        json_out_object_end(out);
}

static bool ws_counters_is_slower(const WsConnectionInfo *a, const WsConnectionInfo *b) {
        return a->lag_us != b->lag_us ? a->lag_us > b->lag_us : a->queued_bytes > b->queued_bytes;
}

/* Keeps the slowest, slowest first. */
static void ws_counters_note_slow(WsCountersJson *stats, const WsConnectionInfo *info) {
        size_t at = stats->n_slow;

        if (info->queued_frames == 0)
                return;
        while (at > 0 && ws_counters_is_slower(info, &stats->slow[at - 1]))
                --at;
        if (at == WS_COUNTERS_SLOW)
                return;

        stats->n_slow += stats->n_slow < WS_COUNTERS_SLOW;
        memmove(&stats->slow[at + 1],
                &stats->slow[at],
                (stats->n_slow - at - 1) * sizeof(stats->slow[0]));
        stats->slow[at] = *info;
}

static void ws_counters_connection(void *arg, const WsConnectionInfo *info) {
        WsCountersJson *stats = arg;

        if (stats->user && info->user_id != stats->user->id)
                return;
        ws_counters_note_slow(stats, info);
        if (stats->n_listed++ < WS_COUNTERS_LISTED)
                ws_counters_add_connection(stats->out, info);
}

static void ws_users_connection(void *arg, const WsConnectionInfo *info) {
        WsUsers *users = arg;

        if (info->user_id == 0 || users->failed)
                return;
        users->failed = !VEC_HAS_ROOM(users->ids, users->n, users->capacity, 64);
        if (!users->failed)
                users->ids[users->n++] = info->user_id;
}

/* Of each user, by his id as the name: how many connections he has. How many users there are. */
static size_t ws_users_count(WsUsers *users, JsonOut *out) {
        size_t n_users = 0;

        ids_sort(users->ids, users->n);
        for (size_t i = 0, j; i < users->n; i = j, ++n_users) {
                char name[WS_COUNTERS_NAME_SIZE];

                for (j = i; j < users->n && users->ids[j] == users->ids[i]; ++j)
                        continue;
                snprintf(name, sizeof(name), "%lld", (long long)users->ids[i]);
                json_out_int(out, name, (int64_t)(j - i));
        }
        return n_users;
}

/* {"1":2,...}: how many connections each user has. */
static int ws_users_list(const WsLoop *loop, Buf *ret_by_user, size_t *ret_n_users) {
        JsonOut out = { .buf = ret_by_user };
        WsUsers users = { 0 };

        ws_connections_each(loop, ws_users_connection, &users);
        json_out_object(&out, NULL);
        *ret_n_users = ws_users_count(&users, &out);
        json_out_object_end(&out);
        free(users.ids);
        return users.failed ? err_new(-ENOMEM) : 0;
}

/* Users other than admins see the totals and their own connections. */
static const User *ws_counters_scope(const WsCall *call) {
        const User *user = call->identity.user;

        return !user || user->role == ROLE_ADMIN ? NULL : user;
}

/* For admins alone: who is connected. */
static bool ws_counters_names_users(const WsCall *call) {
        return call->identity.user && call->identity.user->role == ROLE_ADMIN;
}

static int ws_counters_add_users(const WsCall *call, JsonOut *out) {
        CLEANUP_BUF Buf by_user = { 0 };
        size_t n_users = 0;
        int r;

        if (!ws_counters_names_users(call))
                return 0;
        r = ws_users_list(call->loop, &by_user, &n_users);
        if (r < 0)
                return err_up(r);
        json_out_raw(out, "connections_by_user", buf_text(&by_user));
        return 0;
}

static void ws_counters_add_connections(const WsCall *call, JsonOut *out) {
        WsCountersJson stats = { .out = out, .user = ws_counters_scope(call) };

        json_out_int(out, "active_connections", (int64_t)ws_connections_length(call->loop));
        json_out_array(out, "connections_info");
        ws_connections_each(call->loop, ws_counters_connection, &stats);
        json_out_array_end(out);
        json_out_array(out, "slowest");
        for (size_t i = 0; i < stats.n_slow; ++i)
                ws_counters_add_connection(out, &stats.slow[i]);
        json_out_array_end(out);
}

/* ---- of all nodes: as each of them has said with its last sign of life ---- */

static int ws_counters_ask_nodes(WsCall *call) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        if (!ws_counters_names_users(call)) {
                ws_response_problem(call->response,
                                    403,
                                    "forbidden",
                                    "scope=cluster is for admins.");
                return 0;
        }
        r = query_new(&query, QUERY_NODES);
        if (r < 0)
                return err_up(r);
        query->cluster = strdup(call->options->cluster ? call->options->cluster : "");
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        if (!query->cluster || !query->user_ids)
                return err_new(-ENOMEM);
        query->user_ids[0] = call->identity.user->id;
        query->n_user_ids = 1;
        call->query = TAKE(&query);
        return 0;
}

int ws_endpoint_stats_answer(WsCall *call, const Answer *answer) {
        ws_response_header(call->response, "Cache-Control", "no-store");
        if (answer->status == 200 && answer->n_bodies == 1) {
                buf_append_text(ws_response_json(call->response), buf_text(&answer->bodies[0]));
                return 0;
        }
        ws_response_retry_after(call->response, WS_COUNTERS_RETRY_S);
        ws_response_problem(call->response, 503, "unavailable", "The database is not there.");
        return 0;
}

/* false: the response says what is wrong. */
static bool ws_counters_read_scope(WsCall *call, bool *ret_is_cluster) {
        char detail[WS_REQUEST_DETAIL_SIZE], word[16] = "node";

        if (!ws_request_word(call->request,
                             "scope",
                             ",node,cluster,",
                             word,
                             sizeof(word),
                             detail)) {
                ws_response_problem(call->response, 400, "bad_parameter", detail);
                return false;
        }
        *ret_is_cluster = strcmp(word, "cluster") == 0;
        return true;
}

/* ---- of this one ---- */

static int ws_counters_of_us(WsCall *call) {
        JsonOut out = { .buf = ws_response_json(call->response) };
        int r;

        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        json_out_time(&out, "timestamp", call->now_us);
        ws_counters_add_connections(call, &out);
        r = ws_counters_add_users(call, &out);
        ws_counters_add_accounting(&out);
        ws_counters_add_lease(&out);
        ws_counters_add_rates(&out, call->rates);
        ws_counters_add_reasons(&out);
        ws_counters_add_system(&out);
        json_out_object_end(&out);
        return err_up(r);
}

int ws_endpoint_stats(WsCall *call) {
        bool is_cluster;

        if (!ws_counters_read_scope(call, &is_cluster))
                return 0;
        return is_cluster ? err_up(ws_counters_ask_nodes(call)) : err_up(ws_counters_of_us(call));
}

int ws_endpoint_status(WsCall *call) {
        CLEANUP_BUF Buf by_user = { 0 };
        JsonOut out = { .buf = ws_response_json(call->response) };
        const User *user = call->identity.user;
        size_t n_users = 0;
        int r;

        r = ws_users_list(call->loop, &by_user, &n_users);
        if (r < 0)
                return err_up(r);

        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        json_out_string(&out, "status", "operational");
        json_out_object(&out, "statistics");
        json_out_int(&out, "total_connections", (int64_t)ws_connections_length(call->loop));
        json_out_int(&out, "total_users", (int64_t)n_users);
        if (ws_counters_names_users(call))
                json_out_raw(&out, "connections_by_user", buf_text(&by_user));
        json_out_object_end(&out);
        json_out_int(&out,
                     "user_connections",
                     user ? (int64_t)ws_connections_of(call->loop, user->id) : 0);
        json_out_object_end(&out);
        return 0;
}
