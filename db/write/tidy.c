#include "db/write/tidy.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

#define TIDY_PAGE  1000 /* rows of one statement */
#define STRING_(x) #x
#define STRING(x)  STRING_(x)

enum {
        TIDY_ARG_SIZE = 24,
        TIDY_REMOVED_DAYS = 30,
        TIDY_REPLAYS_DAYS = 1,
};

/* $1: the day before which it is old. */
#define TIDY(table, column, which)                                                                 \
        "DELETE FROM " table " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " table " WHERE " column   \
        " < (date '1970-01-01' + $1::int)::timestamp AT TIME ZONE 'UTC'" which " ORDER BY " column \
        " LIMIT " STRING(TIDY_PAGE) ")) RETURNING true"

static int tidy_some(DbConn *conn, const char *sql, const char *day, int *ret_n) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, &(DbQuery){ sql, 1, &day }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_n = PQntuples(result);
        return 0;
}

static int tidy_table(DbConn *conn, const char *sql, int64_t before_us, int64_t *n_deleted) {
        char day[TIDY_ARG_SIZE];
        int n = TIDY_PAGE;
        int r = 0;

        snprintf(day, sizeof(day), "%lld", (long long)(before_us / CLOCK_DAY_US));
        while (r == 0 && n >= TIDY_PAGE) {
                r = tidy_some(conn, sql, day, &n);
                if (r == 0)
                        *n_deleted += n;
        }
        return r < 0 ? err_up(r) : r;
}

int db_tidy(DbConn *conn, int64_t day_us, const DbTidyDays *days, int64_t *ret_n_deleted) {
        const struct {
                const char *sql;
                int days;
        } tables[] = {
                { TIDY("commands",
                       "created_at",
                       " AND state IN ('done', 'failed', 'expired', 'cancelled')"),
                  days->commands },
                { TIDY("dead_letters_removed", "removed_at", ""), TIDY_REMOVED_DAYS },
                { TIDY("row_note_days", "day", ""), days->notes },
                { TIDY("replays", "requested_at", " AND outcome IS NOT NULL"), TIDY_REPLAYS_DAYS },
        };
        int r = 0;

        *ret_n_deleted = 0;
        for (size_t i = 0; i < N_ELEMENTS(tables) && r == 0; ++i)
                if (tables[i].days > 0)
                        r = tidy_table(conn,
                                       tables[i].sql,
                                       day_us - tables[i].days * CLOCK_DAY_US,
                                       ret_n_deleted);
        return r < 0 ? err_up(r) : r;
}
