#include "db/edit/admin.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "db/trouble.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        ADMIN_ID_SIZE = 24,
        ADMIN_HASH_SIZE = 2 + 64 + 1, /* bytea as text */
};

/* Runs an INSERT … ON CONFLICT DO NOTHING RETURNING id, or an UPDATE … RETURNING id. */
static int admin_change(DbConn *conn, const DbQuery *query, int none, int64_t *ret_id) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, query, &result);
        if (r == DB_E_REJECTED && db_trouble(db_conn_sqlstate(conn)) == DB_TROUBLE_TAKEN)
                return DB_E_EXISTS;
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0)
                return none;
        if (ret_id)
                *ret_id = db_value_int(result, 0, 0);
        return 0;
}

/* Of a statement about the one row that $1 names, and that may not be there. */
static int admin_change_one(DbConn *conn,
                            const char *sql,
                            size_t n_args,
                            const char *const args[]) {
        int r;

        r = admin_change(conn, &(DbQuery){ sql, n_args, args }, DB_E_NOT_FOUND, NULL);
        return r < 0 ? err_up(r) : r;
}

int db_admin_user_add(DbConn *conn,
                      const char *name,
                      Role role,
                      const char *password_hash,
                      int64_t *ret_id) {
        const char *args[] = { name, password_hash, role_name(role) };
        int r;

        r = admin_change(conn,
                         &(DbQuery){ "INSERT INTO users (username, password_hash, role)"
                                     " VALUES ($1, $2, $3) RETURNING id",
                                     N_ELEMENTS(args),
                                     args },
                         DB_E_EXISTS,
                         ret_id);
        return r < 0 ? err_up(r) : r;
}

int db_admin_user_identifier(DbConn *conn, const char *name, const char *identifier) {
        const char *args[] = { name, identifier };

        return admin_change_one(conn,
                                "UPDATE users SET identifier = $2 WHERE username = $1 RETURNING id",
                                N_ELEMENTS(args),
                                args);
}

int db_admin_user_get(DbConn *conn, const char *name, DbUser *ret_user) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { name };
        DbUser user = { .role = ROLE_VIEWER };
        int r;

        r = db_conn_row(conn,
                        &(DbQuery){ "SELECT id, generation, role, is_active FROM users"
                                    " WHERE username = $1",
                                    1,
                                    args },
                        &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        user.id = db_value_int(result, 0, 0);
        user.generation = db_value_int(result, 0, 1);
        (void)role_from_name(PQgetvalue(result, 0, 2), &user.role);
        user.is_active = db_value_bool(result, 0, 3);
        *ret_user = user;
        return 0;
}

int db_admin_user_revoke(DbConn *conn, const char *name) {
        return admin_change_one(conn,
                                "UPDATE users SET generation = tidegate_new_generation(),"
                                " tokens_from = clock_timestamp() WHERE username = $1 RETURNING id",
                                1,
                                &name);
}

/* A trigger renews the generation. */
int db_admin_user_password(DbConn *conn, const char *name, const char *password_hash) {
        const char *args[] = { name, password_hash };

        return admin_change_one(conn,
                                "UPDATE users SET password_hash = $2 WHERE username = $1"
                                " RETURNING id",
                                N_ELEMENTS(args),
                                args);
}

int db_admin_user_delete(DbConn *conn, const char *name) {
        return admin_change_one(conn,
                                "DELETE FROM users WHERE username = $1 RETURNING id",
                                1,
                                &name);
}

int db_admin_device_delete(DbConn *conn, const char *code) {
        return admin_change_one(conn, "DELETE FROM devices WHERE code = $1 RETURNING id", 1, &code);
}

int db_admin_vehicle_delete(DbConn *conn, const char *code) {
        return admin_change_one(conn,
                                "DELETE FROM vehicles WHERE code = $1 RETURNING id",
                                1,
                                &code);
}

int db_admin_group_delete(DbConn *conn, const char *name) {
        return admin_change_one(conn, "DELETE FROM groups WHERE name = $1 RETURNING id", 1, &name);
}

/* The id of @user as a parameter; NULL stays NULL: nobody. */
static int admin_owner(DbConn *conn,
                       const char *user,
                       char ret_text[ADMIN_ID_SIZE],
                       const char **ret_arg) {
        DbUser owner;
        int r;

        if (!user)
                return 0;
        r = db_admin_user_get(conn, user, &owner);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        snprintf(ret_text, ADMIN_ID_SIZE, "%lld", (long long)owner.id);
        *ret_arg = ret_text;
        return 0;
}

static const char *admin_hash(const uint8_t hash[32], char ret_text[ADMIN_HASH_SIZE]) {
        if (!hash)
                return NULL;
        ret_text[0] = '\\';
        ret_text[1] = 'x';
        text_put_hex(ret_text + 2, hash, 32);
        return ret_text;
}

int db_admin_device_add(DbConn *conn, const DbDeviceNew *device, int64_t *ret_id) {
        char owner[ADMIN_ID_SIZE], hash[ADMIN_HASH_SIZE];
        const char *args[] = {
                device->code, NULL, device->name, device->type, admin_hash(device->token_hash, hash)
        };
        int r;

        r = admin_owner(conn, device->user, owner, &args[1]);
        if (r == 0)
                r = admin_change(conn,
                                 &(DbQuery){
                                         "INSERT INTO devices (code, user_id, name, device_type,"
                                         " token_hash) VALUES ($1, $2::bigint, $3, $4, $5::bytea)"
                                         " ON CONFLICT (code) DO NOTHING RETURNING id",
                                         N_ELEMENTS(args),
                                         args },
                                 DB_E_EXISTS,
                                 ret_id);
        return r < 0 ? err_up(r) : r;
}

int db_admin_device_token(DbConn *conn, const char *code, const uint8_t token_hash[32]) {
        char hash[ADMIN_HASH_SIZE];
        const char *args[] = { code, admin_hash(token_hash, hash) };

        return admin_change_one(conn,
                                "UPDATE devices SET token_hash = $2::bytea, token_form = 'keyed',"
                                " token_text = NULL WHERE code = $1 RETURNING id",
                                N_ELEMENTS(args),
                                args);
}

int db_admin_device_uplink(DbConn *conn, const char *code, bool may) {
        const char *args[] = { code, may ? "true" : "false" };

        return admin_change_one(conn,
                                "UPDATE devices SET may_uplink = $2::boolean WHERE code = $1"
                                " RETURNING id",
                                N_ELEMENTS(args),
                                args);
}

/* @sql: $1 the code, $2 the owner. */
static int admin_assign(DbConn *conn, const char *sql, const char *code, const char *user) {
        char owner[ADMIN_ID_SIZE];
        const char *args[] = { code, NULL };
        int r;

        r = admin_owner(conn, user, owner, &args[1]);
        if (r == 0)
                r = admin_change_one(conn, sql, N_ELEMENTS(args), args);
        return r < 0 ? err_up(r) : r;
}

int db_admin_device_assign(DbConn *conn, const char *code, const char *user) {
        return admin_assign(conn,
                            "UPDATE devices SET user_id = $2::bigint WHERE code = $1 RETURNING id",
                            code,
                            user);
}

int db_admin_vehicle_assign(DbConn *conn, const char *code, const char *user) {
        return admin_assign(conn,
                            "UPDATE vehicles SET user_id = $2::bigint WHERE code = $1 RETURNING id",
                            code,
                            user);
}

int db_admin_vehicle_add(DbConn *conn,
                         const char *code,
                         const char *user,
                         const char *name,
                         int64_t *ret_id) {
        char owner[ADMIN_ID_SIZE];
        const char *args[] = { code, NULL, name };
        int r;

        r = admin_owner(conn, user, owner, &args[1]);
        if (r == 0)
                r = admin_change(conn,
                                 &(DbQuery){ "INSERT INTO vehicles (code, user_id, name)"
                                             " VALUES ($1, $2::bigint, $3)"
                                             " ON CONFLICT (code) DO NOTHING RETURNING id",
                                             N_ELEMENTS(args),
                                             args },
                                 DB_E_EXISTS,
                                 ret_id);
        return r < 0 ? err_up(r) : r;
}

/* @r is what came of what was done since BEGIN. */
static int admin_end(DbConn *conn, int r) {
        int r_end;

        if (r < 0 || r == DB_E_OFFLINE)
                return r < 0 ? err_up(r) : r;
        r_end = db_conn_script(conn, r == 0 ? "COMMIT" : "ROLLBACK");
        return r == 0 ? r_end : r;
}

/* clang-format off */
static const char admin_vehicle_as[] =
        "WITH taken AS (SELECT CASE"
        " WHEN EXISTS (SELECT FROM vehicles WHERE code = $1) THEN 1"
        " WHEN EXISTS (SELECT FROM vehicles WHERE id = $4::bigint) THEN 2"
        " WHEN EXISTS (SELECT FROM vehicle_logs WHERE vehicle_id = $4::bigint)"
        " OR EXISTS (SELECT FROM sensor_logs WHERE vehicle_id = $4::bigint)"
        " OR EXISTS (SELECT FROM raw_logs WHERE vehicle_id = $4::bigint)"
        " OR EXISTS (SELECT FROM alerts WHERE vehicle_id = $4::bigint) THEN 3"
        " ELSE 0 END AS how),"
        " added AS (INSERT INTO vehicles (id, code, user_id, name)"
        " SELECT $4::bigint, $1, $2::bigint, $3 FROM taken WHERE how = 0 RETURNING id)"
        " SELECT how, (SELECT setval('vehicles_id_seq', greatest(added.id, s.last_value))"
        " FROM added, vehicles_id_seq s) FROM taken";
/* clang-format on */

static int admin_vehicle_put(DbConn *conn, const DbQuery *query, DbTaken *ret_taken) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        /* Nobody takes a number of the sequence for a vehicle while it is moved. */
        r = db_conn_script(conn, "LOCK TABLE vehicles IN SHARE ROW EXCLUSIVE MODE");
        if (r == 0)
                r = db_conn_exec(conn, query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_taken = (DbTaken)db_value_int(result, 0, 0);
        return *ret_taken == DB_TAKEN_NOT ? 0 : DB_E_EXISTS;
}

int db_admin_vehicle_add_as(DbConn *conn,
                            const char *code,
                            const char *user,
                            const char *name,
                            int64_t id,
                            DbTaken *ret_taken) {
        char owner[ADMIN_ID_SIZE], number[ADMIN_ID_SIZE];
        const char *args[] = { code, NULL, name, number };
        int r;

        *ret_taken = DB_TAKEN_NOT;
        snprintf(number, sizeof(number), "%lld", (long long)id);
        r = admin_owner(conn, user, owner, &args[1]);
        if (r == 0)
                r = db_conn_script(conn, "BEGIN");
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = admin_vehicle_put(conn,
                              &(DbQuery){ admin_vehicle_as, N_ELEMENTS(args), args },
                              ret_taken);
        r = admin_end(conn, r);
        return r < 0 ? err_up(r) : r;
}

/* The answer of a statement that counts what it @found and what it @added. */
static int admin_found_added(DbConn *conn, const DbQuery *query, bool *ret_added) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (db_value_int(result, 0, 0) == 0)
                return DB_E_NOT_FOUND;
        *ret_added = db_value_int(result, 0, 1) > 0;
        return 0;
}

#define ADMIN_PAIR(table, name)                                  \
        "WITH pair AS (SELECT u.id AS user_id, t.id AS thing_id" \
        " FROM users u, " table " t WHERE t." name " = $1 AND u.username = $2),"
#define ADMIN_SHARE(table, name, column)                           \
        ADMIN_PAIR(table, name)                                    \
        " done AS (INSERT INTO shares (user_id, " column ")"       \
        " SELECT * FROM pair ON CONFLICT DO NOTHING RETURNING id)" \
        " SELECT (SELECT count(*) FROM pair), (SELECT count(*) FROM done)"
#define ADMIN_UNSHARE(table, name, column)                                        \
        ADMIN_PAIR(table, name)                                                   \
        " done AS (DELETE FROM shares s USING pair p WHERE s.user_id = p.user_id" \
        " AND s." column " = p.thing_id RETURNING s.id)"                          \
        " SELECT (SELECT count(*) FROM pair), (SELECT count(*) FROM done)"

static const char *const admin_share[DB_SHARED_COUNT] = {
        [DB_SHARED_VEHICLE] = ADMIN_SHARE("vehicles", "code", "vehicle_id"),
        [DB_SHARED_DEVICE] = ADMIN_SHARE("devices", "code", "device_id"),
        [DB_SHARED_GROUP] = ADMIN_SHARE("groups", "name", "group_id"),
};

static const char *const admin_unshare[DB_SHARED_COUNT] = {
        [DB_SHARED_VEHICLE] = ADMIN_UNSHARE("vehicles", "code", "vehicle_id"),
        [DB_SHARED_DEVICE] = ADMIN_UNSHARE("devices", "code", "device_id"),
        [DB_SHARED_GROUP] = ADMIN_UNSHARE("groups", "name", "group_id"),
};

static int admin_pair(DbConn *conn, const char *sql, const char *name, const char *user) {
        const char *args[] = { name, user };
        bool is_changed = false;
        int r;

        r = admin_found_added(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &is_changed);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return is_changed ? 0 : DB_E_EXISTS;
}

int db_admin_share(DbConn *conn, DbShared kind, const char *name, const char *user) {
        int r;

        r = admin_pair(conn, admin_share[kind], name, user);
        return r < 0 ? err_up(r) : r;
}

int db_admin_unshare(DbConn *conn, DbShared kind, const char *name, const char *user) {
        int r;

        r = admin_pair(conn, admin_unshare[kind], name, user);
        return r < 0 ? err_up(r) : r;
}

static const char admin_group_put[] =
        "WITH device AS (SELECT id FROM devices WHERE code = $2),"
        " added AS (INSERT INTO device_groups (device_id, group_id)"
        " SELECT id, $1::bigint FROM device ON CONFLICT DO NOTHING RETURNING device_id)"
        " SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM added)";

static const char admin_group_take[] =
        "WITH device AS (SELECT id FROM devices WHERE code = $2),"
        " taken AS (DELETE FROM device_groups WHERE group_id = $1::bigint"
        " AND device_id IN (SELECT id FROM device) RETURNING device_id)"
        " SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM taken)";

/* @sql does it with each: of @codes *ret_n were changed. */
static int admin_group_devices(DbConn *conn,
                               const char *sql,
                               int64_t group_id,
                               const char *const codes[],
                               size_t n,
                               size_t *ret_n) {
        char group[ADMIN_ID_SIZE];
        size_t n_changed = 0;
        int r = 0;

        snprintf(group, sizeof(group), "%lld", (long long)group_id);
        for (size_t i = 0; i < n && r == 0; ++i) {
                const char *args[] = { group, codes[i] };
                bool changed = false;

                r = admin_found_added(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &changed);
                n_changed += changed ? 1 : 0;
        }
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_n = n_changed;
        return 0;
}

static int admin_group_id(DbConn *conn, const char *name, int64_t *ret_id) {
        int r;

        r = admin_change(conn,
                         &(DbQuery){ "SELECT id FROM groups WHERE name = $1", 1, &name },
                         DB_E_NOT_FOUND,
                         ret_id);
        return r < 0 ? err_up(r) : r;
}

static int admin_group_fill(DbConn *conn,
                            const char *name,
                            const char *const codes[],
                            size_t n,
                            int64_t *ret_id) {
        const char *args[] = { name };
        bool is_new = false;
        size_t n_added = 0;
        int r;

        r = admin_change(conn,
                         &(DbQuery){ "INSERT INTO groups (name) VALUES ($1)"
                                     " ON CONFLICT (name) DO NOTHING RETURNING id",
                                     1,
                                     args },
                         DB_E_EXISTS,
                         ret_id);
        is_new = r == 0;
        if (r == DB_E_EXISTS)
                r = admin_group_id(conn, name, ret_id);
        if (r == 0)
                r = admin_group_devices(conn, admin_group_put, *ret_id, codes, n, &n_added);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return is_new || n_added > 0 ? 0 : DB_E_EXISTS;
}

int db_admin_group_add(DbConn *conn,
                       const char *name,
                       const char *const device_codes[],
                       size_t n,
                       int64_t *ret_id) {
        int64_t id = 0;
        int r;

        r = db_conn_script(conn, "BEGIN");
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = admin_end(conn, admin_group_fill(conn, name, device_codes, n, &id));
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_id = id;
        return 0;
}

int db_admin_group_remove(DbConn *conn,
                          const char *name,
                          const char *const device_codes[],
                          size_t n,
                          size_t *ret_n) {
        size_t n_taken = 0;
        int64_t id = 0;
        int r;

        r = db_conn_script(conn, "BEGIN");
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = admin_group_id(conn, name, &id);
        if (r == 0)
                r = admin_group_devices(conn, admin_group_take, id, device_codes, n, &n_taken);
        r = admin_end(conn, r);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_n = n_taken;
        return 0;
}

int db_admin_dead_letter_delete(DbConn *conn, int64_t id) {
        char id_text[ADMIN_ID_SIZE];
        const char *args[] = { id_text };

        snprintf(id_text, sizeof(id_text), "%lld", (long long)id);
        return admin_change_one(conn,
                                "DELETE FROM dead_letters WHERE id = $1::bigint RETURNING id",
                                1,
                                args);
}

int db_admin_lock(DbConn *conn, const char *name) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT pg_try_advisory_lock(hashtext($1))", 1, &name },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return db_value_bool(result, 0, 0) ? 0 : DB_E_BUSY;
}
