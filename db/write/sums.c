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

/* What is to be counted: a day, or of yesterday and today the hours that are over. A minute is for
 * what is on its way into its table. */
typedef struct SumsPiece SumsPiece;

struct SumsPiece {
        char day[SUMS_DAY_SIZE];
        char of[SUMS_TIME_SIZE]; /* detections: until when ("": the whole day); pages: the source */
};

/* Sums without rows go; then, of a piece ($1 the day, $2 of what): the next older one, what watches
 * it, and in a transaction that nobody else is in what counts it. */
typedef struct SumsWork SumsWork;

struct SumsWork {
        const char *forget, *next, *watch, *lock, *count;
};

/* clang-format off */
static const SumsWork sums_works[] = {
        [DB_SUMS_DETECTIONS] = {
        "SELECT tidegate_forget_detections()",
        "WITH now AS MATERIALIZED (SELECT tidegate_hour(clock_timestamp() - interval '1 minute') AS hour,"
        "   ((clock_timestamp() - interval '25 hours') AT TIME ZONE 'UTC')::date AS yesterday),"
        " pieces AS (SELECT l.*, CASE WHEN day >= yesterday"
        "   THEN least(hour, tidegate_midnight(day + 1)) END AS until"
        "  FROM detection_leaves l, now"
        "  WHERE NOT is_counted AND day < $1::date AND $2::text IS NOT NULL"
        "   AND tidegate_midnight(day) < hour)"
        " SELECT day, until FROM pieces WHERE until IS NULL OR counted_to < until"
        " ORDER BY day DESC LIMIT 1",
        "SELECT tidegate_watch_detections($1::date, nullif($2, '')::timestamptz)",
        "LOCK TABLE detection_days IN SHARE UPDATE EXCLUSIVE MODE NOWAIT",
        "SELECT tidegate_count_detections($1::date, nullif($2, '')::timestamptz)" },
        [DB_SUMS_PAGES] = {
        "SELECT tidegate_forget_pages()",
        "SELECT day, source FROM page_leaves WHERE NOT is_counted AND (day, source) < ($1::date, $2)"
        " AND ends < clock_timestamp() - interval '1 hour' ORDER BY day DESC, source DESC LIMIT 1",
        "SELECT tidegate_watch_page($1::date, $2)",
        "LOCK TABLE page_days IN SHARE UPDATE EXCLUSIVE MODE NOWAIT",
        "SELECT tidegate_count_page($1::date, $2)" },
};
/* clang-format on */

/* The next older piece than @piece, in its place. DB_E_NOT_FOUND: there is none. */
static int sums_find(DbConn *conn, const SumsWork *work, SumsPiece *piece) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { piece->day, piece->of };
        int r;

        r = db_conn_row(conn, &(DbQuery){ work->next, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        snprintf(piece->day, sizeof(piece->day), "%s", PQgetvalue(result, 0, 0));
        snprintf(piece->of, sizeof(piece->of), "%s", PQgetvalue(result, 0, 1));
        return 0;
}

/* The lock comes before what the transaction sees. DB_E_NOT_FOUND: somebody else counts. */
static int sums_begin(DbConn *conn, const SumsWork *work) {
        int r;

        r = db_conn_script(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ");
        if (r == 0)
                r = db_conn_script(conn, work->lock);
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

static int sums_count_piece(DbConn *conn, const SumsWork *work, const SumsPiece *piece) {
        const char *args[] = { piece->day, piece->of };
        int r;

        r = db_conn_exec(conn, &(DbQuery){ work->watch, N_ELEMENTS(args), args }, NULL);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = sums_begin(conn, work);
        if (r == 0)
                r = db_conn_exec(conn, &(DbQuery){ work->count, N_ELEMENTS(args), args }, NULL);
        if (r == 0)
                r = db_conn_script(conn, "COMMIT");
        if ((r == DB_E_REJECTED || r == DB_E_NOT_FOUND) && sums_give_up(conn) != 0)
                return DB_E_OFFLINE;
        return r < 0 ? err_up(r) : r;
}

int db_sums_count(DbConn *conn, DbSumsOf of, int budget_ms, DbSums *ret_sums) {
        const SumsWork *work = &sums_works[of];
        int64_t end_us = clock_mono_us() + budget_ms * INT64_C(1000);
        SumsPiece piece = { .day = "infinity" };
        bool is_rejected = false;
        int r;

        *ret_sums = (DbSums){ 0 };
        r = db_conn_exec(conn, &(DbQuery){ .sql = work->forget }, NULL);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (;;) {
                r = sums_find(conn, work, &piece);
                if (r == DB_E_NOT_FOUND)
                        return is_rejected ? DB_E_REJECTED : 0;
                ret_sums->has_more = r == 0 && clock_mono_us() >= end_us;
                if (r != 0 || ret_sums->has_more)
                        return r < 0 ? err_up(r) : r;
                r = sums_count_piece(conn, work, &piece);
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
