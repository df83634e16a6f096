#include "base/clock.h"
#include "base/err.h"
#include "base/ids.h"
#include "base/vec.h"
#include "model/metrics.h"
#include "model/record.h"
#include "ws/http/endpoint.h"
#include "ws/hub/connections.h"
#include "ws/loop/loop.h"

#define WS_STATS_LISTED 1000 /* connections listed one by one */
#define WS_STATS_SLOW   5

typedef struct WsStats WsStats;
typedef struct WsStatsField WsStatsField;
typedef struct WsUsers WsUsers;

struct WsStatsField {
        const char *name;
        Metric metric;
};

struct WsStats {
        Buf *buf;
        const User *user; /* NULL = sees all */
        size_t n_listed;
        WsConnectionInfo slow[WS_STATS_SLOW]; /* by lag, then by bytes queued */
        size_t n_slow;
};

/* User ids, one a connection; sorted at the end. */
struct WsUsers {
        int64_t *ids;
        size_t n, capacity;
        bool failed;
};

static const WsStatsField ws_stats_accounting[] = {
        { "received_mqtt", METRIC_RECEIVED_MQTT },
        { "received_ws", METRIC_RECEIVED_WS },
        { "received_http", METRIC_RECEIVED_HTTP },
        { "received_internal", METRIC_RECEIVED_INTERNAL },
        { "received_journal", METRIC_RECEIVED_RECOVERED },
        { "committed", METRIC_COMMITTED },
        { "duplicate", METRIC_DUPLICATE },
        { "in_journal", METRIC_IN_JOURNAL },
        { "refused_journal_full", METRIC_REFUSED_JOURNAL_FULL },
        { "drift", METRIC_ACCOUNTING_DRIFT },
};

static const WsStatsField ws_stats_fanout[] = {
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

static const WsStatsField ws_stats_dialects[] = {
        { "A", METRIC_WS_CONNECTIONS_A }, { "B", METRIC_WS_CONNECTIONS_B },
        { "C", METRIC_WS_CONNECTIONS_C }, { "D", METRIC_WS_CONNECTIONS_D },
        { "E", METRIC_WS_CONNECTIONS_E }, { "native", METRIC_WS_CONNECTIONS_NATIVE },
};

static const WsStatsField ws_stats_refused[] = {
        { "unauthorized", METRIC_WS_REFUSED_UNAUTHORIZED },
        { "forbidden", METRIC_WS_REFUSED_FORBIDDEN },
        { "origin", METRIC_WS_REFUSED_ORIGIN },
        { "capacity", METRIC_WS_REFUSED_CAPACITY },
        { "per_user", METRIC_WS_REFUSED_PER_USER },
        { "rate", METRIC_WS_REFUSED_RATE },
        { "bad_request", METRIC_WS_REFUSED_BAD_REQUEST },
        { "preface", METRIC_WS_REFUSED_PREFACE },
        { "timeout", METRIC_WS_REFUSED_TIMEOUT },
};

static const WsStatsField ws_stats_closed[] = {
        { "slow", METRIC_WS_CLOSED_SLOW },
        { "silent", METRIC_WS_CLOSED_SILENT },
        { "unacknowledged", METRIC_WS_CLOSED_UNACKNOWLEDGED },
        { "rate", METRIC_WS_CLOSED_RATE },
        { "too_big", METRIC_WS_CLOSED_TOO_BIG },
        { "revoked", METRIC_WS_CLOSED_REVOKED },
        { "expired", METRIC_WS_CLOSED_EXPIRED },
        { "replaced", METRIC_WS_CLOSED_REPLACED },
        { "bad_token", METRIC_WS_CLOSED_BAD_TOKEN },
        { "forbidden", METRIC_WS_CLOSED_FORBIDDEN },
        { "protocol", METRIC_WS_CLOSED_MISUSE },
        { "no_auth", METRIC_WS_CLOSED_NO_AUTH },
        { "too_many", METRIC_WS_CLOSED_TOO_MANY },
        { "state_lost", METRIC_WS_CLOSED_STATE_LOST },
};

static const WsStatsField ws_stats_credentials[] = {
        { "login_ok", METRIC_LOGIN_OK },
        { "login_failed", METRIC_LOGIN_FAILED },
        { "login_limited", METRIC_LOGIN_LIMITED },
        { "token_refused", METRIC_CREDENTIALS_REFUSED },
        { "token_limited", METRIC_CREDENTIALS_LIMITED },
};

static const WsStatsField ws_stats_outbox[] = {
        { "length", METRIC_OUTBOX_LENGTH },
        { "dropped", METRIC_OUTBOX_DROPPED },
};

static const WsStatsField ws_stats_journal[] = {
        { "bytes", METRIC_JOURNAL_BYTES },
        { "segments", METRIC_JOURNAL_SEGMENTS },
};

static int64_t ws_stats_received(void) {
        return metric_get(METRIC_RECEIVED_MQTT) + metric_get(METRIC_RECEIVED_WS) +
               metric_get(METRIC_RECEIVED_HTTP) + metric_get(METRIC_RECEIVED_INTERNAL) +
               metric_get(METRIC_RECEIVED_RECOVERED);
}

static void ws_stats_fields(Buf *buf, const WsStatsField fields[], size_t n_fields) {
        for (size_t i = 0; i < n_fields; ++i) {
                buf_printf(buf, "%s\"%s\":", i > 0 ? "," : "", fields[i].name);
                buf_json_int(buf, metric_get(fields[i].metric));
        }
}

static void ws_stats_add_accounting(Buf *buf) {
        buf_append_string(buf, ",\"accounting\":{\"received\":");
        buf_json_int(buf, ws_stats_received());
        buf_append_char(buf, ',');
        ws_stats_fields(buf, ws_stats_accounting, N_ELEMENTS(ws_stats_accounting));
        buf_append_string(buf, ",\"dead_lettered\":");
        buf_json_int(buf, metric_get_dead_letters());

        buf_append_string(buf, ",\"dead_lettered_by_reason\":{");
        for (int i = REASON_NONE + 1; i < REASON_COUNT; ++i) {
                buf_printf(buf, "%s\"%s\":", i > 1 ? "," : "", reason_name((Reason)i));
                buf_json_int(buf, metric_get_dead_letter((unsigned)i));
        }
        buf_append_string(buf, "}}");
}

static void ws_stats_add_lease(Buf *buf) {
        char holder[METRICS_HOLDER_SIZE];

        metrics_get_holder(holder);
        buf_printf(buf,
                   ",\"lease\":{\"held\":%s,\"holder\":",
                   metric_get(METRIC_LEASE_HELD) != 0 ? "true" : "false");
        if (*holder)
                buf_json_string(buf, text_of(holder));
        else
                buf_append_string(buf, "null");
        buf_append_char(buf, '}');
}

static void ws_stats_add_rates(Buf *buf, const WsRates *rates) {
        buf_printf(buf,
                   ",\"rates\":{\"received_per_second\":%.1f,\"committed_per_second\":%.1f,"
                   "\"offered_per_second\":%.1f,\"sent_per_second\":%.1f}",
                   rates->received,
                   rates->committed,
                   rates->offered,
                   rates->sent);
}

/* What was offered to viewers, or meant for them, and did not reach them. */
static void ws_stats_add_drops(Buf *buf) {
        int64_t at_close = metric_get(METRIC_WS_DROPPED_AT_CLOSE);

        buf_append_string(buf, ",\"drops_by_reason\":{\"conflated\":");
        buf_json_int(buf, metric_get(METRIC_WS_CONFLATED));
        buf_append_string(buf, ",\"queue_full\":");
        buf_json_int(buf, metric_get(METRIC_WS_DROPPED) - at_close);
        buf_append_string(buf, ",\"connection_ended\":");
        buf_json_int(buf, at_close);
        buf_append_string(buf, ",\"outbox_full\":");
        buf_json_int(buf, metric_get(METRIC_OUTBOX_DROPPED));
        buf_append_char(buf, '}');
}

static void ws_stats_add_reasons(Buf *buf) {
        ws_stats_add_drops(buf);
        buf_append_string(buf, ",\"refused_by_reason\":{");
        ws_stats_fields(buf, ws_stats_refused, N_ELEMENTS(ws_stats_refused));
        buf_append_string(buf, "},\"closed_by_reason\":{");
        ws_stats_fields(buf, ws_stats_closed, N_ELEMENTS(ws_stats_closed));
        buf_append_string(buf, "},\"credentials\":{");
        ws_stats_fields(buf, ws_stats_credentials, N_ELEMENTS(ws_stats_credentials));
        buf_append_char(buf, '}');
}

static void ws_stats_add_system(Buf *buf) {
        buf_append_string(buf, ",\"fanout\":{");
        ws_stats_fields(buf, ws_stats_fanout, N_ELEMENTS(ws_stats_fanout));
        buf_append_string(buf, "},\"connections_by_dialect\":{");
        ws_stats_fields(buf, ws_stats_dialects, N_ELEMENTS(ws_stats_dialects));
        buf_append_string(buf, "},\"outbox\":{");
        ws_stats_fields(buf, ws_stats_outbox, N_ELEMENTS(ws_stats_outbox));
        buf_append_string(buf, "},\"journal\":{");
        ws_stats_fields(buf, ws_stats_journal, N_ELEMENTS(ws_stats_journal));
        buf_append_string(buf, ",\"full\":");
        buf_json_bool(buf, metric_get(METRIC_JOURNAL_FULL) != 0);
        buf_append_string(buf, "},\"database\":{\"connected\":");
        buf_json_bool(buf, metric_get(METRIC_DB_CONNECTED) != 0);
        buf_append_string(buf, ",\"lag_seconds\":");
        buf_json_int(buf, metric_get(METRIC_DB_LAG_SECONDS));
        buf_append_string(buf, "},\"mqtt\":{\"connected\":");
        buf_json_bool(buf, metric_get(METRIC_MQTT_CONNECTED) != 0);
        buf_append_string(buf, "}");
}

static void ws_stats_add_id(Buf *buf, const char *name, int64_t id) {
        buf_printf(buf, ",\"%s\":", name);
        if (id == 0)
                buf_append_string(buf, "null");
        else
                buf_json_int(buf, id);
}

static void ws_stats_add_connection(Buf *buf, const WsConnectionInfo *info) {
        buf_append_string(buf, "{\"connected_at\":");
        buf_json_time(buf, info->connected_us);
        buf_append_string(buf, ",\"client_info\":{\"vehicle_filter\":");
        if (info->vehicle_id == 0)
                buf_append_string(buf, "null");
        else
                buf_json_int(buf, info->vehicle_id);
        buf_append_string(buf, ",\"dialect\":");
        buf_json_string(buf, text_of(info->dialect));
        ws_stats_add_id(buf, "user_id", info->user_id);
        ws_stats_add_id(buf, "device_id", info->device_id);
        buf_printf(buf,
                   "},\"queued\":%zu,\"queued_bytes\":%zu,\"lag_seconds\":%.3f,"
                   "\"offered\":%llu,\"sent\":%llu,"
                   "\"conflated\":%llu,\"dropped\":%llu}",
                   info->queued_frames,
                   info->queued_bytes,
                   (double)info->lag_us / 1e6,
                   (unsigned long long)info->offered,
                   (unsigned long long)info->sent,
                   (unsigned long long)info->conflated,
                   (unsigned long long)info->dropped);
}

static bool ws_stats_is_slower(const WsConnectionInfo *a, const WsConnectionInfo *b) {
        return a->lag_us != b->lag_us ? a->lag_us > b->lag_us : a->queued_bytes > b->queued_bytes;
}

/* Keeps the slowest, slowest first. */
static void ws_stats_note_slow(WsStats *stats, const WsConnectionInfo *info) {
        size_t at = stats->n_slow;

        if (info->queued_frames == 0)
                return;
        while (at > 0 && ws_stats_is_slower(info, &stats->slow[at - 1]))
                --at;
        if (at == WS_STATS_SLOW)
                return;

        stats->n_slow += stats->n_slow < WS_STATS_SLOW;
        memmove(&stats->slow[at + 1],
                &stats->slow[at],
                (stats->n_slow - at - 1) * sizeof(stats->slow[0]));
        stats->slow[at] = *info;
}

static void ws_stats_connection(void *arg, const WsConnectionInfo *info) {
        WsStats *stats = arg;

        if (stats->user && info->user_id != stats->user->id)
                return;
        ws_stats_note_slow(stats, info);
        if (stats->n_listed == WS_STATS_LISTED)
                return;
        if (stats->n_listed++ > 0)
                buf_append_char(stats->buf, ',');
        ws_stats_add_connection(stats->buf, info);
}

static void ws_users_connection(void *arg, const WsConnectionInfo *info) {
        WsUsers *users = arg;

        if (info->user_id == 0 || users->failed)
                return;
        users->failed = !VEC_HAS_ROOM(users->ids, users->n, users->capacity, 64);
        if (!users->failed)
                users->ids[users->n++] = info->user_id;
}

static void ws_users_count(WsUsers *users, Buf *ret_by_user, size_t *ret_n_users) {
        size_t n_users = 0;

        ids_sort(users->ids, users->n);
        for (size_t i = 0, j; i < users->n; i = j) {
                for (j = i; j < users->n && users->ids[j] == users->ids[i]; ++j)
                        continue;
                buf_printf(ret_by_user,
                           "%s\"%lld\":%zu",
                           n_users > 0 ? "," : "",
                           (long long)users->ids[i],
                           j - i);
                ++n_users;
        }
        *ret_n_users = n_users;
}

/* {"1":2,...}: how many connections each user has. */
static int ws_users_list(const WsLoop *loop, Buf *ret_by_user, size_t *ret_n_users) {
        WsUsers users = { 0 };

        ws_connections_each(loop, ws_users_connection, &users);
        buf_append_char(ret_by_user, '{');
        ws_users_count(&users, ret_by_user, ret_n_users);
        buf_append_char(ret_by_user, '}');
        free(users.ids);
        return users.failed ? err_new(-ENOMEM) : 0;
}

/* Users other than admins see the totals and their own connections. */
static const User *ws_stats_scope(const WsCall *call) {
        const User *user = call->identity.user;

        return !user || user->role == ROLE_ADMIN ? NULL : user;
}

/* For admins alone: who is connected. */
static int ws_stats_add_users(const WsCall *call, Buf *body) {
        CLEANUP_BUF Buf by_user = { 0 };
        size_t n_users = 0;
        int r;

        if (!call->identity.user || call->identity.user->role != ROLE_ADMIN)
                return 0;
        r = ws_users_list(call->loop, &by_user, &n_users);
        if (r < 0)
                return err_up(r);
        buf_append_string(body, ",\"connections_by_user\":");
        buf_append_text(body, buf_text(&by_user));
        return 0;
}

int ws_endpoint_stats(WsCall *call) {
        Buf *body = ws_response_json(call->response);
        WsStats stats = { .buf = body, .user = ws_stats_scope(call) };
        int r;

        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_append_string(body, "{\"timestamp\":");
        buf_json_time(body, call->now_us);
        buf_printf(body,
                   ",\"active_connections\":%zu,\"connections_info\":[",
                   ws_connections_length(call->loop));
        ws_connections_each(call->loop, ws_stats_connection, &stats);
        buf_append_string(body, "],\"slowest\":[");
        for (size_t i = 0; i < stats.n_slow; ++i) {
                if (i > 0)
                        buf_append_char(body, ',');
                ws_stats_add_connection(body, &stats.slow[i]);
        }
        buf_append_char(body, ']');

        r = ws_stats_add_users(call, body);
        ws_stats_add_accounting(body);
        ws_stats_add_lease(body);
        ws_stats_add_rates(body, call->rates);
        ws_stats_add_reasons(body);
        ws_stats_add_system(body);
        buf_append_char(body, '}');
        return err_up(r);
}

int ws_endpoint_status(WsCall *call) {
        CLEANUP_BUF Buf by_user = { 0 };
        Buf *body = ws_response_json(call->response);
        const User *user = call->identity.user;
        size_t n_users = 0;
        int r;

        r = ws_users_list(call->loop, &by_user, &n_users);
        if (r < 0)
                return err_up(r);

        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_printf(body,
                   "{\"status\":\"operational\",\"statistics\":{\"total_connections\":%zu,"
                   "\"total_users\":%zu",
                   ws_connections_length(call->loop),
                   n_users);
        if (user && user->role == ROLE_ADMIN) {
                buf_append_string(body, ",\"connections_by_user\":");
                buf_append_text(body, buf_text(&by_user));
        }
        buf_printf(body,
                   "},\"user_connections\":%zu}",
                   user ? ws_connections_of(call->loop, user->id) : 0);
        return 0;
}
