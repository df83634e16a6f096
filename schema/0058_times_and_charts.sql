-- 0058: times that are known as a statement is planned, and charts of sums at half the price.
--
-- timestamptz + interval is only stable, as an interval may have days: a bound that was made so was
-- known when a statement ran, and planning with each of a year's partitions took most of its time.
-- Microseconds have no time zone.

CREATE FUNCTION tidegate_us(us bigint) RETURNS timestamptz
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT timestamptz 'epoch' + us * interval '1us'
$$;
COMMENT ON FUNCTION tidegate_us IS 'of us since 1970';

-- As in 0035, but for how sums are taken apart: each array for itself in the list of what is
-- selected, and not all of them as a table, which is kept aside for each day first.
CREATE OR REPLACE FUNCTION tidegate_series(of_source text, of_thing bigint, of_sensor integer, of_member text,
        all_from double precision, all_to double precision, points integer, of_step integer)
        RETURNS TABLE (i integer, f double precision[], lo double precision[], hi double precision[],
                l double precision[], n bigint) LANGUAGE sql STABLE AS $$
        WITH leaves AS (SELECT i.inhrelid AS leaf, d.counted_to, d.day IS NOT NULL AS is_watched, coalesce(d.day,
                        (SELECT to_date(right(relname, 8), 'YYYYMMDD') FROM pg_class c WHERE c.oid = i.inhrelid)) AS day
                FROM pg_inherits i LEFT JOIN series_days d ON d.source = of_source AND d.leaf = i.inhrelid
                WHERE i.inhparent = of_source::regclass),
        days AS MATERIALIZED (SELECT l.day, l.leaf, tidegate_midnight(l.day + 1) AS day_end,
                        CASE WHEN NOT is_watched OR t.is_crowded OR EXISTS (SELECT FROM series_changes c
                                WHERE c.source = of_source AND c.thing = of_thing AND c.day = l.day)
                        THEN tidegate_midnight(l.day) ELSE greatest(l.counted_to, t.counted_to) END AS counted_to
                FROM leaves l
                LEFT JOIN series_things t ON t.source = of_source AND t.thing = of_thing AND t.day = l.day
                WHERE tidegate_midnight(l.day) <= now() + interval '1 hour'
                AND tidegate_midnight(l.day + 2) > timestamptz 'epoch' + all_from * interval '1us'),
        sums AS MATERIALIZED (SELECT s.*, leaf, of_step * 1e6::float8 AS width, date_part('epoch', received_from) * 1e6 AS seq
                FROM series_sums s JOIN days USING (day)
                WHERE source = of_source AND thing = of_thing AND sensor = of_sensor AND member = of_member
                AND step IN (of_step, 3600) AND received_to <= counted_to),
        unread AS (SELECT leaf, counted_to AS a, day_end AS b, all_from AS c, all_to AS d FROM days WHERE counted_to < day_end
                UNION ALL SELECT leaf, received_from, received_to, all_from, all_to FROM sums s WHERE step <> of_step
                AND NOT EXISTS (SELECT FROM sums o WHERE o.day = s.day AND o.received_from = s.received_from AND o.step = of_step)
                UNION ALL SELECT leaf, received_from, received_to, greatest(begins, all_from), least(begins + width, all_to)
                FROM (SELECT leaf, received_from, received_to, width, unnest(at) * width AS begins FROM sums WHERE step = of_step) e
                WHERE begins < all_to AND begins + width > all_from AND (begins < all_from OR begins + width > all_to)),
        parts AS (SELECT width_bucket(begins, all_from, all_to, points) AS i, ARRAY[ft, seq, f] AS f,
                        ARRAY[lo, lot, seq] AS lo, ARRAY[-hi, hit, seq] AS hi, ARRAY[lt, seq, l] AS l, n::bigint
                FROM (SELECT seq, width, unnest(at) * width AS begins, unnest(first_time) AS ft, unnest(first) AS f, unnest(low_time) AS lot,
                        unnest(low) AS lo, unnest(high_time) AS hit, unnest(high) AS hi, unnest(last_time) AS lt, unnest(last) AS l, unnest(n) AS n
                        FROM sums WHERE step = of_step) e
                WHERE begins >= all_from AND begins + width <= all_to
                UNION ALL SELECT r.* FROM unread, LATERAL tidegate_series_rows(of_source, leaf, of_thing, of_sensor,
                        of_member, a, b, c, d, all_from, all_to, points, of_step) r)
        SELECT i, min(f), min(lo), min(hi), max(l), sum(n)::bigint FROM parts GROUP BY i
$$;
