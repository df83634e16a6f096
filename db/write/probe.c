#include "db/write/probe.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "db/array.h"

#define PROBE_ID_SIZE 24

/* $1 = our journal, $2 = when the record was received, $3 = its vehicle or device, $4 = the first
 * candidate that counts. */
#define PROBE_RECEIVED "(timestamptz 'epoch' + $2::bigint * interval '1 microsecond')"
#define PROBE_LATELY   "received_at >= " PROBE_RECEIVED " - interval '1 day'"

#define PROBE_OTHER_OF(things)                                                     \
        "(SELECT id AS whose FROM (SELECT id FROM " things " LIMIT 1000) AS first" \
        " WHERE id <> $3::bigint ORDER BY random() LIMIT 1)"

/* Candidates: a row of another one, a row of its own, plain ones of another and of its own. */
#define PROBE(table, key, columns, others, plain)                                                \
        "INSERT INTO " table " (journal_id, seq, received_at, time, " columns ")"                \
        " SELECT $1::integer, 0, " PROBE_RECEIVED ", time, " columns " FROM ("                   \
        "(SELECT * FROM (SELECT time, " columns ", 0 AS nth FROM " table " WHERE " PROBE_LATELY  \
        " LIMIT 1000) AS first WHERE " key " <> $3::bigint ORDER BY random() LIMIT 1)"           \
        " UNION ALL (SELECT time, " columns ", 1 FROM " table " WHERE " PROBE_LATELY " AND " key \
        " = $3::bigint LIMIT 1)"                                                                 \
        " UNION ALL SELECT " PROBE_RECEIVED ", " plain ", 2 FROM " PROBE_OTHER_OF(               \
                others) " AS other"                                                              \
                        " UNION ALL SELECT " PROBE_RECEIVED ", " plain                           \
                        ", 3 FROM (SELECT $3::bigint AS whose) AS own"                           \
                        ") AS known WHERE nth >= $4::integer ORDER BY nth LIMIT 1"

#define PROBE_NULL(separator, name) separator " NULL"

static const char *const probes[KIND_COUNT] = {
        [KIND_RAW_LOG] =
                PROBE("raw_logs", "vehicle_id", "vehicle_id, logs", "vehicles", "whose, ''"),
        [KIND_SENSOR_LOG] =
                "WITH made AS (INSERT INTO sensors (vehicle_id, sensor_id) SELECT whose, 0 FROM"
                " (SELECT whose, 0 AS nth FROM " PROBE_OTHER_OF(
                        "vehicles") " AS other"
                                    " UNION ALL SELECT id, 1 FROM vehicles WHERE id = $3::bigint) "
                                    "AS known"
                                    " WHERE $4::integer < 3 OR nth = 1 ORDER BY nth LIMIT 1 ON "
                                    "CONFLICT DO NOTHING) " PROBE("sensor_logs",
                                                                  "vehicle_id",
                                                                  "vehicle_id, sensor_id, data",
                                                                  "vehicles",
                                                                  "whose, 0, '{}'::jsonb"),
        [KIND_VEHICLE_LOG] =
                PROBE("vehicle_logs",
                      "vehicle_id",
                      "vehicle_id, extra," VEHICLE_LOG_COLUMNS,
                      "vehicles",
                      "whose, NULL," VEHICLE_LOG_EACH(PROBE_NULL, PROBE_NULL, PROBE_NULL)),
        [KIND_BLE_DETECTIONS] = PROBE("ble_detections",
                                      "device_id",
                                      "device_id, item, device_hash, rssi, zone",
                                      "devices",
                                      "whose, 0, repeat('0', 64), -50, 'near'"),
        [KIND_TELEMETRY] = PROBE("telemetry",
                                 "device_id",
                                 "device_id, payload",
                                 "devices",
                                 "whose, '{}'::json"),
        [KIND_CAMERA_EVENT] = PROBE("camera_events",
                                    "device_id",
                                    "device_id, event_type, person_name, confidence, data",
                                    "devices",
                                    "whose, 'motion_detected', NULL, NULL, NULL"),
        [KIND_ALERT] =
                PROBE("alerts",
                      "coalesce(vehicle_id, device_id, 0)",
                      "vehicle_id, device_id, severity, alert_type, message, source, latitude,"
                      " longitude, extra",
                      "devices",
                      "NULL, NULL, 'info', NULL, NULL, NULL, NULL, NULL, NULL"),
        [KIND_DEVICE_STATUS] =
                PROBE("device_status_logs",
                      "device_id",
                      "device_id, status, temperature, humidity, latitude, longitude, late, extra",
                      "devices",
                      "whose, 'online', NULL, NULL, NULL, NULL, false, NULL"),
        [KIND_COMMAND_ACK] =
                "WITH moved AS (UPDATE commands SET state = state, message = message,"
                " updated_at = now() WHERE command_id = (SELECT command_id FROM commands LIMIT "
                "1)) " PROBE("command_events",
                             "device_id",
                             "device_id, user_id, command_id, state, message",
                             "devices",
                             "whose, NULL, 'probe', 'executing', NULL"),
};

/* What there is one of, of each thing: written over, as the real one is. */
#define PROBE_BESIDE(table, key, columns, others, own, plain, update)                            \
        "INSERT INTO " table " AS t (" key ", " columns ") SELECT whose, " columns " FROM ("     \
        "(SELECT " key " AS whose, " columns ", 0 AS nth FROM (SELECT * FROM " table             \
        " LIMIT 1000) AS first WHERE " key " <> " own " ORDER BY random() LIMIT 1)"              \
        " UNION ALL SELECT " key ", " columns ", 1 FROM " table " WHERE " key " = " own          \
        " UNION ALL SELECT whose, " plain ", 2 FROM " others " AS other"                         \
        " UNION ALL SELECT " own ", " plain ", 3) AS known WHERE nth >= $4 ORDER BY nth LIMIT 1" \
        " ON CONFLICT (" key ") DO UPDATE SET " update

#define PROBE_LETTER "item, reason, topic, detail, payload, route, device, element"

#define PROBE_NOTE "kind, topic, route, device_id, vehicle_id, member, reason, detail"

/* $5 = whose birth, $6 = the vehicle that a note is about, $3 = the device. */
static const char *const sides[RECORD_SIDES] = {
        [RECORD_NOTES] =
                "WITH known AS MATERIALIZED (SELECT * FROM ("
                "(SELECT " PROBE_NOTE ", 0 AS nth FROM (SELECT * FROM row_notes WHERE " PROBE_LATELY
                " LIMIT 1000) AS first WHERE coalesce(device_id, 0) <> $3"
                " OR coalesce(vehicle_id, 0) <> $6 ORDER BY random() LIMIT 1)"
                " UNION ALL (SELECT " PROBE_NOTE ", 1 FROM row_notes WHERE " PROBE_LATELY
                " AND coalesce(device_id, 0) = $3 AND coalesce(vehicle_id, 0) = $6 LIMIT 1)"
                " UNION ALL SELECT 'telemetry', '', NULL, whose, 0, '', 'out_of_range', NULL, 2"
                " FROM " PROBE_OTHER_OF(
                        "devices") " AS other"
                                   " UNION ALL SELECT 'telemetry', '', NULL, $3, $6, '', "
                                   "'out_of_range', NULL, 3"
                                   ") AS each WHERE nth >= $4 ORDER BY nth LIMIT 1),"
                                   " counted AS (INSERT INTO row_note_days AS d"
                                   " (day, device_id, vehicle_id, kept, left_out)"
                                   " SELECT (" PROBE_RECEIVED
                                   " AT TIME ZONE 'UTC')::date, coalesce(device_id, 0),"
                                   " coalesce(vehicle_id, 0), 1, 0 FROM known"
                                   " ON CONFLICT (day, device_id, vehicle_id) DO UPDATE SET kept = "
                                   "d.kept + 1)"
                                   " INSERT INTO row_notes (journal_id, seq, "
                                   "received_at, " PROBE_NOTE ")"
                                   " SELECT $1, 0, " PROBE_RECEIVED
                                   ", kind, topic, route, nullif(device_id, 0),"
                                   " nullif(vehicle_id, 0), member, reason, detail FROM known",
        [RECORD_BIRTH] = PROBE_BESIDE("sparkplug_births",
                                      "thing",
                                      "seq, received_at, payload",
                                      "(SELECT $5 || '/probe' AS whose)",
                                      "$5",
                                      "0, now(), ''::bytea",
                                      "payload = EXCLUDED.payload"),
        [RECORD_MERGED] = PROBE_BESIDE("merged_telemetry",
                                       "device_id",
                                       "seq, received_at, payload",
                                       PROBE_OTHER_OF("devices"),
                                       "$3",
                                       "0, now(), '{}'::json",
                                       "payload = EXCLUDED.payload"),
        [RECORD_CLOCK] = PROBE_BESIDE("vehicle_clocks",
                                      "vehicle_id",
                                      "clock, clock_offset",
                                      PROBE_OTHER_OF("vehicles"),
                                      "$3",
                                      "'ok', 0",
                                      "clock = EXCLUDED.clock, updated_at = now()"),
        [RECORD_LETTER] =
                "INSERT INTO dead_letters (journal_id, seq, received_at, " PROBE_LETTER ")"
                " SELECT $1, 0, " PROBE_RECEIVED ", " PROBE_LETTER " FROM ("
                "(SELECT " PROBE_LETTER
                ", 0 AS nth FROM (SELECT * FROM dead_letters WHERE " PROBE_LATELY
                " LIMIT 1000) AS first ORDER BY random() LIMIT 1)"
                " UNION ALL (SELECT " PROBE_LETTER ", 1 FROM dead_letters WHERE " PROBE_LATELY
                " ORDER BY received_at DESC LIMIT 1)"
                " UNION ALL SELECT NULL, 'no_route', '', NULL, ''::bytea, NULL, NULL, NULL, 2"
                " UNION ALL SELECT NULL, 'no_route', 'probe', 'probe', 'probe'::bytea, 'probe',"
                " 'probe', NULL, 3) AS known WHERE nth >= $4 ORDER BY nth LIMIT 1",
};

static const Oid probe_types[] = { DB_TYPE_INT4, DB_TYPE_INT8, DB_TYPE_INT8,
                                   DB_TYPE_INT4, DB_TYPE_TEXT, DB_TYPE_INT8 };

static int64_t probe_whose(const Record *record, RecordSide side) {
        bool is_vehicles = record->kind == KIND_RAW_LOG || record->kind == KIND_SENSOR_LOG ||
                           record->kind == KIND_VEHICLE_LOG;

        if (side == RECORD_CLOCK || (side == RECORD_ROW && is_vehicles))
                return record->vehicle_id;
        if (side == RECORD_ROW && !record->device_id)
                return record->vehicle_id;
        return record->device_id;
}

bool db_probe_send(DbConn *conn,
                   const Record *record,
                   uint32_t journal_id,
                   int nth,
                   RecordSide side) {
        Kind kind = record->kind == KIND_COMMAND_STATE ? KIND_COMMAND_ACK : record->kind;
        bool has_first = side == RECORD_ROW || side == RECORD_LETTER;
        int64_t received_us = has_first ? record_first_us(record) : record->received_us;
        char journal[PROBE_ID_SIZE], received[PROBE_ID_SIZE], id[PROBE_ID_SIZE];
        char first[PROBE_ID_SIZE], vehicle[PROBE_ID_SIZE];
        const char *const values[] = { journal, received, id, first, record->birth.data, vehicle };
        const int lengths[] = { 0, 0, 0, 0, (int)record->birth.n, 0 };
        const int formats[] = { 0, 0, 0, 0, 1, 0 };

        assert(side != RECORD_ROW || (kind < KIND_COUNT && probes[kind]));
        snprintf(journal, sizeof(journal), "%lu", (unsigned long)journal_id);
        snprintf(received, sizeof(received), "%lld", (long long)received_us);
        snprintf(id, sizeof(id), "%lld", (long long)probe_whose(record, side));
        snprintf(first, sizeof(first), "%d", nth);
        snprintf(vehicle, sizeof(vehicle), "%lld", (long long)record->vehicle_id);
        return PQsendQueryParams(db_conn_pg(conn),
                                 side == RECORD_ROW ? probes[kind] : sides[side],
                                 (int)N_ELEMENTS(values),
                                 probe_types,
                                 values,
                                 lengths,
                                 formats,
                                 0) == 1;
}
