#include "db/write/sums.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        SUMS_DAY_SIZE = 32,
        SUMS_TIME_SIZE = 64,
};

/* What is to be counted: a day (until: null), or of yesterday and today the hours that are over. A
 * minute is for what is on its way into its table. */
typedef struct SumsPiece SumsPiece;

struct SumsPiece {
        char day[SUMS_DAY_SIZE];
        char until[SUMS_TIME_SIZE]; /* "": the whole day */
};

/* clang-format off */
static const char sums_next[] =
        "WITH now AS MATERIALIZED (SELECT tidegate_hour(clock_timestamp() - interval '1 minute') AS hour,"
        "   ((clock_timestamp() - interval '25 hours') AT TIME ZONE 'UTC')::date AS yesterday),"
        " pieces AS (SELECT l.*, CASE WHEN day >= yesterday"
        "   THEN least(hour, tidegate_midnight(day + 1)) END AS until"
        "  FROM detection_leaves l, now"
        "  WHERE NOT is_counted AND day < $1::date AND tidegate_midnight(day) < hour)"
        " SELECT day, until FROM pieces WHERE until IS NULL OR counted_to < until"
        " ORDER BY day DESC LIMIT 1";
/* clang-format on */

/* The next older piece than @piece, in its place. DB_E_NOT_FOUND: there is none. */
static int sums_find(DbConn *conn, SumsPiece *piece) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { piece->day };
        int r;

        r = db_conn_row(conn, &(DbQuery){ sums_next, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        snprintf(piece->day, sizeof(piece->day), "%s", PQgetvalue(result, 0, 0));
        snprintf(piece->until, sizeof(piece->until), "%s", PQgetvalue(result, 0, 1));
        return 0;
}

/* The lock comes before what the transaction sees. DB_E_NOT_FOUND: somebody else counts. */
static int sums_begin(DbConn *conn) {
        int r;

        r = db_conn_script(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ");
        if (r == 0)
                r = db_conn_script(
                        conn, "LOCK TABLE detection_days IN SHARE UPDATE EXCLUSIVE MODE NOWAIT");
        if (r == DB_E_REJECTED && strcmp(db_conn_sqlstate(conn), "55P03") == 0)
                return DB_E_NOT_FOUND;
        return r < 0 ? err_up(r) : r;
}

/* What was said first stays in db_conn_error(). */
static int sums_give_up(DbConn *conn) {
        if (!PQsendQuery(db_conn_pg(conn), "ROLLBACK"))
                return DB_E_OFFLINE;
        for (;;) {
                CLEANUP(PQclear) PGresult *answer = NULL;

                if (db_conn_result(conn, db_conn_deadline(conn), &answer) != 0)
                        return DB_E_OFFLINE;
                if (!answer)
                        return 0;
        }
}

static int sums_count_piece(DbConn *conn, const SumsPiece *piece) {
        const char *args[] = { piece->day, *piece->until ? piece->until : NULL };
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT tidegate_watch_detections($1::date, $2::timestamptz)",
                                     N_ELEMENTS(args),
                                     args },
                         NULL);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = sums_begin(conn);
        if (r == 0)
                r = db_conn_exec(conn,
                                 &(DbQuery){ "SELECT tidegate_count_detections($1::date, "
                                             "$2::timestamptz)",
                                             N_ELEMENTS(args),
                                             args },
                                 NULL);
        if (r == 0)
                r = db_conn_script(conn, "COMMIT");
        if ((r == DB_E_REJECTED || r == DB_E_NOT_FOUND) && sums_give_up(conn) != 0)
                return DB_E_OFFLINE;
        return r < 0 ? err_up(r) : r;
}

int db_sums_count(DbConn *conn, int budget_ms, DbSums *ret_sums) {
        int64_t end_us = clock_mono_us() + budget_ms * INT64_C(1000);
        SumsPiece piece = { .day = "infinity" };
        bool is_rejected = false;
        int r;

        *ret_sums = (DbSums){ 0 };
        r = db_conn_exec(conn, &(DbQuery){ .sql = "SELECT tidegate_forget_detections()" }, NULL);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (;;) {
                r = sums_find(conn, &piece);
                if (r == DB_E_NOT_FOUND)
                        return is_rejected ? DB_E_REJECTED : 0;
                ret_sums->has_more = r == 0 && clock_mono_us() >= end_us;
                if (r != 0 || ret_sums->has_more)
                        return r < 0 ? err_up(r) : r;
                r = sums_count_piece(conn, &piece);
                switch (r) {
                case 0:
                        ++ret_sums->n_days;
                        break;
                case DB_E_NOT_FOUND:
                        ret_sums->has_more = true;
                        return 0;
                case DB_E_REJECTED:
                        is_rejected = true;
                        break;
                default:
                        return r < 0 ? err_up(r) : r;
                }
        }
}
