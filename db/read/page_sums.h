#pragma once

/*
 * What was heard, from the sums of days and hours that are counted and the rows of all others:
 * decisions 054 and 065. Private to db/read/page*.
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
        " leaves AS MATERIALIZED (SELECT l.*, tidegate_midnight(day) AS begins,"            \
        "    tidegate_midnight(day + 1) AS ends FROM detection_leaves l, span s"            \
        "   WHERE day >= (s.first AT TIME ZONE 'UTC')::date - 1"                            \
        "   AND (NOT is_counted OR (first_time < s.last AND last_time >= s.first))),"       \
        " pieces AS (SELECT CASE WHEN is_summed THEN counted_to ELSE begins END AS begins,"  \
        "    ends, s.first, s.last FROM leaves, span s"                                     \
        "   WHERE counted_to < ends OR NOT is_summed"                                       \
        "  UNION ALL SELECT begins, counted_to, s.first, inner_first FROM leaves, span s"   \
        "   WHERE is_summed AND begins < counted_to"                                        \
        "    AND s.first < inner_first AND first_time < inner_first"                        \
        "  UNION ALL SELECT begins, counted_to, inner_last, s.last FROM leaves, span s"     \
        "   WHERE is_summed AND begins < counted_to"                                        \
        "    AND inner_last < s.last AND last_time >= inner_last),"                         \
        " heard AS (SELECT e.quarter, d.zone, e.hash, e.n, e.rssi"                          \
        "   FROM span s, whose w, leaves l JOIN detection_sums d USING (day),"              \
        "   unnest(d.quarters, d.hashes, d.counts, d.rssis) AS e (quarter, hash, n, rssi)"  \
        "   WHERE d.received_to <= l.counted_to AND s.is_summed"                            \
        "    AND d.first_time < inner_last AND d.last_time >= inner_first"                  \
        "    AND e.quarter >= q_first AND e.quarter < q_last"                               \
        "    AND (w.devices IS NULL OR d.device_id = ANY (w.devices))"                      \
        "  UNION ALL SELECT h.quarter, h.zone, h.hash, h.n, h.rssi"                         \
        "   FROM pieces p, whose w, tidegate_heard(p.begins, p.ends, p.first, p.last,"      \
        "    w.devices) AS h)"

/* By receipt, from a time to now: of the day or hour in which it begins the rows, then all entries
 * of what is counted, then the rows again. */
#define DB_SUMS_RECEIVED(from)                                                              \
        DB_SUMS_WHOSE ","                                                                   \
        " days AS (SELECT *, greatest(tidegate_midnight(day), " from ") AS begins,"         \
        "   tidegate_midnight(day + 1) AS ends FROM detection_leaves"                       \
        "   WHERE tidegate_midnight(day + 1) > " from "),"                                  \
        " leaves AS MATERIALIZED (SELECT *, CASE WHEN begins = tidegate_hour(begins)"       \
        "    AND (by_hour OR begins = tidegate_midnight(day)) THEN begins"                  \
        "   WHEN by_hour THEN tidegate_hour(begins) + interval '1 hour' ELSE ends END"      \
        "   AS summed_from FROM days),"                                                     \
        " heard AS (SELECT d.zone, e.hash, e.n, e.rssi"                                     \
        "   FROM whose w, leaves l JOIN detection_sums d USING (day),"                      \
        "   unnest(d.hashes, d.counts, d.rssis) AS e (hash, n, rssi)"                       \
        "   WHERE d.received_from >= l.summed_from AND d.received_to <= l.counted_to"       \
        "    AND (w.devices IS NULL OR d.device_id = ANY (w.devices))"                      \
        "  UNION ALL SELECT h.zone, h.hash, h.n, h.rssi FROM (SELECT begins, summed_from AS ends"  \
        "    FROM leaves UNION ALL SELECT greatest(summed_from, counted_to), ends FROM leaves) p,"  \
        "   whose w, tidegate_heard(p.begins, p.ends, '-infinity', 'infinity', w.devices) AS h"  \
        "   WHERE p.begins < p.ends)"

/* Of any time. */
#define DB_SUMS_HEARD(from, to) DB_SUMS_(from, to, "true")
/* Of hours or days, which begin with a quarter unless a zone is off by some other minutes. */
#define DB_SUMS_OFF(at) "extract(epoch FROM (" at " AT TIME ZONE $10::text) - (" at " AT TIME ZONE 'UTC'))"
#define DB_SUMS_PERIODS(from, to)  \
        DB_SUMS_(from, to, DB_SUMS_OFF("first") " % 900 = 0 AND " DB_SUMS_OFF("last") " % 900 = 0")
/* clang-format on */
