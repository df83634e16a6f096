#include <libpq-fe.h>

#include "db/read/reading_source.h"
#include "db/read/vehicle_log_json.h"
#include "db/value.h"
#include "model/record.h"

/*
 * What a vehicle has sent, of several kinds in one order. Each table gives as many rows as a page
 * has, and the merge takes the first of them: a page costs the newest day of each table, not its
 * history.
 */

/* clang-format off: as it would stand in psql */
/* @columns: sensor_id, message, alert_type, severity, data, device_id; made of the rows that are
 * left. */
#define LOGS_PART(table, kind, columns, behind, order)                                         \
        " (SELECT " kind " AS kind, journal_id, seq, received_at, time, device_time, " columns \
        "   FROM (SELECT * FROM " table                                                        \
        "          WHERE vehicle_id = $8::bigint AND ($9::int & (1 << " kind                   \
        ")) <> 0" DB_IN_TIME behind order ") " table ")"

#define LOGS_SQL(behind, order)                                                                                                                                                       \
        DB_DECLARE                                                                                                                                                                    \
        "SELECT" DB_PLACE(                                                                                                                                                            \
                "0") ", kind, sensor_id, message, alert_type, severity, data,"                                                                                                        \
                     "       device_id"                                                                                                                                               \
                     "  FROM (" LOGS_PART(                                                                                                                                            \
                             "raw_logs",                                                                                                                                              \
                             "2",                                                                                                                                                     \
                             "NULL::int AS sensor_id, logs AS message, NULL AS alert_type,"                                                                                           \
                             " NULL AS severity, NULL AS data, NULL::bigint AS device_id",                                                                                            \
                             behind,                                                                                                                                                  \
                             order) " UNION ALL" LOGS_PART("sensor_logs",                                                                                                             \
                                                           "3",                                                                                                                       \
                                                           "sensor_id, NULL, NULL, NULL, "                                                                                            \
                                                           "data::text, NULL",                                                                                                        \
                                                           behind,                                                                                                                    \
                                                           order) " UNION ALL" LOGS_PART("vehicle"                                                                                    \
                                                                                         "_logs",                                                                                     \
                                                                                         "4",                                                                                         \
                                                                                         "NULL, "                                                                                     \
                                                                                         "NULL, "                                                                                     \
                                                                                         "NULL, "                                                                                     \
                                                                                         "NULL,"                                                                                      \
                                                                                         " " DB_VEHICLE_LOG_JSON                                                                      \
                                                                                         ", NULL",                                                                                    \
                                                                                         behind,                                                                                      \
                                                                                         order) " UNION ALL" LOGS_PART("alerts",                                                      \
                                                                                                                       "8",                                                           \
                                                                                                                       "NULL, message, alert_type, severity, extra::text, device_id", \
                                                                                                                       behind,                                                        \
                                                                                                                       order) ") l" order
/* clang-format on */

_Static_assert(KIND_RAW_LOG == 2 && KIND_SENSOR_LOG == 3 && KIND_VEHICLE_LOG == 4 &&
                       KIND_ALERT == 8,
               "the kinds are numbers in the SQL above");

enum {
        LOGS_KIND = DB_READING_OWN,
        LOGS_SENSOR,
        LOGS_MESSAGE,
        LOGS_ALERT_TYPE,
        LOGS_SEVERITY,
        LOGS_EXTRA,
        LOGS_DEVICE,
};

static void logs_bind(DbReading *reading) {
        db_reading_bind_int(reading, reading->history->vehicle_id);
        db_reading_bind_int(reading, reading->history->kinds);
}

static void logs_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        Kind kind = (Kind)db_value_int(rows, row, LOGS_KIND);

        db_reading_item(reading, rows, row, kind_name(kind), out);
        json_out_int(out, "vehicle_id", reading->history->vehicle_id);
        switch (kind) {
        case KIND_RAW_LOG:
                db_reading_text(out, "data", rows, row, LOGS_MESSAGE);
                break;
        case KIND_ALERT:
                db_reading_json(out, "device_id", rows, row, LOGS_DEVICE);
                db_reading_text(out, "severity", rows, row, LOGS_SEVERITY);
                db_reading_text(out, "alert_type", rows, row, LOGS_ALERT_TYPE);
                db_reading_text(out, "message", rows, row, LOGS_MESSAGE);
                db_reading_json(out, "data", rows, row, LOGS_EXTRA);
                break;
        default:
                if (kind == KIND_SENSOR_LOG)
                        db_reading_json(out, "sensor_id", rows, row, LOGS_SENSOR);
                db_reading_json(out, "data", rows, row, LOGS_EXTRA);
        }
        json_out_object_end(out);
}

const DbReadingSource db_history_logs = {
        .ascending = LOGS_SQL(DB_BEHIND_UP("0"), DB_ORDER_UP("")),
        .descending = LOGS_SQL(DB_BEHIND_DOWN("0"), DB_ORDER_DOWN("")),
        .bind = logs_bind,
        .begin = db_reading_begin_list,
        .row = logs_row,
};
