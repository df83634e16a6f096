#include "db/write/rollups.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        ROLLUPS_THINGS = 64, /* a step, as long as none of them is in the way */
};

/* DB_E_NOT_FOUND: there is nothing to do, or somebody else is at it. */
static int rollups_step(DbConn *conn, int n_things) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char text[16];
        const char *args[] = { text };
        int r;

        snprintf(text, sizeof(text), "%d", n_things);
        r = db_conn_row(conn,
                        &(DbQuery){
                                "SELECT tidegate_next_series($1::int)", N_ELEMENTS(args), args },
                        &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return db_value_bool(result, 0, 0) ? 0 : DB_E_NOT_FOUND;
}

/* Which of many cannot be counted is found by taking them one by one; that one is passed over. */
int db_rollups_make(DbConn *conn, int budget_ms, DbRollups *ret_rollups) {
        int64_t end_us = clock_mono_us() + budget_ms * INT64_C(1000);
        int n_things = ROLLUPS_THINGS;
        int r;

        *ret_rollups = (DbRollups){ 0 };
        r = db_conn_exec(conn, &(DbQuery){ .sql = "SELECT tidegate_forget_series()" }, NULL);
        while (r == 0) {
                ret_rollups->has_more = n_things > 0 && clock_mono_us() >= end_us;
                if (ret_rollups->has_more)
                        return 0;
                r = rollups_step(conn, n_things);
                if (r == DB_E_REJECTED && n_things > 0) {
                        n_things = n_things > 1 ? 1 : 0;
                        r = 0;
                } else if (r == 0) {
                        ++ret_rollups->n_steps;
                        ret_rollups->n_skipped += n_things == 0;
                        n_things = n_things == 0 ? ROLLUPS_THINGS : n_things;
                }
        }
        if (r == DB_E_NOT_FOUND)
                return 0;
        return r < 0 ? err_up(r) : r;
}
