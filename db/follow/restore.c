#include <libpq-fe.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "db/follow/directory.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        RESTORE_PAGE = 1000, /* devices or vehicles at a time */
        RESTORE_SENSORS = 10000,
        RESTORE_ID_SIZE = 24,
        RESTORE_SAID = 4, /* in place of a time that is believed */
        RESTORE_MEMBERS =
                5, /* the payload; the column in which the members of a vehicle_log begin */
        RESTORE_LATITUDE = RESTORE_MEMBERS + VEHICLE_LOG_MEMBERS + 1,
        RESTORE_LONGITUDE,
};

typedef struct RestoreSource RestoreSource;

struct RestoreSource {
        Kind kind;
        const char *sql; /* a page of ids after $1, each with its newest row up to $2, or nulls */
};

/* Rows of a clock that was ahead, a device's from when such were believed, or ours, are passed
 * over, and such as cannot be counted; what is ahead by less counts as its receipt, so that of the
 * last minute of each the newest may be another than the last. The b-tree on (device or vehicle,
 * time) answers each row with two probes a partition. */
#define RESTORE_BELIEVED                                                           \
        " AND time >= '0001-01-01Z' AND time <= received_at + interval '1 minute'" \
        " AND time <= to_timestamp($2::bigint / 1000000)"
#define RESTORE_NEWEST(table, key)                                                \
        " LEFT JOIN LATERAL (SELECT * FROM " table " WHERE " key RESTORE_BELIEVED \
        " AND time >= (SELECT time FROM " table " WHERE " key RESTORE_BELIEVED    \
        " ORDER BY time DESC LIMIT 1) - interval '1 minute'"                      \
        " ORDER BY least(time, received_at) DESC, seq DESC LIMIT 1) l ON true"

static const RestoreSource restore_sources[] = {
        { KIND_TELEMETRY,
          "SELECT d.id, l.seq, (extract(epoch FROM l.received_at) * 1000000)::bigint,"
          " (extract(epoch FROM l.time) * 1000000)::bigint, l.device_time, l.payload"
          " FROM (SELECT id FROM devices WHERE id > $1::bigint ORDER BY id LIMIT 1000) "
          "d" RESTORE_NEWEST("telemetry", "device_id = d.id") " ORDER BY d.id" },
        { KIND_VEHICLE_LOG,
          "SELECT v.id, l.seq, (extract(epoch FROM l.received_at) * 1000000)::bigint,"
          " (extract(epoch FROM l.time) * 1000000)::bigint, l.device_time," VEHICLE_LOG_COLUMNS
          ", extra, latitude, longitude"
          " FROM (SELECT id FROM vehicles WHERE id > $1::bigint ORDER BY id LIMIT 1000) "
          "v" RESTORE_NEWEST("vehicle_logs", "vehicle_id = v.id") " ORDER BY v.id" },
};

static void restore_member(Buf *buf, const VehicleLogMember *member, const char *value) {
        buf_append_char(buf, buf->n == 0 ? '{' : ',');
        buf_json_string(buf, text_of(member->name));
        buf_append_char(buf, ':');
        switch (member->type) {
        case VEHICLE_LOG_NUMBER:
                buf_json_double(buf, strtod(value, NULL));
                break;
        case VEHICLE_LOG_FLAG:
                buf_json_bool(buf, *value == 't');
                break;
        case VEHICLE_LOG_TEXT:
                buf_json_string(buf, text_of(value));
                break;
        }
}

/* The object as it was shown when it came in: what is null is left out, `extra` is appended. */
static void restore_vehicle_log(const PGresult *result, int row, Buf *ret_json) {
        int extra = RESTORE_MEMBERS + VEHICLE_LOG_MEMBERS;
        Text members = { 0 };

        for (int i = 0; i < VEHICLE_LOG_MEMBERS; ++i) {
                int column = RESTORE_MEMBERS + i;

                if (!PQgetisnull(result, row, column))
                        restore_member(ret_json,
                                       &vehicle_log_members[i],
                                       PQgetvalue(result, row, column));
        }
        if (PQgetlength(result, row, extra) > 2) { /* not null, not {} */
                members = text_of(PQgetvalue(result, row, extra) + 1);
                --members.n;
        }
        if (ret_json->n == 0)
                buf_append_char(ret_json, '{');
        else if (members.n > 0)
                buf_append_char(ret_json, ',');
        buf_append_text(ret_json, members);
        buf_append_char(ret_json, '}');
}

static int restore_row(Arena *arena, Kind kind, const PGresult *result, int row, Record *ret) {
        int64_t id = db_value_int(result, row, 0);
        Record record = {
                .kind = kind,
                .seq = strtoull(PQgetvalue(result, row, 1), NULL, 10),
                .received_us = db_value_int(result, row, 2),
                .time_us = db_value_int(result, row, 3),
        };
        CLEANUP_BUF Buf json = { 0 };

        record.has_clock = record.time_us != record.received_us;
        if (kind == KIND_TELEMETRY) {
                record.device_id = id;
                buf_append(&json,
                           PQgetvalue(result, row, RESTORE_MEMBERS),
                           (size_t)PQgetlength(result, row, RESTORE_MEMBERS));
        } else {
                record.vehicle_id = id;
                record.vehicle_log.latitude = db_value_number(result, row, RESTORE_LATITUDE);
                record.vehicle_log.longitude = db_value_number(result, row, RESTORE_LONGITUDE);
                restore_vehicle_log(result, row, &json);
        }
        record.data = arena_copy(arena, buf_text(&json).data, json.n);
        if (buf_failed(&json) || !record.data.data)
                return err_new(-ENOMEM);
        if (!PQgetisnull(result, row, RESTORE_SAID)) {
                record.said_time = arena_copy(arena,
                                              PQgetvalue(result, row, RESTORE_SAID),
                                              (size_t)PQgetlength(result, row, RESTORE_SAID));
                if (!record.said_time.data)
                        return err_new(-ENOMEM);
        }
        *ret = record;
        return 0;
}

/* Tells of one page; *id moves to its last one. DB_E_NOT_FOUND: that was the last page. */
static int restore_page(DbConn *conn,
                        const RestoreSource *source,
                        Arena *arena,
                        int64_t *id,
                        DbRestoredFn fn,
                        void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char after[RESTORE_ID_SIZE], until[RESTORE_ID_SIZE];
        const char *args[] = { after, until };
        int64_t until_us = clock_now_us() + CLOCK_SLACK_US;
        int n, r;

        snprintf(after, sizeof(after), "%lld", (long long)*id);
        snprintf(until, sizeof(until), "%lld", (long long)until_us);
        r = db_conn_exec(conn, &(DbQuery){ source->sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        n = PQntuples(result);
        for (int i = 0; i < n; ++i) {
                Record record;

                *id = db_value_int(result, i, 0);
                if (PQgetisnull(result, i, 1))
                        continue;
                r = restore_row(arena, source->kind, result, i, &record);
                if (r < 0)
                        return err_up(r);
                fn(arg, &record);
        }
        return n < RESTORE_PAGE ? DB_E_NOT_FOUND : 0;
}

int db_directory_restore(DbConn *conn, Arena *arena, DbRestoredFn fn, void *arg) {
        int r = 0;

        for (size_t i = 0; i < N_ELEMENTS(restore_sources) && r == 0; ++i) {
                int64_t id = 0;

                do
                        r = restore_page(conn, &restore_sources[i], arena, &id, fn, arg);
                while (r == 0);
                if (r == DB_E_NOT_FOUND)
                        r = 0;
        }
        return r < 0 ? err_up(r) : r;
}

/* The ids as PostgreSQL reads an array; NULL is NULL. */
static int restore_ids(const int64_t ids[], size_t n, Buf *ret_array) {
        if (!ids)
                return 0;
        for (size_t i = 0; i < n; ++i) {
                buf_append_char(ret_array, i == 0 ? '{' : ',');
                buf_json_int(ret_array, ids[i]);
        }
        buf_append_string(ret_array, n == 0 ? "{}" : "}");
        return buf_failed(ret_array) ? err_new(-ENOMEM) : 0;
}

int db_directory_sensors(DbConn *conn,
                         const int64_t vehicle_ids[],
                         size_t n,
                         DbSensorFn fn,
                         void *arg) {
        int64_t vehicle_id = 0;
        int32_t sensor_id = -1;
        int n_rows = RESTORE_SENSORS;
        CLEANUP_BUF Buf ids = { 0 };
        int r;

        r = restore_ids(vehicle_ids, n, &ids);
        while (r == 0 && n_rows == RESTORE_SENSORS) {
                CLEANUP(PQclear) PGresult *result = NULL;
                char vehicle[RESTORE_ID_SIZE], sensor[RESTORE_ID_SIZE];
                const char *args[] = { vehicle, sensor, vehicle_ids ? ids.data : NULL };

                snprintf(vehicle, sizeof(vehicle), "%lld", (long long)vehicle_id);
                snprintf(sensor, sizeof(sensor), "%d", sensor_id);
                r = db_conn_exec(conn,
                                 &(DbQuery){
                                         "SELECT vehicle_id, sensor_id FROM sensors"
                                         " WHERE (vehicle_id, sensor_id) > ($1::bigint, $2::int)"
                                         " AND ($3::bigint[] IS NULL OR vehicle_id = ANY ($3))"
                                         " ORDER BY vehicle_id, sensor_id LIMIT 10000",
                                         N_ELEMENTS(args),
                                         args },
                                 &result);
                n_rows = r == 0 ? PQntuples(result) : 0;
                for (int i = 0; r == 0 && i < n_rows; ++i) {
                        vehicle_id = db_value_int(result, i, 0);
                        sensor_id = (int32_t)strtol(PQgetvalue(result, i, 1), NULL, 10);
                        r = fn(arg, vehicle_id, sensor_id);
                }
        }
        return r < 0 ? err_up(r) : r;
}

static int restore_birth(const PGresult *result, int row, DbBirthFn fn, void *arg) {
        size_t n = 0;
        unsigned char *bytes =
                PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 2), &n);
        int r;

        if (!bytes)
                return err_new(-ENOMEM);
        r = fn(arg,
               text_of(PQgetvalue(result, row, 0)),
               strtoull(PQgetvalue(result, row, 1), NULL, 10),
               (Text){ (const char *)bytes, n });
        PQfreemem(bytes);
        return r == 0 ? 0 : err_up(r);
}

int db_directory_births(DbConn *conn, DbBirthFn fn, void *arg) {
        CLEANUP_BUF Buf after = { 0 };
        int n_rows = RESTORE_PAGE;
        int r = 0;

        while (r == 0 && n_rows == RESTORE_PAGE) {
                CLEANUP(PQclear) PGresult *result = NULL;
                const char *args[] = { buf_text(&after).data };

                r = db_conn_exec(conn,
                                 &(DbQuery){ "SELECT thing, seq, payload FROM sparkplug_births"
                                             " WHERE thing > $1 ORDER BY thing LIMIT 1000",
                                             N_ELEMENTS(args),
                                             args },
                                 &result);
                n_rows = r == 0 ? PQntuples(result) : 0;
                for (int i = 0; r == 0 && i < n_rows; ++i)
                        r = restore_birth(result, i, fn, arg);
                if (n_rows > 0) {
                        buf_reset(&after);
                        buf_append_string(&after, PQgetvalue(result, n_rows - 1, 0));
                }
                if (buf_failed(&after))
                        r = err_new(-ENOMEM);
        }
        return r < 0 ? err_up(r) : r;
}

int db_directory_merged(DbConn *conn, DbMergedFn fn, void *arg) {
        char after[RESTORE_ID_SIZE] = "0";
        int n_rows = RESTORE_PAGE;
        int r = 0;

        while (r == 0 && n_rows == RESTORE_PAGE) {
                CLEANUP(PQclear) PGresult *result = NULL;
                const char *args[] = { after };

                r = db_conn_exec(conn,
                                 &(DbQuery){ "SELECT device_id, seq, payload FROM merged_telemetry"
                                             " WHERE device_id > $1::bigint"
                                             " ORDER BY device_id LIMIT 1000",
                                             N_ELEMENTS(args),
                                             args },
                                 &result);
                n_rows = r == 0 ? PQntuples(result) : 0;
                for (int i = 0; r == 0 && i < n_rows; ++i)
                        r = fn(arg,
                               db_value_int(result, i, 0),
                               strtoull(PQgetvalue(result, i, 1), NULL, 10),
                               (Text){ PQgetvalue(result, i, 2),
                                       (size_t)PQgetlength(result, i, 2) });
                if (n_rows > 0)
                        snprintf(after, sizeof(after), "%s", PQgetvalue(result, n_rows - 1, 0));
        }
        return r < 0 ? err_up(r) : r;
}
