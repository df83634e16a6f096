#include "db/migrate.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        MIGRATE_CHECKSUM_SIZE = 17, /* 64 bits in hex, with NUL */
        MIGRATE_NUMBER_SIZE = 12,
};

typedef struct Migration Migration;

struct Migration {
        const char *name; /* 0001_initial.sql */
        const char *sql;
        size_t n;
};

static const Migration migrations[] = {
#include "migrations.inc"
};

static int migration_number(const Migration *migration) {
        return (int)strtol(migration->name, NULL, 10);
}

static void migration_checksum(const Migration *migration, char ret_text[MIGRATE_CHECKSUM_SIZE]) {
        snprintf(ret_text,
                 MIGRATE_CHECKSUM_SIZE,
                 "%016llx",
                 (unsigned long long)text_hash(TEXT_HASH, migration->sql, migration->n));
}

int db_migrate_latest(void) {
        return migration_number(&migrations[N_ELEMENTS(migrations) - 1]);
}

/* DB_E_SCHEMA: never migrated. Asked for first, so that the server has no error to log. */
static int migrate_find_table(DbConn *conn) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = { .sql = "SELECT to_regclass('schema_migrations') IS NOT NULL" };
        int r;

        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return db_value_bool(result, 0, 0) ? 0 : DB_E_SCHEMA;
}

/* What is applied is a beginning of what we have, unchanged. */
static int migrate_compare(DbConn *conn, int *ret_applied) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char checksum[MIGRATE_CHECKSUM_SIZE];
        int applied = 0;
        const DbQuery query = {
                .sql = "SELECT number, checksum FROM schema_migrations ORDER BY number",
        };
        int r;

        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        for (int i = 0; i < PQntuples(result); ++i) {
                int number = (int)strtol(PQgetvalue(result, i, 0), NULL, 10);

                if ((size_t)i >= N_ELEMENTS(migrations) ||
                    number != migration_number(&migrations[i]))
                        return DB_E_SCHEMA;
                migration_checksum(&migrations[i], checksum);
                if (strcmp(checksum, PQgetvalue(result, i, 1)) != 0)
                        return DB_E_SCHEMA;
                applied = number;
        }
        *ret_applied = applied;
        return 0;
}

static int migrate_apply(DbConn *conn, const Migration *migration) {
        char number[MIGRATE_NUMBER_SIZE], checksum[MIGRATE_CHECKSUM_SIZE];
        const char *args[] = { number, migration->name, checksum };
        int r;

        snprintf(number, sizeof(number), "%d", migration_number(migration));
        migration_checksum(migration, checksum);

        r = db_conn_script(conn, "BEGIN; SET LOCAL statement_timeout = 0");
        if (r == 0)
                r = db_conn_script(conn, migration->sql);
        if (r == 0)
                r = db_conn_exec(conn,
                                 &(DbQuery){ "INSERT INTO schema_migrations"
                                             " (number, name, checksum) VALUES ($1, $2, $3)",
                                             N_ELEMENTS(args),
                                             args },
                                 NULL);
        if (r == 0)
                r = db_conn_script(conn, "COMMIT");
        return r < 0 ? err_up(r) : r;
}

/* In another encoding than what comes there are texts that no table takes, dead letters neither. */
static int migrate_begin(DbConn *conn) {
        int r;

        r = db_conn_script(conn,
                           "DO $$ BEGIN IF current_setting('server_encoding') <> 'UTF8' THEN"
                           " RAISE EXCEPTION 'the database has the encoding %, and has to have"
                           " UTF8: createdb -E UTF8 -T template0 NAME',"
                           " current_setting('server_encoding'); END IF; END $$");
        return r < 0 ? err_up(r) : r;
}

static int migrate_all(DbConn *conn, int *ret_from, int *ret_to) {
        int from = 0;
        int to;
        int r;

        r = db_conn_script(conn,
                           "CREATE TABLE IF NOT EXISTS schema_migrations ("
                           "number integer PRIMARY KEY, name text NOT NULL,"
                           " checksum text NOT NULL,"
                           " applied_at timestamptz NOT NULL DEFAULT now())");
        if (r == 0)
                r = migrate_compare(conn, &from);
        if (r == 0 && from == 0)
                r = migrate_begin(conn);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        to = from;
        for (size_t i = 0; i < N_ELEMENTS(migrations); ++i) {
                if (migration_number(&migrations[i]) <= from)
                        continue;
                r = migrate_apply(conn, &migrations[i]);
                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                to = migration_number(&migrations[i]);
        }
        *ret_from = from;
        *ret_to = to;
        return 0;
}

/* After a failure the transaction is rolled back, which leaves the reason in db_conn_error(). */
static int migrate_end(DbConn *conn, int result) {
        int r;

        if (result == DB_E_REJECTED || result < 0) {
                db_conn_disconnect(conn); /* ends transaction and lock */
                return result;
        }
        r = db_conn_script(conn,
                           "SELECT pg_advisory_unlock(hashtext('tidegate_migrate'));"
                           " RESET statement_timeout");
        return r != 0 ? r : result;
}

int db_migrate_applied(DbConn *conn, int *ret_applied) {
        int r;

        r = migrate_find_table(conn);
        if (r == 0)
                return migrate_compare(conn, ret_applied);
        if (r == DB_E_SCHEMA)
                *ret_applied = 0;
        return r == DB_E_SCHEMA ? 0 : r < 0 ? err_up(r) : r;
}

int db_migrate_check(DbConn *conn) {
        int applied;
        int r;

        r = db_migrate_applied(conn, &applied);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return applied == db_migrate_latest() ? 0 : DB_E_SCHEMA;
}

int db_migrate_up(DbConn *conn, int *ret_from, int *ret_to) {
        int r;

        r = db_migrate_check(conn); /* needs no right to change anything */
        if (r == 0)
                *ret_from = *ret_to = db_migrate_latest();
        if (r != DB_E_SCHEMA)
                return r < 0 ? err_up(r) : r;

        r = db_conn_script(conn,
                           "SET statement_timeout = 0;"
                           " SELECT pg_advisory_lock(hashtext('tidegate_migrate'))");
        if (r == 0) {
                r = migrate_all(conn, ret_from, ret_to);
                r = r == DB_E_OFFLINE ? r : migrate_end(conn, r);
        }
        return r < 0 ? err_up(r) : r;
}
