#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/read/reading_source.h"
#include "db/value.h"
#include "model/vehicle_log.h"

/*
 * One number over time, as a chart of so many columns draws it without being off by a pixel: of
 * each column the first, the least, the greatest and the last point (M4: Jugel et al., VLDB 2014).
 *
 * The points and the cursor at which live goes on are of one snapshot, in which the position says
 * up to which number everything is stored: what is not among the points comes behind the cursor.
 */

DEFINE_CLEANUP(PGresult *, PQclear);

/* What is ahead of the clock was received in this time: it is believed up to a day (time.ahead). */
#define SERIES_RECENT_US (2 * INT64_C(86400000000))

enum {
        SERIES_COLUMNS = 9, /* a time and a value of four points, and how many there are */
        SERIES_HOUR = 3600,
        SERIES_TENS = 600, /* minutes, of these */
        SERIES_MINUTE = 60,
        SERIES_STEPS = 4, /* in a column, at least: its edges are off by an eighth of it at most */
};

static const char *const series_tables[] = {
        [HISTORY_SERIES] = "telemetry",
        [HISTORY_VEHICLE_SERIES] = "vehicle_logs",
        [HISTORY_SENSOR_SERIES] = "sensor_logs",
};

/* clang-format off */

/* What is known before the points are: $1 from, $2 to, $3 whose, $4 the journal, $5 some days ago. An
 * end that is open reaches to the last row, also where that is ahead of the clock; it is a whole
 * millisecond, so that it can be asked for as it is told. Compiling a statement takes longer than it
 * does, and planning with the partitions of a year longer than reading the sums of one. */
#define SERIES_LOOK(table, owner)                                                                 \
        "SELECT least(coalesce($1::bigint, oldest / 1000 * 1000, till), till), till,"             \
        "  (SELECT o.epoch || ':' || CASE WHEN o.seq > 0 THEN o.seq ELSE max(p.seq) END"          \
        "     FROM journal_positions o JOIN journal_positions p ON p.slot = o.slot"               \
        "    WHERE o.epoch = $4::text GROUP BY o.epoch, o.seq), set_config('jit', 'off', true)"                                   \
        "  FROM (SELECT CASE WHEN $1::bigint IS NULL THEN (SELECT " DB_TO_US("min(time)")         \
        "                 FROM " table " WHERE " owner " = $3::bigint) END AS oldest,"            \
        "               coalesce($2::bigint, greatest($1::bigint, " DB_TO_US("now()") ","         \
        "                 (SELECT " DB_TO_US("max(time)") " FROM " table                          \
        "                   WHERE " owner " = $3::bigint AND received_at >= " DB_US("$5") "))"      \
        "                 / 1000 * 1000 + 1000) AS till) l"

#define SERIES_PATH                                                            \
        "(SELECT CASE WHEN left($5::text, 1) <> '/' THEN ARRAY[$5::text] ELSE" \
        "   ARRAY(SELECT replace(replace(e, '~1', '/'), '~0', '~')"            \
        "           FROM regexp_split_to_table(substr($5::text, 2), '/')"      \
        "                WITH ORDINALITY AS s(e, i) ORDER BY i) END)"

/* $1 and $2 are there now; $4 columns, $5 the member, $6 the sensor. What is least by its place in
 * an array is so by time, then number; or by value, then time. Nothing is believed that is further
 * ahead of its receipt than a day (time.ahead), and it is the receipt that finds the partitions. */
#define SERIES_TELL(parts)                                                                       \
        DB_DECLARE                                                                               \
        "SELECT floor(f[1] / 1000)::bigint, f[3], floor(lo[2] / 1000)::bigint, lo[1],"           \
        "       floor(hi[2] / 1000)::bigint, -hi[1], floor(l[1] / 1000)::bigint, l[3], n"        \
        "  FROM (" parts ") c ORDER BY i"

#define SERIES_ROWS(table, owner, own, document, filter, order)                                  \
        "(SELECT t, seq, coalesce(own, tidegate_series_number(v)) AS x"                          \
        "   FROM (SELECT round(date_part('epoch', time) * 1e6) AS t, seq::float8 AS seq,"        \
        "                " own " AS own, (" document " #> " SERIES_PATH ")::text AS v"           \
        "           FROM " table " WHERE " owner " = $3::bigint"                                 \
        "            AND (" filter ")" DB_IN_TIME                                                \
        "            AND received_at >= " DB_US_RECEIVED("$1")                              \
        "          " order " OFFSET 0) r)"

#define SERIES_SQL(...)                                                                          \
        SERIES_TELL(                                                                             \
        "SELECT width_bucket(t, $1::float8, $2::float8, $4::int) AS i,"                          \
        "       min(ARRAY[t, seq, x]) AS f, min(ARRAY[x, t, seq]) AS lo,"                        \
        "       min(ARRAY[-x, t, seq]) AS hi, max(ARRAY[t, seq, x]) AS l, count(*) AS n"         \
        "  FROM " SERIES_ROWS(__VA_ARGS__, "") " p WHERE x IS NOT NULL GROUP BY 1")

/* As the index on whose and time has them: the first is there before the last is read. */
#define SERIES_LINES(...)                                                                        \
        DB_DECLARE                                                                               \
        "SELECT t::bigint, x FROM " SERIES_ROWS(__VA_ARGS__, "ORDER BY time, seq") " p"          \
        " WHERE x IS NOT NULL AND $4::int IS NOT NULL"

/* Of columns that are some steps wide, of which there are sums. $6 -1: of no sensor; $7 the table,
 * $8 seconds a step. */
static const char series_sums[] = SERIES_TELL(
        "SELECT * FROM tidegate_series($7, $3::bigint, $6::int, $5, $1::float8, $2::float8, $4::int,"
        " $8::int)");

#define SERIES_IS_NUMBER(separator, name) " WHEN '" #name "' THEN " #name
#define SERIES_IS_TEXT(separator, name)   ""
#define SERIES_IS_FLAG(separator, name)   " WHEN '" #name "' THEN " #name "::int"
#define SERIES_OWN \
        "CASE $5::text" VEHICLE_LOG_EACH(SERIES_IS_NUMBER, SERIES_IS_TEXT, SERIES_IS_FLAG) " END"

#define SERIES_ALL "$6::int IS NULL"
/* clang-format on */

static const char *const series_looks[] = {
        [HISTORY_SERIES] = SERIES_LOOK("telemetry", "device_id"),
        [HISTORY_VEHICLE_SERIES] = SERIES_LOOK("vehicle_logs", "vehicle_id"),
        [HISTORY_SENSOR_SERIES] = SERIES_LOOK("sensor_logs", "vehicle_id"),
};

#define SERIES_OF_DEVICE       "telemetry", "device_id", "NULL::float8", "payload", SERIES_ALL
#define SERIES_OF_VEHICLE      "vehicle_logs", "vehicle_id", SERIES_OWN, "extra", SERIES_ALL
#define SERIES_OF_SENSOR       "sensor_logs", "vehicle_id", "NULL::float8", "data", "sensor_id = $6::int"
#define SERIES_WITH(macro, of) macro(of)

static const char *const series_points[] = {
        [HISTORY_SERIES] = SERIES_WITH(SERIES_SQL, SERIES_OF_DEVICE),
        [HISTORY_VEHICLE_SERIES] = SERIES_WITH(SERIES_SQL, SERIES_OF_VEHICLE),
        [HISTORY_SENSOR_SERIES] = SERIES_WITH(SERIES_SQL, SERIES_OF_SENSOR),
};

static const char *const series_lines[] = {
        [HISTORY_SERIES] = SERIES_WITH(SERIES_LINES, SERIES_OF_DEVICE),
        [HISTORY_VEHICLE_SERIES] = SERIES_WITH(SERIES_LINES, SERIES_OF_VEHICLE),
        [HISTORY_SENSOR_SERIES] = SERIES_WITH(SERIES_LINES, SERIES_OF_SENSOR),
};

static int64_t series_owner(const History *history) {
        return history->kind == HISTORY_SERIES ? history->device_id : history->vehicle_id;
}

static void series_bind(DbReading *reading) {
        const History *history = reading->history;

        db_reading_bind_time(reading, history->from_us);
        db_reading_bind_time(reading, history->to_us);
        db_reading_bind_int(reading, series_owner(history));
        db_reading_bind_text(reading, history->own_epoch);
        db_reading_bind_int(reading, clock_now_us() - SERIES_RECENT_US);
}

/* A pointer of one step is a name, as the columns have it. */
static const char *series_member(const History *history) {
        const char *member = history->member;

        return *member == '/' && member[1] && !strpbrk(member + 1, "/~") ? member + 1 : member;
}

/* Of which sums the columns may be made, in seconds; 0: they are made of rows. */
static int series_step(const History *history, int64_t from_us, int64_t to_us) {
        int64_t step_s = (to_us - from_us) / history->points / 1000000 / SERIES_STEPS;

        if (history->is_csv || *series_member(history) == '/' || step_s < SERIES_MINUTE)
                return 0;
        if (step_s >= SERIES_HOUR)
                return SERIES_HOUR;
        return step_s < SERIES_TENS ? SERIES_MINUTE : SERIES_TENS;
}

/* What both ways share, and what is of one alone. */
static int series_declare(DbReading *reading, int64_t from_us, int64_t to_us, int step) {
        const History *history = reading->history;
        bool is_sensor = history->kind == HISTORY_SENSOR_SERIES;
        const char *sql =
                history->is_csv ? series_lines[history->kind] : series_points[history->kind];
        int r;

        reading->n_args = 0;
        db_reading_bind_time(reading, from_us);
        db_reading_bind_time(reading, to_us);
        db_reading_bind_int(reading, series_owner(history));
        db_reading_bind_int(reading, history->points);
        db_reading_bind_text(reading, series_member(history));
        if (is_sensor || step > 0)
                db_reading_bind_int(reading, is_sensor ? history->sensor_id : -1);
        else
                db_reading_bind_text(reading, "");
        if (step > 0) {
                db_reading_bind_text(reading, series_tables[history->kind]);
                db_reading_bind_int(reading, step);
        }
        r = db_reading_declare(reading, step > 0 ? series_sums : sql);
        return r < 0 ? err_up(r) : r;
}

static void series_head(const DbReading *reading, const PGresult *look, int step, JsonOut *out) {
        const History *history = reading->history;

        if (history->is_csv) {
                buf_append_string(out->buf, "timestamp,value\r\n");
                return;
        }
        json_out_object(out, NULL);
        if (history->kind == HISTORY_SERIES)
                json_out_int(out, "device_id", history->device_id);
        else
                json_out_int(out, "vehicle_id", history->vehicle_id);
        if (history->kind == HISTORY_SENSOR_SERIES)
                json_out_int(out, "sensor_id", history->sensor_id);
        json_out_string(out, "member", history->member);
        json_out_time(out, "from", db_value_int(look, 0, 0));
        json_out_time(out, "to", db_value_int(look, 0, 1));
        json_out_int(out, "points", history->points);
        json_out_int(out, "step", step);
        db_reading_text(out, "cursor", look, 0, 2);
        json_out_array(out, "columns");
}

static int series_begin(DbReading *reading, JsonOut *out) {
        const char *sql = series_looks[reading->history->kind];
        CLEANUP(PQclear) PGresult *look = NULL;
        int64_t from_us, to_us;
        int step, r;

        r = db_conn_row(reading->conn, &(DbQuery){ sql, reading->n_args, reading->args }, &look);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        from_us = db_value_int(look, 0, 0);
        to_us = db_value_int(look, 0, 1);
        step = series_step(reading->history, from_us, to_us);
        r = series_declare(reading, from_us, to_us, step);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        series_head(reading, look, step, out);
        return 0;
}

/* Numbers and times alone: nothing that a spreadsheet would take for a formula. */
static void series_line(const PGresult *rows, int row, Buf *body) {
        char when[CLOCK_TEXT_SIZE];

        clock_format(db_value_int(rows, row, 0), when);
        buf_printf(body, "%s,%s\r\n", when, PQgetvalue(rows, row, 1));
}

static void series_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        if (reading->history->is_csv) {
                series_line(rows, row, out->buf);
                return;
        }
        json_out_array(out, NULL);
        for (int i = 0; i < SERIES_COLUMNS; ++i)
                db_reading_json(out, NULL, rows, row, i);
        json_out_array_end(out);
}

static int series_end(DbReading *reading, JsonOut *out, bool *ret_is_last) {
        if (!reading->history->is_csv) {
                json_out_array_end(out);
                json_out_object_end(out);
        }
        *ret_is_last = true;
        return 0;
}

const DbReadingSource db_history_series = {
        .bind = series_bind,
        .begin = series_begin,
        .row = series_row,
        .end = series_end,
        .n_row_bytes = 100,
};
