#pragma once

/*
 * What the statements of the pages share. Private to db/read/page*.
 *
 * $1 user_id, $2 from, $3 to (µs, null = open), $4 device_id, $5 vehicle_id, $6 limit, $7 offset,
 * $8 number, $9 text, $10 zone, $11 devices a person, $12 whether zones count apart. A statement
 * begins with DB_PAGE_WITH, which gives each its type whether it is used or not, and answers with
 * one row of one column.
 */

#include "db/visible.h"

/* clang-format off */
#define DB_PAGE_WITH                                                                         \
        "WITH asked AS (SELECT $1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint,"  \
        " $6::bigint, $7::bigint, $8::bigint, $9::text, $10::text, $11::float8, $12::boolean)"
#define DB_PAGE_US(n)     "tidegate_us(" n "::bigint)"
#define DB_PAGE_FROM      "coalesce(" DB_PAGE_US("$2") ", '-infinity')"
#define DB_PAGE_TO        "coalesce(" DB_PAGE_US("$3") ", 'infinity')"
#define DB_PAGE_DEPTH     "($6::bigint + $7::bigint)" /* what has to be found for the page */
#define DB_PAGE_LOCAL(at) "tidegate_local_time(" at ", $10::text)"

/* The day in which @at is there, and when the day @day begins there. */
#define DB_PAGE_DAY(at)       "(" at " AT TIME ZONE $10::text)::date"
#define DB_PAGE_MIDNIGHT(day) "((" day ")::timestamp AT TIME ZONE $10::text)"

/* Its hours and days begin with a quarter of an hour, as sums have them: with no zone of today is
 * it otherwise, but one may be set. */
#define DB_PAGE_HAS_QUARTERS                                              \
        "extract(epoch FROM (now() AT TIME ZONE $10::text)"              \
        " - (now() AT TIME ZONE 'UTC')) % 900 = 0"

/* By the time of the rows. Nothing is believed that is further ahead of its receipt than a day
 * (time.ahead), and it is the receipt that finds the partitions. */
#define DB_PAGE_BETWEEN(from, to)           \
        " time >= " from " AND time < " to  \
        " AND received_at >= " from " - interval '1 day'"
#define DB_PAGE_IN_TIME DB_PAGE_BETWEEN(DB_PAGE_FROM, DB_PAGE_TO)

/* Rows of a device that is asked for, and may be seen. */
#define DB_PAGE_OF_DEVICE(column)                       \
        " ($4::bigint = 0 OR " column " = $4::bigint)"  \
        " AND ($1::bigint = 0 OR " column " IN (" DB_VISIBLE_DEVICES("$1::bigint") "))"

/* A detection's number in the people counter: one of a message is one more than the one before, and
 * the numbers of messages go by the clock (decision 001). It stays below 2^53, where scripts stop
 * counting. */
#define DB_PAGE_DETECTION_ID                                                                    \
        "((seq - CASE WHEN seq >= 1767225600000000 THEN 1767225600000000 ELSE 0 END) * 16 + item)"
/* clang-format on */

#define DB_PAGE_ZONE_SIZE 64

/* As PostgreSQL wants it: it reads +07:00 as POSIX does, seven hours west. */
void db_page_zone(const char *zone, char ret_zone[DB_PAGE_ZONE_SIZE]);

extern const char db_page_counter_live_by_time[], db_page_counter_live[], db_page_counter_range[],
        db_page_counter_histogram[], db_page_counter_histogram_hour[], db_page_counter_hourly[],
        db_page_counter_daily[], db_page_counter_distribution[], db_page_counter_recent[],
        db_page_counter_count[], db_page_counter_devices[], db_page_counter_active[],
        db_page_counter_device[], db_page_counter_device_stats[], db_page_counter_set_zones[],
        db_page_counter_reset_zones[];
extern const char db_page_face_sums[], db_page_face_hours[];
extern const char db_page_cameras[], db_page_camera[], db_page_camera_status[], db_page_faces[],
        db_page_face_history[], db_page_vehicles[], db_page_vehicle[], db_page_vehicle_logs[],
        db_page_vehicle_log[], db_page_vehicle_latest[], db_page_sensor_logs[],
        db_page_sensor_log[], db_page_raw_logs[], db_page_raw_log[], db_page_vehicle_sensors[],
        db_page_sensor_status[];
extern const char db_page_vehicle_battery[], db_page_raw_stats[], db_page_vehicle_alerts[];
