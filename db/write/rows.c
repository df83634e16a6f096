#include "db/write/rows.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "db/write/names.h"

enum {
        ROWS_SENSORS = 16384, /* pairs remembered; a power of two */
        ROWS_MAX_COLUMNS = DB_SHEET_MAX_PARAMS - 1,
};

typedef struct SensorSlot SensorSlot;

struct SensorSlot {
        int64_t vehicle_id; /* 0 = free */
        int32_t sensor_id;
};

struct DbRows {
        DbArray columns[DB_SHEET_COUNT][ROWS_MAX_COLUMNS];
        SensorSlot sensors[ROWS_SENSORS];
        DbNames names;
        Buf topic; /* scratch */
};

int db_rows_new(DbRows **ret_rows) {
        DbRows *rows = calloc(1, sizeof(*rows));

        if (!rows)
                return err_new(-ENOMEM);
        for (DbSheet i = 0; i < DB_SHEET_COUNT; ++i)
                for (size_t k = 0; db_sheet(i)->columns[k]; ++k)
                        db_array_init(&rows->columns[i][k], db_sheet_type(db_sheet(i)->columns[k]));
        *ret_rows = rows;
        return 0;
}

DbRows *db_rows_free(DbRows *rows) {
        if (!rows)
                return NULL;
        for (DbSheet i = 0; i < DB_SHEET_COUNT; ++i)
                for (size_t k = 0; k < ROWS_MAX_COLUMNS; ++k)
                        db_array_done(&rows->columns[i][k]);
        buf_done(&rows->topic);
        free(rows);
        return NULL;
}

void db_rows_reset(DbRows *rows) {
        for (DbSheet i = 0; i < DB_SHEET_COUNT; ++i)
                for (size_t k = 0; db_sheet(i)->columns[k]; ++k)
                        db_array_reset(&rows->columns[i][k]);
}

void db_rows_forget(DbRows *rows) {
        memset(rows->sensors, 0, sizeof(rows->sensors));
        db_names_forget(&rows->names);
}

/* The columns that every log table begins with. Returns the next one. */
static DbArray *rows_begin(DbRows *rows,
                           DbSheet sheet,
                           const Record *record,
                           int64_t time_us,
                           Text said_time) {
        DbArray *columns = rows->columns[sheet];

        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_time(&columns[1], record->received_us);
        db_array_time(&columns[2], time_us);
        db_array_bytes(&columns[3], said_time);
        return &columns[4];
}

static void rows_add_raw_log(DbRows *rows, const Record *record) {
        DbArray *columns =
                rows_begin(rows, DB_SHEET_RAW_LOGS, record, record->time_us, record->said_time);

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
        DbArray *columns =
                rows_begin(rows, DB_SHEET_SENSOR_LOGS, record, record->time_us, record->said_time);

        db_array_int(&columns[0], record->vehicle_id);
        db_array_int(&columns[1], record->sensor.sensor_id);
        db_array_bytes(&columns[2], record->data);
        rows_add_sensor(rows, record->vehicle_id, record->sensor.sensor_id);
}

#define ROWS_NUMBER(separator, name) db_array_double(columns++, log->name);
#define ROWS_TEXT(separator, name)   db_array_bytes(columns++, log->name);
#define ROWS_FLAG(separator, name)   db_array_bool(columns++, log->name);

static void rows_add_vehicle_log(DbRows *rows, const Record *record) {
        DbArray *columns =
                rows_begin(rows, DB_SHEET_VEHICLE_LOGS, record, record->time_us, record->said_time);
        const VehicleRecord *log = &record->vehicle_log;

        db_array_int(&columns[0], record->vehicle_id);
        db_array_bytes(&columns[1], log->extra);
        columns += 2;
        VEHICLE_LOG_EACH(ROWS_NUMBER, ROWS_TEXT, ROWS_FLAG)
}

/* Once all of the message is in the batch, or was in those before. */
static void rows_add_origin(DbRows *rows, const Origin *origin) {
        DbArray *columns = rows->columns[DB_SHEET_ORIGINS];

        if (origin->seq == 0 || !origin->is_whole)
                return;
        db_array_int(&columns[0], origin->device_id);
        db_array_int(&columns[1], (int64_t)origin->epoch);
        db_array_int(&columns[2], (int64_t)origin->seq);
}

/* Taken in again it is still of who brought it (gateway/store/letter.h). */
static void rows_add_topic(DbRows *rows, DbArray *column, const Record *record) {
        Text topic = record->topic.data ? record->topic : TEXT("");

        if (record->origin.device_id == 0) {
                db_array_lossy(column, topic);
                return;
        }
        buf_reset(&rows->topic);
        buf_printf(&rows->topic,
                   "$uplink/%s%lld/",
                   record->is_of_former ? "-" : "",
                   (long long)record->origin.device_id);
        buf_append_text(&rows->topic, topic);
        column->failed |= buf_failed(&rows->topic);
        db_array_lossy(column, buf_text(&rows->topic));
}

/* @item < 0: the whole message. */
static void rows_add_dead_letter(DbRows *rows,
                                 const Record *record,
                                 Reason reason,
                                 int item,
                                 Text detail,
                                 Text bytes) {
        DbArray *columns = rows->columns[DB_SHEET_DEAD_LETTERS];

        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_time(&columns[1], record_first_us(record));
        if (item < 0)
                db_array_null(&columns[2]);
        else
                db_array_int(&columns[2], item);
        db_array_bytes(&columns[3], text_of(reason_name(reason)));
        rows_add_topic(rows, &columns[4], record);
        db_array_lossy(&columns[5], detail);
        db_array_bytes(&columns[6], bytes.data ? bytes : TEXT(""));
        db_array_bytes(&columns[7], text_of(record->route));
        db_array_int(&columns[8], record->device_id);
        db_array_int(&columns[9], record->vehicle_id);
        db_array_lossy(&columns[10], record->device.data ? record->device : record->vehicle);
        db_array_id(&columns[11], record->element);
}

static void rows_add_name(DbRows *rows, const Record *record) {
        DbArray *columns = rows->columns[DB_SHEET_NAMES];
        const Text said[] = { record->said_name,
                              record->said_location,
                              record->said_maker,
                              record->said_model,
                              record->said_firmware };

        if (!db_names_are_news(&rows->names, record, clock_mono_us()))
                return;
        db_array_int(&columns[0], record->device_id);
        for (size_t i = 0; i < N_ELEMENTS(said); ++i)
                db_array_bytes(&columns[1 + i], said[i].n ? said[i] : (Text){ 0 });
}

static void rows_add_detections(DbRows *rows, const Record *record) {
        const DetectionsRecord *detections = &record->detections;

        for (size_t i = 0; i < detections->n_items; ++i) {
                const Detection *item = &detections->items[i];
                DbArray *columns;

                if (item->is_there)
                        continue;
                columns = rows_begin(rows,
                                     DB_SHEET_BLE_DETECTIONS,
                                     record,
                                     item->time_us,
                                     item->said_time);
                db_array_int(&columns[0], record->device_id);
                db_array_int(&columns[1], (int64_t)i);
                db_array_bytes(&columns[2], text_of(item->device_hash));
                db_array_double(&columns[3], item->rssi);
                db_array_bytes(&columns[4], text_of(item->zone));
        }
        if (record_leaves_out(record, RECORD_LETTER))
                return;
        for (size_t i = 0; i < detections->n_set_aside; ++i)
                if (!detections->set_aside[i].is_there)
                        rows_add_dead_letter(rows,
                                             record,
                                             detections->set_aside[i].reason,
                                             (int)i,
                                             detections->set_aside[i].detail,
                                             detections->set_aside[i].bytes);
}

static void rows_add_merged(DbRows *rows, const Record *record) {
        DbArray *columns = rows->columns[DB_SHEET_MERGED];

        if (!record->merged.data || record_leaves_out(record, RECORD_MERGED))
                return;
        db_array_int(&columns[0], record->device_id);
        db_array_int(&columns[1], (int64_t)record->merged_seq);
        db_array_time(&columns[2], record->received_us);
        db_array_bytes(&columns[3], record->merged);
}

static void rows_add_telemetry(DbRows *rows, const Record *record) {
        DbArray *columns =
                rows_begin(rows, DB_SHEET_TELEMETRY, record, record->time_us, record->said_time);

        db_array_int(&columns[0], record->device_id);
        db_array_bytes(&columns[1], record->data);
        rows_add_merged(rows, record);
}

static void rows_add_camera_event(DbRows *rows, const Record *record) {
        DbArray *columns = rows_begin(rows,
                                      DB_SHEET_CAMERA_EVENTS,
                                      record,
                                      record->time_us,
                                      record->said_time);

        db_array_int(&columns[0], record->device_id);
        db_array_bytes(&columns[1], record->camera.event_type);
        db_array_bytes(&columns[2], record->camera.person_name);
        db_array_double(&columns[3], record->camera.confidence);
        db_array_bytes(&columns[4], record->data);
}

static void rows_add_alert(DbRows *rows, const Record *record) {
        DbArray *columns =
                rows_begin(rows, DB_SHEET_ALERTS, record, record->time_us, record->said_time);
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
        DbArray *columns =
                rows_begin(rows, DB_SHEET_STATUS_LOGS, record, record->time_us, record->said_time);
        const StatusRecord *status = &record->status;

        db_array_int(&columns[0], record->device_id);
        db_array_bytes(&columns[1], status->status);
        db_array_double(&columns[2], status->temperature);
        db_array_double(&columns[3], status->humidity);
        db_array_double(&columns[4], status->latitude);
        db_array_double(&columns[5], status->longitude);
        db_array_bool(&columns[6], record->late ? 1 : 0);
        db_array_bytes(&columns[7], status->extra);
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
        db_array_bytes(&columns[4], record->said_time);
        db_array_int(&columns[5], record->device_id);
        db_array_bytes(&columns[6], record->ack.command_id);
        db_array_bytes(&columns[7], db_rows_state(&record->ack));
        db_array_bytes(&columns[8], record->ack.message);
        rows_add_topic(rows, &columns[9], record);
        db_array_bytes(&columns[10], record->payload.data ? record->payload : TEXT(""));
        db_array_bytes(&columns[11], text_of(record->route));
        db_array_id(&columns[12], record->element);
}

static void rows_add_note(DbRows *rows, const Record *record, const RecordNote *note) {
        DbArray *columns = rows->columns[DB_SHEET_ROW_NOTES];

        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_time(&columns[1], record->received_us);
        db_array_bytes(&columns[2], text_of(kind_name(record->kind)));
        db_array_lossy(&columns[3], record->topic.data ? record->topic : TEXT(""));
        db_array_lossy(&columns[4], text_of(record->route));
        db_array_int(&columns[5], record->device_id);
        db_array_int(&columns[6], record->vehicle_id);
        db_array_lossy(&columns[7], note->member.data ? note->member : TEXT(""));
        db_array_bytes(&columns[8], text_of(reason_name(note->reason)));
        db_array_lossy(&columns[9], note->detail);
}

/* What is left out is about all of the message. */
static void rows_add_notes(DbRows *rows, const Record *record) {
        const RecordNote left_out = { .reason = REASON_DB_REJECTED,
                                      .detail = record->left_out_detail };

        if (record_leaves_out(record, RECORD_NOTES))
                return;
        for (size_t i = 0; i < record->n_notes; ++i)
                rows_add_note(rows, record, &record->notes[i]);
        if (record->left_out != 0)
                rows_add_note(rows, record, &left_out);
}

/* Also of what leaves no row: what it said may count for what comes later. */
static void rows_add_birth(DbRows *rows, const Record *record) {
        DbArray *columns = rows->columns[DB_SHEET_BIRTHS];
        Text said;

        if (!record->birth.data || record_leaves_out(record, RECORD_BIRTH))
                return;
        db_array_bytes(&columns[0], record->birth);
        db_array_int(&columns[1], (int64_t)record->seq);
        db_array_time(&columns[2], record->received_us);
        said = record->birth_said.data ? record->birth_said : record->payload;
        db_array_bytes(&columns[3], said.data ? said : TEXT(""));
}

static void rows_add_clock(DbRows *rows, const Record *record) {
        DbArray *columns = rows->columns[DB_SHEET_CLOCKS];

        if (!record->notes_clock || record_leaves_out(record, RECORD_CLOCK))
                return;
        db_array_int(&columns[0], record->vehicle_id);
        db_array_bytes(&columns[1], text_of(clock_verdict_name(record->clock.verdict)));
        if (device_clock_has_offset(&record->clock))
                db_array_int(&columns[2], record->clock.offset_us / 1000);
        else
                db_array_null(&columns[2]);
}

static void rows_add_outcome(DbRows *rows, const Record *record, const char *outcome) {
        DbArray *columns = rows->columns[DB_SHEET_REPLAYS];

        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_int(&columns[1], record->letter_id);
        db_array_bytes(&columns[2], text_of(outcome));
}

static void rows_add_letter(DbRows *rows, const Record *record) {
        DbArray *columns = rows->columns[DB_SHEET_LETTERS];
        const char *outcome = "stored";

        if (record->letter_stays && !record->duplicate)
                return;
        if (record_keeps_letter(record))
                outcome = "kept";
        else if (record->ignored && record->letter_id != 0 && !record->letter_stays)
                outcome = record->route ? "empty" : "gone";
        else if (record->duplicate)
                outcome = "duplicate";
        else if (record->reason != REASON_NONE)
                outcome = reason_name(record->reason);
        else if (record->kind == KIND_COMMAND_ACK)
                outcome = kind_name(record->kind);
        db_array_int(&columns[0], (int64_t)record->seq);
        db_array_int(&columns[1], record->letter_id);
        db_array_bytes(&columns[2], text_of(outcome));
        db_array_time(&columns[3], record_first_us(record));
        if (strcmp(outcome, "duplicate") != 0 && !record_leaves_out(record, RECORD_OUTCOME))
                rows_add_outcome(rows, record, outcome);
}

/* What is a letter, or not even that. */
static bool rows_add_no_row(DbRows *rows, const Record *record) {
        if (record_keeps_letter(record))
                return true;
        if (record_is_refused(record)) {
                db_array_int(&rows->columns[DB_SHEET_REFUSED][0], (int64_t)record->seq);
                return true;
        }
        if (record->reason == REASON_NONE)
                return false;
        rows_add_dead_letter(rows, record, record->reason, -1, record->detail, record->payload);
        return true;
}

void db_rows_add(DbRows *rows, const Record *record, size_t index) {
        rows_add_origin(rows, &record->origin);
        if (record->is_there)
                return;
        if (record->letter_id != 0 || record->duplicate)
                rows_add_letter(rows, record);
        rows_add_birth(rows, record);
        if (record->duplicate)
                return;
        rows_add_clock(rows, record);
        if (rows_add_no_row(rows, record))
                return;
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
        rows_add_name(rows, record);
        rows_add_notes(rows, record);
}

/* In how many tables something of it is written. */
static int rows_n_tables(const DetectionsRecord *detections) {
        bool has_items = false, has_letters = false;

        for (size_t i = 0; i < detections->n_items; ++i)
                has_items |= !detections->items[i].is_there;
        for (size_t i = 0; i < detections->n_set_aside; ++i)
                has_letters |= !detections->set_aside[i].is_there;
        return has_items + has_letters;
}

/* A list of detections is in two tables if some of it is good and some is not, and in none if it is
 * empty. */
int db_rows_without(const Record *record) {
        const DetectionsRecord *detections = &record->detections;

        if (record->is_there || record->duplicate || record_keeps_letter(record))
                return 1;
        if (record->reason != REASON_NONE || record->kind != KIND_BLE_DETECTIONS)
                return 0;
        if (record_leaves_out(record, RECORD_LETTER)) /* with its good ones, or as refused */
                return 0;
        return 1 - rows_n_tables(detections);
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
        db_array_bytes(&columns[8], text_of(clock_verdict_name(state->clock.verdict)));
        if (device_clock_has_offset(&state->clock))
                db_array_int(&columns[9], state->clock.offset_us / 1000);
        else
                db_array_null(&columns[9]);
        db_array_time(&columns[10], state->clock_set_us);
        db_array_time(&columns[11], state->status_us);
}

bool db_rows_has(const DbRows *rows, DbSheet sheet) {
        return rows->columns[sheet][0].n_items > 0 || rows->columns[sheet][0].failed;
}

int db_rows_params(DbRows *rows, DbSheet sheet, const uint32_t *journal_id, DbParams *ret_params) {
        DbParams params = { 0 };
        int r;

        if (db_sheet(sheet)->has_journal) {
                params.values[0] = (const char *)journal_id;
                params.lengths[0] = sizeof(*journal_id);
                params.formats[0] = 1;
                params.n = 1;
        }
        for (size_t k = 0; db_sheet(sheet)->columns[k]; ++k, ++params.n) {
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
