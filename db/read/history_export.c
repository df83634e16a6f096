#include <libpq-fe.h>

#include "db/read/page_source.h"
#include "db/read/reading_source.h"

/* Detections as the people counter exports them: CSV, RFC 4180, the newest first. */

/* clang-format off */
#define EXPORT_LOCAL(format) "to_char(time AT TIME ZONE $6::text, '" format "')"

/* Text, quoted where it has to be. What a spreadsheet would take for a formula gets an apostrophe
 * first, as they mark text; numbers stay as they are. */
#define EXPORT_QUOTED(cell)                                                                       \
        "CASE WHEN " cell " ~ '[\",\\r\\n]' THEN '\"' || replace(" cell ", '\"', '\"\"') || '\"'" \
        " ELSE " cell " END"
#define EXPORT_SAFE(cell) \
        "(CASE WHEN " cell " ~ '^[-=+@\\t\\r]' THEN '''' || " cell " ELSE " cell " END)"
#define EXPORT_TEXT(cell) EXPORT_QUOTED(EXPORT_SAFE(cell))

static const char export_sql[] = DB_DECLARE
        "SELECT concat_ws(',', " DB_PAGE_DETECTION_ID ", " EXPORT_TEXT("device_hash") ", rssi, zone,"
        "   tidegate_local_time(time, $6::text),"
        "   " EXPORT_TEXT("code") ","
        "   " EXPORT_LOCAL("YYYY-MM-DD") ", " EXPORT_LOCAL("HH24:MI:SS") ")"
        "  FROM (SELECT l.*, coalesce(d.code, 'id:' || device_id) AS code"
        "          FROM ble_detections l LEFT JOIN devices d ON d.id = device_id"
        "         WHERE ($4::bigint = 0 OR device_id = $4::bigint)"
        "           AND ($3::bigint = 0 OR device_id IN (" DB_VISIBLE_DEVICES("$3::bigint") "))"
        "           AND ($5::text IS NULL OR zone = $5::text)"
        "           AND received_at >= coalesce(" DB_US_RECEIVED("$1") ", '-infinity')"
        DB_IN_TIME ") AS x"
        " ORDER BY time DESC, seq DESC, item DESC";
/* clang-format on */

static void export_bind(DbReading *reading) {
        const History *history = reading->history;
        char timezone[DB_PAGE_ZONE_SIZE];

        db_reading_bind_time(reading, history->from_us);
        db_reading_bind_time(reading, history->to_us);
        db_reading_bind_int(reading, history->user_id);
        db_reading_bind_int(reading, history->device_id);
        db_reading_bind_text(reading, history->zone);
        db_page_zone(history->timezone, timezone);
        db_reading_bind_text(reading, timezone);
}

static int export_begin(DbReading *reading, JsonOut *out) {
        (void)reading;
        buf_append_string(out->buf,
                          "ID,Device Hash,RSSI (dBm),Zone,Timestamp,Device ID (IoT),Date,Time\r\n");
        return 0;
}

static void export_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        (void)reading;
        buf_append(out->buf, PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0));
        buf_append_string(out->buf, "\r\n");
}

static int export_end(DbReading *reading, JsonOut *out, bool *ret_is_last) {
        (void)reading;
        (void)out;
        *ret_is_last = true;
        return 0;
}

const DbReadingSource db_history_export = {
        .ascending = export_sql,
        .bind = export_bind,
        .begin = export_begin,
        .row = export_row,
        .end = export_end,
};
