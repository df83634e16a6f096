#include <libpq-fe.h>

#include "db/first_of.h"
#include "db/read/reading_source.h"
#include "db/value.h"
#include "db/visible.h"

/* Who sees neither the vehicle nor the device of an alert does not see it. */
/* clang-format off */
#define ALERTS_ROWS                                                                    \
        "(SELECT a.*, acknowledged_at, acknowledged_by FROM alerts a"                  \
        "  LEFT JOIN LATERAL (SELECT acknowledged_at, acknowledged_by"                 \
        "    FROM alert_acks k WHERE k.journal_id = a.journal_id AND k.seq = a.seq"    \
        "     AND k.received_at = a.received_at) ack ON true) l"
#define ALERTS_WHERE(behind)                                                           \
        " AND ($11::text IS NULL OR severity = $11::text)"                             \
        " AND ($12::text IS NULL OR alert_type = $12::text)"                           \
        " AND ($13::boolean IS NULL"                                                   \
        "      OR (acknowledged_at IS NOT NULL) = $13::boolean)"                       \
        DB_IN_TIME behind
/* Of all that he sees, and he does not see all: by vehicle and by device. */
#define ALERTS_SOME "$10::bigint <> 0 AND $8::bigint = 0 AND $9::bigint = 0"
#define ALERTS_OF_VEHICLES "vehicle_id IN (" DB_VISIBLE_VEHICLES("$10::bigint") ")"

#define ALERTS_SQL(behind, sort, edge)                                                 \
        DB_DECLARE                                                                     \
        "SELECT" DB_PLACE("0") ","                                                     \
        "       vehicle_id, device_id, severity, alert_type, message, extra::text,"    \
        "       " DB_TO_US("acknowledged_at") ", acknowledged_by FROM ("               \
        "(SELECT * FROM " ALERTS_ROWS " WHERE NOT (" ALERTS_SOME ")"                   \
        "  AND ($8::bigint = 0 OR vehicle_id = $8::bigint)"                            \
        "  AND ($9::bigint = 0 OR device_id = $9::bigint)"                             \
        "  AND ($10::bigint = 0 OR " ALERTS_OF_VEHICLES                                \
        "       OR device_id IN (" DB_VISIBLE_DEVICES("$10::bigint") "))"              \
        ALERTS_WHERE(behind) sort DB_LIMIT ") UNION ALL "                              \
        DB_FIRST_OF(DB_VISIBLE_VEHICLES("$10::bigint"), ALERTS_ROWS, "vehicle_id",     \
                    " AND " ALERTS_SOME ALERTS_WHERE(behind), sort, edge, "$7::bigint") \
        " UNION ALL "                                                                  \
        DB_FIRST_OF(DB_VISIBLE_DEVICES("$10::bigint"), ALERTS_ROWS, "device_id",       \
                    " AND " ALERTS_SOME " AND (" ALERTS_OF_VEHICLES ") IS NOT TRUE"    \
                    ALERTS_WHERE(behind), sort, edge, "$7::bigint") ") l" sort DB_LIMIT
/* clang-format on */

enum {
        ALERTS_VEHICLE = DB_READING_OWN,
        ALERTS_DEVICE,
        ALERTS_SEVERITY,
        ALERTS_TYPE,
        ALERTS_MESSAGE,
        ALERTS_EXTRA,
        ALERTS_ACK_US,
        ALERTS_ACK_BY,
};

static void alerts_bind(DbReading *reading) {
        const History *history = reading->history;

        db_reading_bind_int(reading, history->vehicle_id);
        db_reading_bind_int(reading, history->device_id);
        db_reading_bind_int(reading, history->user_id);
        db_reading_bind_text(reading, history->severity);
        db_reading_bind_text(reading, history->alert_type);
        db_reading_bind_text(reading, history->acknowledged);
}

static void alerts_ack(const PGresult *rows, int row, JsonOut *out) {
        bool is_acknowledged = !PQgetisnull(rows, row, ALERTS_ACK_US);

        json_out_bool(out, "acknowledged", is_acknowledged);
        if (is_acknowledged)
                json_out_time(out, "acknowledged_at", db_value_int(rows, row, ALERTS_ACK_US));
        else
                json_out_null(out, "acknowledged_at");
        db_reading_text(out, "acknowledged_by", rows, row, ALERTS_ACK_BY);
}

static void alerts_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        db_reading_item(reading, rows, row, "alert", out);
        db_reading_json(out, "vehicle_id", rows, row, ALERTS_VEHICLE);
        db_reading_json(out, "device_id", rows, row, ALERTS_DEVICE);
        db_reading_text(out, "severity", rows, row, ALERTS_SEVERITY);
        db_reading_text(out, "alert_type", rows, row, ALERTS_TYPE);
        db_reading_text(out, "message", rows, row, ALERTS_MESSAGE);
        db_reading_json(out, "data", rows, row, ALERTS_EXTRA);
        alerts_ack(rows, row, out);
        json_out_object_end(out);
}

const DbReadingSource db_history_alerts = {
        .ascending = ALERTS_SQL(DB_BEHIND_UP("0"), DB_SORT_UP(""), DB_NOT_BEHIND_UP),
        .descending = ALERTS_SQL(DB_BEHIND_DOWN("0"), DB_SORT_DOWN(""), DB_NOT_BEHIND_DOWN),
        .bind = alerts_bind,
        .begin = db_reading_begin_list,
        .row = alerts_row,
};
