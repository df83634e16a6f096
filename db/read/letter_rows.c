#include "db/read/letter_rows.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/name.h"
#include "base/text.h"
#include "db/value.h"
#include "model/record.h"

DEFINE_CLEANUP(PGresult *, PQclear);
DEFINE_CLEANUP(unsigned char *, PQfreemem);
DEFINE_CLEANUP(char *, free);

enum {
        LETTER_ROWS_ARG_SIZE = 24,
        LETTER_ROWS_ARGS = 8 + LETTER_BY_COUNT,
};

/* As the statements below have them. */
typedef enum LetterColumn {
        LETTER_COLUMN_ID,
        LETTER_COLUMN_SEQ,
        LETTER_COLUMN_N,
        LETTER_COLUMN_BYTES,
        LETTER_COLUMN_FIRST,
        LETTER_COLUMN_LAST,
        LETTER_COLUMN_ITEM,
        LETTER_COLUMN_REASON,
        LETTER_COLUMN_ROUTE,
        LETTER_COLUMN_DEVICE,
        LETTER_COLUMN_TOPIC,
        LETTER_COLUMN_DETAIL,
        LETTER_COLUMN_MEMBER,
        LETTER_COLUMN_KIND,
        LETTER_COLUMN_PAYLOAD, /* of one alone */
} LetterColumn;

typedef struct LetterArgs LetterArgs;
typedef struct LetterBody LetterBody;

struct LetterArgs {
        Buf reasons;
        char pattern[LETTER_PATTERN_SIZE];
        char numbers[4][LETTER_ROWS_ARG_SIZE];
        const char *all[LETTER_ROWS_ARGS];
};

struct LetterBody {
        JsonOut out;
        unsigned by;
        bool is_notes;
};

/* clang-format off */
#define LETTER_US(what) "(extract(epoch FROM " what ") * 1000000)::bigint"
#define LETTER_TIME(n)  "timestamptz 'epoch' + $" #n "::bigint * interval '1 microsecond'"

/* $1 to $7; a text that is not given is null. */
#define LETTER_WHERE                                                                               \
        " WHERE ($1::text[] IS NULL OR reason = ANY ($1::text[]))"                                 \
        " AND ($2::text IS NULL OR topic ~ $2::text)"                                              \
        " AND ($3::text IS NULL OR coalesce(route, '') = $3::text)"                                \
        " AND ($4::text IS NULL OR device = $4::text)"                                             \
        " AND ($5::bigint IS NULL OR received_at >= " LETTER_TIME(5) ")"                           \
        " AND ($6::bigint IS NULL OR received_at < " LETTER_TIME(6) ")"                            \
        " AND ($7::bigint IS NULL OR id < $7::bigint)"

#define LETTER_ONE                                                                                 \
        "SELECT id, seq, 1, octet_length(payload), " LETTER_US("received_at") ", "                 \
        LETTER_US("received_at") ", item, reason, route, device, topic, detail, NULL, NULL"

#define LETTER_GROUPS(bytes, member, source)                                                       \
        "SELECT max(id), max(seq), count(*), " bytes ", " LETTER_US("min(received_at)") ", "       \
        LETTER_US("max(received_at)") ", NULL, CASE WHEN $9::boolean THEN reason END,"             \
        " CASE WHEN $10::boolean THEN route END, CASE WHEN $11::boolean THEN device END,"          \
        " CASE WHEN $12::boolean THEN topic END, CASE WHEN $13::boolean THEN detail END,"          \
        " CASE WHEN $14::boolean THEN " member " END, NULL FROM " source LETTER_WHERE              \
        " GROUP BY 8, 9, 10, 11, 12, 13 ORDER BY 3 DESC, 8, 9, 10, 11, 12, 13"                    \
        " LIMIT $8::int + 1"

/* What it is called now. */
#define LETTER_NOTES                                                                               \
        "(SELECT r.*, coalesce((SELECT d.code FROM devices d WHERE d.id = r.device_id),"           \
        " (SELECT v.code FROM vehicles v WHERE v.id = r.vehicle_id)) AS device"                    \
        " FROM row_notes r) AS notes"

static const char letter_list[] =
        LETTER_ONE " FROM dead_letters" LETTER_WHERE " ORDER BY id DESC LIMIT $8::int + 1";

static const char letter_groups[] =
        LETTER_GROUPS("sum(octet_length(payload))", "NULL::text", "dead_letters");

static const char letter_one[] = LETTER_ONE ", payload FROM dead_letters WHERE id = $1::bigint";

static const char letter_notes[] =
        "SELECT id, seq, 1, 0, " LETTER_US("received_at") ", " LETTER_US("received_at") ", NULL,"
        " reason, route, device, topic, detail, member, kind FROM " LETTER_NOTES LETTER_WHERE
        " ORDER BY id DESC LIMIT $8::int + 1";

static const char letter_note_groups[] = LETTER_GROUPS("0", "member", LETTER_NOTES);
/* clang-format on */

static DbLetterRow letter_row(const PGresult *result, int row) {
        return (DbLetterRow){
                .id = db_value_int(result, row, LETTER_COLUMN_ID),
                .seq = (uint64_t)db_value_int(result, row, LETTER_COLUMN_SEQ),
                .n = db_value_int(result, row, LETTER_COLUMN_N),
                .n_bytes = db_value_int(result, row, LETTER_COLUMN_BYTES),
                .first_us = db_value_int(result, row, LETTER_COLUMN_FIRST),
                .last_us = db_value_int(result, row, LETTER_COLUMN_LAST),
                .item = db_value_string(result, row, LETTER_COLUMN_ITEM)
                                ? (int)db_value_int(result, row, LETTER_COLUMN_ITEM)
                                : -1,
                .reason = db_value_string(result, row, LETTER_COLUMN_REASON),
                .route = db_value_string(result, row, LETTER_COLUMN_ROUTE),
                .device = db_value_string(result, row, LETTER_COLUMN_DEVICE),
                .topic = db_value_string(result, row, LETTER_COLUMN_TOPIC),
                .detail = db_value_string(result, row, LETTER_COLUMN_DETAIL),
                .member = db_value_string(result, row, LETTER_COLUMN_MEMBER),
                .kind = db_value_string(result, row, LETTER_COLUMN_KIND),
        };
}

static const char *letter_arg(LetterArgs *args, size_t i, int64_t value, int64_t none) {
        if (value == none)
                return NULL;
        snprintf(args->numbers[i], LETTER_ROWS_ARG_SIZE, "%lld", (long long)value);
        return args->numbers[i];
}

static void letter_args_done(LetterArgs *args) {
        buf_done(&args->reasons);
}

static int letter_args_init(LetterArgs *args, const LetterQuery *query) {
        buf_append_char(&args->reasons, '{');
        for (unsigned i = 0; i < REASON_COUNT; ++i)
                if (query->reasons & UINT32_C(1) << i)
                        buf_printf(&args->reasons,
                                   "%s%s",
                                   args->reasons.n > 1 ? "," : "",
                                   reason_name((Reason)i));
        buf_append_char(&args->reasons, '}');
        if (buf_failed(&args->reasons))
                return err_new(-ENOMEM);
        letter_query_pattern(query, args->pattern);

        args->all[0] = query->reasons ? args->reasons.data : NULL;
        args->all[1] = *query->topic ? args->pattern : NULL;
        args->all[2] = query->has_route ? query->route : NULL;
        args->all[3] = *query->device ? query->device : NULL;
        args->all[4] = letter_arg(args, 0, query->from_us, CLOCK_UNKNOWN);
        args->all[5] = letter_arg(args, 1, query->to_us, CLOCK_UNKNOWN);
        args->all[6] = letter_arg(args, 2, query->before_id, 0);
        args->all[7] = letter_arg(args, 3, query->limit, -1);
        for (unsigned i = 0; i < LETTER_BY_COUNT; ++i)
                args->all[8 + i] = query->by & 1u << i ? "true" : "false";
        return 0;
}

static const char *letter_sql(const LetterQuery *query) {
        if (query->is_notes)
                return query->by ? letter_note_groups : letter_notes;
        return query->by ? letter_groups : letter_list;
}

int db_letter_rows(DbConn *conn,
                   const LetterQuery *query,
                   DbLetterRowFn fn,
                   void *arg,
                   int64_t *ret_cursor) {
        __attribute__((cleanup(letter_args_done))) LetterArgs args = { 0 };
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = letter_args_init(&args, query);
        if (r == 0)
                r = db_conn_exec(conn,
                                 &(DbQuery){ letter_sql(query),
                                             query->by ? LETTER_ROWS_ARGS : 8,
                                             args.all },
                                 &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        *ret_cursor = 0;
        for (int i = 0; i < PQntuples(result) && i < query->limit; ++i) {
                DbLetterRow row = letter_row(result, i);

                if (i + 1 == query->limit && PQntuples(result) > query->limit)
                        *ret_cursor = query->by ? DB_LETTER_ROWS_MORE : row.id;
                fn(arg, &row);
        }
        return 0;
}

int db_letter_row(DbConn *conn, int64_t id, DbLetterRowFn fn, void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        CLEANUP(PQfreemem) unsigned char *payload = NULL;
        char id_text[LETTER_ROWS_ARG_SIZE];
        const char *args[] = { id_text };
        DbLetterRow row;
        int r;

        snprintf(id_text, sizeof(id_text), "%lld", (long long)id);
        r = db_conn_row(conn, &(DbQuery){ letter_one, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        row = letter_row(result, 0);
        payload =
                PQunescapeBytea((const unsigned char *)PQgetvalue(result, 0, LETTER_COLUMN_PAYLOAD),
                                &row.payload.n);
        if (!payload)
                return err_new(-ENOMEM);
        row.payload.data = (const char *)payload;
        fn(arg, &row);
        return 0;
}

/* ---- as JSON ---- */

static void letter_json_payload(JsonOut *out, Text payload) {
        CLEANUP(free) char *text = NULL;
        size_t n;

        if (name_is_utf8(payload)) {
                json_out_text(out, "payload", payload);
                return;
        }
        text = malloc(BASE64_SIZE(payload.n) + 2);
        if (!text) {
                out->buf->failed = true;
                return;
        }
        base64_write(BASE64_PLAIN, payload.data, payload.n, text);
        n = strlen(text);
        snprintf(text + n, 3, "%.*s", (int)((3 - payload.n % 3) % 3), "==");
        json_out_string(out, "payload_base64", text);
}

static void letter_json_group(LetterBody *json, const DbLetterRow *row) {
        const char *const values[LETTER_BY_COUNT] = {
                [LETTER_BY_REASON] = row->reason, [LETTER_BY_ROUTE] = row->route,
                [LETTER_BY_DEVICE] = row->device, [LETTER_BY_TOPIC] = row->topic,
                [LETTER_BY_DETAIL] = row->detail, [LETTER_BY_MEMBER] = row->member,
        };
        JsonOut *out = &json->out;

        json_out_int(out, "count", row->n);
        if (!json->is_notes)
                json_out_int(out, "bytes", row->n_bytes);
        json_out_int(out, "newest_id", row->id);
        json_out_time(out, "first", row->first_us);
        json_out_time(out, "last", row->last_us);
        for (unsigned i = 0; i < LETTER_BY_COUNT; ++i)
                if (json->by & 1u << i)
                        json_out_string(out, letter_by_name((LetterBy)i), values[i]);
}

static void letter_json_note(JsonOut *out, const DbLetterRow *row) {
        char seq[24];

        snprintf(seq, sizeof(seq), "%llu", (unsigned long long)row->seq);
        json_out_string(out, "member", row->member);
        json_out_string(out, "kind", row->kind);
        json_out_string(out, "seq", seq);
}

static void letter_json_one(LetterBody *json, const DbLetterRow *row) {
        JsonOut *out = &json->out;

        json_out_int(out, "id", row->id);
        json_out_time(out, "received", row->first_us);
        json_out_string(out, "reason", row->reason);
        json_out_string(out, "detail", row->detail);
        json_out_string(out, "topic", row->topic);
        json_out_string(out, "route", row->route);
        json_out_string(out, "device", row->device);
        if (json->is_notes) {
                letter_json_note(out, row);
                return;
        }
        if (row->item < 0)
                json_out_null(out, "item");
        else
                json_out_int(out, "item", row->item);
        json_out_int(out, "bytes", row->n_bytes);
        if (row->payload.data)
                letter_json_payload(out, row->payload);
}

static void letter_json(void *arg, const DbLetterRow *row) {
        LetterBody *json = arg;

        json_out_object(&json->out, NULL);
        if (json->by)
                letter_json_group(json, row);
        else
                letter_json_one(json, row);
        json_out_object_end(&json->out);
}

int db_letter_rows_json(DbConn *conn, const LetterQuery *query, Buf *body) {
        LetterBody json = { .out = { .buf = body }, .by = query->by, .is_notes = query->is_notes };
        char text[24] = "";
        int64_t cursor;
        int r;

        json_out_object(&json.out, NULL);
        json_out_array(&json.out, "items");
        r = db_letter_rows(conn, query, letter_json, &json, &cursor);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        json_out_array_end(&json.out);
        if (cursor > 0)
                snprintf(text, sizeof(text), "%lld", (long long)cursor);
        json_out_text(&json.out, "cursor", *text ? text_of(text) : (Text){ 0 });
        json_out_bool(&json.out, "more", cursor != 0);
        json_out_object_end(&json.out);
        return buf_failed(body) ? err_new(-ENOMEM) : 0;
}

int db_letter_row_json(DbConn *conn, int64_t id, Buf *body) {
        LetterBody json = { .out = { .buf = body } };
        int r;

        r = db_letter_row(conn, id, letter_json, &json);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return buf_failed(body) ? err_new(-ENOMEM) : 0;
}
