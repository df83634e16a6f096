#include "postgres.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "db/migrate.h"

static PGconn *side;
static PGresult *last;

static PGresult *postgres_query(const char *sql) {
        if (!side || PQstatus(side) != CONNECTION_OK) {
                PQfinish(side);
                side = PQconnectdb(getenv("TIDEGATE_TEST_DATABASE"));
                PQclear(PQexec(side, "SET client_min_messages = error; SET timezone = 'UTC'"));
        }
        PQclear(last);
        last = PQexec(side, sql);
        if (PQresultStatus(last) != PGRES_COMMAND_OK && PQresultStatus(last) != PGRES_TUPLES_OK) {
                fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(side));
                abort();
        }
        return last;
}

void postgres_run(const char *sql) {
        (void)postgres_query(sql);
}

const char *postgres_text(const char *sql) {
        PGresult *result = postgres_query(sql);

        return PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
}

int64_t postgres_int(const char *sql) {
        return strtoll(postgres_text(sql), NULL, 10);
}

/* For what another process does, and tells nobody: there is nothing to wait on but to ask. */
void postgres_wait(const char *sql) {
        const struct timespec pause = { .tv_nsec = 2000000 };

        while (strcmp(postgres_text(sql), "t") != 0)
                (void)nanosleep(&pause, NULL);
}

void postgres_reset(void) {
        postgres_run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

DbConn *postgres_connect(int statement_timeout_ms) {
        const DbConnOptions options = {
                .url = getenv("TIDEGATE_TEST_DATABASE"),
                .name = "test",
                .connect_timeout_ms = 10000,
                .statement_timeout_ms = statement_timeout_ms,
        };
        DbConn *conn = NULL;

        MUST(db_conn_new(&conn, &options));
        MUST(db_conn_connect_wait(conn, 10000));
        return conn;
}

void postgres_reconnect(DbConn *conn) {
        const struct timespec pause = { .tv_nsec = 2000000 };

        while (db_conn_connect_wait(conn, 10000) != 0)
                (void)nanosleep(&pause, NULL);
}

void postgres_migrate(void) {
        DbConn *conn;
        int from, to;

        postgres_reset();
        conn = postgres_connect(0);
        MUST(db_migrate_up(conn, &from, &to));
        db_conn_free(conn);
}

void postgres_server(const char *action) {
        const char *script = getenv("TIDEGATE_TEST_PG_SCRIPT");
        int status = -1;
        pid_t pid;

        PQfinish(TAKE(&side)); /* it would not survive most of them */
        pid = fork();
        if (pid == 0) {
                execl(script, script, "--server", action, (char *)NULL);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                abort();
}
