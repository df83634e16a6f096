/* DbCommandRows: what the dispatcher asks of it, and writes. */

#include "db/edit/command_rows.h"

#include <libpq-fe.h>
#include <limits.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "db/edit/command_rows_source.h"
#include "db/follow/pulse.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        COMMANDS_ARGS = 4,            /* of what is done one by one */
        COMMANDS_HEARD_BYTES = 16384, /* of ids; more is better looked up as a whole */
};

/* How many are written by one statement: so long others wait for their rows. */
#define COMMANDS_PIECE    1000
#define COMMANDS_PIECE_IS "1000"

int db_command_rows_listen(DbConn *conn) {
        static const char *const sql[] = { "LISTEN tidegate_command", "LISTEN tidegate_alert" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(sql); ++i)
                r = db_conn_exec(conn, &(DbQuery){ sql[i], 0, NULL }, NULL);
        return r < 0 ? err_up(r) : r;
}

bool db_command_rows_list(Buf *ids, const char *id) {
        static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-";

        if (!*id || strspn(id, alphabet) != strlen(id))
                return false;
        if (ids->n > 0 && ids->data[ids->n - 1] == '}')
                --ids->n;
        buf_append_char(ids, ids->n == 0 ? '{' : ',');
        buf_append_string(ids, id);
        buf_append_char(ids, '}');
        return true;
}

int db_command_rows_hear(DbConn *conn,
                         Buf *ids,
                         bool *ret_more,
                         bool *ret_beat,
                         DbAlertFn fn,
                         void *arg) {
        PGconn *pg = db_conn_pg(conn);
        PGnotify *notify;
        int r = 0;

        if (!PQconsumeInput(pg))
                return db_conn_fail(conn, NULL);
        while ((notify = PQnotifies(pg))) {
                if (strcmp(notify->relname, "tidegate_alert") == 0)
                        r = r == 0 ? fn(arg, notify->extra) : r;
                else if (db_pulse_hear(NULL, notify->extra))
                        *ret_beat = true;
                else if (ids->n > COMMANDS_HEARD_BYTES || !db_command_rows_list(ids, notify->extra))
                        *ret_more = true;
                PQfreemem(notify);
        }
        if (r < 0)
                return err_up(r);
        return buf_failed(ids) ? err_new(-ENOMEM) : 0;
}

static int commands_each(DbConn *conn, const DbQuery *query, DbCommandFn fn, void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (int i = 0; fn && i < PQntuples(result); ++i) {
                DbCommand command;

                db_command_rows_row(result, i, &command);
                fn(arg, &command);
        }
        return 0;
}

static void commands_say_refused(const DbConn *conn, const char *command_id) {
        static LogPace said;
        unsigned long long n_more;

        if (log_may(&said, &n_more))
                log_warning("command_row_refused command=%s sqlstate=%s error=\"%s\" more=%llu"
                            " hint=\"the table commands does not take what becomes of it; the "
                            "others"
                            " go on\"",
                            command_id,
                            db_conn_sqlstate(conn),
                            db_conn_error(conn),
                            n_more);
}

/* One of them was refused, and all with it: those that @which finds, one by one, by @query, whose
 * last argument is the command. Not more than @n_max that are taken. */
static int commands_each_alone(DbConn *conn,
                               const DbQuery *which,
                               DbQuery query,
                               int n_max,
                               DbCommandFn fn,
                               void *arg) {
        CLEANUP(PQclear) PGresult *found = NULL;
        const char *args[COMMANDS_ARGS];
        int n_taken = 0;
        int r;

        r = db_conn_exec(conn, which, &found);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        memcpy(args, query.args, query.n_args * sizeof(args[0]));
        query.args = args;
        for (int i = 0; i < PQntuples(found) && n_taken < n_max; ++i) {
                args[query.n_args - 1] = PQgetvalue(found, i, 0);
                r = commands_each(conn, &query, fn, arg);
                if (r == DB_E_REJECTED)
                        commands_say_refused(conn, args[query.n_args - 1]);
                else if (r != 0)
                        return r < 0 ? err_up(r) : r;
                else
                        ++n_taken;
        }
        return 0;
}

int db_command_rows_named(DbConn *conn, const char *ids, DbCommandFn fn, void *arg) {
        static const char sql[] = "SELECT " COLUMNS " FROM commands c"
                                  " WHERE c.command_id = ANY ($1::text[]) AND " WANTED
                                  " ORDER BY c.created_at, c.command_id";

        return commands_each(conn, &(DbQuery){ sql, 1, &ids }, fn, arg);
}

int db_command_rows_waiting(DbConn *conn,
                            const char *cursor,
                            int n_max,
                            DbCommandFn fn,
                            void *arg) {
        static const char sql[] = "SELECT " COLUMNS " FROM commands c WHERE " WANTED
                                  " AND ($1::text IS NULL OR c.command_id > $1)"
                                  " ORDER BY c.command_id LIMIT $2::bigint";
        char limit[COMMANDS_ARG_SIZE];
        const char *args[] = { cursor, limit };

        snprintf(limit, sizeof(limit), "%d", n_max);
        return commands_each(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, fn, arg);
}

/* All that @which finds (with its arguments) by @query at once; and one by one, where that is
 * refused. */
static int commands_each_of(DbConn *conn,
                            const char *which,
                            const DbQuery *query,
                            int n_max,
                            DbCommandFn fn,
                            void *arg) {
        const DbQuery found = { which, query->n_args, query->args };
        int r = commands_each(conn, query, fn, arg);

        if (r == DB_E_REJECTED)
                r = commands_each_alone(conn, &found, *query, n_max, fn, arg);
        return r < 0 ? err_up(r) : r;
}

/* $1 who claims, $3 whether again, $4 this one alone; $2 how many. */
#define CLAIMABLE                                                                   \
        "SELECT command_id FROM commands c WHERE c.state = 'accepted'"              \
        " AND published_at IS NULL AND " WANTED                                     \
        " AND CASE WHEN $3::boolean THEN claimed_until < now()"                     \
        " OR (claimed_by = $1 AND claimed_until < now() + interval '27 seconds')"   \
        " ELSE claimed_until IS NULL END AND ($4::text IS NULL OR command_id = $4)" \
        " AND $2::bigint > 0 ORDER BY claimed_until, created_at, command_id"

int db_command_rows_claim(DbConn *conn,
                          const char *epoch,
                          bool again,
                          int n_max,
                          DbCommandFn fn,
                          void *arg) {
        static const char which[] = CLAIMABLE;
        static const char sql[] =
                "WITH mine AS (" CLAIMABLE " LIMIT $2::bigint FOR UPDATE SKIP LOCKED),"
                " claimed AS (UPDATE commands c SET claimed_by = $1,"
                " claimed_until = now() + interval '30 seconds'"
                " FROM mine WHERE c.command_id = mine.command_id RETURNING c.*)"
                " SELECT " COLUMNS " FROM claimed c ORDER BY c.created_at, c.command_id";
        char limit[COMMANDS_ARG_SIZE];
        const char *args[] = { epoch, limit, again ? "t" : "f", NULL };
        const DbQuery query = { sql, N_ELEMENTS(args), args };

        snprintf(limit, sizeof(limit), "%d", n_max);
        return commands_each_of(conn, which, &query, n_max, fn, arg);
}

/* As many as fit into a piece, by one statement, which returns them; or one by one, where that is
 * refused. *ret_n: how many; 0: there are no more of them that are taken. */
static int commands_piece(DbConn *conn, const char *which, const DbQuery *query, int *ret_n) {
        const DbQuery found = { which, query->n_args, query->args };
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        *ret_n = 0;
        r = db_conn_exec(conn, query, &result);
        if (r == DB_E_REJECTED)
                r = commands_each_alone(conn, &found, *query, COMMANDS_PIECE, NULL, NULL);
        else if (r == 0)
                *ret_n = PQntuples(result);
        return r < 0 ? err_up(r) : r;
}

/* $1 whose, $2 this one alone. */
#define CLAIMED                                                              \
        "SELECT command_id FROM commands WHERE " OPEN " AND claimed_by = $1" \
        " AND claimed_until IS NOT NULL AND ($2::text IS NULL OR command_id = $2)"

int db_command_rows_release(DbConn *conn, const char *epoch) {
        static const char which[] = CLAIMED;
        static const char sql[] =
                "WITH mine AS (" CLAIMED " LIMIT " COMMANDS_PIECE_IS " FOR UPDATE SKIP LOCKED)"
                " UPDATE commands c SET claimed_until = NULL FROM mine"
                " WHERE c.command_id = mine.command_id RETURNING c.command_id";
        const char *args[] = { epoch, NULL };
        int n, r;

        do
                r = commands_piece(conn, which, &(DbQuery){ sql, N_ELEMENTS(args), args }, &n);
        while (r == 0 && n == COMMANDS_PIECE);
        return r < 0 ? err_up(r) : r;
}

int db_command_rows_published(DbConn *conn, const char *ids) {
        static const char sql[] = "UPDATE commands SET published_at = now()"
                                  " WHERE command_id IN (SELECT command_id FROM commands"
                                  " WHERE command_id = ANY ($1::text[])"
                                  " ORDER BY command_id FOR UPDATE)";

        static const char which[] = "SELECT unnest($1::text[])";
        static const char one[] = "UPDATE commands SET published_at = now() WHERE command_id = $1";
        const char *none = NULL;
        int r;

        r = db_conn_exec(conn, &(DbQuery){ sql, 1, &ids }, NULL);
        if (r == DB_E_REJECTED)
                r = commands_each_alone(conn,
                                        &(DbQuery){ which, 1, &ids },
                                        (DbQuery){ one, 1, &none },
                                        INT_MAX,
                                        NULL,
                                        NULL);
        return r < 0 ? err_up(r) : r;
}

/* $1 this one alone. Each pair of user and device is judged once. */
#define REVOKED                                                                                    \
        "WITH who AS (SELECT DISTINCT c.user_id, c.device_id FROM commands c "                     \
        "WHERE " UNPROVEN " AND c.user_id IS NOT NULL AND ($1::text IS NULL OR command_id = $1))," \
        " gone AS (SELECT * FROM who WHERE NOT tidegate_may_command(user_id, device_id)),"         \
        " these AS (SELECT c.command_id FROM commands c JOIN gone g USING (user_id, device_id)"    \
        " WHERE " UNPROVEN " AND ($1::text IS NULL OR c.command_id = $1)"

int db_command_rows_revoke(DbConn *conn) {
        static const char which[] = REVOKED ") SELECT command_id FROM these";
        static const char sql[] = REVOKED
                " LIMIT " COMMANDS_PIECE_IS " FOR UPDATE OF c SKIP LOCKED)"
                " UPDATE commands c SET cancelled_at = now(), updated_at = now(),"
                " expiry_noted_at = NULL,"
                " cancel_message = 'who sent it may not command the device any more'" ON_ITS_WAY
                " FROM these t WHERE t.command_id = c.command_id RETURNING c.command_id";
        const char *none = NULL;
        int n, r;

        r = commands_piece(conn, which, &(DbQuery){ sql, 1, &none }, &n);
        return r < 0 ? err_up(r) : r;
}

/* $2 this one alone, $1 how many. */
#define OVERDUE                                                                            \
        "SELECT command_id FROM commands WHERE " UNFINISHED                                \
        " AND (expires_at <= now() OR cancelled_at IS NOT NULL)"                           \
        " AND (expiry_noted_at IS NULL OR expiry_noted_at < now() - interval '5 seconds')" \
        " AND ($2::text IS NULL OR command_id = $2) AND $1::bigint > 0 ORDER BY expires_at"

int db_command_rows_overdue(DbConn *conn, int n_max, DbCommandFn fn, void *arg) {
        static const char which[] = OVERDUE;
        static const char sql[] =
                "WITH over AS (" OVERDUE " LIMIT $1::bigint FOR UPDATE SKIP LOCKED),"
                " noted AS (UPDATE commands c SET expiry_noted_at = now() FROM over"
                " WHERE c.command_id = over.command_id RETURNING c.*)"
                " SELECT " COLUMNS " FROM noted c ORDER BY c.expires_at";
        char limit[COMMANDS_ARG_SIZE];
        const char *args[] = { limit, NULL };
        const DbQuery query = { sql, N_ELEMENTS(args), args };

        snprintf(limit, sizeof(limit), "%d", n_max);
        return commands_each_of(conn, which, &query, n_max, fn, arg);
}
