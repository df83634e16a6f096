#include "db/read/reading.h"

#include <libpq-fe.h>
#include <limits.h>
#include <stdio.h>

#include "base/err.h"
#include "db/read/reading_source.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        READING_PIECE = 262144, /* bytes that a piece should not exceed by much */
};

static const DbReadingSource *const reading_sources[] = {
        [HISTORY_LOGS] = &db_history_logs,
        [HISTORY_TRACK] = &db_history_track,
        [HISTORY_TELEMETRY] = &db_history_telemetry,
        [HISTORY_AVERAGES] = &db_history_averages,
        [HISTORY_DETECTIONS] = &db_history_detections,
        [HISTORY_ALERTS] = &db_history_alerts,
        [HISTORY_EXPORT] = &db_history_export,
        [HISTORY_SERIES] = &db_history_series,
        [HISTORY_VEHICLE_SERIES] = &db_history_series,
        [HISTORY_SENSOR_SERIES] = &db_history_series,
        [HISTORY_CAMERA_EVENTS] = &db_history_camera_events,
};

static char *reading_next_arg(DbReading *reading) {
        char *text = reading->texts[reading->n_args];

        assert(reading->n_args < DB_READING_ARGS);
        reading->args[reading->n_args++] = text;
        return text;
}

void db_reading_bind_int(DbReading *reading, int64_t value) {
        snprintf(reading_next_arg(reading), DB_READING_ARG_SIZE, "%lld", (long long)value);
}

void db_reading_bind_time(DbReading *reading, int64_t time_us) {
        if (time_us == CLOCK_UNKNOWN)
                reading->args[reading->n_args++] = NULL;
        else
                db_reading_bind_int(reading, time_us);
}

void db_reading_bind_text(DbReading *reading, const char *value) {
        if (*value)
                snprintf(reading_next_arg(reading), DB_READING_ARG_SIZE, "%s", value);
        else
                reading->args[reading->n_args++] = NULL;
}

/* The journal of the cursor's epoch. */
static int reading_find_journal(DbReading *reading, int64_t *ret_journal) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { reading->history->cursor.epoch };
        int r;

        r = db_conn_row(reading->conn,
                        &(DbQuery){ "SELECT journal_id FROM journal_positions WHERE epoch = $1",
                                    N_ELEMENTS(args),
                                    args },
                        &result);
        if (r != 0)
                return r;
        *ret_journal = db_value_int(result, 0, 0);
        return 0;
}

/* $1 to $7. No cursor: behind (or before) everything. */
static int reading_bind(DbReading *reading) {
        const History *history = reading->history;
        const HistoryCursor *cursor = &history->cursor;
        int64_t journal = history->is_descending ? INT_MAX : 0;
        int64_t seq = history->is_descending ? INT64_MAX : -1;
        int64_t item = history->is_descending ? -1 : INT_MAX;
        int r;

        if (*cursor->epoch) {
                r = reading_find_journal(reading, &journal);
                if (r != 0)
                        return r;
                seq = cursor->seq;
                if (cursor->item >= 0)
                        item = cursor->item;
        }
        db_reading_bind_time(reading, history->from_us);
        db_reading_bind_time(reading, history->to_us);
        db_reading_bind_int(reading, journal);
        db_reading_bind_int(reading, seq);
        db_reading_bind_int(reading, item);
        db_reading_bind_time(reading, *cursor->epoch ? cursor->received_us : CLOCK_UNKNOWN);
        db_reading_bind_int(reading, (int64_t)history->limit + 1);
        return 0;
}

int db_reading_declare(DbReading *reading, const char *sql) {
        const DbQuery close = { .sql = "CLOSE ALL" };
        const DbQuery query = { .sql = sql, .n_args = reading->n_args, .args = reading->args };
        int r = 0;

        if (reading->has_declared)
                r = db_conn_exec(reading->conn, &close, NULL);
        if (r == 0)
                r = db_conn_exec(reading->conn, &query, NULL);
        reading->has_declared = r == 0;
        return r;
}

static int reading_open(DbReading *reading) {
        const DbReadingSource *source = reading->source;
        const DbQuery begin = { .sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        int r;

        r = db_conn_exec(reading->conn, &begin, NULL);
        if (r == 0 && source->descending)
                r = reading_bind(reading);
        if (r == 0)
                source->bind(reading);
        if (r == 0 && source->ascending)
                r = db_reading_declare(reading,
                                       reading->history->is_descending && source->descending
                                               ? source->descending
                                               : source->ascending);
        return r;
}

int db_reading_new(DbReading **ret_reading, DbConn *conn, const History *history) {
        CLEANUP(db_reading_free) DbReading *reading = NULL;
        int r;

        reading = calloc(1, sizeof(*reading));
        if (!reading)
                return err_new(-ENOMEM);
        reading->conn = conn;
        reading->history = history;
        reading->source = reading_sources[history->kind];

        r = reading_open(reading);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_reading = TAKE(&reading);
        return 0;
}

DbReading *db_reading_free(DbReading *reading) {
        const DbQuery rollback = { .sql = "ROLLBACK" };

        if (!reading)
                return NULL;
        if (db_conn_is_open(reading->conn) &&
            db_conn_exec(reading->conn, &rollback, NULL) != 0) /* never in somebody's way */
                db_conn_disconnect(reading->conn);
        db_track_free(reading->track);
        free(reading);
        return NULL;
}

/* ---- the parts of a list ------------------------------------------------------------------- */

int db_reading_begin_list(DbReading *reading, JsonOut *out) {
        (void)reading;
        json_out_object(out, NULL);
        json_out_array(out, "items");
        return 0;
}

void db_reading_item(DbReading *reading,
                     const PGresult *rows,
                     int row,
                     const char *type,
                     JsonOut *out) {
        HistoryCursor *last = &reading->last;
        char place[sizeof(last->epoch) + 24];

        snprintf(last->epoch, sizeof(last->epoch), "%s", PQgetvalue(rows, row, 0));
        last->seq = db_value_int(rows, row, 1);
        last->item = (int32_t)db_value_int(rows, row, 2);
        last->received_us = db_value_int(rows, row, 3);
        snprintf(place, sizeof(place), "%s:%lld", last->epoch, (long long)last->seq);
        json_out_object(out, NULL);
        json_out_string(out, "type", type);
        json_out_time(out, "timestamp", db_value_int(rows, row, 4));
        json_out_time(out, "received_at", last->received_us);
        if (!PQgetisnull(rows, row, DB_READING_OWN - 1))
                db_reading_text(out, "device_time", rows, row, DB_READING_OWN - 1);
        json_out_string(out, "cursor", place);
}

void db_reading_json(JsonOut *out, const char *name, const PGresult *rows, int row, int column) {
        json_out_raw(out, name, db_value_text(rows, row, column));
}

void db_reading_text(JsonOut *out, const char *name, const PGresult *rows, int row, int column) {
        json_out_text(out, name, db_value_text(rows, row, column));
}

/* The row behind the last of the page only tells that there is one. */
static void reading_row(DbReading *reading, const PGresult *rows, int row) {
        size_t n = reading->out.buf->n;

        if (reading->source->descending && reading->n_rows == reading->history->limit) {
                reading->has_more = true;
                return;
        }
        reading->source->row(reading, rows, row, &reading->out);
        reading->n_bytes += (int64_t)(reading->out.buf->n - n);
        ++reading->n_rows;
}

static int reading_end_page(const DbReading *reading, JsonOut *out) {
        char cursor[HISTORY_CURSOR_SIZE];

        history_cursor_format(&reading->last, cursor);
        json_out_array_end(out);
        json_out_string(out, "cursor", reading->has_more ? cursor : NULL);
        json_out_object_end(out);
        return 0;
}

typedef struct {
        int n;
        const char *sql;
} ReadingFetch;

static const ReadingFetch reading_fetches[] = {
        { 2000, "FETCH 2000 FROM reading" },
        { 200, "FETCH 200 FROM reading" },
        { 10, "FETCH 10 FROM reading" },
};

/* Large rows a few at a time; small ones many. */
static const ReadingFetch *reading_fetch(const DbReading *reading) {
        int64_t n_each = reading->source->n_row_bytes;

        if (reading->n_rows > 0)
                n_each = reading->n_bytes / reading->n_rows + 1;
        if (n_each > 0 && n_each <= READING_PIECE / 2000)
                return &reading_fetches[0];
        if (n_each > 0 && n_each <= READING_PIECE / 200)
                return &reading_fetches[1];
        return &reading_fetches[2];
}

/* Fewer than were asked for are the last: there is no need to ask once more. */
static int reading_rows(DbReading *reading, Buf *body, bool *ret_is_last) {
        const ReadingFetch *fetch = reading_fetch(reading);
        CLEANUP(PQclear) PGresult *rows = NULL;
        int r;

        *ret_is_last = false;
        r = db_conn_exec(reading->conn, &(DbQuery){ .sql = fetch->sql }, &rows);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        for (int i = 0; i < PQntuples(rows); ++i)
                reading_row(reading, rows, i);
        *ret_is_last = PQntuples(rows) < fetch->n;
        if (*ret_is_last && reading->source->end)
                r = reading->source->end(reading, &reading->out, ret_is_last);
        else if (*ret_is_last)
                r = reading_end_page(reading, &reading->out);
        if (r == 0 && buf_failed(body))
                r = err_new(-ENOMEM);
        return r < 0 ? err_up(r) : r;
}

int db_reading_next(DbReading *reading, Buf *body, bool *ret_is_last) {
        bool is_last = false;
        int r = 0;

        reading->out.buf = body;
        if (!reading->has_begun)
                r = reading->source->begin(reading, &reading->out);
        reading->has_begun = true;
        if (r == 0)
                r = reading_rows(reading, body, &is_last);
        if (r == 0)
                *ret_is_last = is_last;
        return r < 0 ? err_up(r) : r;
}
