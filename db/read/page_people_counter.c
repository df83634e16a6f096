#include "db/read/page_source.h"

/* The pages of the people counter: PROTOCOL 3 A. All count what was heard by its own time, and by
 * zone; in a total a device that was heard in two zones is one. */

/* clang-format off: as it would stand in psql */

/* PROTOCOL 3 A: three devices are two people, and one device is one. */
#define COUNTER_PEOPLE(n) "CASE WHEN " n " = 0 THEN 0 ELSE greatest(1, round(" n " / 1.5)) END"

/* How often each was heard in each zone. */
#define COUNTER_HEARD                                                           \
        " heard AS (SELECT zone, device_hash, count(*) AS n, sum(rssi) AS rssi" \
        "   FROM ble_detections"                                                \
        "  WHERE" DB_PAGE_IN_TIME                                               \
        " AND" DB_PAGE_OF_DEVICE("device_id") "  GROUP BY zone, device_hash)"

#define COUNTER_ZONES                                                                   \
        " zones AS (SELECT zone, count(*) AS devices, sum(n) AS n,"                     \
        "   round((sum(rssi) / sum(n))::numeric, 2) AS rssi FROM heard GROUP BY zone)," \
        " total AS (SELECT count(DISTINCT device_hash) AS devices,"                     \
        "   coalesce(sum(n), 0) AS n FROM heard)"

#define COUNTER_BY_ZONE                                                                          \
        "(SELECT coalesce(json_object_agg(zone, json_build_object("                              \
        "   'unique_devices', devices, 'total_detections', n,"                                   \
        "   'estimated_people', " COUNTER_PEOPLE(                                                \
                "devices") ", 'avg_rssi', rssi)"                                                 \
                           "   ORDER BY array_position(ARRAY['near', 'medium', 'far'], zone)), " \
                           "'{}') FROM zones)"

const char db_page_counter_range[] = DB_PAGE_WITH
        "," COUNTER_HEARD "," COUNTER_ZONES " SELECT json_build_object('timestamp', " DB_PAGE_LOCAL(
                "now()") ","
                         "   'start_time', " DB_PAGE_LOCAL(
                                 DB_PAGE_FROM) ","
                                               /* the caller's end is inclusive, ours is not */
                                               "   'end_time', " DB_PAGE_LOCAL(
                                                       DB_PAGE_TO
                                                       " - interval '1us'") ","
                                                                            "   'total', "
                                                                            "json_build_object('"
                                                                            "unique_devices', "
                                                                            "devices, "
                                                                            "'total_detections', n,"
                                                                            "      "
                                                                            "'estimated_people',"
                                                                            " " COUNTER_PEOPLE(
                                                                                    "devices") ", "
                                                                                               "'av"
                                                                                               "g_"
                                                                                               "rss"
                                                                                               "i',"
                                                                                               " nu"
                                                                                               "ll)"
                                                                                               ","
                                                                                               "   "
                                                                                               "'by"
                                                                                               "_zo"
                                                                                               "ne'"
                                                                                               ","
                                                                                               " " COUNTER_BY_ZONE
                                                                                               ") "
                                                                                               "FRO"
                                                                                               "M "
                                                                                               "tot"
                                                                                               "al";
/* clang-format on */
