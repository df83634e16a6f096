#include "db/read/statistics.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"
#include "db/value.h"
#include "db/visible.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        HISTORY_ARG_SIZE = 24,
};

/* May the user of scope `s` see the device @id? */
#define VISIBLE(id) "(" DB_SEES_ALL("s.user_id") " OR " DB_SEES_DEVICE("s.user_id", id) ")"

/* A row a scope that has any: devices, detections and rssi of each zone, then the devices in all,
 * where one that was heard in two zones counts once. First whom each scope may see (as VISIBLE), so
 * that it costs the rows of those, and of nobody else; a device that several see is read once. 64
 * bits stand for a device's hash, so that nothing need be sorted. */
static const char history_detections[] = "WITH scopes AS (SELECT s.user_id, s.ord, " DB_SEES_ALL(
        "s.user_id") " AS sees_all"
                     " FROM unnest($1::bigint[]) WITH ORDINALITY AS s (user_id, ord)),"
                     " visible AS MATERIALIZED (SELECT ord, device_id FROM ("
                     "SELECT s.ord, d.id AS device_id FROM scopes s, devices d WHERE s.sees_all"
                     " UNION SELECT s.ord, seen.id FROM scopes s, tidegate_devices_of(s.user_id) "
                     "AS seen (id)"
                     ") AS v WHERE ($3::bigint = 0 OR device_id = $3::bigint)),"
                     " recent AS MATERIALIZED (SELECT r.* FROM (SELECT DISTINCT device_id FROM "
                     "visible) v,"
                     " LATERAL (SELECT b.device_id, hashtextextended(device_hash, 0) AS hash,"
                     " count(*) FILTER (WHERE zone = 'near')::int AS near,"
                     " count(*) FILTER (WHERE zone = 'medium')::int AS medium,"
                     " count(*) FILTER (WHERE zone = 'far')::int AS far,"
                     " sum(rssi) FILTER (WHERE zone = 'near') AS near_rssi,"
                     " sum(rssi) FILTER (WHERE zone = 'medium') AS medium_rssi,"
                     " sum(rssi) FILTER (WHERE zone = 'far') AS far_rssi FROM ble_detections b"
                     " WHERE b.device_id = v.device_id"
                     " AND received_at BETWEEN now() - make_interval(mins => $2::int)"
                     " - $5::bigint * interval '1us' AND now() + make_interval(mins => $2::int)"
                     " AND (NOT $4::boolean OR time >= now() - make_interval(mins => $2::int)"
                     " AND time < now() + interval '1s') GROUP BY 1, 2) r),"
                     " heard AS (SELECT v.ord, r.hash, sum(near)::int AS near,"
                     " sum(medium)::int AS medium, sum(far)::int AS far,"
                     " sum(near_rssi) AS near_rssi, sum(medium_rssi) AS medium_rssi,"
                     " sum(far_rssi) AS far_rssi"
                     " FROM recent r JOIN visible v USING (device_id) GROUP BY 1, 2)"
                     " SELECT ord,"
                     " count(*) FILTER (WHERE near > 0), sum(near),"
                     " sum(near_rssi) / nullif(sum(near), 0)::double precision,"
                     " count(*) FILTER (WHERE medium > 0), sum(medium),"
                     " sum(medium_rssi) / nullif(sum(medium), 0)::double precision,"
                     " count(*) FILTER (WHERE far > 0), sum(far),"
                     " sum(far_rssi) / nullif(sum(far), 0)::double precision,"
                     " count(*) FROM heard GROUP BY ord ORDER BY ord";

/* From the sums that the schema keeps as events come in; a row a scope. What a clock of ours that
 * was ahead put there does not count while it comes nearer. */
static const char history_cameras[] =
        "WITH scopes AS (SELECT * FROM unnest($1::bigint[]) WITH ORDINALITY AS s (user_id, ord)),"
        " cameras AS MATERIALIZED (SELECT d.id AS device_id, coalesce(c.recording, false)"
        " AS recording, coalesce(t.status = 'online'"
        " OR t.last_seen BETWEEN now() - interval '5 min' AND now() + interval '5 min'"
        " OR c.last_event_at BETWEEN now() - interval '5 min' AND now() + interval '5 min',"
        " false) AS active"
        " FROM devices d LEFT JOIN camera_states c ON c.device_id = d.id"
        " LEFT JOIN device_states t ON t.device_id = d.id"
        " WHERE d.device_type = 'camera' OR c.device_id IS NOT NULL),"
        " visible AS MATERIALIZED (SELECT s.ord, c.* FROM scopes s, cameras c"
        " WHERE " VISIBLE(
                "c.device_id") "),"
                               " counts AS (SELECT ord, count(*) AS total, count(*) FILTER (WHERE "
                               "active) AS active,"
                               " count(*) FILTER (WHERE recording) AS recording FROM visible GROUP "
                               "BY ord),"
                               " people AS (SELECT v.ord, count(DISTINCT p.person_name) AS total"
                               " FROM visible v JOIN camera_people p USING (device_id) GROUP BY "
                               "v.ord),"
                               " faces AS (SELECT v.ord, max(y.last_recognition)"
                               " FILTER (WHERE y.last_recognition < now() + interval '5 min')"
                               " AS last,"
                               " sum(y.recognitions) FILTER (WHERE y.day = (now() AT TIME ZONE "
                               "'UTC')::date) AS known,"
                               " sum(y.unknown_faces) FILTER (WHERE y.day = (now() AT TIME ZONE "
                               "'UTC')::date) AS unknown"
                               " FROM visible v JOIN camera_days y USING (device_id) GROUP BY "
                               "v.ord)"
                               " SELECT s.ord, coalesce(p.total, 0), coalesce(f.known, 0),"
                               " (extract(epoch FROM f.last) * 1000000)::bigint, "
                               "coalesce(f.unknown, 0),"
                               " coalesce(c.total, 0), coalesce(c.active, 0), "
                               "coalesce(c.recording, 0)"
                               " FROM scopes s LEFT JOIN counts c USING (ord) LEFT JOIN people p "
                               "USING (ord)"
                               " LEFT JOIN faces f USING (ord) ORDER BY s.ord";

static int history_scopes(const int64_t scopes[], size_t n, Buf *ret_array) {
        buf_append_char(ret_array, '{');
        for (size_t i = 0; i < n; ++i) {
                if (i > 0)
                        buf_append_char(ret_array, ',');
                buf_json_int(ret_array, scopes[i]);
        }
        buf_append_char(ret_array, '}');
        return buf_failed(ret_array) ? err_new(-ENOMEM) : 0;
}

/* docs/protocol.md, 3 A: three devices are two people, and one device is one. Halves go to the even
 * one, as there. */
static int64_t history_people(const CounterStyle *style, int64_t n_devices) {
        double ratio = style->devices_per_person > 0 ? style->devices_per_person
                                                     : COUNTER_DEVICES_PER_PERSON;
        int64_t n_people = (int64_t)nearbyint((double)n_devices / ratio);

        return n_devices > 0 && n_people < 1 ? 1 : n_people;
}

static void history_counts(JsonOut *out,
                           const CounterStyle *style,
                           int64_t n_devices,
                           int64_t n_detections) {
        json_out_int(out, "unique_devices", n_devices);
        json_out_int(out, "total_detections", n_detections);
        json_out_int(out, "estimated_people", history_people(style, n_devices));
}

/* Of all zones: devices, in so far as they are added, and detections. @row < 0: nothing was heard.
 */
static void history_zones(JsonOut *out,
                          const PGresult *result,
                          int row,
                          const CounterStyle *style,
                          int64_t ret_totals[2]) {
        static const char *const zones[] = { "near", "medium", "far" };

        ret_totals[0] = ret_totals[1] = 0;
        for (int k = 0; row >= 0 && k < (int)N_ELEMENTS(zones); ++k) {
                int column = 1 + 3 * k;
                int64_t n_devices = db_value_int(result, row, column);
                int64_t n = db_value_int(result, row, column + 1);

                if (n == 0)
                        continue;
                json_out_object(out, zones[k]);
                history_counts(out, style, n_devices, n);
                json_out_fixed(out,
                               "avg_rssi",
                               2,
                               strtod(PQgetvalue(result, row, column + 2), NULL));
                json_out_object_end(out);
                ret_totals[0] += n_devices;
                ret_totals[1] += n;
        }
        if (row >= 0 && !style->zones_apart)
                ret_totals[0] = db_value_int(result, row, 10);
}

static void history_detections_body(Buf *buf,
                                    const PGresult *result,
                                    int row,
                                    const DbDetectionWindow *window) {
        JsonOut out = { .buf = buf };
        int64_t totals[2];

        json_out_object(&out, NULL);
        json_out_time(&out, "timestamp", clock_now_us());
        json_out_int(&out, "time_window_minutes", window->minutes);
        json_out_object(&out, "by_zone");
        history_zones(&out, result, row, &window->style, totals);
        json_out_object_end(&out);
        json_out_object(&out, "total");
        history_counts(&out, &window->style, totals[0], totals[1]);
        json_out_object_end(&out);
        json_out_object_end(&out);
}

int db_history_detection_stats(DbConn *conn,
                               const int64_t scopes[],
                               size_t n_scopes,
                               const DbDetectionWindow *window,
                               Buf ret_bodies[]) {
        CLEANUP(PQclear) PGresult *result = NULL;
        CLEANUP_BUF Buf array = { 0 };
        char minutes[HISTORY_ARG_SIZE], device[HISTORY_ARG_SIZE], ahead[HISTORY_ARG_SIZE];
        bool by_time = window->style.by_time;
        const char *args[5] = { NULL, minutes, device, by_time ? "t" : "f", ahead };
        int row = 0;
        int r;

        r = history_scopes(scopes, n_scopes, &array);
        if (r < 0)
                return err_up(r);
        args[0] = array.data;
        snprintf(minutes, sizeof(minutes), "%d", window->minutes);
        snprintf(device, sizeof(device), "%lld", (long long)window->device_id);
        snprintf(ahead, sizeof(ahead), "%lld", by_time ? (long long)window->style.ahead_us : 0LL);
        r = db_conn_exec(conn, &(DbQuery){ history_detections, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        for (size_t i = 0; i < n_scopes; ++i) {
                bool has_row =
                        row < PQntuples(result) && db_value_int(result, row, 0) == (int64_t)i + 1;

                history_detections_body(&ret_bodies[i], result, has_row ? row : -1, window);
                row += has_row;
                if (buf_failed(&ret_bodies[i]))
                        return err_new(-ENOMEM);
        }
        return 0;
}

static void history_faces(JsonOut *out, const PGresult *result, int row) {
        json_out_int(out, "total_people", db_value_int(result, row, 1));
        json_out_int(out, "recognitions_today", db_value_int(result, row, 2));
        if (PQgetisnull(result, row, 3))
                json_out_null(out, "last_recognition");
        else
                json_out_time(out, "last_recognition", db_value_int(result, row, 3));
}

static void history_cameras_body(Buf *buf, const PGresult *result, int row) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        history_faces(&out, result, row);
        json_out_object(&out, "face_recognition");
        history_faces(&out, result, row);
        json_out_int(&out, "unknown_faces_today", db_value_int(result, row, 4));
        json_out_object_end(&out);
        json_out_object(&out, "cameras");
        json_out_int(&out, "total_cameras", db_value_int(result, row, 5));
        json_out_int(&out, "active_cameras", db_value_int(result, row, 6));
        json_out_int(&out, "recording_cameras", db_value_int(result, row, 7));
        json_out_object_end(&out);
        json_out_time(&out, "timestamp", clock_now_us());
        json_out_object_end(&out);
}

int db_history_camera_stats(DbConn *conn,
                            const int64_t scopes[],
                            size_t n_scopes,
                            Buf ret_bodies[]) {
        CLEANUP(PQclear) PGresult *result = NULL;
        CLEANUP_BUF Buf array = { 0 };
        const char *args[1];
        int r;

        r = history_scopes(scopes, n_scopes, &array);
        if (r < 0)
                return err_up(r);
        args[0] = array.data;
        r = db_conn_exec(conn, &(DbQuery){ history_cameras, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        if (PQntuples(result) < (int)n_scopes) /* whoever answers so is no server of ours */
                return DB_E_REJECTED;
        for (size_t i = 0; i < n_scopes; ++i) {
                history_cameras_body(&ret_bodies[i], result, (int)i);
                if (buf_failed(&ret_bodies[i]))
                        return err_new(-ENOMEM);
        }
        return 0;
}
