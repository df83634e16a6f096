#include "db/pooler.h"

#include <libpq-fe.h>

#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        POOLER_TRIES = 5, /* a busy pooler may lend another one once */
        POOLER_CONNECT_MS = 2000,
};

static int pooler_pid(DbConn *conn, int *ret_pid) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, &(DbQuery){ .sql = "SELECT pg_backend_pid()" }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_pid = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        return 0;
}

/* The last one that was given back is the next to be lent: within a transaction of the probe it
 * would be ours. */
static int pooler_try(DbConn *conn, DbConn *probe) {
        int ours = 0, theirs = 0;
        int r;

        r = pooler_pid(conn, &ours);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = pooler_pid(probe, &theirs);
        switch (r) {
        case 0:
                return ours == theirs ? DB_E_POOLED : 0;
        case DB_E_BUSY:
        case DB_E_OFFLINE:
        case DB_E_REJECTED: /* it cannot be told */
                return 0;
        default:
                return err_up(r);
        }
}

int db_pooler_check(DbConn *conn, DbConn *probe) {
        int pid = 0;
        int r;

        r = pooler_pid(conn, &pid);
        if (r != 0 || pid == PQbackendPID(db_conn_pg(conn))) /* nobody is in between */
                return r < 0 ? err_up(r) : r;
        if (db_conn_connect_wait(probe, POOLER_CONNECT_MS) != 0)
                return 0;
        for (int i = 0; i < POOLER_TRIES && r == 0; ++i)
                r = pooler_try(conn, probe);
        db_conn_disconnect(probe);
        return r < 0 ? err_up(r) : r;
}
