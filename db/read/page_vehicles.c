#include "db/first_of.h"
#include "db/read/page_source.h"
#include "model/vehicle_log.h"

/* The pages of the vehicles: docs/protocol.md, 3 D. created_at is the receipt, and a log's id its
 * number; the newest day of a table is what a list costs, not its history. */

/* clang-format off */

#define VEHICLE_SEES(column)                                                           \
        " ($5::bigint = 0 OR " column " = $5::bigint)"                                 \
        " AND ($1::bigint = 0 OR " column " IN (" DB_VISIBLE_VEHICLES("$1::bigint") "))"

#define VEHICLE_NEWEST " ORDER BY received_at DESC, journal_id DESC, seq DESC"
#define VEHICLE_IN_TIME                                                                \
        " AND received_at >= " DB_PAGE_FROM " AND received_at < " DB_PAGE_TO
/* Of all that he sees, and he does not see all: by vehicle. */
#define VEHICLE_SOME "$1::bigint <> 0 AND $5::bigint = 0"
#define VEHICLE_ROWS(table, more)                                                      \
        " SELECT * FROM ((SELECT * FROM " table " l WHERE NOT (" VEHICLE_SOME ") AND"  \
        VEHICLE_SEES("vehicle_id") VEHICLE_IN_TIME more VEHICLE_NEWEST                 \
        "  LIMIT " DB_PAGE_DEPTH ") UNION ALL "                                        \
        DB_FIRST_OF(DB_VISIBLE_VEHICLES("$1::bigint"), table " l", "vehicle_id",       \
                    " AND " VEHICLE_SOME VEHICLE_IN_TIME more, VEHICLE_NEWEST,         \
                    DB_NOT_BEHIND_DOWN, DB_PAGE_DEPTH) ") l" VEHICLE_NEWEST            \
        " OFFSET $7::bigint LIMIT $6::bigint"
/* number: one log alone, by its id. */
#define VEHICLE_ROW(table)                                                             \
        " SELECT * FROM " table " l WHERE seq = $8::bigint AND" VEHICLE_SEES("vehicle_id")  \
        " ORDER BY received_at DESC LIMIT 1"
#define VEHICLE_LIST(item, rows)                                                       \
        DB_PAGE_WITH " SELECT coalesce(json_agg(" item                                 \
        " ORDER BY received_at DESC, journal_id DESC, seq DESC), '[]') FROM (" rows ") l"
#define VEHICLE_ONE(item, row) DB_PAGE_WITH " SELECT " item " FROM (" row ") l"

/* What a vehicle does: armed is on its mission, silent for five minutes is offline. */
#define VEHICLE_HEARD(table)                                                           \
        "EXISTS (SELECT FROM " table " l WHERE l.vehicle_id = v.id"                    \
        "   AND l.received_at > now() - interval '5 min')"
#define VEHICLE_STATUS                                                                 \
        "(SELECT CASE WHEN l.armed THEN 'on_mission' WHEN l.vehicle_id IS NOT NULL"    \
        "   OR " VEHICLE_HEARD("sensor_logs") " OR " VEHICLE_HEARD("raw_logs")         \
        "   THEN 'idle' ELSE 'offline' END"                                            \
        "  FROM (SELECT 1) AS one LEFT JOIN LATERAL (SELECT l.vehicle_id, l.armed"     \
        "   FROM vehicle_logs l WHERE l.vehicle_id = v.id"                             \
        "     AND l.received_at > now() - interval '5 min'"                            \
        "   ORDER BY l.received_at DESC, l.seq DESC LIMIT 1) l ON true)"
#define VEHICLE_JSON                                                                   \
        "json_build_object('id', v.id, 'code', v.code, 'name', coalesce(v.name, v.code),"  \
        "   'description', null, 'status', " VEHICLE_STATUS ", 'user_id', v.user_id,"  \
        "   'created_at', " DB_PAGE_LOCAL("v.created_at") ","                          \
        "   'updated_at', " DB_PAGE_LOCAL("v.updated_at") ")"

#define VEHICLE_LOG_JSON                                                               \
        "json_build_object('vehicle_id', vehicle_id," VEHICLE_LOG_PAIRS ","            \
        "   'id', seq, 'created_at', " DB_PAGE_LOCAL("received_at") ")"
#define VEHICLE_SENSOR_LOG_JSON                                                        \
        "json_build_object('vehicle_id', vehicle_id, 'sensor_id', sensor_id, 'data', data,"  \
        "   'id', seq, 'created_at', " DB_PAGE_LOCAL("received_at") ")"
#define VEHICLE_RAW_LOG_JSON                                                           \
        "json_build_object('vehicle_id', vehicle_id, 'logs', logs, 'id', seq,"         \
        "   'created_at', " DB_PAGE_LOCAL("received_at") ")"

const char db_page_vehicles[] =
        DB_PAGE_WITH " SELECT coalesce(json_agg(" VEHICLE_JSON " ORDER BY v.id), '[]')"
        "  FROM (SELECT * FROM vehicles WHERE" VEHICLE_SEES("id")
        "   ORDER BY id OFFSET $7::bigint LIMIT $6::bigint) v";

const char db_page_vehicle[] =
        DB_PAGE_WITH " SELECT " VEHICLE_JSON " FROM vehicles v WHERE" VEHICLE_SEES("id");

const char db_page_vehicle_logs[] =
        VEHICLE_LIST(VEHICLE_LOG_JSON, VEHICLE_ROWS("vehicle_logs", ""));
const char db_page_vehicle_log[] = VEHICLE_ONE(VEHICLE_LOG_JSON, VEHICLE_ROW("vehicle_logs"));
const char db_page_vehicle_latest[] =
        VEHICLE_ONE(VEHICLE_LOG_JSON, VEHICLE_ROWS("vehicle_logs", ""));

/* What a log said of it last; what none says is null. The percentage has no column: it is what that
 * server's vehicles call it, or MAVLink, as far as it is one (-1 there: not known). */
#define VEHICLE_PERCENTAGE \
        "substring(coalesce(extra ->> 'battery_percentage', extra ->> 'battery_remaining')"  \
        "  FROM '^\\s*\\+?(0*(?:100(?:\\.0*)?|\\d{1,2}(?:\\.\\d*)?))\\s*$')::float8"

const char db_page_vehicle_battery[] =
        VEHICLE_ONE("json_build_object('id', seq, 'vehicle_id', vehicle_id,"
                    "   'percentage', " VEHICLE_PERCENTAGE ","
                    "   'voltage', battery_voltage, 'current', battery_current, 'status', null,"
                    "   'temperature', null, 'created_at', " DB_PAGE_LOCAL("received_at") ")",
                    VEHICLE_ROWS("vehicle_logs", " AND (battery_voltage IS NOT NULL OR "
                                 VEHICLE_PERCENTAGE " IS NOT NULL)"));

/* number: of this sensor alone; 0: of all, for which there is no sensor 0. */
const char db_page_sensor_logs[] =
        VEHICLE_LIST(VEHICLE_SENSOR_LOG_JSON,
                     VEHICLE_ROWS("sensor_logs",
                                  " AND ($9::text = '' OR sensor_id = $9::text::int)"));
const char db_page_sensor_log[] =
        VEHICLE_ONE(VEHICLE_SENSOR_LOG_JSON, VEHICLE_ROW("sensor_logs"));

const char db_page_raw_logs[] = VEHICLE_LIST(VEHICLE_RAW_LOG_JSON, VEHICLE_ROWS("raw_logs", ""));
const char db_page_raw_log[] = VEHICLE_ONE(VEHICLE_RAW_LOG_JSON, VEHICLE_ROW("raw_logs"));

/* The newest of a day decides: a sensor that was silent for so long is not connected anyhow. */
#define VEHICLE_SENSORS                                                                \
        " sensors_seen AS (SELECT v.id AS vehicle_id, v.code, s.sensor_id,"            \
        "   'SENSOR-' || s.sensor_id AS sensor_code,"                                  \
        "   coalesce(s.name, 'Sensor ' || s.sensor_id) AS sensor_name, s.created_at,"  \
        "   (SELECT max(l.received_at) FROM sensor_logs l WHERE l.vehicle_id = v.id"   \
        "     AND l.sensor_id = s.sensor_id AND l.received_at > now() - interval '1 day') AS last" \
        "  FROM vehicles v JOIN sensors s ON s.vehicle_id = v.id"                      \
        "  WHERE" VEHICLE_SEES("v.id") " ORDER BY v.id, s.sensor_id"                      \
        "  OFFSET $7::bigint LIMIT $6::bigint)"

const char db_page_vehicle_sensors[] =
        DB_PAGE_WITH "," VEHICLE_SENSORS
        " SELECT coalesce(json_agg(json_build_object('id', sensor_id, 'vehicle_id', vehicle_id,"
        "   'sensor_id', sensor_id, 'sensor_code', sensor_code, 'sensor_name', sensor_name,"
        "   'sensor_type_name', 'sensor', 'last_seen_at', " DB_PAGE_LOCAL("last") ","
        "   'is_installed', true, 'installed_at', " DB_PAGE_LOCAL("created_at") ","
        "   'removed_at', null) ORDER BY vehicle_id, sensor_id), '[]') FROM sensors_seen";

const char db_page_sensor_status[] =
        DB_PAGE_WITH "," VEHICLE_SENSORS
        " SELECT coalesce(json_agg(json_build_object('vehicle_id', vehicle_id,"
        "   'vehicle_code', code, 'sensor_id', sensor_id, 'sensor_code', sensor_code,"
        "   'sensor_name', sensor_name, 'status', CASE WHEN last >= now() - interval '30 s'"
        "      THEN 'connected' ELSE 'disconnected' END,"
        "   'last_seen_at', " DB_PAGE_LOCAL("last") ","
        "   'last_seen_seconds_ago', greatest(0, floor(extract(epoch FROM now() - last)))::bigint)"
        "   ORDER BY vehicle_id, sensor_id), '[]') FROM sensors_seen";
/* What is kept, by day: from sums of the days that are over (decision 084), and the rows of the
 * others; a row that was stored is whole. Growth is of seven days upon the seven before them, in
 * percent. */
const char db_page_raw_stats[] =
        DB_PAGE_WITH ","
        " whose AS MATERIALIZED (SELECT CASE WHEN $1::bigint <> 0 OR $5::bigint <> 0 THEN"
        "   ARRAY(SELECT id FROM vehicles WHERE" VEHICLE_SEES("id") ") END AS things),"
        " leaves AS MATERIALIZED (SELECT *, is_counted AND " DB_PAGE_HAS_QUARTERS " AS is_summed"
        "   FROM page_leaves WHERE source = 'raw_logs'),"
        " found AS (SELECT e.quarter, e.n, CASE WHEN e.nth = 1 THEN s.bytes ELSE 0 END AS bytes,"
        "    s.last_at FROM whose w, leaves l JOIN page_sums s USING (source, day),"
        "   unnest(s.quarters, s.counts) WITH ORDINALITY AS e (quarter, n, nth)"
        "   WHERE l.is_summed AND (w.things IS NULL OR s.thing = ANY (w.things))"
        "  UNION ALL SELECT r.quarter, r.n, r.bytes, r.last_at FROM whose w, leaves l,"
        "   tidegate_raw_logged(l.begins, l.ends, w.things) AS r WHERE NOT l.is_summed),"
        " days AS (SELECT " DB_PAGE_DAY("to_timestamp(quarter * 900.0)") " AS day, sum(n) AS n,"
        "   sum(bytes) AS size, max(last_at) AS last FROM found GROUP BY 1),"
        " sums AS (SELECT coalesce(sum(n), 0) AS n, coalesce(sum(size), 0) AS size, max(last) AS last,"
        "   coalesce(sum(n) FILTER (WHERE day = today), 0) AS of_today,"
        "   coalesce(sum(n) FILTER (WHERE day > today - 7), 0) AS week,"
        "   coalesce(sum(n) FILTER (WHERE day > today - 14 AND day <= today - 7), 0) AS before"
        "   FROM (SELECT " DB_PAGE_DAY("now()") " AS today) t LEFT JOIN days ON true)"
        " SELECT json_build_object('total_records', n, 'total_size', size,"
        "   'last_sync', " DB_PAGE_LOCAL("last") ", 'quality_percentage', CASE WHEN n > 0 THEN 100"
        "      ELSE 0 END, 'today_records', of_today, 'weekly_growth',"
        "   CASE WHEN before > 0 THEN round((week - before) * 100.0 / before, 1) ELSE 0 END) FROM sums";

const char db_page_vehicle_alerts[] =
        VEHICLE_LIST("json_build_object('id', seq, 'vehicle_id', vehicle_id, 'severity', severity,"
                     "   'alert_type', alert_type, 'message', message, 'source', source,"
                     "   'latitude', latitude, 'longitude', longitude, 'acknowledged', EXISTS ("
                     "      SELECT FROM alert_acks k WHERE k.journal_id = l.journal_id"
                     "      AND k.seq = l.seq AND k.received_at = l.received_at),"
                     "   'created_at', " DB_PAGE_LOCAL("received_at") ")",
                     VEHICLE_ROWS("alerts", ""));
/* clang-format on */
