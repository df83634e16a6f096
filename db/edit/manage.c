#include "db/edit/manage.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/trouble.h"
#include "db/value.h"
#include "db/visible.h"

#define MANAGE_N_ARGS  (2 + MANAGE_N_TEXTS + 1)
#define MANAGE_ID_SIZE 24

DEFINE_CLEANUP(PGresult *, PQclear);

/*
 * $1 who asks; $2 what it is about, if it is about one; then the texts, and the hash of a password.
 * Of a list $2 is the id behind which it goes on, and $3 how many. Each gives a status and a body.
 */
/* clang-format off */
#define IS_ADMIN "EXISTS (SELECT FROM users WHERE id = $1::bigint AND role = 'admin' AND is_active)"
/* His own, and he may change things. */
#define OWNS(thing) \
        "(" thing ".user_id = $1::bigint AND EXISTS (SELECT FROM users WHERE id = $1::bigint" \
        " AND is_active AND role <> 'viewer'))"
#define TIME(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
/* What a name, or id:5, says. */
#define USER_SAID(text) "SELECT id, username FROM users WHERE username = " text " OR 'id:' || id = " text

#define USER_JSON \
        "json_build_object('id', x.id, 'username', x.username, 'role', x.role," \
        " 'is_active', x.is_active, 'identifier', x.identifier, 'created_at', " TIME("x.created_at") ")"
#define DEVICE_JSON \
        "json_build_object('id', x.id, 'code', x.code, 'name', x.name, 'type', x.device_type," \
        " 'user_id', x.user_id, 'user', (SELECT username FROM users WHERE id = x.user_id)," \
        " 'is_active', x.is_active, 'has_token', x.token_hash IS NOT NULL," \
        " 'may_uplink', x.may_uplink," \
        " 'groups', (SELECT coalesce(json_agg(g.name ORDER BY g.name), '[]') FROM device_groups m" \
        " JOIN groups g ON g.id = m.group_id WHERE m.device_id = x.id))"
#define VEHICLE_JSON \
        "json_build_object('id', x.id, 'code', x.code, 'name', x.name, 'user_id', x.user_id," \
        " 'user', (SELECT username FROM users WHERE id = x.user_id), 'is_active', x.is_active)"
#define GROUP_JSON \
        "json_build_object('id', x.id, 'name', x.name, 'devices', (SELECT coalesce(json_agg(" \
        "json_build_object('id', d.id, 'code', d.code) ORDER BY d.id), '[]') FROM device_groups m" \
        " JOIN devices d ON d.id = m.device_id WHERE m.group_id = x.id))"
#define SHARE_JSON \
        "json_build_object('id', x.id, 'user_id', x.user_id, 'user'," \
        " (SELECT username FROM users WHERE id = x.user_id), 'created_at', " TIME("x.created_at") ")"

/* As db/edit/command_rows.c tells one: what is cancelled is so before its state follows. */
#define COMMAND_OVER(command, over, else) \
        "CASE WHEN " command ".cancelled_at IS NOT NULL AND " command ".state IN ('accepted'," \
        " 'published', 'delivered', 'executing') THEN " over " ELSE " command "." else " END"
#define COMMAND_STATE(command) COMMAND_OVER(command, "'cancelled'", "state")
#define COMMAND_JSON \
        "json_build_object('command_id', x.command_id, 'state', " COMMAND_STATE("x") "," \
        " 'device_id', x.device_id, 'device_code', (SELECT code FROM devices WHERE id = x.device_id)," \
        " 'user_id', x.user_id, 'user', (SELECT username FROM users WHERE id = x.user_id)," \
        " 'action', x.action, 'payload', coalesce(x.payload, '{}')," \
        " 'message', " COMMAND_OVER("x", "x.cancel_message", "message") "," \
        " 'created_at', " TIME("x.created_at") ", 'updated_at', " TIME("x.updated_at") "," \
        " 'expires_at', " TIME("x.expires_at") ")"

#define LIST(json, table, rule) \
        "WITH page AS (SELECT * FROM " table " t WHERE id > $2::bigint AND " rule \
        " ORDER BY id LIMIT $3::int)" \
        " SELECT 200, json_build_object('items', coalesce(json_agg(" json " ORDER BY x.id), '[]')," \
        " 'cursor', CASE WHEN count(*) = $3::int THEN max(x.id)::text END)::text FROM page x"
#define LIST_FOR_ADMINS(json, table) \
        "WITH page AS (SELECT * FROM " table " WHERE id > $2::bigint AND " IS_ADMIN \
        " ORDER BY id LIMIT $3::int)" \
        " SELECT CASE WHEN " IS_ADMIN " THEN 200 ELSE 403 END," \
        " json_build_object('items', coalesce(json_agg(" json " ORDER BY x.id), '[]')," \
        " 'cursor', CASE WHEN count(*) = $3::int THEN max(x.id)::text END)::text FROM page x"

/* @done is what an admin has done to $2. */
#define BY_ADMIN(done, json) \
        "WITH x AS (" done ") SELECT CASE WHEN NOT " IS_ADMIN " THEN 403" \
        " WHEN EXISTS (SELECT FROM x) THEN 200 ELSE 404 END, (SELECT " json "::text FROM x)"
#define USER_CHANGE(change) \
        BY_ADMIN("UPDATE users SET " change ", updated_at = now() WHERE id = $2::bigint AND " \
                 IS_ADMIN " RETURNING *", USER_JSON)

#define DEVICE_TOKEN(hash) \
        "WITH x AS (UPDATE devices d SET token_hash = " hash ", token_form = 'keyed'," \
        " token_text = NULL WHERE id = $2::bigint AND (" IS_ADMIN " OR " OWNS("d") ") RETURNING *)" \
        " SELECT CASE WHEN EXISTS (SELECT FROM x) THEN 200 WHEN " \
        DB_SEES_DEVICE("$1::bigint", "$2::bigint") " THEN 403 ELSE 404 END," \
        " (SELECT " DEVICE_JSON "::text FROM x)"

#define DEVICE_UPLINK(may) \
        BY_ADMIN("UPDATE devices SET may_uplink = " may " WHERE id = $2::bigint AND " IS_ADMIN \
                 " RETURNING *", DEVICE_JSON)

#define SEES(things) \
        "EXISTS (SELECT FROM tidegate_" things "_of($1::bigint) AS seen (id) WHERE seen.id = $2::bigint)"
#define SHARES(table, column, rule, sees) \
        "WITH mine AS (SELECT id FROM " table " t WHERE id = $2::bigint AND " rule ")" \
        " SELECT CASE WHEN EXISTS (SELECT FROM mine) THEN 200 WHEN " sees " THEN 403 ELSE 404 END," \
        " (SELECT json_build_object('items', coalesce(json_agg(" SHARE_JSON " ORDER BY x.id), '[]'))" \
        "::text FROM shares x WHERE x." column " IN (SELECT id FROM mine))"
#define SHARE(table, column, rule, sees) \
        "WITH mine AS (SELECT id FROM " table " t WHERE id = $2::bigint AND " rule ")," \
        " him AS (" USER_SAID("$3") ")," \
        " x AS (INSERT INTO shares (user_id, " column ") SELECT him.id, mine.id FROM him, mine" \
        " ON CONFLICT (user_id, " column ") DO UPDATE SET user_id = excluded.user_id" \
        " RETURNING *, xmax = 0 AS is_new)" \
        " SELECT CASE WHEN NOT EXISTS (SELECT FROM mine) AND " sees " THEN 403" \
        " WHEN NOT EXISTS (SELECT FROM mine) THEN 404 WHEN NOT EXISTS (SELECT FROM him) THEN 422" \
        " WHEN (SELECT is_new FROM x) THEN 201 ELSE 200 END, (SELECT " SHARE_JSON "::text FROM x)"
#define MINE(thing) "(" IS_ADMIN " OR " OWNS(thing) ")"

static const char *const manage_sql[MANAGE_COUNT] = {
        [MANAGE_USERS] = LIST_FOR_ADMINS(USER_JSON, "users"),
        [MANAGE_USER_ADD] =
                "WITH x AS (INSERT INTO users (username, role, password_hash)"
                " SELECT $2::text, $3::text, $4::text WHERE " IS_ADMIN " RETURNING *)"
                " SELECT CASE WHEN EXISTS (SELECT FROM x) THEN 201 ELSE 403 END,"
                " (SELECT " USER_JSON "::text FROM x)",
        [MANAGE_USER_DELETE] = BY_ADMIN("DELETE FROM users WHERE id = $2::bigint AND " IS_ADMIN
                                        " RETURNING *", USER_JSON),
        [MANAGE_USER_ENABLE] = USER_CHANGE("is_active = true"),
        [MANAGE_USER_DISABLE] = USER_CHANGE("is_active = false"),
        [MANAGE_USER_IDENTIFIER] = USER_CHANGE("identifier = $3::text"),
        [MANAGE_USER_PASSWORD] = USER_CHANGE("password_hash = $3::text"),
        [MANAGE_USER_REVOKE] = USER_CHANGE("generation = tidegate_new_generation(),"
                                           " tokens_from = clock_timestamp()"),
        [MANAGE_USER_TOKEN] =
                "SELECT CASE WHEN NOT " IS_ADMIN " THEN 403 WHEN x.id IS NULL THEN 404"
                " WHEN NOT x.is_active THEN 409 ELSE 200 END,"
                " CASE WHEN " IS_ADMIN " THEN x.username END, x.generation"
                " FROM (SELECT $2::bigint AS wanted) w LEFT JOIN users x ON x.id = w.wanted",
        [MANAGE_DEVICES] = LIST(DEVICE_JSON, "devices",
                                "(" IS_ADMIN " OR t.user_id = $1::bigint)"),
        [MANAGE_DEVICE_ADD] =
                "WITH him AS (" USER_SAID("$3") "), x AS ("
                "INSERT INTO devices (code, user_id, name, device_type, token_hash)"
                " SELECT $2::text, (SELECT id FROM him), $4::text, $5::text, $6::bytea WHERE " IS_ADMIN
                " AND ($3::text IS NULL OR EXISTS (SELECT FROM him)) RETURNING *)"
                " SELECT CASE WHEN EXISTS (SELECT FROM x) THEN 201 WHEN " IS_ADMIN
                " THEN 422 ELSE 403 END, (SELECT " DEVICE_JSON "::text FROM x)",
        [MANAGE_DEVICE_DELETE] = BY_ADMIN("DELETE FROM devices WHERE id = $2::bigint AND " IS_ADMIN
                                          " RETURNING *", DEVICE_JSON),
        [MANAGE_DEVICE_ROTATE] = DEVICE_TOKEN("$3::bytea"),
        [MANAGE_DEVICE_REVOKE] = DEVICE_TOKEN("NULL"),
        [MANAGE_DEVICE_UPLINK_ON] = DEVICE_UPLINK("true"),
        [MANAGE_DEVICE_UPLINK_OFF] = DEVICE_UPLINK("false"),
        [MANAGE_DEVICE_SHARES] = SHARES("devices", "device_id", MINE("t"), SEES("devices")),
        [MANAGE_DEVICE_SHARE] = SHARE("devices", "device_id", MINE("t"), SEES("devices")),
        [MANAGE_VEHICLES] = LIST(VEHICLE_JSON, "vehicles",
                                 "(" IS_ADMIN " OR t.user_id = $1::bigint)"),
        /* $5, if it is said: its id, which nothing that is kept may have had. */
        [MANAGE_VEHICLE_ADD] =
                "WITH him AS (" USER_SAID("$3") "),"
                " had AS (SELECT FROM vehicle_logs WHERE vehicle_id = $5::bigint"
                " UNION ALL SELECT FROM sensor_logs WHERE vehicle_id = $5::bigint"
                " UNION ALL SELECT FROM raw_logs WHERE vehicle_id = $5::bigint"
                " UNION ALL SELECT FROM alerts WHERE vehicle_id = $5::bigint LIMIT 1),"
                " x AS (INSERT INTO vehicles (id, code, user_id, name)"
                " SELECT coalesce($5::bigint, nextval('vehicles_id_seq')), $2::text,"
                " (SELECT id FROM him), $4::text WHERE " IS_ADMIN " AND NOT EXISTS (SELECT FROM had)"
                " AND ($3::text IS NULL OR EXISTS (SELECT FROM him)) RETURNING *),"
                " moved AS (SELECT setval('vehicles_id_seq', x.id) FROM x, vehicles_id_seq s"
                " WHERE x.id > s.last_value)"
                " SELECT CASE WHEN EXISTS (SELECT FROM x) AND (SELECT count(*) FROM moved) >= 0 THEN 201"
                " WHEN NOT " IS_ADMIN " THEN 403 WHEN EXISTS (SELECT FROM had) THEN 409 ELSE 422 END,"
                " (SELECT " VEHICLE_JSON "::text FROM x)",
        [MANAGE_VEHICLE_DELETE] = BY_ADMIN("DELETE FROM vehicles WHERE id = $2::bigint AND " IS_ADMIN
                                           " RETURNING *", VEHICLE_JSON),
        [MANAGE_VEHICLE_SHARES] = SHARES("vehicles", "vehicle_id", MINE("t"), SEES("vehicles")),
        [MANAGE_VEHICLE_SHARE] = SHARE("vehicles", "vehicle_id", MINE("t"), SEES("vehicles")),
        [MANAGE_GROUPS] = LIST_FOR_ADMINS(GROUP_JSON, "groups"),
        [MANAGE_GROUP_ADD] =
                "WITH said AS (SELECT DISTINCT code FROM json_array_elements_text($3::json) c (code)),"
                " them AS (SELECT d.id, d.code FROM said JOIN devices d"
                " ON d.code = said.code OR 'id:' || d.id = said.code),"
                " x AS (INSERT INTO groups (name) SELECT $2::text WHERE " IS_ADMIN
                " AND (SELECT count(*) FROM said) = (SELECT count(*) FROM them)"
                " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING *, xmax = 0 AS is_new),"
                " put AS (INSERT INTO device_groups (device_id, group_id) SELECT them.id, x.id"
                " FROM them, x ON CONFLICT DO NOTHING)"
                " SELECT CASE WHEN NOT " IS_ADMIN " THEN 403 WHEN NOT EXISTS (SELECT FROM x) THEN 422"
                " WHEN (SELECT is_new FROM x) THEN 201 ELSE 200 END,"
                " (SELECT json_build_object('id', x.id, 'name', x.name, 'devices', (SELECT coalesce("
                "json_agg(json_build_object('id', d.id, 'code', d.code) ORDER BY d.id), '[]') FROM ("
                "SELECT d.id, d.code FROM device_groups m JOIN devices d ON d.id = m.device_id"
                " WHERE m.group_id = x.id UNION SELECT id, code FROM them) d))::text FROM x)",
        [MANAGE_GROUP_DELETE] = BY_ADMIN("DELETE FROM groups WHERE id = $2::bigint AND " IS_ADMIN
                                         " RETURNING *", GROUP_JSON),
        [MANAGE_GROUP_REMOVE] =
                "WITH said AS (SELECT DISTINCT code FROM json_array_elements_text($3::json) c (code)),"
                " them AS (SELECT d.id FROM said JOIN devices d"
                " ON d.code = said.code OR 'id:' || d.id = said.code),"
                " x AS (SELECT * FROM groups WHERE id = $2::bigint AND " IS_ADMIN "),"
                " all_known AS (SELECT WHERE (SELECT count(*) FROM said) = (SELECT count(*) FROM them)),"
                " gone AS (DELETE FROM device_groups m USING x WHERE m.group_id = x.id"
                " AND m.device_id IN (SELECT id FROM them) AND EXISTS (SELECT FROM all_known)"
                " RETURNING m.device_id)"
                " SELECT CASE WHEN NOT " IS_ADMIN " THEN 403 WHEN NOT EXISTS (SELECT FROM x) THEN 404"
                " WHEN NOT EXISTS (SELECT FROM all_known) THEN 422 ELSE 200 END,"
                " (SELECT json_build_object('id', x.id, 'name', x.name, 'devices', (SELECT coalesce("
                "json_agg(json_build_object('id', d.id, 'code', d.code) ORDER BY d.id), '[]')"
                " FROM device_groups m JOIN devices d ON d.id = m.device_id WHERE m.group_id = x.id"
                " AND m.device_id NOT IN (SELECT device_id FROM gone)))::text FROM x)",
        [MANAGE_GROUP_SHARES] = SHARES("groups", "group_id", IS_ADMIN, "NOT " IS_ADMIN),
        [MANAGE_GROUP_SHARE] = SHARE("groups", "group_id", IS_ADMIN, "NOT " IS_ADMIN),
        [MANAGE_SHARE_DELETE] =
                "WITH x AS (DELETE FROM shares s WHERE id = $2::bigint AND (" IS_ADMIN
                " OR EXISTS (SELECT FROM devices t WHERE t.id = s.device_id AND " OWNS("t") ")"
                " OR EXISTS (SELECT FROM vehicles t WHERE t.id = s.vehicle_id AND " OWNS("t") "))"
                " RETURNING *)"
                " SELECT CASE WHEN EXISTS (SELECT FROM x) THEN 200 ELSE 404 END,"
                " (SELECT " SHARE_JSON "::text FROM x)",
        /* Who was first stays; the update is what lets the second one see him. */
        [MANAGE_ALERT_ACKNOWLEDGE] =
                "WITH a AS (SELECT l.journal_id, l.seq, l.received_at, l.vehicle_id, l.device_id,"
                " p.epoch FROM alerts l JOIN journal_positions p USING (journal_id)"
                " WHERE l.seq = $2::bigint AND p.epoch = $3::text AND (" IS_ADMIN
                " OR l.vehicle_id IN (" DB_VISIBLE_VEHICLES("$1::bigint") ")"
                " OR l.device_id IN (" DB_VISIBLE_DEVICES("$1::bigint") ")) LIMIT 1),"
                " him AS (SELECT id, username FROM users WHERE id = $1::bigint AND is_active"
                " AND role <> 'viewer'),"
                " x AS (INSERT INTO alert_acks AS k (journal_id, seq, received_at, vehicle_id,"
                " device_id, user_id, acknowledged_by) SELECT a.journal_id, a.seq, a.received_at,"
                " a.vehicle_id, a.device_id, him.id, him.username FROM a, him"
                " ON CONFLICT (journal_id, seq, received_at) DO UPDATE SET user_id = k.user_id"
                " RETURNING *)"
                " SELECT CASE WHEN NOT EXISTS (SELECT FROM a) THEN 404"
                " WHEN NOT EXISTS (SELECT FROM him) THEN 403 ELSE 200 END,"
                " (SELECT json_build_object('id', a.epoch || ':' || a.seq, 'vehicle_id',"
                " a.vehicle_id, 'device_id', a.device_id, 'acknowledged', true,"
                " 'acknowledged_at', " TIME("x.acknowledged_at") ","
                " 'acknowledged_by', x.acknowledged_by)::text FROM a, x)",
        /* A page ends with the payload that makes it a MiB, too. */
        [MANAGE_COMMANDS] =
                "WITH found AS (SELECT * FROM commands c WHERE (" IS_ADMIN
                " OR c.device_id IN (" DB_VISIBLE_DEVICES("$1::bigint") "))"
                " AND ($5::bigint IS NULL OR c.device_id = $5::bigint)"
                " AND ($6::text IS NULL OR " COMMAND_STATE("c") " = $6::text)"
                " AND (c.created_at, c.command_id) < (CASE WHEN $2::bigint = 0 THEN 'infinity'"
                " ELSE timestamptz 'epoch' + $2::bigint * interval '1 microsecond' END,"
                " coalesce($4::text, ''))"
                " ORDER BY c.created_at DESC, c.command_id DESC LIMIT $3::int),"
                " sized AS (SELECT *, sum(octet_length(payload::text)) OVER (ORDER BY created_at DESC,"
                " command_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes FROM found),"
                " page AS (SELECT * FROM sized WHERE coalesce(bytes, 0) < 1048576)"
                " SELECT 200, json_build_object('items', coalesce(json_agg(" COMMAND_JSON
                " ORDER BY x.created_at DESC, x.command_id DESC), '[]'),"
                " 'cursor', CASE WHEN (SELECT count(*) FROM found) = $3::int"
                " OR (SELECT count(*) FROM found) > count(*) THEN (array_agg("
                "(extract(epoch FROM x.created_at) * 1000000)::bigint || '.' || x.command_id"
                " ORDER BY x.created_at, x.command_id))[1] END)::text FROM page x",
};
/* clang-format on */

static size_t manage_args(const Query *query,
                          const char *password_hash,
                          char (*numbers)[MANAGE_ID_SIZE],
                          const char *args[MANAGE_N_ARGS]) {
        const ManageQuery *manage = query->manage;
        size_t n = 0;

        snprintf(numbers[0], MANAGE_ID_SIZE, "%lld", (long long)query->user_ids[0]);
        args[n++] = numbers[0];
        if (manage->id != 0 || manage->limit != 0) {
                snprintf(numbers[1], MANAGE_ID_SIZE, "%lld", (long long)manage->id);
                args[n++] = numbers[1];
        }
        if (manage->limit != 0) {
                snprintf(numbers[2], MANAGE_ID_SIZE, "%d", manage->limit);
                args[n++] = numbers[2];
        }
        for (size_t i = 0; i < manage->n_texts; ++i)
                args[n++] = manage->texts[i];
        if (manage->has_password)
                args[n++] = password_hash;
        return n;
}

/* Of a token of a user: whose, and of which generation. */
static void manage_take_generation(const PGresult *result, Answer *answer) {
        if (PQnfields(result) > 2)
                answer->generation = db_value_int(result, 0, 2);
}

int db_manage(DbConn *conn, const Query *query, const char *password_hash, Answer *answer) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[MANAGE_N_ARGS];
        char numbers[3][MANAGE_ID_SIZE];
        size_t n = manage_args(query, password_hash, numbers, args);
        int r;

        r = db_conn_exec(conn, &(DbQuery){ manage_sql[query->manage->kind], n, args }, &result);
        if (r == DB_E_REJECTED && db_trouble(db_conn_sqlstate(conn)) == DB_TROUBLE_TAKEN) {
                answer->status = 409;
                return 0;
        }
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0)
                return DB_E_REJECTED;
        answer->status = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        answer->user_id = query->manage->id;
        manage_take_generation(result, answer);
        buf_reset(&answer->bodies[0]); /* of a try that was cut off */
        buf_append_string(&answer->bodies[0], PQgetvalue(result, 0, 1));
        return buf_failed(&answer->bodies[0]) ? err_new(-ENOMEM) : 0;
}
