#include "db/write/mend.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/value.h"
#include "db/write/rows.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        MEND_ARG_SIZE = 24,
};

struct DbMend {
        DbConn *conn; /* borrowed */
        char *epoch;
        DbRows *rows;
        uint32_t journal_id; /* in network order */
        char stored[MEND_ARG_SIZE];
};

int db_mend_new(DbMend **ret_mend, DbConn *conn, const char *epoch) {
        CLEANUP(db_mend_free) DbMend *mend = NULL;
        int r;

        mend = calloc(1, sizeof(*mend));
        if (!mend)
                return err_new(-ENOMEM);
        mend->conn = conn;
        mend->epoch = strdup(epoch);
        if (!mend->epoch)
                return err_new(-ENOMEM);
        r = db_rows_new(&mend->rows);
        if (r < 0)
                return err_up(r);
        *ret_mend = TAKE(&mend);
        return 0;
}

DbMend *db_mend_free(DbMend *mend) {
        if (!mend)
                return NULL;
        db_rows_free(mend->rows);
        free(mend->epoch);
        free(mend);
        return NULL;
}

/* What was said first stays in db_conn_error(). */
static int mend_fail(DbMend *mend, int result) {
        if (result == DB_E_REJECTED || result == DB_E_REFUSED) {
                PGconn *pg = db_conn_pg(mend->conn);

                if (!PQsendQuery(pg, "ROLLBACK"))
                        return db_conn_fail(mend->conn, NULL);
                for (;;) {
                        CLEANUP(PQclear) PGresult *answer = NULL;

                        if (db_conn_result(mend->conn, db_conn_deadline(mend->conn), &answer) != 0)
                                return DB_E_OFFLINE;
                        if (!answer)
                                break;
                }
        }
        return result < 0 ? err_up(result) : result;
}

int db_mend_begin(DbMend *mend, uint64_t *ret_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { mend->epoch };
        int r;

        r = db_conn_script(mend->conn, "BEGIN");
        if (r == 0)
                r = db_conn_exec(mend->conn,
                                 &(DbQuery){ "SELECT journal_id, seq, stored FROM journal_positions"
                                             " WHERE epoch = $1 FOR UPDATE",
                                             N_ELEMENTS(args),
                                             args },
                                 &result);
        if (r != 0)
                return mend_fail(mend, r);
        if (PQntuples(result) == 0) {
                r = db_conn_script(mend->conn, "ROLLBACK");
                return r != 0 ? mend_fail(mend, r) : DB_E_NOT_FOUND;
        }
        mend->journal_id = htonl((uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10));
        *ret_seq = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        snprintf(mend->stored, sizeof(mend->stored), "%s", PQgetvalue(result, 0, 2));
        return 0;
}

static int mend_run_sheet(DbMend *mend, DbSheet sheet) {
        PGconn *pg = db_conn_pg(mend->conn);
        CLEANUP(PQclear) PGresult *failed = NULL;
        Oid types[DB_SHEET_MAX_PARAMS];
        DbParams params;
        int n = db_sheet_types(sheet, types);
        int r;

        r = db_rows_params(mend->rows, sheet, &mend->journal_id, &params);
        if (r < 0)
                return err_up(r);
        if (!PQsendQueryParams(pg,
                               db_sheet(sheet)->sql,
                               n,
                               types,
                               params.values,
                               params.lengths,
                               params.formats,
                               0))
                return db_conn_fail(mend->conn, NULL);
        for (;;) {
                CLEANUP(PQclear) PGresult *result = NULL;

                r = db_conn_result(mend->conn, db_conn_deadline(mend->conn), &result);
                if (r != 0)
                        return r;
                if (!result)
                        break;
                if (PQresultStatus(result) == PGRES_FATAL_ERROR && !failed)
                        failed = TAKE(&result);
        }
        return failed ? db_conn_fail(mend->conn, failed) : 0;
}

/* The statements count what they write, which the count may have had already. Was it all that they
 * were given? A trigger may have kept some out, without a word. */
static int mend_keep_count(DbMend *mend, int64_t n_expected) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { mend->epoch, mend->stored };
        int r;

        r = db_conn_row(mend->conn,
                        &(DbQuery){ "UPDATE journal_positions p SET stored = $2::bigint"
                                    " FROM (SELECT stored FROM journal_positions WHERE epoch = $1)"
                                    " AS now WHERE p.epoch = $1 RETURNING now.stored - $2::bigint",
                                    N_ELEMENTS(args),
                                    args },
                        &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return db_value_int(result, 0, 0) == n_expected ? 0 : DB_E_REFUSED;
}

int db_mend_store(DbMend *mend, const DbBatch *batch) {
        int64_t n_expected = 0;
        int r = 0;

        db_rows_reset(mend->rows);
        db_rows_forget(mend->rows);
        for (size_t i = 0; i < batch->n_records; ++i) {
                db_rows_add(mend->rows, batch->records[i], i);
                n_expected += 1 - db_rows_without(batch->records[i]);
        }
        for (size_t i = 0; i < batch->n_states; ++i)
                db_rows_add_state(mend->rows, batch->states[i].device_id, &batch->states[i].state);
        for (int i = 0; r == 0 && i < DB_SHEET_COUNT; ++i)
                if (i != DB_SHEET_ORIGINS && /* which have passed what is missing */
                    db_rows_has(mend->rows, (DbSheet)i))
                        r = mend_run_sheet(mend, (DbSheet)i);
        if (r == 0)
                r = mend_keep_count(mend, n_expected);
        return r == 0 ? 0 : mend_fail(mend, r);
}

int db_mend_agree(DbMend *mend) {
        const char *args[] = { mend->epoch };
        int r;

        r = db_conn_exec(mend->conn,
                         &(DbQuery){ "UPDATE journal_positions SET checked_seq = seq,"
                                     " checked_stored = stored WHERE epoch = $1",
                                     N_ELEMENTS(args),
                                     args },
                         NULL);
        return r == 0 ? 0 : mend_fail(mend, r);
}

int db_mend_commit(DbMend *mend) {
        int r = db_conn_script(mend->conn, "COMMIT");

        return r == 0 ? 0 : mend_fail(mend, r);
}
