#include "db/first_of.h"
#include "db/read/page_sums.h"

/* The pages of the people counter: docs/protocol.md, 3 A. All count what was heard by its own time,
 * and by zone; in a total a device that was heard in two zones is one. What they count comes from
 * sums where there are some (page_sums.h). */

/* clang-format off */

/* docs/protocol.md, 3 A: three devices are two people, and one device is one. */
#define COUNTER_PEOPLE(n) \
        "CASE WHEN " n " = 0 THEN 0 ELSE greatest(1, round(" n " / $11::float8)::bigint) END"

/* The zones of which there is something, from the next to the farthest. */
#define COUNTER_IN_ORDER "ORDER BY array_position(ARRAY['near', 'medium', 'far'], zone)"

#define COUNTER_ZONES                                                                \
        " whom AS (SELECT bit_or(CASE zone WHEN 'near' THEN 1 WHEN 'medium' THEN 2"  \
        "   ELSE 4 END) AS zones FROM heard GROUP BY hash),"                         \
        " devices AS (SELECT count(*) AS total, count(*) FILTER (WHERE zones & 1 > 0) AS near,"  \
        "   count(*) FILTER (WHERE zones & 2 > 0) AS medium,"                        \
        "   count(*) FILTER (WHERE zones & 4 > 0) AS far FROM whom),"                \
        " zones AS (SELECT zone, CASE zone WHEN 'near' THEN near WHEN 'medium' THEN medium"  \
        "   ELSE far END AS devices, n, round((rssi / n)::numeric, 2) AS rssi"       \
        "   FROM (SELECT zone, sum(n) AS n, sum(rssi) AS rssi FROM heard GROUP BY zone) z, devices),"  \
        " total AS (SELECT CASE WHEN $12::boolean THEN d.near + d.medium + d.far"  \
        "   ELSE d.total END AS devices, coalesce((SELECT sum(n) FROM zones), 0) AS n"  \
        "   FROM devices d)"

#define COUNTER_BY_ZONE                                                          \
        "(SELECT coalesce(json_object_agg(zone, json_build_object("              \
        "   'unique_devices', devices, 'total_detections', n,"                   \
        "   'estimated_people', " COUNTER_PEOPLE("devices") ","                  \
        "   'avg_rssi', rssi) " COUNTER_IN_ORDER "), '{}') FROM zones)"

const char db_page_counter_range[] =
        DB_PAGE_WITH "," DB_SUMS_HEARD(DB_PAGE_FROM, DB_PAGE_TO) "," COUNTER_ZONES
        " SELECT json_build_object('timestamp', " DB_PAGE_LOCAL("now()") ","
        "   'start_time', " DB_PAGE_LOCAL(DB_PAGE_FROM) ","
        /* the caller's end is inclusive, ours is not */
        "   'end_time', " DB_PAGE_LOCAL(DB_PAGE_TO " - interval '1us'") ","
        "   'total', json_build_object('unique_devices', devices, 'total_detections', n,"
        "      'estimated_people', " COUNTER_PEOPLE("devices") ", 'avg_rssi', null),"
        "   'by_zone', " COUNTER_BY_ZONE ") FROM total";

/* What db/read/statistics.h counts, of a longer time than there are rows of one day. */
#define COUNTER_LIVE(heard)                                                                      \
        DB_PAGE_WITH "," heard "," COUNTER_ZONES                                                 \
        " SELECT json_build_object('timestamp', tidegate_local_time(now(), 'UTC'),"              \
        "   'time_window_minutes', $8::bigint, 'by_zone', " COUNTER_BY_ZONE ","                  \
        "   'total', json_build_object('unique_devices', devices, 'total_detections', n,"        \
        "      'estimated_people', " COUNTER_PEOPLE("devices") ")) FROM total"
#define COUNTER_MINUTES_AGO "(now() - $8::bigint * interval '1 minute')"

const char db_page_counter_live[] = COUNTER_LIVE(DB_SUMS_RECEIVED(COUNTER_MINUTES_AGO));
const char db_page_counter_live_by_time[] =
        COUNTER_LIVE(DB_SUMS_HEARD(COUNTER_MINUTES_AGO, "(now() + interval '1s')"));

/* Buckets with nothing in them, too. Those of an hour are ten minutes of any clock, and read its
 * rows; all others follow the clock of the wall, which has days of 23 and of 25 hours. */
#define COUNTER_BUCKETS(steps)                                                                   \
        " buckets AS (SELECT s.i, s.at AS begins, lead(s.at) OVER (ORDER BY s.i) AS ends,"       \
        "   h.near, h.medium, h.far FROM " steps " s, LATERAL (SELECT"                           \
        "   count(*) FILTER (WHERE zone = 'near') AS near,"                                      \
        "   count(*) FILTER (WHERE zone = 'medium') AS medium,"                                  \
        "   count(*) FILTER (WHERE zone = 'far') AS far FROM whom h WHERE h.i = s.i) h)"         \
        " SELECT json_build_object('timestamp', " DB_PAGE_LOCAL("now()") ", 'range', $9::text,"  \
        "   'bin_interval', CASE $9::text WHEN 'hour' THEN '10 minutes'"                         \
        "      WHEN 'today' THEN '3 hours' ELSE '1 day' END,"                                    \
        "   'start_time', " DB_PAGE_LOCAL("(SELECT min(begins) FROM buckets)") ","               \
        "   'end_time', " DB_PAGE_LOCAL("(SELECT max(begins) FROM buckets)") ","                 \
        "   'buckets', (SELECT json_agg(json_build_object("                                      \
        "      'period_start', " DB_PAGE_LOCAL("begins") ", 'period_end', " DB_PAGE_LOCAL("ends") ","  \
        "      'by_zone', json_build_object('near', near, 'medium', medium, 'far', far),"        \
        "      'total', near + medium + far) ORDER BY i) FROM buckets WHERE ends IS NOT NULL))"

#define COUNTER_HOUR "date_trunc('hour', now(), $10::text)"

const char db_page_counter_histogram_hour[] =
        DB_PAGE_WITH ","
        " steps AS (SELECT i, " COUNTER_HOUR " + i * interval '10 minutes' AS at"
        "   FROM generate_series(0, 6) AS i),"
        " whom AS (SELECT floor(extract(epoch FROM time - " COUNTER_HOUR ") / 600)::int AS i, zone,"
        "   device_hash FROM ble_detections"
        "  WHERE" DB_PAGE_BETWEEN(COUNTER_HOUR, COUNTER_HOUR " + interval '1 hour'")
        "    AND" DB_PAGE_OF_DEVICE("device_id") " GROUP BY 1, 2, 3),"
        COUNTER_BUCKETS("steps");

#define COUNTER_TODAY DB_PAGE_DAY("now()")

const char db_page_counter_histogram[] =
        DB_PAGE_WITH ","
        " steps AS (SELECT i, CASE $9::text"
        "   WHEN 'today' THEN (" COUNTER_TODAY " + i * interval '3 hours') AT TIME ZONE $10::text"
        "   ELSE " DB_PAGE_MIDNIGHT(COUNTER_TODAY " + i - 6") " END AS at"
        "   FROM generate_series(0, CASE $9::text WHEN 'today' THEN 8 ELSE 7 END) AS i),"
        " starts AS MATERIALIZED (SELECT array_agg(tidegate_quarter(at) ORDER BY i) AS all_of_them,"
        "   min(at) AS first, max(at) AS last FROM steps),"
        DB_SUMS_PERIODS("(SELECT first FROM starts)", "(SELECT last FROM starts)") ","
        " whom AS (SELECT width_bucket(quarter, all_of_them) - 1 AS i, zone, hash FROM heard, starts"
        "   GROUP BY 1, 2, 3),"
        COUNTER_BUCKETS("steps");

/* Of each period and zone in which somebody was heard. */
#define COUNTER_PERIODS(unit, from, to)                                                \
        DB_SUMS_PERIODS(from, to) ","                                                  \
        " starts AS MATERIALIZED (SELECT quarter, date_trunc('" unit "',"              \
        "   to_timestamp(quarter * 900.0), $10::text) AS period"                       \
        "   FROM (SELECT DISTINCT quarter FROM heard) q),"                             \
        " periods AS (SELECT period, zone, count(DISTINCT hash) AS devices, sum(n) AS n,"  \
        "   round((sum(rssi) / sum(n))::numeric, 2) AS rssi"                           \
        "   FROM heard JOIN starts USING (quarter) GROUP BY 1, 2)"
#define COUNTER_STATISTICS(unit)                                                    \
        "(SELECT coalesce(json_agg(json_build_object('period_type', '" unit "',"    \
        "   'period_start', " DB_PAGE_LOCAL("period") ", 'zone', zone,"             \
        "   'unique_devices', devices, 'total_detections', n,"                      \
        "   'estimated_people', " COUNTER_PEOPLE("devices") ", 'avg_rssi', rssi)"   \
        "   ORDER BY period, zone), '[]') FROM periods)"

const char db_page_counter_hourly[] =
        DB_PAGE_WITH ","
        " days AS (SELECT coalesce(" DB_PAGE_DAY(DB_PAGE_US("$2")) ", " COUNTER_TODAY ") AS day),"
        COUNTER_PERIODS("hour",
                        "(SELECT " DB_PAGE_MIDNIGHT("day") " FROM days)",
                        "(SELECT " DB_PAGE_MIDNIGHT("day + 1") " FROM days)")
        " SELECT json_build_object('date', day, 'statistics', " COUNTER_STATISTICS("hour") ") FROM days";

const char db_page_counter_daily[] =
        DB_PAGE_WITH ","
        " last_days AS (SELECT coalesce(" DB_PAGE_DAY(DB_PAGE_US("$3")) ", " COUNTER_TODAY ")"
        "   AS last_day),"
        " days AS (SELECT coalesce(" DB_PAGE_DAY(DB_PAGE_US("$2")) ", last_day - $8::int) AS first_day,"
        "   last_day FROM last_days),"
        COUNTER_PERIODS("day",
                        "(SELECT " DB_PAGE_MIDNIGHT("first_day") " FROM days)",
                        "(SELECT " DB_PAGE_MIDNIGHT("last_day + 1") " FROM days)")
        " SELECT json_build_object('start_date', first_day, 'end_date', last_day,"
        "   'statistics', " COUNTER_STATISTICS("day") ") FROM days";

#define COUNTER_HOURS_AGO "(now() - $8::bigint * interval '1 hour')"

const char db_page_counter_distribution[] =
        DB_PAGE_WITH "," DB_SUMS_HEARD(COUNTER_HOURS_AGO, "now()") ","
        " zones AS (SELECT zone, sum(n) AS n FROM heard GROUP BY zone),"
        " total AS (SELECT coalesce(sum(n), 0) AS n FROM zones)"
        " SELECT json_build_object('start_time', " DB_PAGE_LOCAL("first") ","
        "   'end_time', " DB_PAGE_LOCAL("last") ", 'total', t.n,"
        "   'distribution', (SELECT coalesce(json_object_agg(zone, json_build_object("
        "      'count', z.n, 'percentage', round(z.n * 100.0 / t.n, 2)) " COUNTER_IN_ORDER "), '{}')"
        "      FROM zones z)) FROM span, total t";

/* ---- what was heard ------------------------------------------------------------------------ */

#define COUNTER_OF_ZONE " ($9::text = '' OR zone = $9::text)"

#define COUNTER_NEWEST       " ORDER BY time DESC, seq DESC, item DESC"
#define COUNTER_BY_RECEIPT   " ORDER BY received_at DESC, journal_id DESC, seq DESC"
#define COUNTER_SOME         "($1::bigint <> 0 OR $4::bigint <> 0)"
#define COUNTER_THINGS                                                               \
        "SELECT id FROM (" DB_VISIBLE_DEVICES("$1::bigint") " UNION ALL"             \
        " SELECT $4::bigint WHERE $1::bigint = 0 AND $4::bigint <> 0) s (id)"        \
        " WHERE $4::bigint = 0 OR id = $4::bigint"

/* Whoever sees much finds enough among the newest of everybody. Of who does not, the newest by
 * receipt say which time the newest have at least: nothing that came a day before it has, and what
 * others have is not looked at. */
const char db_page_counter_recent[] =
        DB_PAGE_WITH ","
        " newest AS MATERIALIZED (SELECT * FROM (SELECT * FROM ble_detections"
        "   WHERE" DB_PAGE_BETWEEN("now() - interval '1 hour'", "'infinity'::timestamptz")
        "    AND $4::bigint = 0" COUNTER_NEWEST " LIMIT " DB_PAGE_DEPTH " * 16) l"
        "  WHERE" DB_PAGE_OF_DEVICE("device_id") " AND" COUNTER_OF_ZONE
        COUNTER_NEWEST " LIMIT " DB_PAGE_DEPTH "),"
        " lacks AS MATERIALIZED (SELECT count(*) < " DB_PAGE_DEPTH " AS more FROM newest),"
        " lately AS MATERIALIZED " DB_FIRST_OF(COUNTER_THINGS, "ble_detections l", "device_id",
                                               " AND " COUNTER_SOME " AND (SELECT more FROM lacks) AND"
                                               COUNTER_OF_ZONE,
                                               COUNTER_BY_RECEIPT, DB_NOT_BEHIND_DOWN, DB_PAGE_DEPTH) ","
        " since AS MATERIALIZED (SELECT CASE WHEN count(*) < " DB_PAGE_DEPTH " THEN '-infinity'"
        "   ELSE min(time) END AS time FROM lately),"
        " own AS MATERIALIZED (SELECT l.* FROM since s, (" COUNTER_THINGS ") t,"
        "   LATERAL (SELECT * FROM ble_detections l WHERE l.device_id = t.id"
        "    AND (l.received_at, l.journal_id) >= (s.time - interval '1 day', -2147483648)"
        "    AND l.time >= s.time AND" COUNTER_OF_ZONE " OFFSET 0) l"
        "   WHERE " COUNTER_SOME " AND (SELECT more FROM lacks)),"
        " everything AS (SELECT * FROM ble_detections WHERE NOT " COUNTER_SOME
        "   AND (SELECT more FROM lacks) AND" COUNTER_OF_ZONE COUNTER_NEWEST " LIMIT " DB_PAGE_DEPTH "),"
        " shown AS (SELECT * FROM (SELECT * FROM newest WHERE NOT (SELECT more FROM lacks)"
        "   UNION ALL SELECT * FROM own UNION ALL SELECT * FROM everything) l"
        COUNTER_NEWEST " OFFSET $7::bigint LIMIT $6::bigint)"
        " SELECT coalesce(json_agg(json_build_object('id', " DB_PAGE_DETECTION_ID ","
        "   'device_hash', device_hash, 'rssi', rssi, 'zone', zone,"
        "   'timestamp', " DB_PAGE_LOCAL("time") ","
        "   'device_id', coalesce(d.code, 'id:' || device_id))"
        "   ORDER BY time DESC, seq DESC, item DESC), '[]')"
        "   FROM shown LEFT JOIN devices d ON d.id = device_id";

const char db_page_counter_count[] =
        DB_PAGE_WITH "," DB_SUMS_HEARD(COUNTER_HOURS_AGO, "now()") ","
        " total AS (SELECT count(DISTINCT hash) AS n FROM heard WHERE" COUNTER_OF_ZONE ")"
        " SELECT json_build_object('start_time', " DB_PAGE_LOCAL("first") ","
        "   'end_time', " DB_PAGE_LOCAL("last") ", 'zone', nullif($9::text, ''),"
        "   'unique_devices', n, 'estimated_people', " COUNTER_PEOPLE("n") ") FROM span, total";

/* ---- the scanners -------------------------------------------------------------------------- */

#define COUNTER_NAMED "'name', coalesce(d.name, d.code), 'location', d.location, 'is_active', d.is_active"
#define COUNTER_LAST_SEEN "'last_seen', " DB_PAGE_LOCAL("s.last_seen")
#define COUNTER_DEVICE                                                              \
        "json_build_object('id', d.id, 'device_id', d.code, " COUNTER_NAMED ","     \
        "   " COUNTER_LAST_SEEN ", 'created_at', " DB_PAGE_LOCAL("d.created_at") ","  \
        "   'updated_at', " DB_PAGE_LOCAL("d.updated_at") ")"
/* As device_is_scanner(). What it has sent is not asked: its table may be locked. */
#define COUNTER_SHOWN                                                               \
        "   AND ($9::text = '' OR lower(d.device_type) IN ('ble_scanner', 'ble', 'scanner'))"
#define COUNTER_DEVICES                                                             \
        " FROM devices d LEFT JOIN device_states s ON s.device_id = d.id"           \
        " WHERE" DB_PAGE_OF_DEVICE("d.id")

const char db_page_counter_devices[] =
        DB_PAGE_WITH ","
        " page AS (SELECT d.created_at, d.id, " COUNTER_DEVICE " AS device" COUNTER_DEVICES COUNTER_SHOWN
        "   AND ($8::bigint = 0 OR d.is_active) ORDER BY 1 DESC, 2 DESC"
        "   OFFSET $7::bigint LIMIT $6::bigint)"
        " SELECT coalesce(json_agg(device ORDER BY created_at DESC, id DESC), '[]') FROM page";

const char db_page_counter_active[] =
        DB_PAGE_WITH ","
        " page AS (SELECT s.last_seen, d.id, " COUNTER_DEVICE " AS device" COUNTER_DEVICES COUNTER_SHOWN
        "   AND s.last_seen >= now() - $8::bigint * interval '1 minute'"
        "   ORDER BY 1 DESC, 2 DESC"
        "   OFFSET $7::bigint LIMIT $6::bigint)"
        " SELECT coalesce(json_agg(device ORDER BY last_seen DESC, id DESC), '[]') FROM page";

const char db_page_counter_device[] =
        DB_PAGE_WITH " SELECT " COUNTER_DEVICE COUNTER_DEVICES;

/* All there is, of what is counted and of what is not. */
const char db_page_counter_device_stats[] =
        DB_PAGE_WITH ","
        " heard AS (SELECT s.n, s.first_time, s.last_time FROM detection_sums s"
        "   JOIN detection_leaves l USING (day)"
        "   WHERE s.received_to <= l.counted_to AND s.device_id = $4::bigint"
        "  UNION ALL SELECT h.n, h.first_time, h.last_time FROM detection_leaves l,"
        "   tidegate_heard(l.counted_to, tidegate_midnight(l.day + 1),"
        "    '-infinity', 'infinity', ARRAY[$4::bigint]) AS h"
        "   WHERE l.counted_to < tidegate_midnight(l.day + 1)),"
        " total AS (SELECT coalesce(sum(n), 0) AS n, min(first_time) AS first,"
        "   max(last_time) AS last FROM heard)"
        " SELECT json_build_object('device_id', d.code, " COUNTER_NAMED ","
        "   'registered_at', " DB_PAGE_LOCAL("d.created_at") ", " COUNTER_LAST_SEEN ","
        "   'total_detections', (SELECT n FROM total),"
        "   'first_detection', " DB_PAGE_LOCAL("(SELECT first FROM total)") ","
        "   'last_detection', " DB_PAGE_LOCAL("(SELECT last FROM total)") ")" COUNTER_DEVICES;

/* ---- its zones ----------------------------------------------------------------------------- */

/* The registry tells everybody (trigger). What is stored keeps the zone of its day: nothing is
 * calculated again. */
const char db_page_counter_set_zones[] =
        DB_PAGE_WITH ","
        " saved AS (INSERT INTO zones (near_dbm, medium_dbm) VALUES ($8::bigint, $7::bigint)"
        "  ON CONFLICT (id) DO UPDATE SET near_dbm = EXCLUDED.near_dbm,"
        "   medium_dbm = EXCLUDED.medium_dbm RETURNING near_dbm, medium_dbm)"
        " SELECT json_build_object('message', 'The thresholds are set.',"
        "   'thresholds', json_build_object('near_threshold', near_dbm,"
        "      'medium_threshold', medium_dbm),"
        "   'recalculated', json_build_object('total_detections', 0, 'updated_to_near', 0,"
        "      'updated_to_medium', 0, 'updated_to_far', 0)) FROM saved";

const char db_page_counter_reset_zones[] =
        DB_PAGE_WITH ", gone AS (DELETE FROM zones) SELECT '{}'";
/* clang-format on */
