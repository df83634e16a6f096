#pragma once

/*
 * What was heard, from the sums of the days that are counted and the rows of all others: decision
 * 054. Private to db/read/page*.
 *
 * A statement goes on with `heard`, an entry for whoever was heard in a quarter of an hour by one
 * scanner: quarter (its number since 1970), zone, hash, n, rssi (a sum). Where the time begins or
 * ends within a quarter, the rest of it is read from its rows.
 */

#include "db/read/page_source.h"

/* clang-format off */
#define DB_SUMS_AT(quarter) "to_timestamp(" quarter " * 900.0)"

/* Whose rows: null for everybody's. */
#define DB_SUMS_WHOSE                                                                       \
        " whose AS MATERIALIZED (SELECT CASE WHEN $1::bigint <> 0 THEN ARRAY(SELECT id"     \
        "   FROM (" DB_VISIBLE_DEVICES("$1::bigint") ") AS v (id)"                          \
        "   WHERE $4::bigint = 0 OR id = $4::bigint)"                                       \
        "   WHEN $4::bigint <> 0 THEN ARRAY[$4::bigint] END AS devices)"

#define DB_SUMS_(from, to, is_fit)                                                          \
        DB_SUMS_WHOSE ","                                                                   \
        " bounds AS MATERIALIZED (SELECT first, last, ceil(extract(epoch FROM first) / 900)::int"  \
        "    AS q_first, tidegate_quarter(last) AS q_last"                                  \
        "   FROM (SELECT " from " AS first, " to " AS last) b),"                            \
        " span AS MATERIALIZED (SELECT *, " DB_SUMS_AT("q_first") " AS inner_first,"        \
        "   " DB_SUMS_AT("q_last") " AS inner_last, q_first < q_last AND " is_fit           \
        "   AS is_summed FROM bounds),"                                                     \
        " leaves AS MATERIALIZED (SELECT l.* FROM detection_leaves l, span s"               \
        "   WHERE day >= (s.first AT TIME ZONE 'UTC')::date - 1"                            \
        "   AND (NOT is_counted OR (first_time < s.last AND last_time >= s.first))),"       \
        " pieces AS (SELECT day, s.first, s.last FROM leaves, span s"                       \
        "   WHERE NOT (is_counted AND is_summed)"                                           \
        "  UNION ALL SELECT day, s.first, inner_first FROM leaves, span s"                  \
        "   WHERE is_counted AND is_summed AND s.first < inner_first AND first_time < inner_first"  \
        "  UNION ALL SELECT day, inner_last, s.last FROM leaves, span s"                    \
        "   WHERE is_counted AND is_summed AND inner_last < s.last AND last_time >= inner_last),"  \
        " heard AS (SELECT e.quarter, d.zone, e.hash, e.n, e.rssi"                          \
        "   FROM span s, whose w, leaves l JOIN detection_sums d USING (day),"              \
        "   unnest(d.quarters, d.hashes, d.counts, d.rssis) AS e (quarter, hash, n, rssi)"  \
        "   WHERE l.is_counted AND s.is_summed"                                             \
        "    AND d.first_time < inner_last AND d.last_time >= inner_first"                  \
        "    AND e.quarter >= q_first AND e.quarter < q_last"                               \
        "    AND (w.devices IS NULL OR d.device_id = ANY (w.devices))"                      \
        "  UNION ALL SELECT h.quarter, h.zone, h.hash, h.n, h.rssi"                         \
        "   FROM pieces p, whose w, tidegate_heard(tidegate_midnight(p.day),"               \
        "    tidegate_midnight(p.day + 1), p.first, p.last, w.devices) AS h)"

/* By receipt, from a time to now: of days that are counted and that begin after it, all entries. */
#define DB_SUMS_RECEIVED(from)                                                              \
        DB_SUMS_WHOSE ","                                                                   \
        " leaves AS MATERIALIZED (SELECT day, is_counted AND tidegate_midnight(day) >= " from  \
        "    AS is_whole FROM detection_leaves WHERE tidegate_midnight(day + 1) > " from "),"  \
        " heard AS (SELECT d.zone, e.hash, e.n, e.rssi"                                     \
        "   FROM whose w, leaves l JOIN detection_sums d USING (day),"                      \
        "   unnest(d.hashes, d.counts, d.rssis) AS e (hash, n, rssi)"                       \
        "   WHERE l.is_whole AND (w.devices IS NULL OR d.device_id = ANY (w.devices))"      \
        "  UNION ALL SELECT h.zone, h.hash, h.n, h.rssi FROM leaves l, whose w,"            \
        "   tidegate_heard(greatest(tidegate_midnight(l.day), " from "),"                   \
        "    tidegate_midnight(l.day + 1), '-infinity', 'infinity', w.devices) AS h"        \
        "   WHERE NOT l.is_whole)"

/* Of any time. */
#define DB_SUMS_HEARD(from, to) DB_SUMS_(from, to, "true")
/* Of hours or days, which begin with a quarter unless a zone is off by some other minutes. */
#define DB_SUMS_OFF(at) "extract(epoch FROM (" at " AT TIME ZONE $10::text) - (" at " AT TIME ZONE 'UTC'))"
#define DB_SUMS_PERIODS(from, to)  \
        DB_SUMS_(from, to, DB_SUMS_OFF("first") " % 900 = 0 AND " DB_SUMS_OFF("last") " % 900 = 0")
/* clang-format on */
