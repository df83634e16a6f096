#include <libpq-fe.h>

#include "db/read/reading_source.h"
#include "db/value.h"

/* ---- the rows ------------------------------------------------------------------------------ */

/* clang-format off: as it would stand in psql */
#define TELEMETRY_SQL(behind, order)                \
        DB_DECLARE                                  \
        "SELECT" DB_PLACE("0") ", payload::text"    \
                               "  FROM telemetry l" \
                               " WHERE device_id = $8::bigint" DB_IN_TIME behind order
/* clang-format on */

static void telemetry_bind(DbReading *reading) {
        db_reading_bind_int(reading, reading->history->device_id);
}

static void telemetry_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        db_reading_item(reading, rows, row, "telemetry", out);
        json_out_int(out, "device_id", reading->history->device_id);
        db_reading_json(out, "data", rows, row, DB_READING_OWN);
        json_out_object_end(out);
}

const DbReadingSource db_history_telemetry = {
        .ascending = TELEMETRY_SQL(DB_BEHIND_UP("0"), DB_ORDER_UP("")),
        .descending = TELEMETRY_SQL(DB_BEHIND_DOWN("0"), DB_ORDER_DOWN("")),
        .bind = telemetry_bind,
        .begin = db_reading_begin_list,
        .row = telemetry_row,
};

/* ---- averages ------------------------------------------------------------------------------ */

/* An average is a sum and a count: avg() fails where the square of a value is too large. */
/* clang-format off */
static const char averages_sql[] = DB_DECLARE
        "WITH rows AS (SELECT date_bin($4::bigint * interval '1us', time, timestamptz 'epoch')"
        "                     AS bucket, payload"
        "                FROM telemetry WHERE device_id = $3::bigint" DB_IN_TIME "),"
        " counts AS (SELECT bucket, count(*) AS n FROM rows GROUP BY bucket),"
        " numbers AS (SELECT bucket, key, tidegate_series_number(v) AS x"
        "               FROM (SELECT bucket, m.key, m.value::text AS v"
        "                       FROM rows, json_each(payload) m"
        "                      WHERE json_typeof(payload) = 'object'"
        "                        AND json_typeof(m.value) = 'number') n),"
        " averages AS (SELECT bucket, key, sum(x) / count(x) AS average"
        "                FROM numbers WHERE x IS NOT NULL GROUP BY bucket, key),"
        " objects AS (SELECT bucket, json_object_agg(key, average ORDER BY key) AS data"
        "               FROM averages GROUP BY bucket)"
        " SELECT " DB_TO_US(
                "bucket") ", n, coalesce(data, '{}')::text"
                          "   FROM counts LEFT JOIN objects USING (bucket) ORDER BY bucket";
/* clang-format on */

static void averages_bind(DbReading *reading) {
        db_reading_bind_time(reading, reading->history->from_us);
        db_reading_bind_time(reading, reading->history->to_us);
        db_reading_bind_int(reading, reading->history->device_id);
        db_reading_bind_int(reading, reading->history->interval_us);
}

static int averages_begin(DbReading *reading, JsonOut *out) {
        json_out_object(out, NULL);
        json_out_int(out, "device_id", reading->history->device_id);
        json_out_double(out, "interval_seconds", (double)reading->history->interval_us / 1e6);
        json_out_array(out, "items");
        return 0;
}

static void averages_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        (void)reading;
        json_out_object(out, NULL);
        json_out_time(out, "timestamp", db_value_int(rows, row, 0));
        db_reading_json(out, "count", rows, row, 1);
        db_reading_json(out, "data", rows, row, 2);
        json_out_object_end(out);
}

static int averages_end(DbReading *reading, JsonOut *out, bool *ret_is_last) {
        (void)reading;
        json_out_array_end(out);
        json_out_object_end(out);
        *ret_is_last = true;
        return 0;
}

const DbReadingSource db_history_averages = {
        .ascending = averages_sql,
        .bind = averages_bind,
        .begin = averages_begin,
        .row = averages_row,
        .end = averages_end,
};
