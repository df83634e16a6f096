#include "db/conn.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/watch.h"
#include "db/last_word.h"
#include "db/settings.h"
#include "db/target.h"
#include "db/trouble.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        CONN_SLICE_MS = 1000,  /* of a wait */
        CONN_MARGIN_MS = 2000, /* what the server gets beyond its own statement time-out */
        CONN_SHARES = 4, /* of the time to connect: at least so much for one of several servers */
};

typedef enum ConnState {
        CONN_CLOSED,
        CONN_CONNECTING,
        CONN_SETTING, /* connected by somebody who passed none of our settings on */
        CONN_OPEN,
} ConnState;

struct DbConn {
        char *url;
        char *name;
        DbTarget *target;
        Buf options;   /* of the session: what the URL says, then ours */
        bool is_plain; /* whoever is there does not even take them: a pooler */
        int connect_timeout_ms, statement_timeout_ms, lock_timeout_ms;
        int stop_fd; /* borrowed */

        PGconn *pg;
        ConnState state;
        PostgresPollingStatusType polling;
        int64_t connect_deadline_us;
        int64_t silent_at_us; /* monotonic: that the server which is tried may take until its next
                                 sign */
        bool unflushed;

        DbLastWord word;
};

/* The settings of the URL, the service or the environment, then ours: where both name one, ours
 * counts. */
static int conn_set_options(DbConn *conn) {
        buf_reset(&conn->options);
        buf_printf(&conn->options,
                   "%s" DB_SETTINGS(
                           DB_SETTING_AS_OPTION) " -c default_transaction_isolation=read\\ "
                                                 "committed"
                                                 " -c statement_timeout=%d",
                   db_target_options(conn->target),
                   conn->statement_timeout_ms);
        if (conn->lock_timeout_ms > 0)
                buf_printf(&conn->options, " -c lock_timeout=%d", conn->lock_timeout_ms);
        return buf_failed(&conn->options) ? err_new(-ENOMEM) : 0;
}

int db_conn_new(DbConn **ret_conn, const DbConnOptions *options) {
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int r;

        conn = calloc(1, sizeof(*conn));
        if (!conn)
                return err_new(-ENOMEM);

        conn->stop_fd = -1;
        conn->connect_timeout_ms = options->connect_timeout_ms;
        conn->statement_timeout_ms = options->statement_timeout_ms;
        conn->lock_timeout_ms = options->lock_timeout_ms;
        conn->url = strdup(options->url ? options->url : "");
        if (asprintf(&conn->name, "tidegate/%s", options->name ? options->name : "") < 0)
                conn->name = NULL;
        if (!conn->url || !conn->name)
                return err_new(-ENOMEM);

        r = db_target_new(&conn->target);
        if (r != 0)
                return err_up(r);
        *ret_conn = TAKE(&conn);
        return 0;
}

DbConn *db_conn_free(DbConn *conn) {
        if (!conn)
                return NULL;

        db_conn_disconnect(conn);
        db_target_free(conn->target);
        buf_done(&conn->options);
        free(conn->name);
        free(conn->url);
        free(conn);
        return NULL;
}

void db_conn_set_stop(DbConn *conn, int fd) {
        conn->stop_fd = fd;
}

void db_conn_disconnect(DbConn *conn) {
        PQfinish(TAKE(&conn->pg)); /* never waits: the socket is non-blocking */
        conn->state = CONN_CLOSED;
        conn->unflushed = false;
}

bool db_conn_is_open(const DbConn *conn) {
        return conn->state == CONN_OPEN && PQstatus(conn->pg) == CONNECTION_OK;
}

int db_conn_fd(const DbConn *conn) {
        return conn->pg ? PQsocket(conn->pg) : -1;
}

bool db_conn_wants_write(const DbConn *conn) {
        if (conn->state == CONN_CONNECTING)
                return conn->polling == PGRES_POLLING_WRITING;
        return conn->unflushed;
}

struct pg_conn *db_conn_pg(DbConn *conn) {
        return conn->pg;
}

const char *db_conn_error(const DbConn *conn) {
        return conn->word.text;
}

const char *db_conn_sqlstate(const DbConn *conn) {
        return conn->word.sqlstate;
}

static int conn_offline(DbConn *conn, const char *why) {
        db_last_word_keep(&conn->word, why, NULL);
        db_conn_disconnect(conn);
        return DB_E_OFFLINE;
}

int db_conn_give_up(DbConn *conn, const char *why) {
        return conn_offline(conn, why);
}

int db_conn_hear(DbConn *conn) {
        return PQconsumeInput(conn->pg) ? 0 : db_conn_fail(conn, NULL);
}

int db_conn_fail(DbConn *conn, const PGresult *result) {
        const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
        const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

        if (!result) /* what came before the end is read */
                (void)PQisBusy(conn->pg);
        if (!message)
                message = result ? PQresultErrorMessage(result) : PQerrorMessage(conn->pg);
        if (result || !conn->word.is_servers)
                db_last_word_keep(&conn->word,
                                  *message ? message : "the connection was lost",
                                  sqlstate);

        if (sqlstate && PQstatus(conn->pg) == CONNECTION_OK) {
                DbTrouble trouble = db_trouble(sqlstate);

                if (trouble != DB_TROUBLE_SERVER && trouble != DB_TROUBLE_SHORT)
                        return DB_E_REJECTED;
        }
        db_conn_disconnect(conn);
        return DB_E_OFFLINE;
}

void db_conn_note(DbConn *conn, const PGresult *result) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

        db_last_word_keep(&conn->word,
                          message ? message : PQresultErrorMessage(result),
                          PQresultErrorField(result, PG_DIAG_SQLSTATE));
}

/* Why a server ends the session of somebody who has asked for nothing; all else is not for us. */
static void conn_hear_notice(void *arg, const PGresult *result) {
        const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
        DbConn *conn = arg;

        if (!severity || (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0))
                return;
        db_conn_note(conn, result);
        conn->word.is_servers = true;
}

/* While others can be tried, nobody has all of the time. */
static void conn_wait_for_sign(DbConn *conn) {
        size_t n = db_target_count(conn->target);
        int64_t share_us = conn->connect_timeout_ms * INT64_C(1000) /
                           (int64_t)(n < CONN_SHARES ? n : CONN_SHARES);

        conn->silent_at_us = n > 1 ? clock_mono_us() + share_us : INT64_MAX;
}

/* NULL among the values: as the URL says. */
static PGconn *conn_begin(const DbConn *conn) {
        static const char *const keywords[] = { "dbname",
                                                "application_name",
                                                "client_encoding",
                                                "options",
                                                "keepalives_idle",
                                                "keepalives_interval",
                                                "keepalives_count",
                                                "tcp_user_timeout",
                                                "host",
                                                "hostaddr",
                                                "port",
                                                NULL };
        const char *const values[] = {
                conn->url,
                conn->name,
                "UTF8",
                conn->is_plain ? "" : conn->options.data,
                "10",
                "5",
                "3",
                "20000",
                db_target_hosts(conn->target),
                db_target_addresses(conn->target),
                db_target_ports(conn->target),
                NULL,
        };

        return PQconnectStartParams(keywords, values, 1);
}

static int conn_start(DbConn *conn) {
        char unknown[DB_LAST_WORD_SIZE];
        int r;

        r = db_target_aim(conn->target, conn->url);
        if (r == DB_TARGET_E_UNKNOWN) {
                db_target_say_unknown(conn->target, unknown, sizeof(unknown));
                return conn_offline(conn, unknown);
        }
        if (r == 0)
                r = conn_set_options(conn);
        if (r != 0)
                return err_up(r);
        conn->pg = conn_begin(conn);
        if (!conn->pg)
                return err_new(-ENOMEM);
        if (PQstatus(conn->pg) == CONNECTION_BAD) {
                /* libpq quotes a URL that it cannot read, with the password in it. */
                if (!db_target_is_valid(conn->url))
                        return conn_offline(conn, "the database URL cannot be understood");
                return db_conn_fail(conn, NULL);
        }

        PQsetNoticeReceiver(conn->pg, conn_hear_notice, conn);
        conn->word.is_servers = false;
        (void)PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE); /* conn_find_sqlstate() */
        conn->state = CONN_CONNECTING;
        conn->polling = PGRES_POLLING_WRITING;
        conn_wait_for_sign(conn);
        return 0;
}

static int conn_timeout_ms(int64_t deadline_us) {
        int64_t left_us;

        if (deadline_us == INT64_MAX)
                return -1;
        left_us = deadline_us - clock_mono_us();
        if (left_us <= 0)
                return 0;
        return left_us < INT64_C(3600000000) ? (int)((left_us + 999) / 1000) : 3600000;
}

/* Ready? If not, the time is over or the owner wants us to stop. */
static bool conn_wait(const DbConn *conn, bool write_only, int64_t deadline_us) {
        int r;
        struct pollfd fds[] = {
                { .fd = db_conn_fd(conn),
                  .events = (short)((write_only ? 0 : POLLIN) |
                                    (db_conn_wants_write(conn) ? POLLOUT : 0)) },
                { .fd = conn->stop_fd, .events = POLLIN },
        };

        do { /* in slices: who waits for a statement of hours moves all the same */
                int timeout_ms = conn_timeout_ms(deadline_us);
                bool is_all = timeout_ms >= 0 && timeout_ms <= CONN_SLICE_MS;

                watch_turn();
                r = poll(fds, N_ELEMENTS(fds), is_all ? timeout_ms : CONN_SLICE_MS);
                if (r == 0 && is_all)
                        break;
        } while (r == 0 || (r < 0 && errno == EINTR));
        return fds[0].revents != 0 && fds[1].revents == 0;
}

static int conn_opened(DbConn *conn) {
        (void)PQsetErrorVerbosity(conn->pg, PQERRORS_DEFAULT);
        conn->state = CONN_OPEN;
        conn->word.text[0] = '\0';
        conn->word.sqlstate[0] = '\0';
        return 0;
}

/* What our options ask for is nobody's default. */
static bool conn_is_set(const DbConn *conn) {
        const char *style = PQparameterStatus(conn->pg, "DateStyle");

        return style && strcmp(style, "ISO, YMD") == 0;
}

/* A pooler does not take settings at the start, or drops them: then they are made by statements. */
static int conn_set(DbConn *conn) {
        static const char sql[] = "SELECT" DB_SETTINGS(
                DB_SETTING_AS_STATEMENT) " set_config('default_transaction_isolation', 'read "
                                         "committed', "
                                         "false),"
                                         " set_config('statement_timeout', $1, false), "
                                         "set_config('lock_timeout',"
                                         " CASE $2 WHEN '0' THEN current_setting('lock_timeout') "
                                         "ELSE $2 "
                                         "END, false)";
        char statement[16], lock[16];
        const char *const args[] = { statement, lock };

        snprintf(statement, sizeof(statement), "%d", conn->statement_timeout_ms);
        snprintf(lock, sizeof(lock), "%d", conn->lock_timeout_ms);
        if (!PQsendQueryParams(conn->pg, sql, N_ELEMENTS(args), NULL, args, NULL, NULL, 0))
                return db_conn_fail(conn, NULL);
        conn->state = CONN_SETTING;
        return DB_E_BUSY;
}

static int conn_connected(DbConn *conn) {
        if (PQsetnonblocking(conn->pg, 1) != 0)
                return db_conn_fail(conn, NULL);
        return conn_is_set(conn) ? conn_opened(conn) : conn_set(conn);
}

static int conn_set_on(DbConn *conn) {
        if (db_conn_flush(conn) == DB_E_OFFLINE)
                return DB_E_OFFLINE;
        if (!PQconsumeInput(conn->pg))
                return db_conn_fail(conn, NULL);
        while (!PQisBusy(conn->pg)) {
                CLEANUP(PQclear) PGresult *result = PQgetResult(conn->pg);

                if (!result && PQstatus(conn->pg) != CONNECTION_OK)
                        return db_conn_fail(conn, NULL);
                if (!result)
                        return conn_opened(conn);
                if (PQresultStatus(result) != PGRES_TUPLES_OK) {
                        db_last_word_keep(&conn->word, PQresultErrorMessage(result), NULL);
                        db_conn_disconnect(conn);
                        return DB_E_OFFLINE;
                }
        }
        return DB_E_BUSY;
}

/* The answer of PgBouncer to a start with settings. */
static bool conn_is_to_be_plain(const DbConn *conn) {
        return !conn->is_plain && strstr(PQerrorMessage(conn->pg), "unsupported startup parameter");
}

static int conn_failed(DbConn *conn) {
        if (!conn_is_to_be_plain(conn)) {
                db_target_forgive(conn->target);
                return db_conn_fail(conn, NULL);
        }
        db_conn_disconnect(conn);
        conn->is_plain = true;
        return DB_E_BUSY;
}

/* PQconnectPoll() takes a socket that is not ready for one that is. */
static int conn_connect_on(DbConn *conn) {
        while (conn->state == CONN_CONNECTING &&
               conn_wait(conn, conn->polling == PGRES_POLLING_WRITING, 0)) {
                conn->polling = PQconnectPoll(conn->pg);
                conn_wait_for_sign(conn);
                if (conn->polling == PGRES_POLLING_OK)
                        return conn_connected(conn);
                if (conn->polling == PGRES_POLLING_FAILED)
                        return conn_failed(conn);
        }
        return conn->state == CONN_SETTING ? conn_set_on(conn) : DB_E_BUSY;
}

/* Whoever it is, another one may answer. */
static int conn_give_up_silent(DbConn *conn) {
        db_target_shun(conn->target, conn->pg);
        return conn_offline(conn, "no answer from the server in time");
}

/* After an attempt that is to be made once more, otherwise or elsewhere. */
static int conn_start_again(DbConn *conn) {
        int r = 0;

        if (conn->state != CONN_CLOSED && clock_mono_us() >= conn->silent_at_us)
                (void)conn_give_up_silent(conn);
        if (conn->state == CONN_CLOSED)
                r = conn_start(conn);
        return r;
}

int db_conn_connect(DbConn *conn) {
        int r = 0;

        if (conn->state == CONN_OPEN) {
                if (PQstatus(conn->pg) == CONNECTION_OK)
                        return 0;
                return db_conn_fail(conn, NULL);
        }
        if (conn->state == CONN_CLOSED) {
                conn->connect_deadline_us =
                        clock_mono_us() + conn->connect_timeout_ms * INT64_C(1000);
                r = conn_start(conn);
        }
        if (r == 0)
                r = conn_connect_on(conn);
        if (r != DB_E_BUSY)
                return r < 0 ? err_up(r) : r;
        r = conn_start_again(conn);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (clock_mono_us() >= conn->connect_deadline_us)
                return conn_give_up_silent(conn);
        return DB_E_BUSY;
}

static bool conn_is_stopped(const DbConn *conn) {
        struct pollfd fd = { .fd = conn->stop_fd, .events = POLLIN };

        return conn->stop_fd >= 0 && poll(&fd, 1, 0) > 0;
}

static int64_t conn_sooner(int64_t a_us, int64_t b_us) {
        return a_us < b_us ? a_us : b_us;
}

int db_conn_connect_wait(DbConn *conn, int timeout_ms) {
        int64_t deadline_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        int r;

        for (;;) {
                r = db_conn_connect(conn);
                if (r != DB_E_BUSY)
                        return r < 0 ? err_up(r) : r;
                if (clock_mono_us() >= deadline_us || conn_is_stopped(conn))
                        return conn_give_up_silent(conn);
                (void)conn_wait(conn,
                                conn->polling == PGRES_POLLING_WRITING,
                                conn_sooner(deadline_us,
                                            conn_sooner(conn->connect_deadline_us,
                                                        conn->silent_at_us)));
        }
}

int db_conn_flush(DbConn *conn) {
        int r = PQflush(conn->pg);

        conn->unflushed = r > 0;
        if (r < 0)
                return db_conn_fail(conn, NULL);
        return r > 0 ? DB_E_BUSY : 0;
}

int64_t db_conn_deadline(const DbConn *conn) {
        if (conn->statement_timeout_ms == 0)
                return INT64_MAX;
        return clock_mono_us() + (conn->statement_timeout_ms + CONN_MARGIN_MS) * INT64_C(1000);
}

int db_conn_result(DbConn *conn, int64_t deadline_us, PGresult **ret_result) {
        for (;;) {
                if (db_conn_flush(conn) == DB_E_OFFLINE)
                        return DB_E_OFFLINE;
                if (!PQisBusy(conn->pg))
                        break;
                if (!conn_wait(conn, false, deadline_us))
                        return conn_offline(conn, "no answer from the server in time");
                if (!PQconsumeInput(conn->pg))
                        return db_conn_fail(conn, NULL);
        }
        *ret_result = PQgetResult(conn->pg);
        if (!*ret_result && PQstatus(conn->pg) != CONNECTION_OK)
                return db_conn_fail(conn, NULL);
        return 0;
}

/* Takes results until the end of the statement; keeps the first bad or else the last good one. */
static int conn_collect(DbConn *conn, int64_t deadline_us, PGresult **ret_result) {
        CLEANUP(PQclear) PGresult *kept = NULL;
        bool failed = false;
        int r;

        for (;;) {
                CLEANUP(PQclear) PGresult *result = NULL;
                ExecStatusType status;

                r = db_conn_result(conn, deadline_us, &result);
                if (r != 0)
                        return r;
                if (!result)
                        break;
                if (failed)
                        continue;
                PQclear(kept);
                kept = TAKE(&result);
                status = PQresultStatus(kept);
                failed = status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
        }
        if (failed || !kept)
                return db_conn_fail(conn, kept);
        if (ret_result)
                *ret_result = TAKE(&kept);
        return 0;
}

int db_conn_exec(DbConn *conn, const DbQuery *query, PGresult **ret_result) {
        if (!db_conn_is_open(conn))
                return conn_offline(conn, "not connected");
        if (!PQsendQueryParams(conn->pg,
                               query->sql,
                               (int)query->n_args,
                               NULL,
                               query->args,
                               NULL,
                               NULL,
                               0))
                return db_conn_fail(conn, NULL);
        return conn_collect(conn, db_conn_deadline(conn), ret_result);
}

int db_conn_row(DbConn *conn, const DbQuery *query, PGresult **ret_result) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0)
                return DB_E_NOT_FOUND;
        *ret_result = TAKE(&result);
        return 0;
}

int db_conn_prepare(DbConn *conn, const char *name, const char *sql) {
        if (!db_conn_is_open(conn))
                return conn_offline(conn, "not connected");
        if (!PQsendPrepare(conn->pg, name, sql, 0, NULL))
                return db_conn_fail(conn, NULL);
        return conn_collect(conn, db_conn_deadline(conn), NULL);
}

int db_conn_exec_prepared(DbConn *conn,
                          const char *name,
                          const DbQuery *query,
                          PGresult **ret_result) {
        if (!db_conn_is_open(conn))
                return conn_offline(conn, "not connected");
        if (!PQsendQueryPrepared(conn->pg, name, (int)query->n_args, query->args, NULL, NULL, 0))
                return db_conn_fail(conn, NULL);
        return conn_collect(conn, db_conn_deadline(conn), ret_result);
}

int db_conn_script(DbConn *conn, const char *sql) {
        if (!db_conn_is_open(conn))
                return conn_offline(conn, "not connected");
        if (!PQsendQuery(conn->pg, sql))
                return db_conn_fail(conn, NULL);
        return conn_collect(conn, INT64_MAX, NULL);
}
