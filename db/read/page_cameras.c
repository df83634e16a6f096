#include "db/read/page_source.h"

/* The pages of the camera dashboard: docs/protocol.md, 3 E. A camera is a device that says it is
 * one, or that has sent an event; what its settings were there is not known here, and null, but
 * that one which has told of faces, or of a recording, is set to do so. */

/* clang-format off */

#define CAMERAS                                                                       \
        " cameras AS MATERIALIZED (SELECT d.id, d.code, d.product_type, d.created_at," \
        "   nullif(EXISTS (SELECT FROM camera_days y WHERE y.device_id = d.id"        \
        "     AND y.recognitions + y.unknown_faces > 0), false) AS has_faces,"        \
        "   nullif(c.recording OR c.recording_time IS NOT NULL, false) AS has_recorded,"  \
        "   greatest(t.last_seen, c.last_event_at) AS last_active,"                   \
        "   coalesce(t.status = 'online'"                                             \
        "     OR t.last_seen BETWEEN now() - interval '5 min' AND now() + interval '5 min'"   \
        "     OR c.last_event_at BETWEEN now() - interval '5 min' AND now() + interval '5 min',"  \
        "     false) AS is_active"                                                    \
        "  FROM devices d LEFT JOIN camera_states c ON c.device_id = d.id"            \
        "  LEFT JOIN device_states t ON t.device_id = d.id"                           \
        "  WHERE (d.device_type = 'camera' OR c.device_id IS NOT NULL) AND"           \
        DB_PAGE_OF_DEVICE("d.id") ")"

#define CAMERA_JSON                                                                   \
        " json_build_object('camera_id', code, 'camera_type',"                        \
        "   CASE WHEN product_type IN ('rtsp', 'mock', 'usb', 'onvif') THEN product_type"  \
        "        ELSE 'rtsp' END, 'source', '',"                                      \
        "   'face_detection_enabled', has_faces, 'face_detection_threshold', null,"        \
        "   'motion_detection_enabled', null, 'min_contour_area', null,"              \
        "   'recording_enabled', has_recorded, 'post_motion_cooldown', null,"                 \
        "   'id', id, 'is_active', is_active,"                                        \
        "   'created_at', " DB_PAGE_LOCAL("created_at") ","                           \
        "   'last_active', " DB_PAGE_LOCAL("coalesce(last_active, created_at)") ","   \
        "   'last_active_at', " DB_PAGE_LOCAL("coalesce(last_active, created_at)") ")"

#define CAMERA_IS_FACE(e)     "tidegate_is_face(" e ".event_type)"
#define CAMERA_IS_UNKNOWN(e)  "tidegate_face_label(" e ".person_name) = ''"
#define CAMERA_NAME(e)        "CASE WHEN " CAMERA_IS_UNKNOWN(e) " THEN 'Unknown' ELSE " e ".person_name END"
/* Where in the picture, as far as it was said. */
#define CAMERA_LOCATION(e)                                                            \
        "json_build_object('top', " e ".data #> '{location,top}',"                    \
        "   'right', " e ".data #> '{location,right}',"                               \
        "   'bottom', " e ".data #> '{location,bottom}',"                             \
        "   'left', " e ".data #> '{location,left}')"
#define CAMERA_MOTION(e)      "coalesce(" e ".data -> 'motion_detected' = 'true', false)"

/* number: those that are active alone. */
const char db_page_cameras[] =
        DB_PAGE_WITH "," CAMERAS ","
        " wanted AS (SELECT * FROM cameras WHERE $8::bigint = 0 OR is_active),"
        " shown AS (SELECT * FROM wanted ORDER BY id OFFSET $7::bigint LIMIT $6::bigint)"
        " SELECT json_build_object('cameras', (SELECT coalesce(json_agg(" CAMERA_JSON
        "   ORDER BY id), '[]') FROM shown), 'total', (SELECT count(*) FROM wanted))";

const char db_page_camera[] =
        DB_PAGE_WITH "," CAMERAS " SELECT" CAMERA_JSON " FROM cameras";

const char db_page_camera_status[] =
        DB_PAGE_WITH "," CAMERAS
        " SELECT json_build_object('camera_id', code, 'is_active', is_active,"
        "   'is_running', is_active, 'fps', null,"
        "   'last_frame_time', " DB_PAGE_LOCAL("last_active") ", 'error_message', null)"
        "  FROM cameras";

/* Of each camera the newest of a day, and what those say together: the buffer that its server had. */
const char db_page_faces[] =
        DB_PAGE_WITH "," CAMERAS
        " SELECT coalesce(json_object_agg(c.code, json_build_object("
        "   'recent_faces', f.faces, 'statistics', json_build_object('enabled', true,"
        "      'total_detections', f.n, 'unique_people_detected', f.people,"
        "      'last_detection_time', " DB_PAGE_LOCAL("f.last") ", 'face_manager_ready', true))"
        "   ORDER BY c.id), '{}')"
        "  FROM cameras c, LATERAL (SELECT count(*) AS n, max(e.time) AS last,"
        "   count(DISTINCT e.person_name) FILTER (WHERE NOT " CAMERA_IS_UNKNOWN("e") ") AS people,"
        "   coalesce(json_agg(json_build_object('name', " CAMERA_NAME("e") ","
        "      'confidence', coalesce(e.confidence, 0), 'location', " CAMERA_LOCATION("e") ","
        "      'timestamp', " DB_PAGE_LOCAL("e.time") ", 'motion_detected', " CAMERA_MOTION("e") ")"
        "      ORDER BY e.time DESC, e.seq DESC), '[]') AS faces"
        "   FROM (SELECT * FROM camera_events e WHERE e.device_id = c.id AND " CAMERA_IS_FACE("e")
        "     AND e.received_at > now() - interval '1 day'"
        "     ORDER BY e.time DESC, e.seq DESC LIMIT $6::bigint) e) f";

/* `found`: whose face, in which quarter of an hour, how often: of a time to now, from sums of the
 * days that are over (decision 084) and the rows of all others. Where the time begins within a
 * quarter, the rest of it is read from the rows. A time is of the face and of its receipt: the day
 * in which it begins is read, too. */
#define CAMERA_FACES                                                                  \
        CAMERAS ","                                                                   \
        " whose AS MATERIALIZED (SELECT ARRAY(SELECT id FROM cameras) AS things),"    \
        " span AS MATERIALIZED (SELECT first, CASE WHEN isfinite(first)"              \
        "    THEN ceil(extract(epoch FROM first) / 900)::int END AS quarter"          \
        "   FROM (SELECT " DB_PAGE_FROM " AS first) f),"                              \
        " leaves AS MATERIALIZED (SELECT l.*, l.begins >= s.first AND l.is_counted"   \
        "    AND " DB_PAGE_HAS_QUARTERS " AS is_summed FROM page_leaves l, span s"    \
        "   WHERE source = 'camera_events' AND l.ends > s.first),"                    \
        " sums AS MATERIALIZED (SELECT l.begins, l.ends, p.thing, p.label, p.n, p.first_at,"  \
        "    p.last_at, p.quarters, p.counts, s.quarter, s.quarter IS NULL"           \
        "    OR p.first_at >= to_timestamp(s.quarter * 900.0) AS is_whole"            \
        "   FROM whose w, span s, leaves l JOIN page_sums p USING (source, day)"      \
        "   WHERE l.is_summed AND p.thing = ANY (w.things) AND p.last_at >= s.first)," \
        " pieces AS MATERIALIZED (SELECT greatest(begins, first) AS begins, ends, first,"  \
        "    timestamptz 'infinity' AS last FROM leaves, span WHERE NOT is_summed"    \
        "  UNION ALL SELECT begins, ends, first, to_timestamp(quarter * 900.0)"       \
        "   FROM leaves, span WHERE is_summed AND first < to_timestamp(quarter * 900.0)),"  \
        " seen AS (SELECT r.quarter, r.label, r.n FROM whose w, pieces p,"            \
        "   tidegate_faces_seen(p.begins, p.ends, p.first, p.last, w.things) AS r)"

/* Each quarter of an hour. */
#define CAMERA_FOUND                                                                  \
        " found AS (SELECT e.quarter, s.label, e.n"                                   \
        "   FROM sums s, unnest(s.quarters, s.counts) AS e (quarter, n)"              \
        "   WHERE s.is_whole OR e.quarter >= s.quarter UNION ALL SELECT * FROM seen)"

/* Or how many of whom alone. */
#define CAMERA_PEOPLE                                                                 \
        " people AS MATERIALIZED (SELECT label, sum(n) AS n FROM ("                   \
        "   SELECT label, n FROM sums WHERE is_whole UNION ALL SELECT s.label, e.n"   \
        "    FROM sums s, unnest(s.quarters, s.counts) AS e (quarter, n)"             \
        "    WHERE NOT s.is_whole AND e.quarter >= s.quarter"                         \
        "   UNION ALL SELECT label, n FROM seen) f GROUP BY label)"

/* number: days. */
const char db_page_face_sums[] =
        DB_PAGE_WITH "," CAMERA_FACES "," CAMERA_PEOPLE
        " SELECT json_build_object('total_detections', coalesce(sum(n), 0),"
        "   'unique_people', count(*) FILTER (WHERE label <> ''),"
        "   'most_detected_person', (SELECT label FROM people WHERE label <> ''"
        "      ORDER BY n DESC, label LIMIT 1),"
        "   'time_period_days', $8::bigint) FROM people";

/* A text for each quarter, and not for each that was there in it. */
const char db_page_face_hours[] =
        DB_PAGE_WITH "," CAMERA_FACES "," CAMERA_FOUND ","
        " quarters AS MATERIALIZED (SELECT quarter, label, sum(n) AS n FROM found GROUP BY 1, 2),"
        " named AS MATERIALIZED (SELECT quarter, to_char(to_timestamp(quarter * 900.0) AT TIME ZONE"
        "   $10::text, 'YYYY-MM-DD HH24:00') AS hour FROM (SELECT DISTINCT quarter FROM quarters) q),"
        " seen_in AS (SELECT hour, label, sum(n) AS n FROM quarters JOIN named USING (quarter)"
        "   GROUP BY 1, 2),"
        " hours AS (SELECT hour, sum(n) AS total, count(*) AS people,"
        "   coalesce(sum(n) FILTER (WHERE label = ''), 0) AS unknown FROM seen_in GROUP BY 1)"
        " SELECT json_build_object('timeline', coalesce(json_agg(json_build_object('hour', hour,"
        "   'total_detections', total, 'unique_people', people,"
        "   'known_faces', total - unknown, 'unknown_faces', unknown) ORDER BY hour), '[]'),"
        "   'total_hours', count(*)) FROM hours";

#define CAMERA_WANTED(e)                                                              \
        "tidegate_is_face(" e ".event_type) AND ($9::text = ''"                       \
        "  OR tidegate_face_label(" e ".person_name) = (SELECT label FROM wanted))"
#define CAMERA_ORDER(e)  " ORDER BY " e ".time DESC, " e ".seq DESC"
#define CAMERA_NEWEST(e) CAMERA_ORDER(e) " LIMIT " DB_PAGE_DEPTH

/* Sums say since when there are enough of them. number: 1 as the page has it, 0 the list alone, as
 * an older one had it. */
const char db_page_face_history[] =
        DB_PAGE_WITH "," CAMERA_FACES "," CAMERA_PEOPLE ","
        " wanted AS MATERIALIZED (SELECT tidegate_face_label($9::text) AS label),"
        " matched AS MATERIALIZED (SELECT s.* FROM sums s, wanted w"
        "   WHERE $9::text = '' OR s.label = w.label),"
        " since AS MATERIALIZED (SELECT greatest(min(first_at), min(to_timestamp(quarter * 900.0)))"
        "    AS at FROM (SELECT *, sum(n) OVER (ORDER BY first_at DESC RANGE UNBOUNDED PRECEDING)"
        "     - sum(n) OVER (PARTITION BY first_at) AS newer FROM matched) m"
        "   WHERE newer < " DB_PAGE_DEPTH "),"
        " of_sums AS (SELECT e.* FROM (SELECT DISTINCT m.begins, m.ends, m.thing, s.at"
        "    FROM matched m, since s WHERE m.last_at >= s.at) p,"
        "   LATERAL (SELECT * FROM camera_events e WHERE e.received_at >= p.begins"
        "    AND e.received_at < p.ends AND e.device_id = p.thing AND e.time >= p.at"
        "    AND " CAMERA_WANTED("e") CAMERA_NEWEST("e") ") e),"
        " of_rows AS (SELECT e.* FROM whose w, pieces p, LATERAL (SELECT * FROM camera_events e"
        "   WHERE e.received_at >= p.begins AND e.received_at < p.ends"
        "    AND e.device_id = ANY (w.things) AND e.time >= p.first AND e.time < p.last"
        "    AND " CAMERA_WANTED("e") CAMERA_NEWEST("e") ") e),"
        " shown AS (SELECT e.*, c.code FROM (SELECT * FROM of_sums UNION ALL SELECT * FROM of_rows) e"
        "   JOIN cameras c ON c.id = e.device_id" CAMERA_ORDER("e")
        "   OFFSET $7::bigint LIMIT $6::bigint),"
        " items AS (SELECT coalesce(json_agg(json_build_object('id', e.seq,"
        "   'camera_id', e.code, 'person_name', " CAMERA_NAME("e") ", 'confidence', coalesce(e.confidence, 0),"
        "   'detected_at', " DB_PAGE_LOCAL("e.time") ", 'location', " CAMERA_LOCATION("e") ","
        "   'motion_detected', " CAMERA_MOTION("e") ", 'recording_path', null,"
        "   'recording_id', null) ORDER BY e.time DESC, e.seq DESC), '[]') AS list FROM shown e)"
        " SELECT CASE WHEN $8::bigint = 0 THEN list ELSE json_build_object('detections', list,"
        "   'total', (SELECT coalesce(sum(n), 0) FROM people), 'filtered', (SELECT coalesce(sum(n), 0)"
        "     FROM people p, wanted w WHERE $9::text = '' OR p.label = w.label))"
        "   END FROM items";
/* clang-format on */
