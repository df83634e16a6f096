#include <libpq-fe.h>

#include "db/first_of.h"
#include "db/read/reading_source.h"
#include "db/visible.h"

/* clang-format off */
#define DETECTIONS_WHERE(behind)                                                      \
        " AND ($10::text IS NULL OR zone = $10::text)"                                \
        " AND ($11::text IS NULL OR device_hash = $11::text)" DB_IN_TIME behind

#define DETECTIONS_SQL(behind, sort, edge)                                            \
        DB_DECLARE                                                                    \
        "SELECT" DB_PLACE("item") ", device_id, device_hash, rssi, zone FROM ("       \
        DB_OF_DEVICES("ble_detections", DETECTIONS_WHERE(behind), sort, edge)         \
        ") l" sort DB_LIMIT
/* clang-format on */

enum {
        DETECTIONS_DEVICE = DB_READING_OWN,
        DETECTIONS_HASH,
        DETECTIONS_RSSI,
        DETECTIONS_ZONE,
};

static void detections_bind(DbReading *reading) {
        const History *history = reading->history;

        db_reading_bind_int(reading, history->device_id);
        db_reading_bind_int(reading, history->user_id);
        db_reading_bind_text(reading, history->zone);
        db_reading_bind_text(reading, history->device_hash);
}

static void detections_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        db_reading_item(reading, rows, row, "detection", out);
        db_reading_json(out, "item", rows, row, 2);
        db_reading_json(out, "device_id", rows, row, DETECTIONS_DEVICE);
        db_reading_text(out, "device_hash", rows, row, DETECTIONS_HASH);
        db_reading_json(out, "rssi", rows, row, DETECTIONS_RSSI);
        db_reading_text(out, "zone", rows, row, DETECTIONS_ZONE);
        json_out_object_end(out);
}

const DbReadingSource db_history_detections = {
        .ascending = DETECTIONS_SQL(DB_BEHIND_UP("item"), DB_SORT_UP(", item"), DB_NOT_BEHIND_UP),
        .descending = DETECTIONS_SQL(DB_BEHIND_DOWN("item"),
                                     DB_SORT_DOWN(", item DESC"),
                                     DB_NOT_BEHIND_DOWN),
        .bind = detections_bind,
        .begin = db_reading_begin_list,
        .row = detections_row,
};
