#pragma once

/*
 * DbReadingSource: what one kind of History is read with. Private to db/reading*.c and
 * db/history_*.c.
 *
 * Lists share their parameters $1 to $7 (from, to, and the place to go on from: journal, seq, item,
 * received; limit) and their first columns (journal's epoch, seq, item, received, time, what was
 * said in its place); a source adds its own behind them.
 */

#include "base/base.h"
#include "base/json_out.h"
#include "db/conn.h"
#include "db/read/simplify.h"
#include "model/history_query.h"

#define DB_READING_ARGS     13
#define DB_READING_ARG_SIZE 132
#define DB_READING_OWN      6 /* the first column that is not of all lists */

typedef struct DbReading DbReading;
typedef struct DbReadingSource DbReadingSource;
typedef struct DbTrack DbTrack;
struct pg_result;

struct DbReadingSource {
        const char *ascending, *descending; /* DECLARE ...; the latter NULL: there is one order */
        void (*bind)(DbReading *reading);   /* the parameters behind $7 */
        int (*begin)(DbReading *reading, JsonOut *out);
        void (*row)(DbReading *reading, const struct pg_result *rows, int row, JsonOut *out);
        /* *ret_is_last false: it has declared another cursor. NULL: the end of a page. */
        int (*end)(DbReading *reading, JsonOut *out, bool *ret_is_last);
        int64_t n_row_bytes; /* about as long is what a row comes to; 0: that is not known */
};

struct DbReading {
        DbConn *conn;                  /* borrowed */
        const History *history;        /* borrowed */
        const DbReadingSource *source; /* static */
        char texts[DB_READING_ARGS][DB_READING_ARG_SIZE];
        const char *args[DB_READING_ARGS];
        size_t n_args;
        JsonOut out; /* from piece to piece; its buffer is the piece's */
        bool has_declared, has_begun;
        int64_t n_rows, n_bytes; /* of rows, so far: how many to fetch at a time */
        HistoryCursor last;      /* of the row written last */
        bool has_more;
        DbTrack *track; /* owned; HISTORY_TRACK */
};

extern const DbReadingSource db_history_logs, db_history_telemetry, db_history_averages,
        db_history_camera_events, db_history_detections, db_history_alerts, db_history_track,
        db_history_export, db_history_series;

void db_reading_bind_int(DbReading *reading, int64_t value);
void db_reading_bind_time(DbReading *reading, int64_t time_us);   /* CLOCK_UNKNOWN: null */
void db_reading_bind_text(DbReading *reading, const char *value); /* "": null */
/* Another cursor in the place of the one before. */
MUST_CHECK int db_reading_declare(DbReading *reading, const char *sql);

int db_reading_begin_list(DbReading *reading, JsonOut *out);
/* What every item of a list begins with, up to its timestamp and cursor. */
void db_reading_item(DbReading *reading,
                     const struct pg_result *rows,
                     int row,
                     const char *type,
                     JsonOut *out);
void db_reading_json(JsonOut *out,
                     const char *name,
                     const struct pg_result *rows,
                     int row,
                     int column); /* a number, too */
void db_reading_text(JsonOut *out,
                     const char *name,
                     const struct pg_result *rows,
                     int row,
                     int column);

DbTrack *db_track_free(DbTrack *track);

/* ---- SQL that they share ------------------------------------------------------------------- */

/* clang-format off */
/* Of a parameter it is known as the statement is planned, so that partitions of other days are left
 * out before each costs its planning. */
#define DB_US(n) "tidegate_us(" n "::bigint)"
/* Nothing is believed that is further ahead of its receipt (time.ahead): what is of then or later
 * was received after this. */
#define DB_US_RECEIVED(n) DB_US("(" n "::bigint - 86400000000)")
#define DB_TO_US(time)    "(extract(epoch FROM " time ") * 1000000)::bigint"

#define DB_DECLARE "DECLARE reading NO SCROLL CURSOR FOR "

#define DB_IN_TIME                                                                 \
        " AND time >= coalesce(" DB_US("$1") ", '-infinity')"                      \
        " AND time < coalesce(" DB_US("$2") ", 'infinity')"                        \
        " AND received_at >= coalesce(" DB_US_RECEIVED("$1") ", '-infinity')"

/* Behind the place of the cursor; @op > or <. The first line is what finds the partition. */
#define DB_BEHIND(op, infinity, item)                                                \
        " AND received_at " op "= coalesce(" DB_US(                                  \
                "$6") ", '" infinity "')"                                            \
                      " AND (CASE WHEN $6::bigint IS NULL"                           \
                      "           THEN (journal_id, seq, " item ") " op              \
                      " ($3::int, $4::bigint, $5::int)"                              \
                      "           ELSE (received_at, journal_id, seq, " item ") " op \
                      "                (" DB_US("$6") ", $3::int, $4::bigint, $5::int) END)"
#define DB_BEHIND_UP(item)   DB_BEHIND(">", "-infinity", item)
#define DB_BEHIND_DOWN(item) DB_BEHIND("<", "infinity", item)

#define DB_SORT_UP(item)   " ORDER BY received_at, journal_id, seq" item
#define DB_SORT_DOWN(item) " ORDER BY received_at DESC, journal_id DESC, seq DESC" item
#define DB_LIMIT           " LIMIT $7::bigint"
#define DB_ORDER_UP(item)   DB_SORT_UP(item) DB_LIMIT
#define DB_ORDER_DOWN(item) DB_SORT_DOWN(item) DB_LIMIT

#define DB_PLACE(item)                                         \
        " coalesce((SELECT epoch FROM journal_positions p"     \
        "            WHERE p.journal_id = l.journal_id), '')," \
        " seq, " item ", " DB_TO_US("received_at") ", " DB_TO_US("time") ", device_time"

/* The first rows of @table: of the device $8, or of all that the user $9 sees (0: of all there are).
 * Of all that he sees, and he does not see all: by device. With first_of.h and visible.h. */
#define DB_BY_DEVICE "$9::bigint <> 0 AND $8::bigint = 0"
#define DB_OF_DEVICES(table, where, sort, edge)                                             \
        "(SELECT * FROM " table " l WHERE NOT (" DB_BY_DEVICE ")"                           \
        "  AND ($8::bigint = 0 OR device_id = $8::bigint)"                                  \
        "  AND ($9::bigint = 0 OR device_id IN (" DB_VISIBLE_DEVICES("$9::bigint") "))"     \
        where sort DB_LIMIT ") UNION ALL "                                                  \
        DB_FIRST_OF(DB_VISIBLE_DEVICES("$9::bigint"), table " l", "device_id",              \
                    " AND " DB_BY_DEVICE where, sort, edge, "$7::bigint")
/* clang-format on */
