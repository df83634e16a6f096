#include "db/edit/import.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"

#define IMPORT_ARGS_MAX 14

DEFINE_CLEANUP(PGresult *, PQclear);

typedef struct ImportStatement ImportStatement;

struct ImportStatement {
        const char *name, *sql;
        const char *reserve; /* NULL: it has no ids of its own */
        size_t n_args;
        DbImportValue args[IMPORT_ARGS_MAX];
};

/* clang-format off */

/* Nobody takes a number of the sequence while it is moved. */
#define RESERVE(table)                                                                    \
        "SELECT setval('" table "_id_seq', $1::bigint) FROM " table "_id_seq"             \
        " WHERE last_value < $1::bigint"

#define OUTCOME                                                                           \
        " SELECT CASE WHEN EXISTS (SELECT FROM added) THEN 0"                             \
        " WHEN EXISTS (SELECT FROM same WHERE name = $2 AND id = coalesce($1::bigint, id))" \
        " THEN 1 WHEN EXISTS (SELECT FROM same WHERE name = $2) THEN 2"                   \
        " WHEN EXISTS (SELECT FROM same WHERE id = $1::bigint) THEN 4"

/* Who is called so by name or by id; where both are said he is both, or nobody. */
#define CALLED(column, name, id)                                                          \
        "(" column " = " name " OR id = " id "::bigint)"                                  \
        " AND coalesce(" column " = " name ", true) AND coalesce(id = " id "::bigint, true)"

#define CALLED_USER(name, id)                                                             \
        "(username = " name " OR identifier = " name " OR id = " id "::bigint)"           \
        " AND (" name "::text IS NULL OR username = " name " OR identifier = " name ")"   \
        " AND coalesce(id = " id "::bigint, true)"

#define OWNER(name, id)                                                                   \
        "owner AS (SELECT id FROM users WHERE " CALLED_USER(name, id) "),"                \
        " good AS (SELECT (" name "::text IS NULL AND " id "::bigint IS NULL)"            \
        " OR EXISTS (SELECT FROM owner) AS yes)"

static const ImportStatement import_statements[DB_IMPORT_KIND_COUNT] = {
        [DB_IMPORT_USER] = {
                "tidegate_import_user",
                "WITH same AS MATERIALIZED (SELECT id, username AS name,"
                " username = $6 OR identifier = $6 AS is_it FROM users"
                " WHERE lower(username) = lower($2) OR id = $1::bigint OR identifier = $2"
                " OR username = $6 OR identifier = $6),"
                " added AS (INSERT INTO users"
                " (id, username, password_hash, role, is_active, identifier, id_since)"
                " SELECT coalesce($1::bigint, nextval('users_id_seq')), $2, $3, $4, $5::boolean, $6,"
                " CASE WHEN $1::bigint IS NULL THEN clock_timestamp() END"
                " WHERE NOT EXISTS (SELECT FROM same) RETURNING id)"
                OUTCOME " WHEN EXISTS (SELECT FROM same WHERE lower(name) = lower($2)) THEN 3"
                " WHEN EXISTS (SELECT FROM same WHERE is_it) THEN 11 ELSE 10 END",
                RESERVE("users"), 6,
                { DB_IMPORT_ID, DB_IMPORT_NAME, DB_IMPORT_HASH, DB_IMPORT_ROLE, DB_IMPORT_ACTIVE,
                  DB_IMPORT_IDENTIFIER },
        },
        [DB_IMPORT_DEVICE] = {
                "tidegate_import_device",
                "WITH same AS MATERIALIZED (SELECT id, code AS name FROM devices"
                " WHERE code = $2 OR id = $1::bigint OR key = $14::uuid), " OWNER("$3", "$4") ","
                " added AS (INSERT INTO devices (id, code, user_id, name, product_type,"
                " device_type, firmware_version, location, is_active, token_hash, token_form,"
                " token_text, key)"
                " SELECT coalesce($1::bigint, nextval('devices_id_seq')), $2,"
                " (SELECT id FROM owner), $5, $6, $7, $8, $9, $10::boolean, $11::bytea, $12, $13,"
                " coalesce($14::uuid, gen_random_uuid()) FROM good"
                " WHERE yes AND NOT EXISTS (SELECT FROM same) RETURNING id)"
                OUTCOME " WHEN EXISTS (SELECT FROM same) THEN 5 ELSE 6 END",
                RESERVE("devices"), 14,
                { DB_IMPORT_ID, DB_IMPORT_NAME, DB_IMPORT_USER_NAME, DB_IMPORT_USER_ID,
                  DB_IMPORT_LABEL, DB_IMPORT_PRODUCT, DB_IMPORT_TYPE, DB_IMPORT_FIRMWARE,
                  DB_IMPORT_LOCATION, DB_IMPORT_ACTIVE, DB_IMPORT_TOKEN, DB_IMPORT_TOKEN_FORM,
                  DB_IMPORT_TOKEN_TEXT, DB_IMPORT_KEY },
        },
        [DB_IMPORT_VEHICLE] = {
                "tidegate_import_vehicle",
                "WITH same AS MATERIALIZED (SELECT id, code AS name FROM vehicles"
                " WHERE code = $2 OR id = $1::bigint), " OWNER("$3", "$4") ","
                " added AS (INSERT INTO vehicles (id, code, user_id, name, is_active)"
                " SELECT coalesce($1::bigint, nextval('vehicles_id_seq')), $2,"
                " (SELECT id FROM owner), $5, $6::boolean FROM good"
                " WHERE yes AND NOT EXISTS (SELECT FROM same) RETURNING id)"
                OUTCOME " ELSE 6 END",
                RESERVE("vehicles"), 6,
                { DB_IMPORT_ID, DB_IMPORT_NAME, DB_IMPORT_USER_NAME, DB_IMPORT_USER_ID,
                  DB_IMPORT_LABEL, DB_IMPORT_ACTIVE },
        },
        [DB_IMPORT_GROUP] = {
                "tidegate_import_group",
                "WITH same AS MATERIALIZED (SELECT id, name FROM groups"
                " WHERE name = $2 OR id = $1::bigint), good AS (SELECT"
                " ($3::text IS NULL AND $4::bigint IS NULL) OR EXISTS (SELECT FROM devices"
                " WHERE " CALLED("code", "$3", "$4") ") AS yes),"
                " added AS (INSERT INTO groups (id, name)"
                " SELECT coalesce($1::bigint, nextval('groups_id_seq')), $2 FROM good"
                " WHERE yes AND NOT EXISTS (SELECT FROM same) RETURNING id)"
                OUTCOME " ELSE 7 END",
                RESERVE("groups"), 4,
                { DB_IMPORT_ID, DB_IMPORT_NAME, DB_IMPORT_DEVICE_CODE, DB_IMPORT_DEVICE_ID },
        },
        [DB_IMPORT_MEMBER] = {
                "tidegate_import_member",
                "WITH device AS (SELECT id FROM devices WHERE " CALLED("code", "$2", "$3") "),"
                " added AS (INSERT INTO device_groups (device_id, group_id)"
                " SELECT d.id, g.id FROM device d, groups g WHERE g.name = $1"
                " ON CONFLICT DO NOTHING RETURNING device_id)"
                " SELECT CASE WHEN EXISTS (SELECT FROM added) THEN 0"
                " WHEN EXISTS (SELECT FROM device) THEN 1 ELSE 7 END",
                NULL, 3,
                { DB_IMPORT_NAME, DB_IMPORT_DEVICE_CODE, DB_IMPORT_DEVICE_ID },
        },
        [DB_IMPORT_SHARE] = {
                "tidegate_import_share",
                "WITH whom AS (SELECT id FROM users WHERE " CALLED_USER("$1", "$2") "),"
                " vehicle AS (SELECT id FROM vehicles WHERE " CALLED("code", "$3", "$4") "),"
                " device AS (SELECT id FROM devices WHERE " CALLED("code", "$5", "$6") "),"
                " set AS (SELECT id FROM groups WHERE " CALLED("name", "$7", "$8") "),"
                " lacks AS (SELECT CASE WHEN NOT EXISTS (SELECT FROM whom) THEN 6"
                " WHEN ($3::text IS NOT NULL OR $4::bigint IS NOT NULL) AND NOT EXISTS (SELECT FROM vehicle) THEN 8"
                " WHEN ($5::text IS NOT NULL OR $6::bigint IS NOT NULL) AND NOT EXISTS (SELECT FROM device) THEN 7"
                " WHEN ($7::text IS NOT NULL OR $8::bigint IS NOT NULL) AND NOT EXISTS (SELECT FROM set) THEN 9"
                " ELSE 0 END AS what),"
                " added AS (INSERT INTO shares (user_id, vehicle_id, device_id, group_id)"
                " SELECT (SELECT id FROM whom), (SELECT id FROM vehicle), (SELECT id FROM device),"
                " (SELECT id FROM set) FROM lacks WHERE what = 0"
                " ON CONFLICT DO NOTHING RETURNING id)"
                " SELECT CASE WHEN what > 0 THEN what WHEN EXISTS (SELECT FROM added) THEN 0"
                " ELSE 1 END FROM lacks",
                NULL, 8,
                { DB_IMPORT_USER_NAME, DB_IMPORT_USER_ID, DB_IMPORT_VEHICLE_CODE,
                  DB_IMPORT_VEHICLE_ID, DB_IMPORT_DEVICE_CODE, DB_IMPORT_DEVICE_ID,
                  DB_IMPORT_GROUP_NAME, DB_IMPORT_GROUP_ID },
        },
};

static const char *const import_locks[DB_IMPORT_KIND_COUNT] = {
        [DB_IMPORT_USER] = "BEGIN; LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE",
        [DB_IMPORT_DEVICE] = "BEGIN; LOCK TABLE devices IN SHARE ROW EXCLUSIVE MODE",
        [DB_IMPORT_VEHICLE] = "BEGIN; LOCK TABLE vehicles IN SHARE ROW EXCLUSIVE MODE",
        [DB_IMPORT_GROUP] = "BEGIN; LOCK TABLE groups IN SHARE ROW EXCLUSIVE MODE",
};
/* clang-format on */

/* The tables may be empty when the statements are planned, ours and those of the triggers and
 * foreign keys behind them. Going through an empty table is cheap, and a plan that does so is kept
 * while the table fills up: each row went through all that came before it. */
int db_import_begin(DbConn *conn) {
        int r = db_conn_script(conn, "DEALLOCATE ALL; BEGIN; SET LOCAL enable_seqscan = off");

        for (size_t i = 0; r == 0 && i < DB_IMPORT_KIND_COUNT; ++i)
                r = db_conn_prepare(conn, import_statements[i].name, import_statements[i].sql);
        return r < 0 ? err_up(r) : r;
}

int db_import_reserve(DbConn *conn, DbImportKind kind, int64_t id) {
        const ImportStatement *statement = &import_statements[kind];
        char text[24];
        const char *args[] = { text };
        int r;

        assert(statement->reserve);
        snprintf(text, sizeof(text), "%lld", (long long)id);
        r = db_conn_script(conn, import_locks[kind]);
        if (r == 0)
                r = db_conn_exec(conn, &(DbQuery){ statement->reserve, 1, args }, NULL);
        if (r == 0)
                r = db_conn_script(conn, "COMMIT");
        return r < 0 ? err_up(r) : r;
}

int db_import_row(DbConn *conn,
                  DbImportKind kind,
                  const char *const values[DB_IMPORT_VALUE_COUNT],
                  DbImported *ret_outcome) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const ImportStatement *statement = &import_statements[kind];
        const char *args[IMPORT_ARGS_MAX];
        int r;

        for (size_t i = 0; i < statement->n_args; ++i)
                args[i] = values[statement->args[i]];
        r = db_conn_exec_prepared(conn,
                                  statement->name,
                                  &(DbQuery){ .n_args = statement->n_args, .args = args },
                                  &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0)
                return DB_E_REJECTED;
        *ret_outcome = (DbImported)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        return 0;
}

int db_import_tokens(DbConn *conn, DbImportTokenFn fn, void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ .sql = "SELECT '\\x' || encode(token_hash, 'hex'), code FROM"
                                            " devices WHERE token_hash IS NOT NULL AND token_form"
                                            " <> 'keyed'" },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (int i = 0; r == 0 && i < PQntuples(result); ++i)
                r = fn(arg, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
        return err_up(r);
}

int db_import_end(DbConn *conn, bool keep) {
        int r = db_conn_script(conn, keep ? "COMMIT" : "ROLLBACK");

        return r < 0 ? err_up(r) : r;
}
