-- 0042: tens of minutes beside minutes and hours, for charts of weeks and months.
--
-- A chart of three months was made of 130,000 minutes. All of it is counted anew, the newest day
-- first; what is not counted yet is read from its rows. Decision 075.

TRUNCATE series_days, series_things, series_sums, series_changes;

CREATE OR REPLACE FUNCTION tidegate_count_series(of_source text, of_leaf oid, of_day date, of_thing bigint,
        of_from timestamptz, of_to timestamptz, is_skipped boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
        is_anew boolean := of_from = tidegate_midnight(of_day);
        is_crowded boolean := is_skipped;
BEGIN
        IF is_anew THEN
                DELETE FROM series_changes WHERE source = of_source AND day = of_day AND thing = of_thing;
        END IF;
        DELETE FROM series_sums WHERE source = of_source AND day = of_day AND thing = of_thing
                AND (is_anew OR received_from >= of_from);
        IF NOT is_skipped THEN
                EXECUTE format('WITH points AS (SELECT sensor, member, round(date_part(''epoch'', time) * 1e6) AS t,
                                seq::float8 AS seq, tidegate_series_number(v) AS x FROM (%s) r),
                        minutes AS (SELECT sensor, member, floor(t / 60e6)::integer AS at, min(ARRAY[t, seq, x]) AS f,
                                min(ARRAY[x, t, seq]) AS lo, min(ARRAY[-x, t, seq]) AS hi,
                                max(ARRAY[t, seq, x]) AS l, count(*) AS n
                                FROM points WHERE x IS NOT NULL GROUP BY 1, 2, 3),
                        tens AS (SELECT sensor, member, at / 10 AS at, min(f) AS f, min(lo) AS lo, min(hi) AS hi,
                                max(l) AS l, sum(n) AS n FROM minutes GROUP BY 1, 2, 3),
                        entries AS (SELECT 60 AS step, * FROM minutes UNION ALL SELECT 600, * FROM tens UNION ALL
                                SELECT 3600, sensor, member, at / 6, min(f), min(lo), min(hi), max(l), sum(n)
                                FROM tens GROUP BY 2, 3, 4)
                        INSERT INTO series_sums SELECT $4, $5, $1, sensor, member, step, $2, $3, array_agg(at),
                                array_agg(f[1]), array_agg(f[3]), array_agg(lo[2]), array_agg(lo[1]),
                                array_agg(hi[2]), array_agg(-hi[1]), array_agg(l[1]), array_agg(l[3]),
                                array_agg(n::integer)
                        FROM entries GROUP BY sensor, member, step
                        HAVING step = 3600 OR sum(n) >= 8 * count(*)', tidegate_series_members(of_source, of_leaf))
                USING of_thing, of_from, of_to, of_source, of_day;
                SELECT count(*) > 256 INTO is_crowded FROM series_sums
                WHERE source = of_source AND day = of_day AND thing = of_thing AND step = 3600
                AND received_from = of_from;
        END IF;
        IF is_crowded THEN
                DELETE FROM series_sums WHERE source = of_source AND day = of_day AND thing = of_thing;
        END IF;
        INSERT INTO series_things AS s (source, day, thing, counted_to, is_crowded)
        VALUES (of_source, of_day, of_thing, of_to, is_crowded)
        ON CONFLICT (source, thing, day) DO UPDATE SET counted_to = excluded.counted_to,
                is_crowded = excluded.is_crowded OR (s.is_crowded AND NOT is_anew);
END $$;
