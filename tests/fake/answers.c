#include "tests/fake/answers.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "db/conn.h"

#define ANSWERS_COLUMNS 24

static struct {
        Text rest;
        char sqlstate[6];
} answers;

void fake_answers_set(Text text) {
        answers.rest = text;
        answers.sqlstate[0] = '\0';
}

/* Up to @mark, which is taken off as well. */
static Text answers_take(Text *rest, char mark) {
        const char *end = rest->n > 0 ? memchr(rest->data, mark, rest->n) : NULL;
        Text taken = { rest->data, end ? (size_t)(end - rest->data) : rest->n };
        size_t n = taken.n + (end ? 1 : 0);

        *rest = (Text){ n > 0 ? rest->data + n : rest->data, rest->n - n };
        return taken;
}

static void answers_put(PGresult *result, int row, int column, Text cell) {
        bool is_null = cell.n == 0 || text_equal(cell, TEXT("\\N"));
        char *copy = strndup(cell.n > 0 ? cell.data : "", cell.n); /* as the server: without NUL */

        MUST(copy ? 0 : -ENOMEM);
        MUST(PQsetvalue(result, row, column, copy, is_null ? -1 : (int)strlen(copy)) ? 0 : -ENOMEM);
        free(copy);
}

/* Who asks for sums gets them, and so does who asks a function; others may get nothing. */
static bool answers_may_be_empty(const char *sql) {
        static const char *const always[] = {
                "count(",
                "max(",
                "sum(",
                "min(",
                "avg(",
                "to_regclass",
                "pg_backend_pid",
                "tidegate_hold_slot",
                "tidegate_retention_day",
                "tidegate_drop_partition",
        };

        if (strncmp(sql, "FETCH", 5) == 0 || strstr(sql, "RETURNING"))
                return true;
        for (size_t i = 0; i < N_ELEMENTS(always); ++i)
                if (strstr(sql, always[i]))
                        return false;
        return true;
}

/* The lines up to an empty one; a single `-` is an answer without rows. */
static PGresult *answers_next(const char *sql) {
        PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
        PGresAttDesc columns[ANSWERS_COLUMNS];
        bool may_be_empty = answers_may_be_empty(sql);
        int n_least = strncmp(sql, "FETCH", 5) == 0 ? 0 : 1;

        for (int i = 0; i < ANSWERS_COLUMNS; ++i)
                columns[i] = (PGresAttDesc){ .name = (char *)(uintptr_t) "column", .typlen = -1 };
        MUST(PQsetResultAttrs(result, ANSWERS_COLUMNS, columns) ? 0 : -ENOMEM);
        if (may_be_empty && answers.rest.n > 0 && answers.rest.data[0] == '-') {
                (void)answers_take(&answers.rest, '\n');
                return result;
        }
        for (int row = 0; row < n_least || answers.rest.n > 0; ++row) {
                Text line = answers_take(&answers.rest, '\n');

                if (line.n == 0 && row >= n_least)
                        break;
                for (int i = 0; i < ANSWERS_COLUMNS; ++i)
                        answers_put(result, row, i, answers_take(&line, '\t'));
        }
        return result;
}

/* A line `!42P01` is what the server refuses a statement with. */
static bool answers_refuse(void) {
        Text line;

        if (answers.rest.n == 0 || answers.rest.data[0] != '!')
                return false;
        line = answers_take(&answers.rest, '\n');
        snprintf(answers.sqlstate,
                 sizeof(answers.sqlstate),
                 "%.*s",
                 (int)line.n - 1,
                 line.data + 1);
        return true;
}

int db_conn_exec(DbConn *conn, const DbQuery *query, struct pg_result **ret_result) {
        (void)conn;
        if (answers_refuse())
                return DB_E_REJECTED;
        if (ret_result)
                *ret_result = answers_next(query->sql);
        return 0;
}

int db_conn_row(DbConn *conn, const DbQuery *query, struct pg_result **ret_result) {
        PGresult *result = NULL;
        int r = db_conn_exec(conn, query, &result);

        if (r == 0 && PQntuples(result) == 0)
                r = DB_E_NOT_FOUND;
        if (r == 0)
                *ret_result = result;
        else
                PQclear(result);
        return r;
}

int db_conn_script(DbConn *conn, const char *sql) {
        (void)conn, (void)sql;
        return answers_refuse() ? DB_E_REJECTED : 0;
}

/* ---- notifications: the lines of the next answer ---- */

int PQconsumeInput(PGconn *conn) {
        (void)conn;
        return 1;
}

PGnotify *PQnotifies(PGconn *conn) {
        Text line = answers_take(&answers.rest, '\n');
        PGnotify *notify;
        char *extra;

        (void)conn;
        if (line.n == 0)
                return NULL;
        notify = malloc(sizeof(*notify) + line.n + 1);
        MUST(notify ? 0 : -ENOMEM);
        extra = memcpy(notify + 1, line.data, line.n);
        extra[line.n] = '\0';
        *notify = (PGnotify){ .relname = extra, .extra = extra };
        return notify;
}

/* ---- the rest of db/conn.h ---- */

int db_conn_new(DbConn **ret_conn, const DbConnOptions *options) {
        static char conn;

        (void)options;
        *ret_conn = (DbConn *)(void *)&conn;
        return 0;
}

DbConn *db_conn_free(DbConn *conn) {
        (void)conn;
        return NULL;
}

int db_conn_connect(DbConn *conn) {
        (void)conn;
        return 0;
}

int db_conn_connect_wait(DbConn *conn, int timeout_ms) {
        (void)conn, (void)timeout_ms;
        return 0;
}

void db_conn_disconnect(DbConn *conn) {
        (void)conn;
}

bool db_conn_is_open(const DbConn *conn) {
        (void)conn;
        return true;
}

struct pg_conn *db_conn_pg(DbConn *conn) {
        (void)conn;
        return NULL;
}

const char *db_conn_error(const DbConn *conn) {
        (void)conn;
        return "refused";
}

const char *db_conn_sqlstate(const DbConn *conn) {
        (void)conn;
        return answers.sqlstate;
}

int db_conn_fail(DbConn *conn, const struct pg_result *result) {
        (void)conn, (void)result;
        return DB_E_OFFLINE;
}

void db_conn_set_stop(DbConn *conn, int fd) {
        (void)conn, (void)fd;
}
