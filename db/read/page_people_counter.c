#include "db/read/page_source.h"

/* The pages of the people counter: PROTOCOL 3 A. All count what was heard by its own time, and by
 * zone; in a total a device that was heard in two zones is one. */

/* clang-format off */

/* PROTOCOL 3 A: three devices are two people, and one device is one. */
#define COUNTER_PEOPLE(n) "CASE WHEN " n " = 0 THEN 0 ELSE greatest(1, round(" n " / 1.5)) END"

/* The zones of which there is something, from the next to the farthest. */
#define COUNTER_IN_ORDER "ORDER BY array_position(ARRAY['near', 'medium', 'far'], zone)"

/* How often each was heard in each zone. */
#define COUNTER_HEARD                                                            \
        " heard AS (SELECT zone, device_hash, count(*) AS n, sum(rssi) AS rssi"  \
        "   FROM ble_detections"                                                 \
        "  WHERE" DB_PAGE_IN_TIME " AND" DB_PAGE_OF_DEVICE("device_id")          \
        "  GROUP BY zone, device_hash)"

#define COUNTER_ZONES                                                                \
        " zones AS (SELECT zone, count(*) AS devices, sum(n) AS n,"                  \
        "   round((sum(rssi) / sum(n))::numeric, 2) AS rssi FROM heard GROUP BY zone),"  \
        " total AS (SELECT count(DISTINCT device_hash) AS devices,"                  \
        "   coalesce(sum(n), 0) AS n FROM heard)"

#define COUNTER_BY_ZONE                                                          \
        "(SELECT coalesce(json_object_agg(zone, json_build_object("              \
        "   'unique_devices', devices, 'total_detections', n,"                   \
        "   'estimated_people', " COUNTER_PEOPLE("devices") ","                  \
        "   'avg_rssi', rssi) " COUNTER_IN_ORDER "), '{}') FROM zones)"

const char db_page_counter_range[] =
        DB_PAGE_WITH "," COUNTER_HEARD "," COUNTER_ZONES
        " SELECT json_build_object('timestamp', " DB_PAGE_LOCAL("now()") ","
        "   'start_time', " DB_PAGE_LOCAL(DB_PAGE_FROM) ","
        /* the caller's end is inclusive, ours is not */
        "   'end_time', " DB_PAGE_LOCAL(DB_PAGE_TO " - interval '1us'") ","
        "   'total', json_build_object('unique_devices', devices, 'total_detections', n,"
        "      'estimated_people', " COUNTER_PEOPLE("devices") ", 'avg_rssi', null),"
        "   'by_zone', " COUNTER_BY_ZONE ") FROM total";

/* Buckets with nothing in them, too. Those of an hour are ten minutes of any clock; all others
 * follow the clock of the wall, which has days of 23 and of 25 hours. */
const char db_page_counter_histogram[] =
        DB_PAGE_WITH ","
        " steps AS (SELECT i, CASE $9::text"
        "   WHEN 'hour' THEN date_trunc('hour', now(), $10::text) + i * interval '10 minutes'"
        "   WHEN 'today' THEN (" DB_PAGE_DAY("now()") " + i * interval '3 hours')"
        "      AT TIME ZONE $10::text"
        "   ELSE " DB_PAGE_MIDNIGHT(DB_PAGE_DAY("now()") " + i - 6") " END AS at"
        "   FROM generate_series(0, CASE $9::text WHEN 'hour' THEN 6 WHEN 'today' THEN 8"
        "      ELSE 7 END) AS i),"
        " whole AS (SELECT min(at) AS first, max(at) AS last, array_agg(at ORDER BY i) AS starts"
        "   FROM steps),"
        " heard AS (SELECT width_bucket(time, (SELECT starts FROM whole)) - 1 AS i, zone,"
        "   device_hash FROM ble_detections"
        "  WHERE" DB_PAGE_BETWEEN("(SELECT first FROM whole)", "(SELECT last FROM whole)")
        "    AND" DB_PAGE_OF_DEVICE("device_id")
        "  GROUP BY 1, 2, 3),"
        " buckets AS (SELECT s.i, s.at AS begins, lead(s.at) OVER (ORDER BY s.i) AS ends,"
        "   h.near, h.medium, h.far FROM steps s, LATERAL (SELECT"
        "   count(*) FILTER (WHERE zone = 'near') AS near,"
        "   count(*) FILTER (WHERE zone = 'medium') AS medium,"
        "   count(*) FILTER (WHERE zone = 'far') AS far FROM heard h WHERE h.i = s.i) h)"
        " SELECT json_build_object('timestamp', " DB_PAGE_LOCAL("now()") ", 'range', $9::text,"
        "   'bin_interval', CASE $9::text WHEN 'hour' THEN '10 minutes'"
        "      WHEN 'today' THEN '3 hours' ELSE '1 day' END,"
        "   'start_time', " DB_PAGE_LOCAL("first") ", 'end_time', " DB_PAGE_LOCAL("last") ","
        "   'buckets', (SELECT json_agg(json_build_object("
        "      'period_start', " DB_PAGE_LOCAL("begins") ", 'period_end', " DB_PAGE_LOCAL("ends") ","
        "      'by_zone', json_build_object('near', near, 'medium', medium, 'far', far),"
        "      'total', near + medium + far) ORDER BY i) FROM buckets WHERE ends IS NOT NULL))"
        "   FROM whole";

/* Of each period and zone in which somebody was heard. */
#define COUNTER_PERIODS(unit, from, to)                                             \
        " heard AS (SELECT date_trunc('" unit "', time, $10::text) AS period, zone,"  \
        "   device_hash, count(*) AS n, sum(rssi) AS rssi FROM ble_detections"      \
        "  WHERE" DB_PAGE_BETWEEN(from, to) " AND" DB_PAGE_OF_DEVICE("device_id")   \
        "  GROUP BY 1, 2, 3),"                                                      \
        " periods AS (SELECT period, zone, count(*) AS devices, sum(n) AS n,"       \
        "   round((sum(rssi) / sum(n))::numeric, 2) AS rssi FROM heard GROUP BY 1, 2)"
#define COUNTER_STATISTICS(unit)                                                    \
        "(SELECT coalesce(json_agg(json_build_object('period_type', '" unit "',"    \
        "   'period_start', " DB_PAGE_LOCAL("period") ", 'zone', zone,"             \
        "   'unique_devices', devices, 'total_detections', n,"                      \
        "   'estimated_people', " COUNTER_PEOPLE("devices") ", 'avg_rssi', rssi)"   \
        "   ORDER BY period, zone), '[]') FROM periods)"

const char db_page_counter_hourly[] =
        DB_PAGE_WITH ","
        " days AS (SELECT coalesce(" DB_PAGE_DAY(DB_PAGE_US("$2")) ", " DB_PAGE_DAY("now()") ") AS day),"
        COUNTER_PERIODS("hour",
                        "(SELECT " DB_PAGE_MIDNIGHT("day") " FROM days)",
                        "(SELECT " DB_PAGE_MIDNIGHT("day + 1") " FROM days)")
        " SELECT json_build_object('date', day, 'statistics', " COUNTER_STATISTICS("hour") ") FROM days";

const char db_page_counter_daily[] =
        DB_PAGE_WITH ","
        " last_days AS (SELECT coalesce(" DB_PAGE_DAY(DB_PAGE_US("$3")) ", " DB_PAGE_DAY("now()") ")"
        "   AS last_day),"
        " days AS (SELECT coalesce(" DB_PAGE_DAY(DB_PAGE_US("$2")) ", last_day - $8::int) AS first_day,"
        "   last_day FROM last_days),"
        COUNTER_PERIODS("day",
                        "(SELECT " DB_PAGE_MIDNIGHT("first_day") " FROM days)",
                        "(SELECT " DB_PAGE_MIDNIGHT("last_day + 1") " FROM days)")
        " SELECT json_build_object('start_date', first_day, 'end_date', last_day,"
        "   'statistics', " COUNTER_STATISTICS("day") ") FROM days";

/* As an expression, and not out of another row: so the planner knows how little that is. */
#define COUNTER_HOURS_AGO "(now() - $8::bigint * interval '1 hour')"

const char db_page_counter_distribution[] =
        DB_PAGE_WITH ","
        " hours AS (SELECT " COUNTER_HOURS_AGO " AS first, now() AS last),"
        " zones AS (SELECT zone, count(*) AS n FROM ble_detections"
        "  WHERE" DB_PAGE_BETWEEN(COUNTER_HOURS_AGO, "now()")
        "    AND" DB_PAGE_OF_DEVICE("device_id") " GROUP BY zone),"
        " total AS (SELECT coalesce(sum(n), 0) AS n FROM zones)"
        " SELECT json_build_object('start_time', " DB_PAGE_LOCAL("first") ","
        "   'end_time', " DB_PAGE_LOCAL("last") ", 'total', t.n,"
        "   'distribution', (SELECT coalesce(json_object_agg(zone, json_build_object("
        "      'count', z.n, 'percentage', round(z.n * 100.0 / t.n, 2)) " COUNTER_IN_ORDER "), '{}')"
        "      FROM zones z)) FROM hours, total t";

/* ---- what was heard ------------------------------------------------------------------------ */

#define COUNTER_OF_ZONE " ($9::text = '' OR zone = $9::text)"

/* The newest of a time, unless fewer hours had enough of them: what is looked for is nearly always
 * in the last of them, and whoever looks further reads more. */
#define COUNTER_NEWEST(name, begins, enough)                                         \
        " " name " AS MATERIALIZED (SELECT * FROM ble_detections"                    \
        "  WHERE" DB_PAGE_BETWEEN(begins, "'infinity'::timestamptz")                 \
        "    AND" DB_PAGE_OF_DEVICE("device_id") " AND" COUNTER_OF_ZONE              \
        "    AND " enough " < $6::bigint ORDER BY time DESC, seq DESC, item DESC LIMIT $6::bigint)"
#define COUNTER_N(name) "(SELECT count(*) FROM " name ")"

const char db_page_counter_recent[] =
        DB_PAGE_WITH ","
        COUNTER_NEWEST("hour", "now() - interval '1 hour'", "0") ","
        COUNTER_NEWEST("week", "now() - interval '7 days'", COUNTER_N("hour")) ","
        COUNTER_NEWEST("ever", "'-infinity'::timestamptz",
                       "greatest(" COUNTER_N("hour") ", " COUNTER_N("week") ")") ","
        " newest AS (SELECT * FROM hour WHERE " COUNTER_N("hour") " >= $6::bigint"
        "  UNION ALL SELECT * FROM week WHERE " COUNTER_N("week") " >= $6::bigint"
        "  UNION ALL SELECT * FROM ever)"
        " SELECT coalesce(json_agg(json_build_object('id', " DB_PAGE_DETECTION_ID ","
        "   'device_hash', device_hash, 'rssi', rssi, 'zone', zone,"
        "   'timestamp', " DB_PAGE_LOCAL("time") ","
        "   'device_id', coalesce(d.code, 'id:' || device_id))"
        "   ORDER BY time DESC, seq DESC, item DESC), '[]')"
        "   FROM newest LEFT JOIN devices d ON d.id = device_id";

const char db_page_counter_count[] =
        DB_PAGE_WITH ","
        " hours AS (SELECT " COUNTER_HOURS_AGO " AS first, now() AS last),"
        " heard AS (SELECT device_hash FROM ble_detections"
        "  WHERE" DB_PAGE_BETWEEN(COUNTER_HOURS_AGO, "now()")
        "    AND" DB_PAGE_OF_DEVICE("device_id") " AND" COUNTER_OF_ZONE
        "  GROUP BY device_hash),"
        " total AS (SELECT count(*) AS n FROM heard)"
        " SELECT json_build_object('start_time', " DB_PAGE_LOCAL("first") ","
        "   'end_time', " DB_PAGE_LOCAL("last") ", 'zone', nullif($9::text, ''),"
        "   'unique_devices', n, 'estimated_people', " COUNTER_PEOPLE("n") ") FROM hours, total";

/* ---- the scanners -------------------------------------------------------------------------- */

#define COUNTER_NAMED "'name', coalesce(d.name, d.code), 'location', d.location, 'is_active', d.is_active"
#define COUNTER_LAST_SEEN "'last_seen', " DB_PAGE_LOCAL("s.last_seen")
#define COUNTER_DEVICE                                                              \
        "json_build_object('id', d.id, 'device_id', d.code, " COUNTER_NAMED ","     \
        "   " COUNTER_LAST_SEEN ", 'created_at', " DB_PAGE_LOCAL("d.created_at") ","  \
        "   'updated_at', " DB_PAGE_LOCAL("d.updated_at") ")"
#define COUNTER_DEVICES                                                             \
        " FROM devices d LEFT JOIN device_states s ON s.device_id = d.id"           \
        " WHERE" DB_PAGE_OF_DEVICE("d.id")

const char db_page_counter_devices[] =
        DB_PAGE_WITH ","
        " page AS (SELECT d.created_at, d.id, " COUNTER_DEVICE " AS device" COUNTER_DEVICES
        "   AND ($8::bigint = 0 OR d.is_active) ORDER BY 1 DESC, 2 DESC LIMIT $6::bigint)"
        " SELECT coalesce(json_agg(device ORDER BY created_at DESC, id DESC), '[]') FROM page";

const char db_page_counter_active[] =
        DB_PAGE_WITH ","
        " page AS (SELECT s.last_seen, d.id, " COUNTER_DEVICE " AS device" COUNTER_DEVICES
        "   AND s.last_seen >= now() - $8::bigint * interval '1 minute'"
        "   ORDER BY 1 DESC, 2 DESC LIMIT $6::bigint)"
        " SELECT coalesce(json_agg(device ORDER BY last_seen DESC, id DESC), '[]') FROM page";

const char db_page_counter_device[] =
        DB_PAGE_WITH " SELECT " COUNTER_DEVICE COUNTER_DEVICES;

const char db_page_counter_device_stats[] =
        DB_PAGE_WITH ","
        " heard AS (SELECT count(*) AS n, min(time) AS first, max(time) AS last"
        "   FROM ble_detections WHERE device_id = $4::bigint)"
        " SELECT json_build_object('device_id', d.code, " COUNTER_NAMED ","
        "   'registered_at', " DB_PAGE_LOCAL("d.created_at") ", " COUNTER_LAST_SEEN ","
        "   'total_detections', (SELECT n FROM heard),"
        "   'first_detection', " DB_PAGE_LOCAL("(SELECT first FROM heard)") ","
        "   'last_detection', " DB_PAGE_LOCAL("(SELECT last FROM heard)") ")" COUNTER_DEVICES;

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
