#include "db/write/books.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "db/value.h"
#include "db/write/rows.h"

#define BOOKS_REACH "172800000000" /* two days of numbers: a new one has none of before */

DEFINE_CLEANUP(PGresult *, PQclear);
DEFINE_CLEANUP(char *, free);

enum {
        BOOKS_ARG_SIZE = 24,
};

static void books_arg(char ret_text[BOOKS_ARG_SIZE], int64_t value) {
        snprintf(ret_text, BOOKS_ARG_SIZE, "%" PRId64, value);
}

static uint64_t books_value(const PGresult *result, int column) {
        return strtoull(PQgetvalue(result, 0, column), NULL, 10);
}

int db_books_read(DbConn *conn, const char *epoch, DbBooks *ret_books) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { epoch };
        const DbQuery query = {
                "SELECT p.seq, p.stored, p.checked_seq, p.checked_stored,"
                " coalesce(sum(abs(d.records)) FILTER (WHERE d.kind <> 'refused'), 0)::bigint,"
                " count(*) FILTER (WHERE d.kind = 'gap'),"
                " coalesce(min(d.after_seq) FILTER (WHERE d.kind = 'count'), 0),"
                " coalesce(max(d.last_seq) FILTER (WHERE d.kind = 'count'), 0),"
                " coalesce(sum(d.records) FILTER (WHERE d.kind = 'refused'), 0)::bigint,"
                " coalesce(min(d.after_seq) FILTER (WHERE d.kind = 'refused'), 0),"
                " coalesce(max(d.last_seq) FILTER (WHERE d.kind = 'refused'), 0)"
                " FROM journal_positions p LEFT JOIN journal_differences d"
                " ON d.journal_id = p.journal_id AND d.settled_at IS NULL"
                " WHERE p.epoch = $1 GROUP BY p.journal_id",
                N_ELEMENTS(args),
                args,
        };
        int r;

        r = db_conn_row(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_books = (DbBooks){
                .seq = books_value(result, 0),
                .stored = books_value(result, 1),
                .checked_seq = books_value(result, 2),
                .checked_stored = books_value(result, 3),
                .n_missing = books_value(result, 4),
                .n_gaps = books_value(result, 5),
                .open_after_seq = books_value(result, 6),
                .open_last_seq = books_value(result, 7),
                .n_refused = books_value(result, 8),
                .refused_after_seq = books_value(result, 9),
                .refused_last_seq = books_value(result, 10),
        };
        return 0;
}

/* Never waits: who holds the row is storing, and this can be done later. */
static int books_go_on(DbConn *conn, const char *epoch, const DbBooks *books, int64_t difference) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char seq[BOOKS_ARG_SIZE], stored[BOOKS_ARG_SIZE], checked_seq[BOOKS_ARG_SIZE];
        char checked_stored[BOOKS_ARG_SIZE], missing[BOOKS_ARG_SIZE];
        const char *args[] = { epoch, seq, stored, checked_seq, checked_stored, missing };
        const DbQuery query = {
                "WITH mine AS MATERIALIZED (SELECT journal_id FROM journal_positions"
                " WHERE epoch = $1 AND checked_seq = $4::bigint AND checked_stored = $5::bigint"
                " AND seq >= $2::bigint FOR UPDATE SKIP LOCKED),"
                " noted AS (INSERT INTO journal_differences"
                " (journal_id, kind, after_seq, last_seq, records)"
                " SELECT journal_id, 'count', $4::bigint, $2::bigint, $6::bigint FROM mine"
                " WHERE $6::bigint <> 0)"
                " UPDATE journal_positions p SET checked_seq = $2::bigint,"
                " checked_stored = $3::bigint FROM mine WHERE p.journal_id = mine.journal_id"
                " RETURNING p.journal_id",
                N_ELEMENTS(args),
                args,
        };
        int r;

        books_arg(seq, (int64_t)books->seq);
        books_arg(stored, (int64_t)books->stored);
        books_arg(checked_seq, (int64_t)books->checked_seq);
        books_arg(checked_stored, (int64_t)books->checked_stored);
        books_arg(missing, difference);
        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return PQntuples(result) == 1 ? 0 : DB_E_BUSY;
}

int db_books_check(DbConn *conn, const char *epoch, const DbBooks *books, uint64_t n_journal) {
        int64_t n_counted = (int64_t)(books->stored - books->checked_stored);
        int r;

        r = books_go_on(conn, epoch, books, (int64_t)n_journal - n_counted);
        return r < 0 ? err_up(r) : r;
}

int db_books_skip(DbConn *conn, const char *epoch, const DbBooks *books) {
        int r = books_go_on(conn, epoch, books, 0);

        return r < 0 ? err_up(r) : r;
}

int db_books_note_gap(DbConn *conn, const char *epoch, uint64_t after_seq, uint64_t last_seq) {
        char after[BOOKS_ARG_SIZE], last[BOOKS_ARG_SIZE];
        const char *args[] = { epoch, after, last };
        const DbQuery query = {
                "INSERT INTO journal_differences (journal_id, kind, after_seq, last_seq)"
                " SELECT p.journal_id, 'gap', $2::bigint, $3::bigint FROM journal_positions p"
                " WHERE p.epoch = $1 AND NOT EXISTS (SELECT FROM journal_differences d"
                " WHERE d.journal_id = p.journal_id AND d.kind = 'gap' AND d.settled_at IS NULL"
                " AND d.after_seq <= $2::bigint AND d.last_seq = $3::bigint)",
                N_ELEMENTS(args),
                args,
        };
        int r;

        books_arg(after, (int64_t)after_seq);
        books_arg(last, (int64_t)last_seq);
        r = db_conn_exec(conn, &query, NULL);
        return r < 0 ? err_up(r) : r;
}

int db_books_settle(DbConn *conn,
                    const char *epoch,
                    uint64_t after_seq,
                    uint64_t last_seq,
                    const char *by,
                    uint64_t *ret_n) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char after[BOOKS_ARG_SIZE], last[BOOKS_ARG_SIZE];
        const char *args[] = { epoch, after, last, by };
        const DbQuery query = {
                "UPDATE journal_differences d SET settled_at = now(), settled_by = $4"
                " FROM journal_positions p WHERE p.epoch = $1 AND d.journal_id = p.journal_id"
                " AND d.settled_at IS NULL AND d.after_seq >= $2::bigint"
                " AND d.last_seq <= $3::bigint RETURNING d.id",
                N_ELEMENTS(args),
                args,
        };
        int r;

        books_arg(after, (int64_t)after_seq);
        books_arg(last, (int64_t)last_seq);
        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_n = (uint64_t)PQntuples(result);
        return 0;
}

/* Of one table; the times leave out the partitions that cannot have them. */
#define BOOKS_HAS(table)                                                               \
        "SELECT seq FROM " table ", mine WHERE seq > $2::bigint AND seq <= $3::bigint" \
        " AND received_at BETWEEN timestamptz 'epoch' + $4::bigint * interval '1 us'"  \
        " AND timestamptz 'epoch' + $5::bigint * interval '1 us'"                      \
        " AND " table ".journal_id = mine.journal_id UNION "

#define BOOKS_ITEMS(table, is_letter)                                                  \
        " SELECT seq, item, " is_letter " FROM " table ", mine WHERE seq > $2::bigint" \
        " AND seq <= $3::bigint"                                                       \
        " AND received_at BETWEEN timestamptz 'epoch' + $4::bigint * interval '1 us'"  \
        " AND timestamptz 'epoch' + $5::bigint * interval '1 us'"                      \
        " AND " table ".journal_id = mine.journal_id"

/* @sql of what is there of the range: the epoch, its numbers, and its times. */
static int books_ask_range(DbConn *conn,
                           const char *sql,
                           const char *epoch,
                           const DbRange *range,
                           PGresult **ret_result) {
        char after[BOOKS_ARG_SIZE], last[BOOKS_ARG_SIZE], from[BOOKS_ARG_SIZE], to[BOOKS_ARG_SIZE];
        const char *args[] = { epoch, after, last, from, to };

        books_arg(after, (int64_t)range->after_seq);
        books_arg(last, (int64_t)range->last_seq);
        books_arg(from, range->from_us);
        books_arg(to, range->to_us);
        return db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, ret_result);
}

int db_books_present(DbConn *conn,
                     const char *epoch,
                     const DbRange *range,
                     DbBooksFn fn,
                     void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        /* clang-format off */
        static const char sql[] =
                "WITH mine AS MATERIALIZED (SELECT journal_id FROM journal_positions"
                " WHERE epoch = $1) SELECT seq FROM ("
                BOOKS_HAS("raw_logs") BOOKS_HAS("sensor_logs") BOOKS_HAS("vehicle_logs")
                BOOKS_HAS("ble_detections") BOOKS_HAS("telemetry") BOOKS_HAS("camera_events")
                BOOKS_HAS("alerts") BOOKS_HAS("command_events") BOOKS_HAS("device_status_logs")
                BOOKS_HAS("dead_letters")
                "SELECT r.seq FROM dead_letters_removed r, mine WHERE r.seq > $2::bigint"
                " AND r.seq <= $3::bigint AND r.journal_id = mine.journal_id) a ORDER BY seq";
        /* clang-format on */
        int r;

        r = books_ask_range(conn, sql, epoch, range, &result);
        for (int i = 0; r == 0 && i < PQntuples(result); ++i)
                r = fn(arg, strtoull(PQgetvalue(result, i, 0), NULL, 10));
        return r < 0 ? err_up(r) : r;
}

int db_books_items(DbConn *conn,
                   const char *epoch,
                   const DbRange *range,
                   DbBooksItemFn fn,
                   void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        /* clang-format off */
        static const char sql[] =
                "WITH mine AS MATERIALIZED (SELECT journal_id FROM journal_positions"
                " WHERE epoch = $1)"
                BOOKS_ITEMS("ble_detections", "false") " UNION ALL"
                BOOKS_ITEMS("dead_letters", "true") " AND item IS NOT NULL UNION ALL"
                " SELECT r.seq, -1, true FROM dead_letters_removed r, mine WHERE r.seq > $2::bigint"
                " AND r.seq <= $3::bigint AND r.journal_id = mine.journal_id";
        /* clang-format on */
        int r;

        r = books_ask_range(conn, sql, epoch, range, &result);
        for (int i = 0; r == 0 && i < PQntuples(result); ++i)
                r = fn(arg,
                       strtoull(PQgetvalue(result, i, 0), NULL, 10),
                       (int)strtol(PQgetvalue(result, i, 1), NULL, 10),
                       db_value_bool(result, i, 2));
        return r < 0 ? err_up(r) : r;
}

int db_books_knows_news(DbConn *conn, const Record *record, bool *ret_knows) {
        CLEANUP(PQclear) PGresult *result = NULL;
        Text id = record->ack.command_id, state = db_rows_state(&record->ack);
        CLEANUP(free) char *command_id = strndup(id.data ? id.data : "", id.n);
        CLEANUP(free) char *state_name = strndup(state.data, state.n);
        char device_id[BOOKS_ARG_SIZE];
        const char *args[] = { command_id, state_name, device_id };
        const DbQuery query = {
                "SELECT FROM commands WHERE command_id = $1 AND device_id = $3::bigint"
                " AND greatest(tidegate_command_rank(state), CASE WHEN cancelled_at IS NOT NULL"
                " THEN 3 END) >= tidegate_command_rank($2)",
                N_ELEMENTS(args),
                args,
        };
        int r;

        if (!command_id || !state_name)
                return err_new(-ENOMEM);
        books_arg(device_id, record->device_id);
        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_knows = PQntuples(result) > 0;
        return 0;
}

#define BOOKS_NEWEST(table)                                                         \
        " (SELECT max(seq) FROM " table " WHERE seq > $2::bigint AND journal_id = " \
        "(SELECT journal_id FROM journal_positions WHERE epoch = $1))"

int db_books_newest(DbConn *conn, const char *epoch, uint64_t after_seq, uint64_t *ret_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char after[BOOKS_ARG_SIZE];
        const char *args[] = { epoch, after };
        /* clang-format off */
        const DbQuery query = {
                "SELECT coalesce(greatest("
                BOOKS_NEWEST("raw_logs") "," BOOKS_NEWEST("sensor_logs") ","
                BOOKS_NEWEST("vehicle_logs") "," BOOKS_NEWEST("ble_detections") ","
                BOOKS_NEWEST("telemetry") "," BOOKS_NEWEST("camera_events") ","
                BOOKS_NEWEST("alerts") "," BOOKS_NEWEST("command_events") ","
                BOOKS_NEWEST("device_status_logs") "," BOOKS_NEWEST("dead_letters") "), 0)",
                N_ELEMENTS(args),
                args,
        };
        /* clang-format on */
        int r;

        books_arg(after, (int64_t)after_seq);
        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_seq = books_value(result, 0);
        return 0;
}

#define BOOKS_ORPHANS(table)                                     \
        " SELECT journal_id, max(seq) AS seq FROM " table " t"   \
        " WHERE seq BETWEEN $2::bigint - " BOOKS_REACH " AND $2" \
        " AND NOT EXISTS (SELECT FROM journal_positions p"       \
        " WHERE p.journal_id = t.journal_id) GROUP BY journal_id"

int db_books_adopt(DbConn *conn, const char *epoch, uint64_t last_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char last[BOOKS_ARG_SIZE];
        const char *args[] = { epoch, last };
        /* clang-format off */
        const DbQuery query = {
                "WITH lost AS MATERIALIZED (SELECT WHERE NOT EXISTS"
                " (SELECT FROM journal_positions WHERE epoch = $1))"
                " INSERT INTO journal_positions (journal_id, epoch)"
                " SELECT o.journal_id, $1 FROM lost, LATERAL ("
                BOOKS_ORPHANS("raw_logs") " UNION ALL" BOOKS_ORPHANS("sensor_logs") " UNION ALL"
                BOOKS_ORPHANS("vehicle_logs") " UNION ALL" BOOKS_ORPHANS("ble_detections")
                " UNION ALL" BOOKS_ORPHANS("telemetry") " UNION ALL" BOOKS_ORPHANS("camera_events")
                " UNION ALL" BOOKS_ORPHANS("alerts") " UNION ALL" BOOKS_ORPHANS("command_events")
                " UNION ALL" BOOKS_ORPHANS("device_status_logs")
                " UNION ALL" BOOKS_ORPHANS("dead_letters")
                ") o ORDER BY o.seq DESC LIMIT 1 ON CONFLICT DO NOTHING RETURNING journal_id",
                N_ELEMENTS(args),
                args,
        };
        /* clang-format on */
        int r;

        if (last_seq == 0)
                return 0;
        books_arg(last, (int64_t)last_seq);
        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) > 0)
                log_error("position_lost journal_id=%s hint=\"its row in journal_positions is gone;"
                          " what is stored is compared with the journal\"",
                          PQgetvalue(result, 0, 0));
        return 0;
}
