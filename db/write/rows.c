#include "db/write/rows.h"

#include "base/clock.h"
#include "base/err.h"
#include "db/write/names.h"

enum {
        ROWS_SENSORS = 16384, /* pairs remembered; a power of two */
        ROWS_MAX_COLUMNS = DB_ROWS_MAX_PARAMS - 1,
};

typedef struct SheetInfo SheetInfo;
typedef struct SensorSlot SensorSlot;

struct SheetInfo {
        const char *name, *sql;
        const char *columns; /* one letter a column, see sheet_type() */
        bool has_journal;    /* $1 is the journal's id, the columns follow */
};

struct SensorSlot {
        int64_t vehicle_id; /* 0 = free */
        int32_t sensor_id;
};

struct DbRows {
        DbArray columns[DB_SHEET_COUNT][ROWS_MAX_COLUMNS];
        SensorSlot sensors[ROWS_SENSORS];
        DbNames names;
};

/* Counts what was really written, in the transaction that writes it: the rows that begin a message,
 * which is said by @begins. */
#define BOOKED(insert, begins)                                      \
        "WITH added AS (" insert " RETURNING " begins " AS begins)" \
        " UPDATE journal_positions SET stored = stored"             \
        " + (SELECT count(*) FROM added WHERE begins) WHERE journal_id = $1"

/* Noted by a clock of ours that was ahead: neither the database's nor ours of now has come so far.
 */
#define ROWS_AHEAD(column) column " > greatest(now(), EXCLUDED.last_seen) + interval '1 minute'"

#define ROWS_NEWER(column)                                                                    \
        " " column " = CASE WHEN s.time IS NULL OR EXCLUDED.time"                             \
        " >= s.time OR " ROWS_AHEAD("s.time") " THEN coalesce(EXCLUDED." column ", s." column \
                                              ") ELSE s." column " END"

/* Every statement takes whole columns; rows that several gateways may touch are taken in order. */
static const SheetInfo sheets[DB_SHEET_COUNT] = {
        [DB_SHEET_SENSORS] = {
                "sensors",
                "INSERT INTO sensors (vehicle_id, sensor_id)"
                " SELECT u.vehicle_id, u.sensor_id"
                " FROM unnest($1, $2) AS u (vehicle_id, sensor_id)"
                " JOIN vehicles v ON v.id = u.vehicle_id"
                " ORDER BY 1, 2 ON CONFLICT DO NOTHING",
                "ki",
                false,
        },
        [DB_SHEET_RAW_LOGS] = {
                "raw_logs",
                BOOKED("INSERT INTO raw_logs (journal_id, seq, received_at, time, vehicle_id, logs)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6) AS u",
                       "true"),
                "ktt" "ks",
                true,
        },
        [DB_SHEET_SENSOR_LOGS] = {
                "sensor_logs",
                BOOKED("INSERT INTO sensor_logs"
                " (journal_id, seq, received_at, time, vehicle_id, sensor_id, data)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7) AS u",
                       "true"),
                "ktt" "kij",
                true,
        },
        [DB_SHEET_VEHICLE_LOGS] = {
                "vehicle_logs",
                BOOKED("INSERT INTO vehicle_logs"
                " (journal_id, seq, received_at, time, vehicle_id, battery_voltage,"
                " battery_current, rssi, latitude, longitude, heading, speed, mode,"
                " system_status, armed, guided, extra)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
                " $14, $15, $16, $17) AS u",
                       "true"),
                "ktt" "kddddddd" "ssbbj",
                true,
        },
        [DB_SHEET_BLE_DETECTIONS] = {
                "ble_detections",
                BOOKED("INSERT INTO ble_detections"
                " (journal_id, seq, received_at, time, device_id, item, device_hash, rssi, zone)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) AS u",
                       "item = 0"),
                "ktt" "kisds",
                true,
        },
        [DB_SHEET_TELEMETRY] = {
                "telemetry",
                BOOKED("INSERT INTO telemetry (journal_id, seq, received_at, time, device_id, payload)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6) AS u",
                       "true"),
                "ktt" "kJ",
                true,
        },
        [DB_SHEET_CAMERA_EVENTS] = {
                "camera_events",
                BOOKED("INSERT INTO camera_events (journal_id, seq, received_at, time, device_id,"
                " event_type, person_name, confidence, data)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) AS u",
                       "true"),
                "ktt" "kssdj",
                true,
        },
        [DB_SHEET_ALERTS] = {
                "alerts",
                BOOKED("INSERT INTO alerts (journal_id, seq, received_at, time, vehicle_id, device_id,"
                " severity, alert_type, message, source, latitude, longitude, extra)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
                " AS u",
                       "true"),
                "ktt" "kkssssddj",
                true,
        },
        [DB_SHEET_STATUS_LOGS] = {
                "device_status_logs",
                BOOKED("INSERT INTO device_status_logs (journal_id, seq, received_at, time, device_id,"
                " status, temperature, humidity, latitude, longitude, late)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS u",
                       "true"),
                "ktt" "ksddddb",
                true,
        },
        /* A state moves up or not at all; each step of several for one command is an event. What is
         * cancelled only ends: as that, or as its device says all the same. */
        [DB_SHEET_ACKS] = {
                "command_acks",
                "WITH acks AS MATERIALIZED (SELECT u.*, tidegate_command_rank(u.state) AS rank"
                " FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS u (ord, seq,"
                " received_at, time, device_id, command_id, state, message, topic, payload)),"
                " held AS MATERIALIZED (SELECT command_id, device_id, user_id,"
                " greatest(tidegate_command_rank(state),"
                " CASE WHEN cancelled_at IS NOT NULL THEN 3 END) AS stored FROM commands"
                " WHERE command_id IN (SELECT command_id FROM acks)"
                " ORDER BY command_id FOR UPDATE),"
                " ranked AS MATERIALIZED (SELECT a.*, h.user_id, a.rank > greatest(h.stored,"
                " max(a.rank) OVER (PARTITION BY a.command_id, a.device_id ORDER BY a.seq"
                " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS moves"
                " FROM acks a JOIN held h USING (command_id, device_id)),"
                " top AS (SELECT DISTINCT ON (command_id) * FROM ranked WHERE moves"
                " ORDER BY command_id, rank DESC),"
                " changed AS (UPDATE commands c SET state = t.state,"
                " message = coalesce(t.message, c.message), updated_at = now(),"
                " finished_at = CASE WHEN t.rank >= 4 THEN t.received_at END,"
                " delivered_at = coalesce(c.delivered_at, (SELECT min(r.received_at) FROM ranked r"
                " WHERE r.command_id = c.command_id AND r.state = 'delivered'))"
                " FROM top t WHERE c.command_id = t.command_id),"
                " logged AS (INSERT INTO command_events (journal_id, seq, received_at, time,"
                " device_id, user_id, command_id, state, message)"
                " SELECT $1, seq, received_at, time, device_id, user_id, command_id, state, message"
                " FROM ranked WHERE moves RETURNING seq),"
                " unknown AS (SELECT a.* FROM acks a WHERE NOT EXISTS (SELECT FROM held h"
                " WHERE h.command_id = a.command_id AND h.device_id = a.device_id)),"
                " dead AS (INSERT INTO dead_letters"
                " (journal_id, seq, received_at, reason, topic, detail, payload)"
                " SELECT $1, seq, received_at, 'unknown_command', topic,"
                " 'no such command of this device', payload FROM unknown RETURNING seq),"
                " booked AS (UPDATE journal_positions SET stored = stored"
                " + (SELECT count(*) FROM logged) + (SELECT count(*) FROM dead)"
                " + (SELECT count(*) FROM ranked WHERE NOT moves) WHERE journal_id = $1)"
                " SELECT ord, true FROM unknown UNION ALL"
                " SELECT ord, false FROM ranked WHERE NOT moves",
                "iktt" "ksssly",
                true,
        },
        /* Whether an answer to a command is a letter again is only known by now. A number that
         * leaves nothing is written down as one whose letter was taken away. */
        [DB_SHEET_LETTERS] = {
                "letters",
                "WITH u AS MATERIALIZED (SELECT * FROM unnest($2, $3, $4) AS u (seq, id, outcome)),"
                " gone AS (DELETE FROM dead_letters d USING u"
                " WHERE d.id = u.id AND u.outcome <> 'duplicate'),"
                " removed AS (INSERT INTO dead_letters_removed (journal_id, seq)"
                " SELECT $1, seq FROM u WHERE outcome = 'duplicate')"
                " UPDATE replays r SET outcome = CASE WHEN u.outcome <> 'command_ack'"
                " THEN u.outcome ELSE coalesce((SELECT d.reason FROM dead_letters d"
                " WHERE d.seq = u.seq LIMIT 1), 'stored') END"
                " FROM u WHERE r.letter_id = u.id AND u.outcome <> 'duplicate'",
                "kks",
                true,
        },
        [DB_SHEET_DEAD_LETTERS] = {
                "dead_letters",
                BOOKED("INSERT INTO dead_letters"
                " (journal_id, seq, received_at, item, reason, topic, detail, payload)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8) AS u",
                       "item IS NULL OR item = 0"),
                "kti" "slly",
                true,
        },
        /* Changes nothing where a name is as it was, or somebody chose another: decision 051. */
        [DB_SHEET_NAMES] = {
                "names",
                "SELECT tidegate_name_devices($1, $2, $3)",
                "kss",
                false,
        },
        /* Older than what is stored: only last_seen may move. A device deleted meanwhile: none. */
        [DB_SHEET_STATES] = {
                "device_states",
                "INSERT INTO device_states AS s (device_id, status, last_seen, time, temperature,"
                " humidity, latitude, longitude)"
                " SELECT u.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS u (device_id, status,"
                " last_seen, time, temperature, humidity, latitude, longitude)"
                " JOIN devices d ON d.id = u.device_id ORDER BY u.device_id"
                " ON CONFLICT (device_id) DO UPDATE SET"
                " last_seen = CASE WHEN " ROWS_AHEAD("s.last_seen")
                " THEN EXCLUDED.last_seen ELSE greatest(s.last_seen, EXCLUDED.last_seen) END,"
                " updated_at = now(),"
                " time = CASE WHEN " ROWS_AHEAD("s.time") " THEN EXCLUDED.time"
                " ELSE greatest(s.time, EXCLUDED.time) END,"
                ROWS_NEWER("status") "," ROWS_NEWER("temperature") "," ROWS_NEWER("humidity") ","
                ROWS_NEWER("latitude") "," ROWS_NEWER("longitude"),
                "kst" "tdddd",
                false,
        },
};

static DbType sheet_type(char letter) {
        switch (letter) {
        case 'b':
                return DB_TYPE_BOOL;
        case 'd':
                return DB_TYPE_FLOAT8;
        case 'i':
                return DB_TYPE_INT4;
        case 'j':
                return DB_TYPE_JSONB;
        case 'J':
                return DB_TYPE_JSON;
        case 'k': /* key */
                return DB_TYPE_INT8;
        case 't':
                return DB_TYPE_TIMESTAMPTZ;
        case 'y': /* bytes */
                return DB_TYPE_BYTEA;
        default: /* s: string */
                return DB_TYPE_TEXT;
        }
}

const char *db_rows_name(DbSheet sheet) {
        return sheets[sheet].name;
}

const char *db_rows_sql(DbSheet sheet) {
        return sheets[sheet].sql;
}

int db_rows_types(DbSheet sheet, uint32_t ret_types[DB_ROWS_MAX_PARAMS]) {
        int n = 0;

        if (sheets[sheet].has_journal)
                ret_types[n++] = DB_TYPE_INT4;
        for (const char *c = sheets[sheet].columns; *c; ++c)
                ret_types[n++] = db_type_array(sheet_type(*c));
        return n;
}

int db_rows_new(DbRows **ret_rows) {
        DbRows *rows = calloc(1, sizeof(*rows));

        if (!rows)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < DB_SHEET_COUNT; ++i)
                for (size_t k = 0; sheets[i].columns[k]; ++k)
                        db_array_init(&rows->columns[i][k], sheet_type(sheets[i].columns[k]));
        *ret_rows = rows;
        return 0;
}

DbRows *db_rows_free(DbRows *rows) {
        if (!rows)
                return NULL;
        for (size_t i = 0; i < DB_SHEET_COUNT; ++i)
                for (size_t k = 0; k < ROWS_MAX_COLUMNS; ++k)
                        db_array_done(&rows->columns[i][k]);
        free(rows);
        return NULL;
}

void db_rows_reset(DbRows *rows) {
        for (size_t i = 0; i < DB_SHEET_COUNT; ++i)
                for (size_t k = 0; sheets[i].columns[k]; ++k)
                        db_array_reset(&rows->columns[i][k]);
}

void db_rows_forget(DbRows *rows) {
        memset(rows->sensors, 0, sizeof(rows->sensors));
        db_names_forget(&rows->names);
}

/* The columns that every log table begins with. Returns the next one. */
static DbArray *rows_begin(DbRows *rows, DbSheet sheet, const Record *record, int64_t time_us) {
        DbArray *columns = rows->columns[sheet];

        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_time(&columns[1], record->received_us);
        db_array_time(&columns[2], time_us);
        return &columns[3];
}

static void rows_add_raw_log(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows, DB_SHEET_RAW_LOGS, record, record->time_us);

        db_array_int(&columns[0], record->vehicle_id);
        db_array_bytes(&columns[1], record->text);
}

/* Two pairs that share a slot take turns in it: that costs an INSERT which does nothing. */
static void rows_add_sensor(DbRows *rows, int64_t vehicle_id, int32_t sensor_id) {
        uint64_t hash = ((uint64_t)vehicle_id << 32 ^ (uint32_t)sensor_id) * 0x9e3779b97f4a7c15;
        SensorSlot *slot = &rows->sensors[hash >> 40 & (ROWS_SENSORS - 1)];

        if (slot->vehicle_id == vehicle_id && slot->sensor_id == sensor_id)
                return;
        *slot = (SensorSlot){ .vehicle_id = vehicle_id, .sensor_id = sensor_id };
        db_array_int(&rows->columns[DB_SHEET_SENSORS][0], vehicle_id);
        db_array_int(&rows->columns[DB_SHEET_SENSORS][1], sensor_id);
}

static void rows_add_sensor_log(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows, DB_SHEET_SENSOR_LOGS, record, record->time_us);

        db_array_int(&columns[0], record->vehicle_id);
        db_array_int(&columns[1], record->sensor.sensor_id);
        db_array_bytes(&columns[2], record->data);
        rows_add_sensor(rows, record->vehicle_id, record->sensor.sensor_id);
}

static void rows_add_vehicle_log(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows, DB_SHEET_VEHICLE_LOGS, record, record->time_us);
        const VehicleRecord *log = &record->vehicle_log;

        db_array_int(&columns[0], record->vehicle_id);
        db_array_double(&columns[1], log->battery_voltage);
        db_array_double(&columns[2], log->battery_current);
        db_array_double(&columns[3], log->rssi);
        db_array_double(&columns[4], log->latitude);
        db_array_double(&columns[5], log->longitude);
        db_array_double(&columns[6], log->heading);
        db_array_double(&columns[7], log->speed);
        db_array_bytes(&columns[8], log->mode);
        db_array_bytes(&columns[9], log->system_status);
        db_array_bool(&columns[10], log->armed);
        db_array_bool(&columns[11], log->guided);
        db_array_bytes(&columns[12], log->extra);
}

/* @item < 0: the whole message. */
static void rows_add_dead_letter(DbRows *rows,
                                 const Record *record,
                                 Reason reason,
                                 int item,
                                 Text bytes) {
        DbArray *columns = rows->columns[DB_SHEET_DEAD_LETTERS];

        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_time(&columns[1], record_first_us(record));
        if (item < 0)
                db_array_null(&columns[2]);
        else
                db_array_int(&columns[2], item);
        db_array_bytes(&columns[3], text_of(reason_name(reason)));
        db_array_lossy(&columns[4], record->topic.data ? record->topic : TEXT(""));
        db_array_lossy(&columns[5], item < 0 ? record->detail : (Text){ 0 });
        db_array_bytes(&columns[6], bytes.data ? bytes : TEXT(""));
}

static void rows_add_name(DbRows *rows, const Record *record) {
        const DetectionsRecord *said = &record->detections;
        DbArray *columns = rows->columns[DB_SHEET_NAMES];

        if (!db_names_are_news(&rows->names, record, clock_mono_us()))
                return;
        db_array_int(&columns[0], record->device_id);
        db_array_bytes(&columns[1], said->name.n ? said->name : (Text){ 0 });
        db_array_bytes(&columns[2], said->location.n ? said->location : (Text){ 0 });
}

static void rows_add_detections(DbRows *rows, const Record *record) {
        const DetectionsRecord *detections = &record->detections;

        for (size_t i = 0; i < detections->n_items; ++i) {
                const Detection *item = &detections->items[i];
                DbArray *columns = rows_begin(rows, DB_SHEET_BLE_DETECTIONS, record, item->time_us);

                db_array_int(&columns[0], record->device_id);
                db_array_int(&columns[1], (int64_t)i);
                db_array_bytes(&columns[2], text_of(item->device_hash));
                db_array_double(&columns[3], item->rssi);
                db_array_bytes(&columns[4], text_of(item->zone));
        }
        rows_add_name(rows, record);
        for (size_t i = 0; i < detections->n_set_aside; ++i)
                rows_add_dead_letter(rows,
                                     record,
                                     detections->set_aside[i].reason,
                                     (int)i,
                                     detections->set_aside[i].bytes);
}

static void rows_add_telemetry(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows, DB_SHEET_TELEMETRY, record, record->time_us);

        db_array_int(&columns[0], record->device_id);
        db_array_bytes(&columns[1], record->data);
}

static void rows_add_camera_event(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows, DB_SHEET_CAMERA_EVENTS, record, record->time_us);

        db_array_int(&columns[0], record->device_id);
        db_array_bytes(&columns[1], record->camera.event_type);
        db_array_bytes(&columns[2], record->camera.person_name);
        db_array_double(&columns[3], record->camera.confidence);
        db_array_bytes(&columns[4], record->data);
}

static void rows_add_alert(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows, DB_SHEET_ALERTS, record, record->time_us);
        const AlertRecord *alert = &record->alert;

        db_array_id(&columns[0], record->vehicle_id);
        db_array_id(&columns[1], record->device_id);
        db_array_bytes(&columns[2], alert->severity);
        db_array_bytes(&columns[3], alert->alert_type);
        db_array_bytes(&columns[4], alert->message);
        db_array_bytes(&columns[5], alert->source);
        db_array_double(&columns[6], alert->latitude);
        db_array_double(&columns[7], alert->longitude);
        db_array_bytes(&columns[8], alert->extra);
}

static void rows_add_status(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows, DB_SHEET_STATUS_LOGS, record, record->time_us);
        const StatusRecord *status = &record->status;

        db_array_int(&columns[0], record->device_id);
        db_array_bytes(&columns[1], status->status);
        db_array_double(&columns[2], status->temperature);
        db_array_double(&columns[3], status->humidity);
        db_array_double(&columns[4], status->latitude);
        db_array_double(&columns[5], status->longitude);
        db_array_bool(&columns[6], record->late ? 1 : 0);
}

/* What a device says about a command, as what the command then is. */
Text db_rows_state(const AckRecord *ack) {
        if (ack->state.data)
                return ack->state;
        if (text_equal(ack->status, TEXT("ok")))
                return TEXT("done");
        return text_equal(ack->status, TEXT("error")) ? TEXT("failed") : TEXT("executing");
}

static void rows_add_ack(DbRows *rows, const Record *record, size_t index) {
        DbArray *columns = rows->columns[DB_SHEET_ACKS];

        db_array_int(&columns[0], (int64_t)index);
        db_array_int(&columns[1], (int64_t)record->seq);
        db_array_time(&columns[2], record_first_us(record));
        db_array_time(&columns[3], record->time_us);
        db_array_int(&columns[4], record->device_id);
        db_array_bytes(&columns[5], record->ack.command_id);
        db_array_bytes(&columns[6], db_rows_state(&record->ack));
        db_array_bytes(&columns[7], record->ack.message);
        db_array_lossy(&columns[8], record->topic.data ? record->topic : TEXT(""));
        db_array_bytes(&columns[9], record->payload.data ? record->payload : TEXT(""));
}

static void rows_add_letter(DbRows *rows, const Record *record) {
        DbArray *columns = rows->columns[DB_SHEET_LETTERS];
        const char *outcome = "stored";

        if (record->duplicate)
                outcome = "duplicate";
        else if (record->reason != REASON_NONE)
                outcome = reason_name(record->reason);
        else if (record->kind == KIND_COMMAND_ACK)
                outcome = kind_name(record->kind);
        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_int(&columns[1], record->letter_id);
        db_array_bytes(&columns[2], text_of(outcome));
}

void db_rows_add(DbRows *rows, const Record *record, size_t index) {
        if (record->is_there)
                return;
        if (record->letter_id != 0 || record->duplicate)
                rows_add_letter(rows, record);
        if (record->duplicate)
                return;
        if (record->reason != REASON_NONE) {
                rows_add_dead_letter(rows, record, record->reason, -1, record->payload);
                return;
        }
        switch (record->kind) {
        case KIND_RAW_LOG:
                rows_add_raw_log(rows, record);
                break;
        case KIND_SENSOR_LOG:
                rows_add_sensor_log(rows, record);
                break;
        case KIND_VEHICLE_LOG:
                rows_add_vehicle_log(rows, record);
                break;
        case KIND_BLE_DETECTIONS:
                rows_add_detections(rows, record);
                break;
        case KIND_TELEMETRY:
                rows_add_telemetry(rows, record);
                break;
        case KIND_CAMERA_EVENT:
                rows_add_camera_event(rows, record);
                break;
        case KIND_ALERT:
                rows_add_alert(rows, record);
                break;
        case KIND_DEVICE_STATUS:
                rows_add_status(rows, record);
                break;
        case KIND_COMMAND_ACK:
        case KIND_COMMAND_STATE:
                rows_add_ack(rows, record, index);
                break;
        case KIND_NONE:
        case KIND_COUNT:
                break;
        }
}

/* A list of detections is in two tables if some of it is good and some is not, and in none if it is
 * empty. */
int db_rows_without(const Record *record) {
        const DetectionsRecord *detections = &record->detections;

        if (record->is_there || record->duplicate)
                return 1;
        if (record->reason != REASON_NONE || record->kind != KIND_BLE_DETECTIONS)
                return 0;
        return 1 - (detections->n_items > 0) - (detections->n_set_aside > 0);
}

void db_rows_add_state(DbRows *rows, int64_t device_id, const DeviceState *state) {
        DbArray *columns = rows->columns[DB_SHEET_STATES];

        db_array_int(&columns[0], device_id);
        db_array_bytes(&columns[1], *state->status ? text_of(state->status) : (Text){ 0 });
        db_array_time(&columns[2], state->last_seen_us);
        db_array_time(&columns[3], state->time_us);
        db_array_double(&columns[4], state->temperature);
        db_array_double(&columns[5], state->humidity);
        db_array_double(&columns[6], state->latitude);
        db_array_double(&columns[7], state->longitude);
}

bool db_rows_has(const DbRows *rows, DbSheet sheet) {
        return rows->columns[sheet][0].n_items > 0 || rows->columns[sheet][0].failed;
}

int db_rows_params(DbRows *rows, DbSheet sheet, const uint32_t *journal_id, DbParams *ret_params) {
        DbParams params = { 0 };
        int r;

        if (sheets[sheet].has_journal) {
                params.values[0] = (const char *)journal_id;
                params.lengths[0] = sizeof(*journal_id);
                params.formats[0] = 1;
                params.n = 1;
        }
        for (size_t k = 0; sheets[sheet].columns[k]; ++k, ++params.n) {
                DbArray *column = &rows->columns[sheet][k];

                r = db_array_finish(column);
                if (r < 0)
                        return err_new(r);
                params.values[params.n] = column->data;
                params.lengths[params.n] = (int)column->n;
                params.formats[params.n] = 1;
        }
        *ret_params = params;
        return 0;
}
