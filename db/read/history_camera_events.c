#include <libpq-fe.h>

#include "db/first_of.h"
#include "db/read/reading_source.h"
#include "db/visible.h"

/* An event stays when its camera is deleted; then it has no code, and is seen by admins alone. */
/* clang-format off */
#define CAMERA_EVENTS_WHERE(behind)                                                   \
        " AND ($10::text IS NULL OR event_type = $10::text)" DB_IN_TIME behind

#define CAMERA_EVENTS_SQL(behind, sort, edge)                                         \
        DB_DECLARE                                                                    \
        "SELECT" DB_PLACE("0") ","                                                    \
        "  device_id, (SELECT code FROM devices d WHERE d.id = l.device_id), event_type," \
        "  data::text FROM ("                                                         \
        DB_OF_DEVICES("camera_events", CAMERA_EVENTS_WHERE(behind), sort, edge)       \
        ") l" sort DB_LIMIT
/* clang-format on */

enum {
        CAMERA_EVENTS_DEVICE = DB_READING_OWN,
        CAMERA_EVENTS_CODE,
        CAMERA_EVENTS_TYPE,
        CAMERA_EVENTS_DATA,
};

static void camera_events_bind(DbReading *reading) {
        const History *history = reading->history;

        db_reading_bind_int(reading, history->device_id);
        db_reading_bind_int(reading, history->user_id);
        db_reading_bind_text(reading, history->event_type);
}

static void camera_events_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        db_reading_item(reading, rows, row, "camera_event", out);
        db_reading_json(out, "device_id", rows, row, CAMERA_EVENTS_DEVICE);
        db_reading_text(out, "camera_id", rows, row, CAMERA_EVENTS_CODE);
        db_reading_text(out, "event_type", rows, row, CAMERA_EVENTS_TYPE);
        db_reading_json(out, "data", rows, row, CAMERA_EVENTS_DATA);
        json_out_object_end(out);
}

const DbReadingSource db_history_camera_events = {
        .ascending = CAMERA_EVENTS_SQL(DB_BEHIND_UP("0"), DB_SORT_UP(""), DB_NOT_BEHIND_UP),
        .descending = CAMERA_EVENTS_SQL(DB_BEHIND_DOWN("0"), DB_SORT_DOWN(""), DB_NOT_BEHIND_DOWN),
        .bind = camera_events_bind,
        .begin = db_reading_begin_list,
        .row = camera_events_row,
};
