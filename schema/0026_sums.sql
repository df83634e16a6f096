-- 0026: sums of what was heard, so that a statistic of a year does not read its rows.
--
-- A day of receipt that is over is counted once: of each scanner and zone, whom it heard in which
-- quarter of an hour, and how often. A quarter, as hours and days begin at one in every time zone.
-- Whoever writes into a day that is watched says so (a trigger of its partition, which the day that
-- is written into all the time does not have), and it is read from its rows again until it was
-- counted anew. Decision 054.

CREATE TABLE detection_days (
        day date PRIMARY KEY,
        leaf oid NOT NULL,
        first_time timestamptz,
        last_time timestamptz,
        counted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE detection_days IS 'days of receipt of ble_detections whose sums there are';
COMMENT ON COLUMN detection_days.leaf IS 'the partition that was counted: another one of its name was not';
COMMENT ON COLUMN detection_days.first_time IS 'of what is in it, by its own time; null: nothing is';

CREATE TABLE detection_changes (
        day date NOT NULL,
        changed_by xid8 NOT NULL,
        PRIMARY KEY (day, changed_by)
);
COMMENT ON TABLE detection_changes IS 'who wrote into a day that is counted: its sums are not good';

CREATE TABLE detection_sums (
        day date NOT NULL,
        device_id bigint NOT NULL,
        zone text NOT NULL,
        n bigint NOT NULL,
        first_time timestamptz NOT NULL,
        last_time timestamptz NOT NULL,
        quarters integer[] NOT NULL,
        counts integer[] NOT NULL,
        rssis double precision[] NOT NULL,
        hashes bigint[] NOT NULL,
        PRIMARY KEY (day, device_id, zone)
);
ALTER TABLE detection_sums ALTER hashes SET STORAGE EXTERNAL;
CREATE INDEX detection_sums_device ON detection_sums (device_id);
COMMENT ON COLUMN detection_sums.n IS 'rows';
COMMENT ON COLUMN detection_sums.quarters IS
        'one entry for whoever was heard in a quarter of an hour: its number since 1970';
COMMENT ON COLUMN detection_sums.counts IS 'how often, of each entry';
COMMENT ON COLUMN detection_sums.rssis IS 'the sum of rssi, of each entry';
COMMENT ON COLUMN detection_sums.hashes IS 'who: 64 bits that stand for device_hash';

CREATE FUNCTION tidegate_quarter(at timestamptz) RETURNS integer
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT floor(extract(epoch FROM at) / 900)::integer
$$;

-- The days that there are, and whether their sums may stand for their rows.
CREATE VIEW detection_leaves AS
        SELECT l.day, l.leaf, d.first_time, d.last_time, d.day IS NOT NULL AND NOT EXISTS
                (SELECT FROM detection_changes c WHERE c.day = d.day) AS is_counted
        FROM (SELECT c.oid AS leaf, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'ble_detections'::regclass
                AND c.relname ~ '^ble_detections_[0-9]{8}$') l
        LEFT JOIN detection_days d ON d.day = l.day AND d.leaf = l.leaf;

CREATE FUNCTION tidegate_detections_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        INSERT INTO detection_changes (day, changed_by)
        VALUES (TG_ARGV[0]::date, pg_current_xact_id()) ON CONFLICT DO NOTHING;
        RETURN NULL;
END $$;

-- Once that is committed, nobody can write into the day without saying so: who is at it is waited
-- for (the lock of CREATE TRIGGER), though not for long.
CREATE FUNCTION tidegate_watch_detections(of_day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
        child name := 'ble_detections_' || to_char(of_day, 'YYYYMMDD');
BEGIN
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident(child))
                        AND tgname = 'emptied') THEN
                RETURN;
        END IF;
        PERFORM set_config('lock_timeout', '1s', true);
        EXECUTE format('CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON %I
                FOR EACH ROW EXECUTE FUNCTION tidegate_detections_changed(%L)', child, of_day);
        EXECUTE format('CREATE TRIGGER emptied AFTER TRUNCATE ON %I
                FOR EACH STATEMENT EXECUTE FUNCTION tidegate_detections_changed(%L)', child, of_day);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER changed,
                ENABLE ALWAYS TRIGGER emptied', child);
END $$;

-- In a transaction of its own, REPEATABLE READ: what it does not see, and what comes meanwhile,
-- leaves its change behind. The number of rows; null: the day is not watched, or not there.
CREATE FUNCTION tidegate_count_detections(of_day date) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
        child oid := to_regclass(quote_ident('ble_detections_' || to_char(of_day, 'YYYYMMDD')));
        n_rows bigint;
BEGIN
        IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = child AND tgname = 'emptied') THEN
                RETURN NULL;
        END IF;
        DELETE FROM detection_changes WHERE day = of_day;
        DELETE FROM detection_days WHERE day = of_day;
        DELETE FROM detection_sums WHERE day = of_day;
        INSERT INTO detection_sums (day, device_id, zone, n, first_time, last_time, quarters, counts,
                rssis, hashes)
        SELECT of_day, device_id, zone, sum(n), min(first_time), max(last_time),
                array_agg(quarter), array_agg(n::integer), array_agg(rssi), array_agg(hash)
        FROM (SELECT device_id, zone, quarter, hash, count(*) AS n, sum(rssi) AS rssi,
                        min(time) AS first_time, max(time) AS last_time
                FROM (SELECT *, tidegate_quarter(time) AS quarter,
                                hashtextextended(device_hash, 0) AS hash
                        FROM ble_detections
                        WHERE received_at >= of_day::timestamp AT TIME ZONE 'UTC'
                        AND received_at < (of_day + 1)::timestamp AT TIME ZONE 'UTC') r
                GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3) e
        GROUP BY device_id, zone;
        INSERT INTO detection_days (day, leaf, first_time, last_time)
        SELECT of_day, child, min(first_time), max(last_time) FROM detection_sums WHERE day = of_day;
        SELECT coalesce(sum(n), 0) INTO n_rows FROM detection_sums WHERE day = of_day;
        RETURN n_rows;
END $$;

-- Rows that were received in one time and are of another, of these scanners (null: all), as sums
-- have them. A plan of its own each time, which knows the partitions of that receipt alone.
CREATE FUNCTION tidegate_heard(received_from timestamptz, received_to timestamptz,
        time_from timestamptz, time_to timestamptz, devices bigint[])
        RETURNS TABLE (quarter integer, zone text, hash bigint, n bigint, rssi double precision,
                first_time timestamptz, last_time timestamptz)
        LANGUAGE plpgsql STABLE ROWS 1000 AS $$
BEGIN
        RETURN QUERY EXECUTE
                'SELECT tidegate_quarter(time), zone, hashtextextended(device_hash, 0), count(*),
                        sum(rssi), min(time), max(time)
                FROM ble_detections
                WHERE received_at >= $1 AND received_at < $2 AND time >= $3 AND time < $4
                AND ($5 IS NULL OR device_id = ANY ($5)) GROUP BY 1, 2, 3'
                USING received_from, received_to, time_from, time_to, devices;
END $$;

CREATE FUNCTION tidegate_midnight(day date) RETURNS timestamptz
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT day::timestamp AT TIME ZONE 'UTC' $$;

-- Sums outlive their rows in nothing.
CREATE FUNCTION tidegate_forget_detections() RETURNS void LANGUAGE sql AS $$
        WITH gone AS (DELETE FROM detection_days d
                WHERE NOT EXISTS (SELECT FROM detection_leaves l WHERE l.day = d.day)
                RETURNING day),
        sums AS (DELETE FROM detection_sums s USING gone g WHERE s.day = g.day)
        DELETE FROM detection_changes c USING gone g WHERE c.day = g.day
$$;

-- As before, and with the last rows of a day of detections its sums go.
CREATE OR REPLACE FUNCTION tidegate_drop_partition(parent text, before_day date)
        RETURNS text LANGUAGE plpgsql AS $$
DECLARE
        child text;
BEGIN
        SELECT c.relname INTO child
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass(quote_ident(parent))
        AND c.relname ~ ('^' || parent || '_[0-9]{8}$')
        AND right(c.relname, 8) < to_char(before_day, 'YYYYMMDD')
        AND NOT EXISTS (SELECT FROM written_days w WHERE w.written_on >= before_day
                AND to_char(w.day, 'YYYYMMDD') = right(c.relname, 8))
        ORDER BY c.relname LIMIT 1;
        IF child IS NOT NULL THEN
                -- Writers queue up behind us while we wait for the lock: not for long.
                PERFORM set_config('lock_timeout', '1s', true);
                EXECUTE format('DROP TABLE %I', child);
                IF parent = 'camera_events' THEN
                        DELETE FROM camera_days d WHERE d.day < before_day
                        AND to_regclass('camera_events_' || to_char(d.day, 'YYYYMMDD')) IS NULL;
                        DELETE FROM camera_people p WHERE p.last_seen < before_day
                        AND to_regclass('camera_events_' || to_char(p.last_seen AT TIME ZONE 'UTC',
                                'YYYYMMDD')) IS NULL;
                ELSIF parent = 'ble_detections' THEN
                        PERFORM tidegate_forget_detections();
                END IF;
        END IF;
        RETURN child;
END $$;
