#include "db/write/slots.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        SLOTS_ARG_SIZE = 24,
        SLOTS_OLD_ARGS = 12, /* of who knows of one slot alone */
};

static void slots_arg(char ret_text[SLOTS_ARG_SIZE], int64_t value) {
        snprintf(ret_text, SLOTS_ARG_SIZE, "%" PRId64, value);
}

static void slots_take_text(char ret_text[DB_SLOTS_TEXT_SIZE], const PGresult *result, int column) {
        snprintf(ret_text, DB_SLOTS_TEXT_SIZE, "%s", PQgetvalue(result, 0, column));
}

/* Asked for first, so that the server has no error to log. Several slots, or none held by who knows
 * of one alone, need a newer schema. */
static int slots_find(DbConn *conn, int n_slots, bool *ret_has_layouts) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = { .sql = "SELECT to_regclass('slots') IS NOT NULL,"
                                       " to_regclass('slot_layouts') IS NOT NULL" };
        int r;

        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r;
        *ret_has_layouts = db_value_bool(result, 0, 1);
        if (!*ret_has_layouts && n_slots > 1)
                return DB_E_SCHEMA;
        return db_value_bool(result, 0, 0) ? 0 : DB_E_SCHEMA;
}

#define SLOTS_COLUMNS                                                 \
        "SELECT fence, beats, pid, lease_ms, host, epoch, client_id," \
        " coalesce(instance = $3, false), instance IS NULL AND slot IS NOT NULL"

static void slots_take(DbSlot *slot, const PGresult *result) {
        slot->fence = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        slot->beats = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        slot->pid = (int)strtol(PQgetvalue(result, 0, 2), NULL, 10);
        slot->lease_ms = (int)strtol(PQgetvalue(result, 0, 3), NULL, 10);
        slots_take_text(slot->host, result, 4);
        slots_take_text(slot->epoch, result, 5);
        slots_take_text(slot->client_id, result, 6);
        slot->is_ours = db_value_bool(result, 0, 7);
        slot->is_free = db_value_bool(result, 0, 8);
        slot->is_agreed = db_value_bool(result, 0, 9);
}

int db_slots_hold(DbConn *conn, const DbSlotClaim *claim, DbSlot *ret_slot) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbSlotLayout alone = { claim->holder.slot, 1, "", "", "" };
        const DbSlotLayout *layout = claim->layout.n_slots > 1 ? &claim->layout : &alone;
        char slot[SLOTS_ARG_SIZE], pid[SLOTS_ARG_SIZE], lease[SLOTS_ARG_SIZE];
        char held[SLOTS_ARG_SIZE], fence[SLOTS_ARG_SIZE], beats[SLOTS_ARG_SIZE];
        char first[SLOTS_ARG_SIZE], n_slots[SLOTS_ARG_SIZE];
        const char *args[] = { slot,
                               claim->epoch,
                               claim->holder.instance,
                               claim->place,
                               claim->host,
                               pid,
                               claim->client_id,
                               claim->adopts ? "t" : "f",
                               lease,
                               held,
                               claim->is_lapsed ? fence : NULL,
                               claim->is_lapsed ? beats : NULL,
                               first,
                               n_slots,
                               layout->templates,
                               layout->cluster,
                               layout->node };
        DbQuery query = {
                SLOTS_COLUMNS
                ", is_agreed FROM (SELECT (held).*, is_agreed FROM"
                " tidegate_hold_slot_of($13::int, $14::int, $15, $16, $17, $1::int, $2,"
                " $3, $4, $5, $6::int, $7, $8::bool, $9::int, $10::bigint,"
                " $11::bigint, $12::bigint)) h",
                N_ELEMENTS(args),
                args,
        };
        bool has_layouts;
        int r;

        slots_arg(slot, claim->holder.slot);
        slots_arg(pid, claim->pid);
        slots_arg(lease, claim->lease_ms);
        slots_arg(held, (int64_t)claim->held_fence);
        slots_arg(fence, (int64_t)claim->seen_fence);
        slots_arg(beats, (int64_t)claim->seen_beats);
        slots_arg(first, layout->first);
        slots_arg(n_slots, layout->n_slots);
        r = slots_find(conn, layout->n_slots, &has_layouts);
        if (r == 0 && !has_layouts) {
                query.sql = SLOTS_COLUMNS
                        ", true FROM tidegate_hold_slot($1::int, $2, $3, $4, $5, $6::int, $7,"
                        " $8::bool, $9::int, $10::bigint, $11::bigint, $12::bigint)";
                query.n_args = SLOTS_OLD_ARGS;
        }
        if (r == 0)
                r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r;
        slots_take(ret_slot, result);
        return 0;
}

int db_slots_surplus(DbConn *conn,
                     const DbSlotLayout *layout,
                     const char *instance,
                     int *ret_n,
                     int *ret_n_serving) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char first[SLOTS_ARG_SIZE], n_slots[SLOTS_ARG_SIZE];
        const char *args[] = { layout->cluster, layout->node, instance, first, n_slots };
        int r;

        slots_arg(first, layout->first);
        slots_arg(n_slots, layout->n_slots);
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT tidegate_slot_surplus($1, $2, $3, $4::int, $5::int),"
                                     " (SELECT count(DISTINCT instance) FROM slots"
                                     " WHERE slot >= $4::int AND slot < $4::int + $5::int)",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r;
        *ret_n = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        *ret_n_serving = (int)strtol(PQgetvalue(result, 0, 1), NULL, 10);
        return 0;
}

int db_slots_leave(DbConn *conn, const char *epoch, const DbHolder *holder) {
        char slot[SLOTS_ARG_SIZE], last[SLOTS_ARG_SIZE];
        const char *args[] = { epoch, slot, last };

        slots_arg(slot, holder->slot);
        slots_arg(last, (int64_t)holder->last_seq);
        return db_conn_exec(conn,
                            &(DbQuery){
                                    "INSERT INTO journal_positions AS p (epoch, slot, left_at)"
                                    " SELECT $1, $2::int, clock_timestamp() WHERE $3::bigint > 0"
                                    " AND NOT EXISTS (SELECT FROM slots WHERE epoch = $1"
                                    " AND instance IS NOT NULL)"
                                    " ON CONFLICT (epoch) DO UPDATE SET left_at = excluded.left_at"
                                    " WHERE p.left_at IS NULL AND p.seq < $3::bigint",
                                    N_ELEMENTS(args),
                                    args },
                            NULL);
}

int db_slots_stored(DbConn *conn, int slot, uint64_t *ret_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char which[SLOTS_ARG_SIZE];
        const char *args[] = { which };
        int r;

        slots_arg(which, slot);
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT coalesce(max(seq), 0) FROM journal_positions"
                                     " WHERE slot = $1::int",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r;
        *ret_seq = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        return 0;
}

/* Has the schema a table or a function for it? */
static int slots_have(DbConn *conn, const char *sql, bool *ret_has) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = { .sql = sql };
        int r;

        r = db_conn_exec(conn, &query, &result);
        if (r == 0)
                *ret_has = db_value_bool(result, 0, 0);
        return r;
}

/* Rows follow each other, and the first one begins a turn, or is behind our own. */
static bool slots_have_hole(const PGresult *result, int row) {
        int64_t before = db_value_int(result, row, 1);

        if (row > 0)
                return before != db_value_int(result, row - 1, 0);
        return !db_value_bool(result, row, 2);
}

static int slots_tell_flights(const PGresult *result, DbFlightsRowFn fn, void *arg, bool is_first) {
        for (int row = 0; row < PQntuples(result); ++row) {
                size_t n;
                unsigned char *bytes =
                        PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 3), &n);

                if (!bytes)
                        return err_new(-ENOMEM);
                fn(arg,
                   (Text){ .data = (const char *)bytes, .n = n },
                   slots_have_hole(result, row),
                   is_first);
                PQfreemem(bytes);
        }
        return 0;
}

/* As gateway/journal/journal_flights.c begins them. */
#define SLOTS_IS_HELD(row) "substring(" row ".flights FROM 1 FOR 6) = '\\x040000000000'"

/* What is held came in the turn of whoever had the slot, which it may have lost, with its process,
 * before it read that: its turn says nothing of it. */
int db_slots_flights(DbConn *conn,
                     int slot,
                     const char *epoch,
                     uint64_t after_fence,
                     DbFlightsRowFn fn,
                     void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char which[SLOTS_ARG_SIZE], after[SLOTS_ARG_SIZE];
        const char *args[] = { which, epoch, after };
        /* clang-format off */
        const DbQuery query = {
                "WITH mine AS (SELECT journal_id, left_fence FROM journal_positions"
                " WHERE epoch = $2),"
                " stored AS (SELECT max(f.fence) AS fence FROM slot_flights f"
                " JOIN mine USING (journal_id) WHERE f.slot = $1::int),"
                " own AS (SELECT greatest((SELECT left_fence FROM mine), fence) AS fence"
                " FROM stored)"
                " SELECT total, total - octet_length(flights) / 12,"
                " total - octet_length(flights) / 12 = turn_total, flights FROM slot_flights f"
                " WHERE slot = $1::int AND (fence > coalesce((SELECT fence FROM own), -1)"
                " OR (" SLOTS_IS_HELD("f") " AND fence > coalesce((SELECT fence FROM stored), -1)"
                " AND NOT EXISTS (SELECT FROM slot_flights o WHERE o.slot = f.slot"
                " AND o.fence > f.fence AND o.fence <= (SELECT fence FROM own)"
                " AND NOT " SLOTS_IS_HELD("o") ")))"
                " AND fence > CASE WHEN $3::bigint <= (SELECT fence FROM slots WHERE slot = $1::int)"
                " THEN $3::bigint ELSE 0 END"
                " AND journal_id IS DISTINCT FROM (SELECT journal_id FROM mine)"
                " ORDER BY total",
                N_ELEMENTS(args),
                args,
        };
        /* clang-format on */
        bool has = false;
        int r;

        slots_arg(which, slot);
        slots_arg(after, (int64_t)after_fence);
        r = slots_have(conn, "SELECT to_regclass('slot_flights') IS NOT NULL", &has);
        if (r == 0 && has)
                r = db_conn_exec(conn, &query, &result);
        if (r != 0 || !has)
                return r;
        r = slots_tell_flights(result, fn, arg, true);
        if (r == 0)
                r = slots_tell_flights(result, fn, arg, false);
        return r == 0 ? 0 : err_up(r);
}

int db_slots_reach(DbConn *conn, const DbHolder *holder, int64_t *ret_n_left) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char which[SLOTS_ARG_SIZE], last[SLOTS_ARG_SIZE];
        const char *args[] = { which, holder->instance, last };
        const DbQuery query = { "SELECT tidegate_reach($1::int, $2, $3::bigint)",
                                N_ELEMENTS(args),
                                args };
        bool has = false;
        int r;

        slots_arg(which, holder->slot);
        slots_arg(last, (int64_t)holder->last_seq);
        *ret_n_left = 0;
        r = slots_have(conn, "SELECT to_regproc('tidegate_reach') IS NOT NULL", &has);
        if (r == 0 && has)
                r = db_conn_exec(conn, &query, &result);
        if (r == 0 && has)
                *ret_n_left = db_value_int(result, 0, 0);
        return r;
}

int db_slots_reserve(DbConn *conn,
                     const DbHolder *holder,
                     uint64_t *ret_used_seq,
                     uint64_t *ret_until_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char which[SLOTS_ARG_SIZE], fence[SLOTS_ARG_SIZE], last[SLOTS_ARG_SIZE];
        const char *args[] = { which, holder->instance, fence, last };
        const DbQuery query = { "SELECT used, reserved FROM tidegate_reserve_numbers($1::int, $2,"
                                " $3::bigint, $4::bigint)",
                                N_ELEMENTS(args),
                                args };
        bool has = false;
        int r;

        slots_arg(which, holder->slot);
        slots_arg(fence, (int64_t)holder->fence);
        slots_arg(last, (int64_t)holder->last_seq);
        r = slots_have(conn, "SELECT to_regproc('tidegate_reserve_numbers') IS NOT NULL", &has);
        if (r == 0 && has)
                r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r;
        *ret_used_seq = has ? strtoull(PQgetvalue(result, 0, 0), NULL, 10) : 0;
        *ret_until_seq = has ? strtoull(PQgetvalue(result, 0, 1), NULL, 10) : UINT64_MAX;
        return 0;
}

int db_slots_forget(DbConn *conn, const char *epoch, const char *who, bool *ret_was) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { epoch, who };
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){
                                 "SELECT tidegate_forget_journal($1, $2)", N_ELEMENTS(args), args },
                         &result);
        if (r == 0)
                *ret_was = db_value_bool(result, 0, 0);
        return r;
}

int db_slots_release(DbConn *conn, const DbHolder *holder, bool is_drained) {
        char slot[SLOTS_ARG_SIZE];
        const char *args[] = { slot, holder->instance, is_drained ? "t" : "f" };

        slots_arg(slot, holder->slot);
        return db_conn_exec(conn,
                            &(DbQuery){ "WITH gone AS (UPDATE slots SET instance = NULL,"
                                        " lease_until = now() WHERE slot = $1::int"
                                        " AND instance = $2 RETURNING epoch, fence, reached)"
                                        " UPDATE journal_positions p SET left_at = now(),"
                                        " left_fence = gone.fence, reached = gone.reached FROM gone"
                                        " WHERE p.epoch = gone.epoch AND NOT $3::bool",
                                        N_ELEMENTS(args),
                                        args },
                            NULL);
}
