#pragma once

/*
 * DbConn: one connection to PostgreSQL, its loss and its return.
 *
 * Belongs to one thread. Sets up the session: UTF8, UTC, ISO dates, application_name, keep-alives,
 * tcp_user_timeout, statement time-out, no JIT. The password of the URL is never logged.
 * Everything in db/ answers with the DB_E_* below. After DB_E_OFFLINE the connection is closed.
 *
 * A server that hangs does not hang us: what blocks gives up (DB_E_OFFLINE) two seconds after the
 * statement time-out, or when the descriptor of db_conn_set_stop() becomes readable.
 */

#include "base/base.h"

typedef struct DbConn DbConn;
typedef struct DbConnOptions DbConnOptions;
struct pg_conn;
struct pg_result;

enum {
        DB_E_BUSY = 1, /* not done yet: poll db_conn_fd() and ask again */
        DB_E_OFFLINE, /* no connection, or it was lost: the outcome of what was under way is unknown
                       */
        DB_E_REJECTED,  /* the server refused the statement: db_conn_error(), db_conn_sqlstate() */
        DB_E_NOT_FOUND, /* no such row */
        DB_E_EXISTS,    /* there is one already */
        DB_E_SCHEMA,    /* the schema is newer than this program, or not migrated */
        DB_E_FENCED,    /* another process moved our journal position */
        DB_E_REFUSED, /* a batch was refused for what is not its rows' fault: nothing is stored, the
                         connection is usable, try again later */
        DB_E_STATES,  /* a batch was refused because of a device's state; its rows may be good */
        DB_E_PASSED,  /* what was only tried is taken after all */
        DB_E_POOLED,  /* transactions of others run in our session */
        DB_E_STANDBY, /* another gateway stores */
};

struct DbConnOptions {
        const char *url;
        const char *name; /* application_name: "tidegate/<name>" */
        int connect_timeout_ms;
        int statement_timeout_ms; /* 0 = none */
        int lock_timeout_ms;      /* 0 = none of ours */
};

/* A statement that blocks: constant text, and text parameters (NULL = SQL null). */
typedef struct DbQuery DbQuery;

struct DbQuery {
        const char *sql;
        size_t n_args;
        const char *const *args;
};

MUST_CHECK int db_conn_new(DbConn **ret_conn, const DbConnOptions *options);
DbConn *db_conn_free(DbConn *conn);

/* Not blocking: 0 connected, DB_E_BUSY, DB_E_OFFLINE (call again to try anew; the caller paces). */
MUST_CHECK int db_conn_connect(DbConn *conn);
MUST_CHECK int db_conn_connect_wait(DbConn *conn, int timeout_ms);
void db_conn_disconnect(DbConn *conn);
/* Disconnects, with a reason of our own for db_conn_error(); DB_E_OFFLINE. */
int db_conn_give_up(DbConn *conn, const char *why);
bool db_conn_is_open(const DbConn *conn);

int db_conn_fd(const DbConn *conn);               /* -1 if not connected or connecting */
bool db_conn_wants_write(const DbConn *conn);     /* poll for POLLOUT as well as POLLIN */
struct pg_conn *db_conn_pg(DbConn *conn);         /* for the other files of db/ */
const char *db_conn_error(const DbConn *conn);    /* one line, for the log */
const char *db_conn_sqlstate(const DbConn *conn); /* five characters, "" if none */

void db_conn_set_stop(DbConn *conn, int fd); /* -1 = none (default); borrowed */
MUST_CHECK int db_conn_flush(DbConn *conn);  /* 0, DB_E_BUSY, DB_E_OFFLINE */
/* Takes what came unasked while nothing is under way, if it is the end of the connection: else its
 * descriptor stays readable for ever. 0 or DB_E_OFFLINE. */
MUST_CHECK int db_conn_hear(DbConn *conn);

/* Keeps what @result (NULL: the connection) says for db_conn_error(); DB_E_OFFLINE if that is about
 * the server and not about the statement, and then closes; else DB_E_REJECTED. */
MUST_CHECK int db_conn_fail(DbConn *conn, const struct pg_result *result);

/* Keeps what @result says, and nothing else. */
void db_conn_note(DbConn *conn, const struct pg_result *result);

/* Waits for a result of the pipeline or statement under way; *ret_result NULL = end of one. */
MUST_CHECK int db_conn_result(DbConn *conn, int64_t deadline_us, struct pg_result **ret_result);
int64_t db_conn_deadline(const DbConn *conn); /* for db_conn_result(): from now */

/* 0, DB_E_OFFLINE, DB_E_REJECTED. @ret_result NULL = not wanted; else PQclear() it. */
MUST_CHECK int db_conn_exec(DbConn *conn, const DbQuery *query, struct pg_result **ret_result);
/* The same of one that is to find something: DB_E_NOT_FOUND, too, for not a single row. */
MUST_CHECK int db_conn_row(DbConn *conn, const DbQuery *query, struct pg_result **ret_result);
/* As db_conn_exec(), of a statement that is parsed and planned once: it has to be prepared on this
 * connection, which forgets it when it closes. */
MUST_CHECK int db_conn_prepare(DbConn *conn, const char *name, const char *sql);
MUST_CHECK int db_conn_exec_prepared(DbConn *conn,
                                     const char *name,
                                     const DbQuery *query, /* its text is not looked at */
                                     struct pg_result **ret_result);
MUST_CHECK int db_conn_script(DbConn *conn, const char *sql); /* many statements, no time-out */

DEFINE_CLEANUP(DbConn *, db_conn_free);
