#pragma once

/*
 * What the statements of the pages share. Private to db/read/page*.
 *
 * $1 user_id, $2 from, $3 to (µs, null = open), $4 device_id, $5 vehicle_id, $6 limit, $7 offset,
 * $8 number, $9 text, $10 zone. A statement begins with DB_PAGE_WITH, which gives each its type
 * whether it is used or not, and answers with one row of one column.
 */

#include "db/read/visible.h"

/* clang-format off: as it would stand in psql */
#define DB_PAGE_WITH                                                                        \
        "WITH asked AS (SELECT $1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint," \
        " $6::bigint, $7::bigint, $8::bigint, $9::text, $10::text)"
#define DB_PAGE_US(n)     "(timestamptz 'epoch' + " n "::bigint * interval '1us')"
#define DB_PAGE_FROM      "coalesce(" DB_PAGE_US("$2") ", '-infinity')"
#define DB_PAGE_TO        "coalesce(" DB_PAGE_US("$3") ", 'infinity')"
#define DB_PAGE_LOCAL(at) "tidegate_local_time(" at ", $10::text)"

/* By the time of the rows. Nothing is believed that is further ahead of its receipt than a day
 * (time.max_ahead), and it is the receipt that finds the partitions. */
#define DB_PAGE_IN_TIME                                                                        \
        " time >= " DB_PAGE_FROM " AND time < " DB_PAGE_TO " AND received_at >= " DB_PAGE_FROM \
        " - interval '1 day'"

/* Rows of a device that is asked for, and may be seen. */
#define DB_PAGE_OF_DEVICE(column)                      \
        " ($4::bigint = 0 OR " column " = $4::bigint)" \
        " AND ($1::bigint = 0 OR " column " IN (" DB_VISIBLE_DEVICES("$1::bigint") "))"
/* clang-format on */

extern const char db_page_counter_range[];
