-- 0032: sums of hours that are over, so that today and yesterday cost no rows either.
--
-- Of yesterday and today each hour of receipt is counted by itself once it is over, up to
-- `counted_to`; a day before them is one piece, as ever. A write into what is counted leaves the
-- hour from which the sums are not good any more, and they are counted again from there.
-- Decision 065.

ALTER TABLE detection_days
        ADD counted_to timestamptz,
        ADD by_hour boolean NOT NULL DEFAULT false;
UPDATE detection_days SET counted_to = tidegate_midnight(day + 1);
ALTER TABLE detection_days ALTER counted_to SET NOT NULL;
COMMENT ON COLUMN detection_days.counted_to IS 'up to this receipt';
COMMENT ON COLUMN detection_days.by_hour IS 'each hour of receipt has sums of its own';

ALTER TABLE detection_sums
        ADD received_from timestamptz,
        ADD received_to timestamptz;
UPDATE detection_sums SET received_from = tidegate_midnight(day),
        received_to = tidegate_midnight(day + 1);
ALTER TABLE detection_sums
        ALTER received_from SET NOT NULL,
        ALTER received_to SET NOT NULL,
        DROP CONSTRAINT detection_sums_pkey,
        ADD PRIMARY KEY (day, device_id, zone, received_from);
COMMENT ON COLUMN detection_sums.received_from IS 'of which receipt it is: a day, or an hour';

ALTER TABLE detection_changes ADD since timestamptz;
UPDATE detection_changes SET since = tidegate_midnight(day);
ALTER TABLE detection_changes
        DROP CONSTRAINT detection_changes_pkey,
        ADD PRIMARY KEY (day, changed_by, since);
COMMENT ON COLUMN detection_changes.since IS 'the hour of receipt that was written into';

-- What is behind the hours that are counted is found by its receipt.
CREATE INDEX ble_detections_received_brin ON ble_detections USING brin (received_at);

CREATE FUNCTION tidegate_hour(at timestamptz) RETURNS timestamptz
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT date_bin('1 hour', at, '2000-01-01 00:00:00Z')
$$;

-- Sums may stand for the rows that were received before counted_to.
CREATE OR REPLACE VIEW detection_leaves AS
        SELECT l.day, l.leaf, d.first_time, d.last_time,
                d.day IS NOT NULL AND NOT d.by_hour AND c.since IS NULL AS is_counted,
                CASE WHEN d.day IS NULL OR (NOT d.by_hour AND c.since IS NOT NULL)
                     THEN tidegate_midnight(l.day)
                     ELSE least(d.counted_to, c.since) END AS counted_to,
                d.by_hour IS TRUE AS by_hour
        FROM (SELECT c.oid AS leaf, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'ble_detections'::regclass
                AND c.relname ~ '^ble_detections_[0-9]{8}$') l
        LEFT JOIN detection_days d ON d.day = l.day AND d.leaf = l.leaf
        LEFT JOIN (SELECT day, min(since) AS since FROM detection_changes GROUP BY day) c
                ON c.day = l.day;

-- Once a transaction and hour: what is said of one row is said of all.
CREATE OR REPLACE FUNCTION tidegate_detections_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
        hour timestamptz;
        said text;
BEGIN
        IF TG_OP = 'INSERT' THEN
                hour := tidegate_hour(NEW.received_at);
        ELSIF TG_OP = 'DELETE' THEN
                hour := tidegate_hour(OLD.received_at);
        ELSIF TG_OP = 'UPDATE' THEN
                hour := tidegate_hour(least(OLD.received_at, NEW.received_at));
        ELSE
                hour := tidegate_midnight(TG_ARGV[0]::date);
        END IF;
        said := extract(epoch FROM hour)::text;
        IF current_setting('tidegate.detections_changed', true) IS DISTINCT FROM said THEN
                INSERT INTO detection_changes (day, changed_by, since)
                VALUES (TG_ARGV[0]::date, pg_current_xact_id(), hour) ON CONFLICT DO NOTHING;
                PERFORM set_config('tidegate.detections_changed', said, true);
        END IF;
        RETURN NULL;
END $$;

-- Up to which receipt a partition is watched; null: it is not. That of a day before 0032 is whole.
CREATE FUNCTION tidegate_watched_to(child oid) RETURNS timestamptz LANGUAGE sql STABLE AS $$
        SELECT CASE WHEN t.tgnargs = 1 THEN 'infinity'
                ELSE split_part(encode(t.tgargs, 'escape'), '\000', 2)::timestamptz END
        FROM pg_trigger t WHERE t.tgrelid = child AND t.tgname = 'changed'
$$;

DROP FUNCTION tidegate_watch_detections(date);
DROP FUNCTION tidegate_count_detections(date);

-- As before, of what is received before @up_to (null: of the whole day). What comes as it is
-- received pays for no more than the comparison.
CREATE FUNCTION tidegate_watch_detections(of_day date, up_to timestamptz DEFAULT NULL)
        RETURNS void LANGUAGE plpgsql AS $$
DECLARE
        child name := 'ble_detections_' || to_char(of_day, 'YYYYMMDD');
        watched timestamptz := tidegate_watched_to(to_regclass(quote_ident(child)));
        until text;
BEGIN
        up_to := coalesce(up_to, tidegate_midnight(of_day + 1));
        IF watched >= up_to THEN
                RETURN;
        END IF;
        until := to_char(up_to AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"');
        PERFORM set_config('lock_timeout', '1s', true);
        EXECUTE format('CREATE OR REPLACE TRIGGER changed AFTER INSERT ON %I
                FOR EACH ROW WHEN (NEW.received_at < %L::timestamptz)
                EXECUTE FUNCTION tidegate_detections_changed(%L, %L)', child, until, of_day, until);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER changed', child);
        IF watched IS NOT NULL THEN
                RETURN;
        END IF;
        EXECUTE format('CREATE TRIGGER rewritten AFTER UPDATE OR DELETE ON %I
                FOR EACH ROW EXECUTE FUNCTION tidegate_detections_changed(%L)', child, of_day);
        EXECUTE format('CREATE TRIGGER emptied AFTER TRUNCATE ON %I
                FOR EACH STATEMENT EXECUTE FUNCTION tidegate_detections_changed(%L)', child, of_day);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER rewritten,
                ENABLE ALWAYS TRIGGER emptied', child);
END $$;

-- As before; with @up_to, the hours before it that are not counted yet, each for itself.
CREATE FUNCTION tidegate_count_detections(of_day date, up_to timestamptz DEFAULT NULL)
        RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
        child oid := to_regclass(quote_ident('ble_detections_' || to_char(of_day, 'YYYYMMDD')));
        hourly boolean := up_to IS NOT NULL;
        begins timestamptz := tidegate_midnight(of_day);
        n_rows bigint;
BEGIN
        up_to := coalesce(up_to, tidegate_midnight(of_day + 1));
        IF tidegate_watched_to(child) IS NULL OR tidegate_watched_to(child) < up_to THEN
                RETURN NULL;
        END IF;
        IF hourly THEN
                SELECT l.counted_to INTO begins FROM detection_leaves l
                WHERE l.day = of_day AND l.by_hour;
                begins := coalesce(begins, tidegate_midnight(of_day));
        END IF;
        DELETE FROM detection_changes WHERE day = of_day;
        DELETE FROM detection_sums WHERE day = of_day AND received_to > begins;
        INSERT INTO detection_sums (day, device_id, zone, received_from, received_to, n, first_time,
                last_time, quarters, counts, rssis, hashes)
        SELECT of_day, device_id, zone, begin, CASE WHEN hourly THEN begin + interval '1 hour'
                        ELSE up_to END,
                sum(n), min(first_time), max(last_time),
                array_agg(quarter), array_agg(n::integer), array_agg(rssi), array_agg(hash)
        FROM (SELECT device_id, zone, begin, quarter, hash, count(*) AS n, sum(rssi) AS rssi,
                        min(time) AS first_time, max(time) AS last_time
                FROM (SELECT *, CASE WHEN hourly THEN tidegate_hour(received_at) ELSE begins END
                                AS begin,
                                tidegate_quarter(time) AS quarter,
                                hashtextextended(device_hash, 0) AS hash
                        FROM ble_detections
                        WHERE received_at >= begins AND received_at < up_to) r
                GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4) e
        GROUP BY device_id, zone, begin;
        INSERT INTO detection_days (day, leaf, first_time, last_time, counted_to, by_hour)
        SELECT of_day, child, min(first_time), max(last_time), up_to, hourly
        FROM detection_sums WHERE day = of_day
        ON CONFLICT (day) DO UPDATE SET leaf = EXCLUDED.leaf, first_time = EXCLUDED.first_time,
                last_time = EXCLUDED.last_time, counted_to = EXCLUDED.counted_to,
                by_hour = EXCLUDED.by_hour, counted_at = now();
        SELECT coalesce(sum(n), 0) INTO n_rows FROM detection_sums WHERE day = of_day;
        RETURN n_rows;
END $$;
