#include "db/write/probe.h"

#include <libpq-fe.h>
#include <stdio.h>

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

bool db_probe_send(DbConn *conn, const Record *record, uint32_t journal_id, int nth) {
        Kind kind = record->kind == KIND_COMMAND_STATE ? KIND_COMMAND_ACK : record->kind;
        int64_t whose = record->device_id ? record->device_id : record->vehicle_id;
        char journal[PROBE_ID_SIZE], received[PROBE_ID_SIZE], id[PROBE_ID_SIZE];
        char first[PROBE_ID_SIZE];
        const char *const values[] = { journal, received, id, first };

        if (kind == KIND_RAW_LOG || kind == KIND_SENSOR_LOG || kind == KIND_VEHICLE_LOG)
                whose = record->vehicle_id;
        assert(kind < KIND_COUNT && probes[kind]);
        snprintf(journal, sizeof(journal), "%lu", (unsigned long)journal_id);
        snprintf(received, sizeof(received), "%lld", (long long)record_first_us(record));
        snprintf(id, sizeof(id), "%lld", (long long)whose);
        snprintf(first, sizeof(first), "%d", nth);
        return PQsendQueryParams(db_conn_pg(conn),
                                 probes[kind],
                                 (int)N_ELEMENTS(values),
                                 NULL,
                                 values,
                                 NULL,
                                 NULL,
                                 0) == 1;
}
