#include "db/conn.h"

#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/watch.h"

DEFINE_CLEANUP(PGresult *, PQclear);
DEFINE_CLEANUP(PQconninfoOption *, PQconninfoFree);
DEFINE_CLEANUP(char *, PQfreemem);

enum {
        CONN_SLICE_MS = 1000,     /* of a wait */
        CONN_MARGIN_MS = 2000,    /* what the server gets beyond its own statement time-out */
        CONN_ERROR_SIZE = 512,    /* of the line that is kept */
        CONN_OPTIONS_SIZE = 1024, /* of the session's settings */
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
        char options[CONN_OPTIONS_SIZE];
        bool is_plain; /* whoever is there does not even take them: a pooler */
        int connect_timeout_ms, statement_timeout_ms, lock_timeout_ms;
        int stop_fd; /* borrowed */

        PGconn *pg;
        ConnState state;
        PostgresPollingStatusType polling;
        int64_t connect_deadline_us;
        bool unflushed;

        char error[CONN_ERROR_SIZE];
        char sqlstate[6];
};

/* The settings of the URL or the environment, then ours: where both name one, ours counts. A policy
 * that hides rows from us is an error: half of the registry would make letters of good messages. */
static void conn_set_options(DbConn *conn) {
        CLEANUP(PQfreemem) char *message = NULL;
        CLEANUP(PQconninfoFree) PQconninfoOption *options = PQconninfoParse(conn->url, &message);
        const char *given = NULL;
        char lock[32] = "";

        for (PQconninfoOption *o = options; o && o->keyword; ++o)
                if (strcmp(o->keyword, "options") == 0 && o->val)
                        given = o->val;
        if (!given)
                given = secure_getenv("PGOPTIONS");
        if (conn->lock_timeout_ms > 0)
                snprintf(lock, sizeof(lock), " -c lock_timeout=%d", conn->lock_timeout_ms);

        snprintf(conn->options,
                 sizeof(conn->options),
                 "%.512s -c timezone=UTC -c datestyle=ISO,YMD -c extra_float_digits=1"
                 " -c jit=off -c work_mem=32MB -c row_security=off"
                 " -c bytea_output=hex -c idle_in_transaction_session_timeout=60000"
                 " -c statement_timeout=%d%s",
                 given ? given : "",
                 conn->statement_timeout_ms,
                 lock);
}

static bool conn_is_number(const char *text, long least, long most, char end) {
        char *rest = NULL;
        long number;

        errno = 0;
        number = strtol(text, &rest, 10);
        return rest != text && (*rest == '\0' || *rest == end) && errno == 0 && number >= least &&
               number <= most;
}

/* One for all hosts, or a list: an empty one is the default. */
static bool conn_are_ports(const char *text) {
        for (;;) {
                const char *comma = strchrnul(text, ',');

                if (comma > text && !conn_is_number(text, 1, 65535, ','))
                        return false;
                if (*comma == '\0')
                        return true;
                text = comma + 1;
        }
}

static bool conn_is_one_of(const char *text, const char *words) {
        size_t n = strlen(text);

        for (const char *w = words; *w; w += strspn(w, " ")) {
                size_t n_word = strcspn(w, " ");

                if (n_word == n && memcmp(w, text, n) == 0)
                        return true;
                w += n_word;
        }
        return false;
}

/* What libpq says no sooner than it connects, and then each time. */
static bool conn_option_is_valid(const char *name, const char *value) {
        static const struct {
                const char *name, *words; /* NULL: a whole number */
        } options[] = {
                { "sslmode", "disable allow prefer require verify-ca verify-full" },
                { "channel_binding", "disable prefer require" },
                { "gssencmode", "disable prefer require" },
                { "target_session_attrs",
                  "any read-write read-only primary standby prefer-standby" },
                { "connect_timeout", NULL },
                { "keepalives", NULL },
                { "keepalives_idle", NULL },
                { "keepalives_interval", NULL },
                { "keepalives_count", NULL },
                { "tcp_user_timeout", NULL },
        };

        if (strcmp(name, "port") == 0)
                return conn_are_ports(value);
        for (size_t i = 0; i < N_ELEMENTS(options); ++i)
                if (strcmp(name, options[i].name) == 0)
                        return options[i].words ? conn_is_one_of(value, options[i].words)
                                                : conn_is_number(value, INT_MIN, INT_MAX, '\0');
        return true;
}

bool db_conn_url_is_valid(const char *url) {
        CLEANUP(PQfreemem) char *message = NULL;
        CLEANUP(PQconninfoFree) PQconninfoOption *options = PQconninfoParse(url, &message);

        for (PQconninfoOption *o = options; o && o->keyword; ++o)
                if (o->val && *o->val && !conn_option_is_valid(o->keyword, o->val))
                        return false;
        return options != NULL;
}

int db_conn_new(DbConn **ret_conn, const DbConnOptions *options) {
        CLEANUP(db_conn_free) DbConn *conn = NULL;

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

        conn_set_options(conn);
        *ret_conn = TAKE(&conn);
        return 0;
}

DbConn *db_conn_free(DbConn *conn) {
        if (!conn)
                return NULL;

        db_conn_disconnect(conn);
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
        return conn->error;
}

const char *db_conn_sqlstate(const DbConn *conn) {
        return conn->sqlstate;
}

/* While we connect there is no result to ask, but the verbose text has it: "FATAL:  28P01: ...". */
static const char *conn_find_sqlstate(const char *message) {
        const char *severity = strstr(message, "FATAL:  ");

        if (!severity || strlen(severity) < strlen("FATAL:  28P01: "))
                return NULL;
        severity += strlen("FATAL:  ");
        return severity[5] == ':' ? severity : NULL;
}

/* libpq's messages have several lines and end with one; where in its source is nobody's interest.
 */
static void conn_keep_error(DbConn *conn, const char *message, const char *sqlstate) {
        const char *end = strstr(message, "\nLOCATION:");
        size_t n = end ? (size_t)(end - message) : strlen(message);

        if (!sqlstate)
                sqlstate = conn_find_sqlstate(message);
        if (n > sizeof(conn->error) - 1)
                n = sizeof(conn->error) - 1;

        while (n > 0 && message[n - 1] == '\n')
                --n;
        for (size_t i = 0; i < n; ++i)
                conn->error[i] = (char)((unsigned char)message[i] < ' ' ? ' ' : message[i]);
        conn->error[n] = '\0';
        snprintf(conn->sqlstate, sizeof(conn->sqlstate), "%.5s", sqlstate ? sqlstate : "");
}

static int conn_offline(DbConn *conn, const char *why) {
        conn_keep_error(conn, why, NULL);
        db_conn_disconnect(conn);
        return DB_E_OFFLINE;
}

int db_conn_give_up(DbConn *conn, const char *why) {
        return conn_offline(conn, why);
}

/* The server's own trouble: its connection, its resources, its shutdown, a standby, a session that
 * has forgotten what was prepared in it. */
static bool conn_sqlstate_is_servers(const char *sqlstate) {
        static const char *const prefixes[] = { "08", "26", "53", "57P", "58", "25006", "25P03" };

        for (size_t i = 0; i < N_ELEMENTS(prefixes); ++i)
                if (strncmp(sqlstate, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

int db_conn_hear(DbConn *conn) {
        return PQconsumeInput(conn->pg) ? 0 : db_conn_fail(conn, NULL);
}

int db_conn_fail(DbConn *conn, const PGresult *result) {
        const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
        const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

        if (!message)
                message = result ? PQresultErrorMessage(result) : PQerrorMessage(conn->pg);
        conn_keep_error(conn, *message ? message : "the connection was lost", sqlstate);

        if (sqlstate && PQstatus(conn->pg) == CONNECTION_OK && !conn_sqlstate_is_servers(sqlstate))
                return DB_E_REJECTED;
        db_conn_disconnect(conn);
        return DB_E_OFFLINE;
}

void db_conn_note(DbConn *conn, const PGresult *result) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

        conn_keep_error(conn,
                        message ? message : PQresultErrorMessage(result),
                        PQresultErrorField(result, PG_DIAG_SQLSTATE));
}

static void conn_ignore_notice(void *arg, const PGresult *result) {
        (void)arg;
        (void)result;
}

static int conn_start(DbConn *conn) {
        const char *const keywords[] = {
                "dbname",           "application_name", "client_encoding",
                "options",          "keepalives_idle",  "keepalives_interval",
                "keepalives_count", "tcp_user_timeout", NULL
        };
        const char *options = conn->is_plain ? "" : conn->options;
        const char *const values[] = { conn->url, conn->name, "UTF8",  options, "10",
                                       "5",       "3",        "20000", NULL };

        conn->pg = PQconnectStartParams(keywords, values, 1);
        if (!conn->pg)
                return err_new(-ENOMEM);
        if (PQstatus(conn->pg) == CONNECTION_BAD) {
                /* libpq quotes a URL that it cannot read, with the password in it. */
                if (!db_conn_url_is_valid(conn->url))
                        return conn_offline(conn, "the database URL cannot be understood");
                return db_conn_fail(conn, NULL);
        }

        PQsetNoticeReceiver(conn->pg, conn_ignore_notice, NULL);
        (void)PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE); /* conn_find_sqlstate() */
        conn->state = CONN_CONNECTING;
        conn->polling = PGRES_POLLING_WRITING;
        conn->connect_deadline_us = clock_mono_us() + conn->connect_timeout_ms * INT64_C(1000);
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
        conn->error[0] = '\0';
        conn->sqlstate[0] = '\0';
        return 0;
}

/* What our options ask for is nobody's default. */
static bool conn_is_set(const DbConn *conn) {
        const char *style = PQparameterStatus(conn->pg, "DateStyle");

        return style && strcmp(style, "ISO, YMD") == 0;
}

/* A pooler does not take settings at the start, or drops them: then they are made by statements. */
static int conn_set(DbConn *conn) {
        static const char sql[] =
                "SELECT set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO,YMD',"
                " false), set_config('extra_float_digits', '1', false), set_config('jit', 'off',"
                " false), set_config('work_mem', '32MB', false), set_config('row_security', 'off',"
                " false), set_config('bytea_output', 'hex', false), "
                "set_config('idle_in_transaction_session_timeout', '60000', false),"
                " set_config('statement_timeout', $1, false), set_config('lock_timeout',"
                " CASE $2 WHEN '0' THEN current_setting('lock_timeout') ELSE $2 END, false)";
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
                        conn_keep_error(conn, PQresultErrorMessage(result), NULL);
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
        if (!conn_is_to_be_plain(conn))
                return db_conn_fail(conn, NULL);
        db_conn_disconnect(conn);
        conn->is_plain = true;
        return DB_E_BUSY;
}

/* PQconnectPoll() takes a socket that is not ready for one that is. */
static int conn_connect_on(DbConn *conn) {
        while (conn->state == CONN_CONNECTING &&
               conn_wait(conn, conn->polling == PGRES_POLLING_WRITING, 0)) {
                conn->polling = PQconnectPoll(conn->pg);
                if (conn->polling == PGRES_POLLING_OK)
                        return conn_connected(conn);
                if (conn->polling == PGRES_POLLING_FAILED)
                        return conn_failed(conn);
        }
        return conn->state == CONN_SETTING ? conn_set_on(conn) : DB_E_BUSY;
}

int db_conn_connect(DbConn *conn) {
        int r = 0;

        if (conn->state == CONN_OPEN) {
                if (PQstatus(conn->pg) == CONNECTION_OK)
                        return 0;
                return db_conn_fail(conn, NULL);
        }
        if (conn->state == CONN_CLOSED)
                r = conn_start(conn);
        if (r == 0)
                r = conn_connect_on(conn);
        if (r != DB_E_BUSY)
                return r < 0 ? err_up(r) : r;
        if (conn->state == CONN_CLOSED) /* once more, otherwise */
                r = conn_start(conn);
        if (r != DB_E_BUSY && r != 0)
                return r < 0 ? err_up(r) : r;
        if (clock_mono_us() >= conn->connect_deadline_us)
                return conn_offline(conn, "no answer from the server in time");
        return DB_E_BUSY;
}

static bool conn_is_stopped(const DbConn *conn) {
        struct pollfd fd = { .fd = conn->stop_fd, .events = POLLIN };

        return conn->stop_fd >= 0 && poll(&fd, 1, 0) > 0;
}

int db_conn_connect_wait(DbConn *conn, int timeout_ms) {
        int64_t deadline_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        int r;

        for (;;) {
                r = db_conn_connect(conn);
                if (r != DB_E_BUSY)
                        return r < 0 ? err_up(r) : r;
                if (clock_mono_us() >= deadline_us || conn_is_stopped(conn))
                        return conn_offline(conn, "no answer from the server in time");
                (void)conn_wait(conn,
                                conn->polling == PGRES_POLLING_WRITING,
                                deadline_us < conn->connect_deadline_us
                                        ? deadline_us
                                        : conn->connect_deadline_us);
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

int db_conn_script(DbConn *conn, const char *sql) {
        if (!db_conn_is_open(conn))
                return conn_offline(conn, "not connected");
        if (!PQsendQuery(conn->pg, sql))
                return db_conn_fail(conn, NULL);
        return conn_collect(conn, INT64_MAX, NULL);
}
