#include <libpq-fe.h>
#include <math.h>

#include "base/err.h"
#include "db/read/reading_source.h"
#include "db/value.h"

/*
 * A track as one GeoJSON Feature. The coordinates and their times are two arrays of any length, so
 * they are read in two passes over the same snapshot, through the same simplification; a first look
 * has counted the points and seen whether the track crosses the antimeridian, where RFC 7946 wants
 * it cut. What is kept in memory is one window of points.
 */

DEFINE_CLEANUP(PGresult *, PQclear);

typedef enum TrackPass {
        TRACK_COORDINATES,
        TRACK_TIMES,
} TrackPass;

typedef enum TrackShape {
        TRACK_NOTHING,
        TRACK_POINT,
        TRACK_LINE,
        TRACK_LINES, /* cut at the antimeridian */
} TrackShape;

struct DbTrack {
        TrackShape shape;
        TrackPass pass;
        int64_t n_points; /* stored */
        int64_t n_kept;   /* in this pass, without those at the antimeridian */
        DbSimplify *simplify;
        DbPoint previous;
        JsonOut *out; /* borrowed, while rows are added */
};

#define TRACK_POINTS                                                                              \
        " FROM vehicle_logs WHERE vehicle_id = $3::bigint" DB_IN_TIME " AND latitude IS NOT NULL" \
        " AND longitude IS NOT NULL"

static const char track_look[] =
        "SELECT count(*), coalesce(bool_or(jump), false)"
        " FROM (SELECT abs(longitude - lag(longitude) OVER (ORDER BY time, journal_id, seq)) > 180"
        " AS jump" TRACK_POINTS ") l";

static const char track_points[] = DB_DECLARE "SELECT longitude, latitude, " DB_TO_US("time")
        TRACK_POINTS " ORDER BY time, journal_id, seq";

DbTrack *db_track_free(DbTrack *track) {
        if (!track)
                return NULL;
        db_simplify_free(track->simplify);
        free(track);
        return NULL;
}

/* ---- one point ----------------------------------------------------------------------------- */

/* A point has its coordinates as they are; times are always a list. */
static bool track_is_list(const DbTrack *track) {
        return track->shape != TRACK_POINT || track->pass == TRACK_TIMES;
}

static void track_write(const DbTrack *track, double longitude, const DbPoint *point) {
        JsonOut *out = track->out;

        if (track->pass == TRACK_TIMES) {
                json_out_time(out, NULL, point->time_us);
                return;
        }
        json_out_array(out, track_is_list(track) ? NULL : "coordinates");
        json_out_double(out, NULL, longitude);
        json_out_double(out, NULL, point->latitude);
        json_out_array_end(out);
}

/* Which turn around the earth a longitude is on: 0 from -180 up to 180. */
static double track_turn(double longitude) {
        return floor((longitude + 180) / 360);
}

/* The line ends where it meets the antimeridian and goes on from its other side. */
static void track_cut(DbTrack *track, const DbPoint *to) {
        const DbPoint *from = &track->previous;
        bool is_east = to->longitude > from->longitude;
        double edge =
                360 * (is_east ? track_turn(to->longitude) : track_turn(from->longitude)) - 180;
        double width = to->longitude - from->longitude;
        double t = fabs(width) > 0 ? (edge - from->longitude) / width : 0;
        DbPoint at = {
                .latitude = from->latitude + t * (to->latitude - from->latitude),
                .time_us = from->time_us + (int64_t)(t * (double)(to->time_us - from->time_us)),
        };

        track_write(track, is_east ? 180 : -180, &at);
        json_out_array_end(track->out);
        json_out_array(track->out, NULL);
        track_write(track, is_east ? -180 : 180, &at);
}

static void track_keep(void *arg, const DbPoint *point) {
        DbTrack *track = arg;
        double turn = track_turn(point->longitude);

        if (track->n_kept > 0 && track->shape == TRACK_LINES &&
            fabs(turn - track_turn(track->previous.longitude)) > 0)
                track_cut(track, point);
        track_write(track,
                    track->shape == TRACK_LINES ? point->longitude - 360 * turn : point->longitude,
                    point);
        track->previous = *point;
        ++track->n_kept;
}

static void track_row(DbReading *reading, const PGresult *rows, int row, JsonOut *out) {
        const DbPoint point = {
                .longitude = strtod(PQgetvalue(rows, row, 0), NULL),
                .latitude = strtod(PQgetvalue(rows, row, 1), NULL),
                .time_us = db_value_int(rows, row, 2),
        };

        reading->track->out = out;
        db_simplify_add(reading->track->simplify, &point);
}

/* ---- the Feature --------------------------------------------------------------------------- */

static void track_bind(DbReading *reading) {
        db_reading_bind_time(reading, reading->history->from_us);
        db_reading_bind_time(reading, reading->history->to_us);
        db_reading_bind_int(reading, reading->history->vehicle_id);
}

static int track_find_shape(DbReading *reading, DbTrack *track) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(reading->conn,
                         &(DbQuery){ track_look, reading->n_args, reading->args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        track->n_points = db_value_int(result, 0, 0);
        if (track->n_points < 2)
                track->shape = track->n_points == 0 ? TRACK_NOTHING : TRACK_POINT;
        else
                track->shape = db_value_bool(result, 0, 1) ? TRACK_LINES : TRACK_LINE;
        return 0;
}

static void track_open(const DbTrack *track, const char *name) {
        if (track_is_list(track))
                json_out_array(track->out, name);
        if (track->shape == TRACK_LINES)
                json_out_array(track->out, NULL);
}

static void track_close(const DbTrack *track) {
        if (track->shape == TRACK_LINES)
                json_out_array_end(track->out);
        if (track_is_list(track))
                json_out_array_end(track->out);
}

static int track_begin(DbReading *reading, JsonOut *out) {
        static const char *const types[] = {
                [TRACK_POINT] = "Point",
                [TRACK_LINE] = "LineString",
                [TRACK_LINES] = "MultiLineString",
        };
        DbTrack *track;
        int r;

        track = reading->track = calloc(1, sizeof(*track));
        if (!track)
                return err_new(-ENOMEM);
        r = db_simplify_new(&track->simplify, reading->history->tolerance_m, track_keep, track);
        if (r < 0)
                return err_up(r);
        r = track_find_shape(reading, track);
        if (r == 0)
                r = db_reading_declare(reading, track_points);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        track->out = out;
        json_out_object(out, NULL);
        json_out_string(out, "type", "Feature");
        if (track->shape == TRACK_NOTHING) {
                json_out_null(out, "geometry");
                return 0;
        }
        json_out_object(out, "geometry");
        json_out_string(out, "type", types[track->shape]);
        track_open(track, "coordinates");
        return 0;
}

static void track_properties(const DbReading *reading, JsonOut *out) {
        const History *history = reading->history;
        const DbTrack *track = reading->track;

        json_out_object(out, "properties");
        json_out_int(out, "vehicle_id", history->vehicle_id);
        json_out_int(out, "points", track->n_points);
        json_out_int(out, "kept", track->n_kept);
        json_out_time(out, "from", history->from_us);
        json_out_time(out, "to", history->to_us);
        json_out_double(out, "simplify", history->tolerance_m);
}

/* Behind the coordinates come their times; behind those nothing. */
static int track_end(DbReading *reading, JsonOut *out, bool *ret_is_last) {
        DbTrack *track = reading->track;
        int r;

        track->out = out;
        db_simplify_end(track->simplify);
        if (track->pass == TRACK_TIMES) {
                track_close(track);
                json_out_object_end(out);
                json_out_object_end(out);
                *ret_is_last = true;
                return 0;
        }

        if (track->shape != TRACK_NOTHING) {
                track_close(track);
                json_out_object_end(out);
        }
        track_properties(reading, out);
        track->pass = TRACK_TIMES;
        track->n_kept = 0;
        track_open(track, "coordTimes");
        r = db_reading_declare(reading, track_points);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_is_last = false;
        return 0;
}

const DbReadingSource db_history_track = {
        .bind = track_bind,
        .begin = track_begin,
        .row = track_row,
        .end = track_end,
};
