#include "db/write/adopt.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "db/value.h"

#define ADOPT_ARG_SIZE 24

DEFINE_CLEANUP(PGresult *, PQclear);
DEFINE_CLEANUP(char *, free);

static int adopt_answer(DbConn *conn, const char *sql, const char *epoch, bool *ret_answer) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { epoch };
        int r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);

        if (r == 0)
                *ret_answer = db_value_bool(result, 0, 0);
        return r;
}

int db_adopt_is_due(DbConn *conn, const char *epoch, bool *ret_is_due) {
        int r;

        *ret_is_due = false;
        r = adopt_answer(conn,
                         "SELECT $1::text <> '' AND to_regproc('tidegate_adopt_begin') IS NOT NULL",
                         epoch,
                         ret_is_due);
        if (r != 0 || !*ret_is_due)
                return r;
        return adopt_answer(conn,
                            "SELECT EXISTS (SELECT FROM journal_positions p JOIN slots s"
                            " USING (slot) WHERE p.epoch = $1 AND p.left_at IS NOT NULL"
                            " AND s.instance IS NOT NULL AND s.epoch <> p.epoch"
                            " AND s.lease_until > clock_timestamp())",
                            epoch,
                            ret_is_due);
}

void db_adopt_cancel(DbConn *conn) {
        if (db_conn_is_open(conn) && db_conn_script(conn, "ROLLBACK") != 0)
                db_conn_disconnect(conn);
}

/* What went wrong is what the caller is told of. */
static int adopt_fail(DbConn *conn, int r) {
        db_adopt_cancel(conn);
        return r;
}

static int adopt_ask(DbConn *conn, const char *epoch, int *ret_slot, uint64_t *ret_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { epoch };
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT which, at_seq, is_free FROM tidegate_adopt_begin($1)",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r;
        if (PQgetisnull(result, 0, 0))
                return DB_E_NOT_FOUND;
        *ret_slot = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        *ret_seq = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        return db_value_bool(result, 0, 2) ? 0 : DB_E_BUSY;
}

int db_adopt_begin(DbConn *conn, const char *epoch, int *ret_slot, uint64_t *ret_seq) {
        int r = db_conn_script(conn, "BEGIN");

        if (r == 0)
                r = adopt_ask(conn, epoch, ret_slot, ret_seq);
        return r == 0 ? 0 : adopt_fail(conn, r);
}

/* As text of a bytea. NULL: no memory. */
static char *adopt_hex(Text bytes) {
        char *hex = malloc(2 * bytes.n + 3);

        if (!hex)
                return NULL;
        hex[0] = '\\';
        hex[1] = 'x';
        text_put_hex(hex + 2, bytes.data, bytes.n);
        return hex;
}

int db_adopt_commit(DbConn *conn, const char *epoch, Text held) {
        CLEANUP(free) char *hex = adopt_hex(held);
        const char *args[] = { epoch, held.n > 0 ? hex : NULL };
        int r;

        if (!hex) {
                db_adopt_cancel(conn);
                return err_new(-ENOMEM);
        }
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT tidegate_adopt_flights($1, $2::bytea)",
                                     N_ELEMENTS(args),
                                     args },
                         NULL);
        if (r == 0)
                r = db_conn_script(conn, "COMMIT");
        return r == 0 ? 0 : adopt_fail(conn, r);
}

int db_adopt_end(DbConn *conn, const char *epoch, uint64_t last_seq, bool *ret_is_done) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char last[ADOPT_ARG_SIZE];
        const char *args[] = { epoch, last };
        int r;

        snprintf(last, sizeof(last), "%" PRIu64, last_seq);
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT tidegate_adopt_end($1, $2::bigint)",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r == 0)
                *ret_is_done = db_value_bool(result, 0, 0);
        return r;
}
