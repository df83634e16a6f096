#include "db/follow/directory.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "db/follow/changes.h"
#include "db/trouble.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);
DEFINE_CLEANUP(PGnotify *, PQfreemem);

typedef int (*DirectoryRowFn)(RegistryDelta *delta, const PGresult *result, int row);

struct DbDirectory {
        DbConn *conn;      /* borrowed */
        DbPulse *pulse;    /* borrowed */
        DbChanges changes; /* heard of, and not read yet */
        uint64_t digest;   /* of all that was loaded last, and of what before that */
        uint64_t digest_before;
};

int db_directory_new(DbDirectory **ret_directory, DbConn *conn, DbPulse *pulse) {
        DbDirectory *directory = calloc(1, sizeof(*directory));

        if (!directory)
                return err_new(-ENOMEM);
        directory->conn = conn;
        directory->pulse = pulse;
        *ret_directory = directory;
        return 0;
}

DbDirectory *db_directory_free(DbDirectory *directory) {
        free(directory);
        return NULL;
}

static int64_t column_time(const PGresult *result, int row, int column) {
        return PQgetisnull(result, row, column) ? CLOCK_UNKNOWN : db_value_int(result, row, column);
}

static int directory_add(RegistryDelta *delta, const RegistryRow *row) {
        int r = registry_delta_add(delta, row);

        return err_up(r);
}

static int directory_add_user(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_USER };

        row.user.id = db_value_int(result, i, 0);
        row.user.name = db_value_string(result, i, 1);
        row.user.is_active = db_value_bool(result, i, 3);
        row.user.generation = db_value_int(result, i, 4);
        row.user.tokens_from_us = db_value_int(result, i, 5);
        row.user.identifier = db_value_string(result, i, 6);
        row.user.id_since_us = db_value_int(result, i, 7);
        if (!role_from_name(PQgetvalue(result, i, 2), &row.user.role))
                row.user.role = ROLE_VIEWER; /* a role that we do not know gives no rights */
        return directory_add(delta, &row);
}

/* bytea as text: \x and two digits a byte. */
static bool column_hash(const PGresult *result, int row, int column, uint8_t ret_hash[32]) {
        const char *text = PQgetvalue(result, row, column);

        if (PQgetlength(result, row, column) != 2 + 64)
                return false;
        for (size_t i = 0; i < 32; ++i)
                ret_hash[i] = (uint8_t)(text_hex_digit(text[2 + 2 * i]) << 4 |
                                        text_hex_digit(text[3 + 2 * i]));
        return true;
}

static bool column_token_form(const PGresult *result, int row, int column, TokenForm *ret_form) {
        static const char *const names[] = {
                [TOKEN_KEYED] = "keyed", [TOKEN_SHA256] = "sha256", [TOKEN_BCRYPT] = "bcrypt"
        };

        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                if (strcmp(PQgetvalue(result, row, column), names[i]) == 0) {
                        *ret_form = (TokenForm)i;
                        return true;
                }
        return false;
}

static int directory_add_device(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_DEVICE };
        Device *device = &row.device;

        device->id = db_value_int(result, i, 0);
        device->user_id = db_value_int(result, i, 1);
        device->key = db_value_string(result, i, 2);
        device->code = db_value_string(result, i, 3);
        device->name = db_value_string(result, i, 4);
        device->product_type = db_value_string(result, i, 5);
        device->device_type = db_value_string(result, i, 6);
        device->firmware_version = db_value_string(result, i, 7);
        device->is_active = db_value_bool(result, i, 8);
        device->has_token = column_hash(result, i, 9, device->token_hash);
        if (!column_token_form(result, i, 10, &device->token_form))
                device->has_token = false; /* of a form that we do not know */
        device->token_generation = db_value_int(result, i, 11);
        device->location = db_value_string(result, i, 12);
        device->manufacturer = db_value_string(result, i, 13);
        device->model = db_value_string(result, i, 14);
        device->may_uplink = db_value_bool(result, i, 15);
        return directory_add(delta, &row);
}

/* What a clock of ours that was ahead has noted is no time that anything can be older than. */
static int64_t directory_past(int64_t time_us) {
        return clock_is_ahead(time_us) ? CLOCK_UNKNOWN : time_us;
}

static int directory_add_state(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_DEVICE_STATE };
        DeviceState *state = &row.device_state.state;

        row.device_state.device_id = db_value_int(result, i, 0);
        snprintf(state->status, sizeof(state->status), "%.15s", PQgetvalue(result, i, 1));
        state->last_seen_us = directory_past(column_time(result, i, 2));
        state->time_us = directory_past(column_time(result, i, 3));
        state->temperature = db_value_number(result, i, 4);
        state->humidity = db_value_number(result, i, 5);
        state->latitude = db_value_number(result, i, 6);
        state->longitude = db_value_number(result, i, 7);
        state->clock.verdict = clock_verdict_of(db_value_string(result, i, 8));
        state->clock.offset_us = db_value_int(result, i, 9) * 1000;
        state->clock_set_us = column_time(result, i, 10);
        state->status_us = directory_past(column_time(result, i, 11));
        return directory_add(delta, &row);
}

static int directory_add_vehicle(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_VEHICLE };

        row.vehicle.id = db_value_int(result, i, 0);
        row.vehicle.user_id = db_value_int(result, i, 1);
        row.vehicle.code = db_value_string(result, i, 2);
        row.vehicle.name = db_value_string(result, i, 3);
        row.vehicle.is_active = db_value_bool(result, i, 4);
        row.vehicle.clock.now.verdict = clock_verdict_of(db_value_string(result, i, 5));
        row.vehicle.clock.now.offset_us = db_value_int(result, i, 6) * 1000;
        row.vehicle.clock.noted = row.vehicle.clock.now;
        row.vehicle.key_hash = thing_key_hash(db_value_string(result, i, 7));
        return directory_add(delta, &row);
}

static int directory_add_group(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_GROUP };

        row.group.id = db_value_int(result, i, 0);
        row.group.name = db_value_string(result, i, 1);
        return directory_add(delta, &row);
}

static int directory_add_device_group(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_DEVICE_GROUP };

        row.device_group.device_id = db_value_int(result, i, 0);
        row.device_group.group_id = db_value_int(result, i, 1);
        return directory_add(delta, &row);
}

static int directory_add_share(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_SHARE };

        row.share.id = db_value_int(result, i, 0);
        row.share.user_id = db_value_int(result, i, 1);
        row.share.vehicle_id = db_value_int(result, i, 2);
        row.share.device_id = db_value_int(result, i, 3);
        row.share.group_id = db_value_int(result, i, 4);
        return directory_add(delta, &row);
}

static int directory_add_zones(RegistryDelta *delta, const PGresult *result, int i) {
        RegistryRow row = { .table = REGISTRY_ZONES };

        row.zones.near_dbm = db_value_number(result, i, 1);
        row.zones.medium_dbm = db_value_number(result, i, 2);
        return directory_add(delta, &row);
}

#define DEVICE_COLUMNS                                                                          \
        "id, user_id, key, code, name, product_type, device_type, firmware_version, is_active," \
        " token_hash, token_form, token_generation, location, manufacturer, model,"             \
        " may_uplink"

#define VEHICLE_COLUMNS                                                                \
        "v.id, v.user_id, v.code, v.name, v.is_active, c.clock, c.clock_offset, v.key" \
        " FROM vehicles v LEFT JOIN vehicle_clocks c ON c.vehicle_id = v.id"

/* What no clock has said, as infinity, is not known: whoever reads a table is not to fail at a row.
 */
#define MICROS(column)                                                                     \
        "(extract(epoch FROM CASE WHEN " column " BETWEEN '0001-01-01Z' AND '9999-12-31Z'" \
        " THEN " column " END) * 1000000)::bigint"
/* From when on: null and before 1970 is 0, for ever what is ahead of all numbers. */
#define SINCE(column)                                             \
        "least(greatest(extract(epoch FROM " column ") * 1000000" \
        ", 0), 9223372036854775807)::bigint"
#define USER_COLUMNS                                 \
        "id, username, role, is_active, generation," \
        " " SINCE("tokens_from") ", identifier, " SINCE("id_since")

/* How each table is read, in an order in which no row names one that comes later. $1 = {ids} where
 * only some are wanted. */
static const struct {
        const char *all, *some;
        DirectoryRowFn add;
} tables[REGISTRY_TABLE_COUNT] = {
        [REGISTRY_USER] = {
                "SELECT " USER_COLUMNS " FROM users",
                "SELECT " USER_COLUMNS " FROM users WHERE id = ANY ($1::bigint[])",
                directory_add_user,
        },
        [REGISTRY_DEVICE] = {
                "SELECT " DEVICE_COLUMNS " FROM devices",
                "SELECT " DEVICE_COLUMNS " FROM devices WHERE id = ANY ($1::bigint[])",
                directory_add_device,
        },
        [REGISTRY_DEVICE_STATE] = {
                "SELECT device_id, status, " MICROS("last_seen") ", " MICROS("time") ","
                " temperature, humidity, latitude, longitude, clock, clock_offset, "
                MICROS("clock_set_at") ", " MICROS("status_time") " FROM device_states",
                NULL, /* the processor knows it before the table does */
                directory_add_state,
        },
        [REGISTRY_VEHICLE] = {
                "SELECT " VEHICLE_COLUMNS,
                "SELECT " VEHICLE_COLUMNS " WHERE v.id = ANY ($1::bigint[])",
                directory_add_vehicle,
        },
        [REGISTRY_GROUP] = {
                "SELECT id, name FROM groups",
                "SELECT id, name FROM groups WHERE id = ANY ($1::bigint[])",
                directory_add_group,
        },
        [REGISTRY_DEVICE_GROUP] = {
                "SELECT device_id, group_id FROM device_groups",
                "SELECT device_id, group_id FROM device_groups"
                " WHERE device_id = ANY ($1::bigint[])",
                directory_add_device_group,
        },
        [REGISTRY_SHARE] = {
                "SELECT id, user_id, vehicle_id, device_id, group_id FROM shares",
                "SELECT id, user_id, vehicle_id, device_id, group_id FROM shares"
                " WHERE id = ANY ($1::bigint[])",
                directory_add_share,
        },
        [REGISTRY_ZONES] = {
                "SELECT id, near_dbm, medium_dbm FROM zones",
                "SELECT id, near_dbm, medium_dbm FROM zones WHERE id = ANY ($1::bigint[])",
                directory_add_zones,
        },
};

static int directory_add_all(RegistryDelta *delta, RegistryTable table, const PGresult *result) {
        int r;

        for (int i = 0; i < PQntuples(result); ++i) {
                r = tables[table].add(delta, result, i);
                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

/* Of a row's texts; rows are summed up, since they come in any order. */
static uint64_t directory_digest(RegistryTable table, const PGresult *result) {
        uint64_t sum = 0;

        for (int row = 0; row < PQntuples(result); ++row) {
                uint64_t hash = TEXT_HASH + table;

                for (int column = 0; column < PQnfields(result); ++column) {
                        const char *text = PQgetvalue(result, row, column);

                        hash = text_hash(hash, text, strlen(text) + 1);
                }
                sum += hash;
        }
        return table == REGISTRY_DEVICE_STATE ? 0 : sum;
}

static int directory_read_all(DbConn *conn, RegistryDelta *delta, uint64_t *ret_digest) {
        int r = 0;

        for (RegistryTable table = 0; table < REGISTRY_TABLE_COUNT && r == 0; ++table) {
                CLEANUP(PQclear) PGresult *result = NULL;

                r = db_conn_exec(conn, &(DbQuery){ .sql = tables[table].all }, &result);
                if (r == 0)
                        r = directory_add_all(delta, table, result);
                if (r == 0)
                        *ret_digest += directory_digest(table, result);
        }
        return r < 0 ? err_up(r) : r;
}

static int directory_run(DbConn *conn, const char *sql) {
        int r = db_conn_exec(conn, &(DbQuery){ .sql = sql }, NULL);

        return r < 0 ? err_up(r) : r;
}

static int directory_load(DbConn *conn, RegistryDelta **ret_delta, uint64_t *ret_digest) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        int r, r_end;

        r = registry_delta_new(&delta, true);
        if (r < 0)
                return err_up(r);
        r = directory_run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = directory_read_all(conn, delta, ret_digest);
        if (r == DB_E_OFFLINE)
                return r;
        r_end = directory_run(conn, r == 0 ? "COMMIT" : "ROLLBACK");
        if (r == 0)
                r = r_end;
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_delta = TAKE(&delta);
        return 0;
}

int db_directory_load(DbConn *conn, RegistryDelta **ret_delta) {
        uint64_t digest = 0;
        int r = directory_load(conn, ret_delta, &digest);

        return r < 0 ? err_up(r) : r;
}

/* Was it somebody's lock, and will be over? */
static bool directory_was_locked(const DbConn *conn) {
        return db_trouble(db_conn_sqlstate(conn)) == DB_TROUBLE_LOCKED;
}

int db_directory_open(DbDirectory *directory, RegistryDelta **ret_delta) {
        uint64_t digest = 0;
        int r;

        r = directory_run(directory->conn, "LISTEN tidegate_registry");
        if (r == 0)
                r = directory_load(directory->conn, ret_delta, &digest);
        if (r == 0) {
                db_changes_reset(&directory->changes);
                directory->digest_before = directory->digest;
                directory->digest = digest;
        }
        if (r == DB_E_REJECTED && directory_was_locked(directory->conn))
                return DB_E_BUSY;
        return r < 0 ? err_up(r) : r;
}

static int directory_collect(DbDirectory *directory) {
        DbConn *conn = directory->conn;
        PGconn *pg = db_conn_pg(conn);

        if (!db_conn_is_open(conn) || !PQconsumeInput(pg))
                return db_conn_fail(conn, NULL);
        for (;;) {
                CLEANUP(PQfreemem) PGnotify *notify = PQnotifies(pg);

                if (!notify)
                        return 0;
                if (!db_pulse_hear(directory->pulse, notify->extra))
                        db_changes_hear(&directory->changes, notify->extra);
        }
}

/* What was changed and is not there any more was deleted. */
static int directory_add_deleted(RegistryDelta *delta,
                                 const DbChange *change,
                                 const PGresult *result) {
        bool is_pair = change->table == REGISTRY_DEVICE_GROUP;
        RegistryRow row = { .table = change->table, .deleted = true };

        for (int i = 0; i < PQntuples(result); ++i)
                if (db_value_int(result, i, 0) == change->id &&
                    (!is_pair || db_value_int(result, i, 1) == change->other_id))
                        return 0;

        switch (change->table) {
        case REGISTRY_USER:
                row.user.id = change->id;
                break;
        case REGISTRY_DEVICE:
                row.device.id = change->id;
                break;
        case REGISTRY_VEHICLE:
                row.vehicle.id = change->id;
                break;
        case REGISTRY_GROUP:
                row.group.id = change->id;
                break;
        case REGISTRY_DEVICE_GROUP:
                row.device_group.device_id = change->id;
                row.device_group.group_id = change->other_id;
                break;
        case REGISTRY_SHARE:
                row.share.id = change->id;
                break;
        case REGISTRY_ZONES:
                break;
        case REGISTRY_DEVICE_STATE:
        case REGISTRY_TABLE_COUNT:
                return 0;
        }
        return directory_add(delta, &row);
}

static int directory_read_some(DbConn *conn,
                               RegistryTable table,
                               const DbChanges *changes,
                               RegistryDelta *delta) {
        CLEANUP(PQclear) PGresult *result = NULL;
        CLEANUP_BUF Buf ids = { 0 };
        const char *args[1];
        int r;

        if (!db_changes_ids(changes, table, &ids))
                return 0;
        if (buf_failed(&ids))
                return err_new(-ENOMEM);
        args[0] = ids.data;
        r = db_conn_exec(conn, &(DbQuery){ tables[table].some, 1, args }, &result);
        if (r == 0)
                r = directory_add_all(delta, table, result);
        for (size_t i = 0; i < changes->n && r == 0; ++i)
                if (changes->items[i].table == table)
                        r = directory_add_deleted(delta, &changes->items[i], result);
        return r < 0 ? err_up(r) : r;
}

/* A table that is locked keeps its changes. */
static int directory_read_changes(DbDirectory *directory, RegistryDelta *delta) {
        DbChanges *changes = &directory->changes;
        int r = 0;

        for (RegistryTable table = 0; table < REGISTRY_TABLE_COUNT && r == 0; ++table) {
                r = directory_read_some(directory->conn, table, changes, delta);
                if (r == 0)
                        db_changes_settle(changes, table);
                else if (r == DB_E_REJECTED && directory_was_locked(directory->conn))
                        r = 0;
        }
        return r < 0 ? err_up(r) : r;
}

static int directory_read(DbDirectory *directory, RegistryDelta **ret_delta) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        int r;

        if (directory->changes.too_many) {
                r = db_directory_open(directory, ret_delta);
                return r < 0 ? err_up(r) : r;
        }
        r = registry_delta_new(&delta, false);
        if (r == 0)
                r = directory_read_changes(directory, delta);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (registry_delta_length(delta) == 0)
                return 0;
        ++directory->digest; /* it may be undone, and nobody may say so */
        *ret_delta = TAKE(&delta);
        return 0;
}

int db_directory_poll(DbDirectory *directory, RegistryDelta **ret_delta) {
        int r;

        *ret_delta = NULL;
        r = directory_collect(directory);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (!db_directory_is_behind(directory))
                return 0;
        r = directory_read(directory, ret_delta);
        if (r == DB_E_BUSY) /* the next time */
                return 0;
        if (r == DB_E_REJECTED) { /* only a new load can make up for it */
                db_conn_disconnect(directory->conn);
                return DB_E_OFFLINE;
        }
        return r < 0 ? err_up(r) : r;
}

bool db_directory_differs(const DbDirectory *directory) {
        return directory->digest != directory->digest_before;
}

bool db_directory_is_behind(const DbDirectory *directory) {
        return directory->changes.n > 0 || directory->changes.too_many;
}

/* The server sends what it has to notify before it is ready for the next statement. */
int db_directory_sync(DbDirectory *directory) {
        int r;

        r = directory_run(directory->conn, "SELECT 1");
        return r < 0 ? err_up(r) : r;
}

static int directory_find(DbConn *conn, const DbQuery *query, RegistryDelta **ret_delta) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_row(conn, query, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = registry_delta_new(&delta, false);
        if (r == 0)
                r = directory_add_all(delta, REGISTRY_DEVICE, result);
        if (r < 0)
                return err_up(r);
        *ret_delta = TAKE(&delta);
        return 0;
}

int db_directory_find(DbConn *conn, const char *code, RegistryDelta **ret_delta) {
        static const char sql[] = "SELECT " DEVICE_COLUMNS " FROM devices WHERE code = $1";

        return directory_find(conn, &(DbQuery){ sql, 1, &code }, ret_delta);
}

int db_directory_find_all(DbConn *conn, const char *list, RegistryDelta **ret_delta) {
        static const char sql[] = "SELECT " DEVICE_COLUMNS " FROM devices WHERE code IN"
                                  " (SELECT e ->> 'code' FROM json_array_elements($1::json) e)";

        return directory_find(conn, &(DbQuery){ sql, 1, &list }, ret_delta);
}
