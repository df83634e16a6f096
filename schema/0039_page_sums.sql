-- 0039: sums of raw logs and of faces, of days that are over, so that what counts all that is kept
-- does not read it.
--
-- As detections (0026), but in whole days alone: of each vehicle, or camera and person, how many
-- there are in which quarter of an hour, as hours and days begin at one in every time zone. Whoever
-- writes into a day that is counted says so, and it is read from its rows until it was counted
-- anew. Decision 084.

CREATE TABLE page_days (
        source text NOT NULL,
        day date NOT NULL,
        leaf oid NOT NULL,
        counted_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (source, day)
);
COMMENT ON TABLE page_days IS 'days of receipt of raw_logs and camera_events whose sums there are';
COMMENT ON COLUMN page_days.leaf IS 'the partition that was counted: another one of its name was not';

CREATE TABLE page_changes (
        source text NOT NULL,
        day date NOT NULL,
        changed_by xid8 NOT NULL,
        PRIMARY KEY (source, day, changed_by)
);
COMMENT ON TABLE page_changes IS 'who wrote into a day that is counted: its sums are not good';

CREATE TABLE page_sums (
        source text NOT NULL,
        day date NOT NULL,
        thing bigint NOT NULL,
        label text NOT NULL,
        n bigint NOT NULL,
        bytes bigint NOT NULL,
        first_at timestamptz NOT NULL,
        last_at timestamptz NOT NULL,
        quarters integer[] NOT NULL,
        counts bigint[] NOT NULL
);
CREATE INDEX page_sums_day ON page_sums (source, day, thing);
COMMENT ON COLUMN page_sums.quarters IS
        'its number since 1970: of the receipt of a raw log, of the time of a face';
COMMENT ON COLUMN page_sums.counts IS 'how many there are in each';
COMMENT ON COLUMN page_sums.label IS 'whose face it was; empty: not known, or no face';

-- The days that there are, and whether their sums may stand for their rows.
CREATE VIEW page_leaves AS
        SELECT l.*, tidegate_midnight(l.day) AS begins, tidegate_midnight(l.day + 1) AS ends,
                d.day IS NOT NULL AND NOT EXISTS (SELECT FROM page_changes c
                        WHERE c.source = l.source AND c.day = l.day) AS is_counted
        FROM (SELECT s.source, c.oid AS leaf, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
                FROM (VALUES ('raw_logs'), ('camera_events')) AS s (source)
                JOIN pg_inherits i ON i.inhparent = to_regclass(s.source)
                JOIN pg_class c ON c.oid = i.inhrelid
                AND c.relname ~ ('^' || s.source || '_[0-9]{8}$')) l
        LEFT JOIN page_days d ON d.source = l.source AND d.day = l.day AND d.leaf = l.leaf;

CREATE FUNCTION tidegate_is_face(event_type text) RETURNS boolean
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT event_type IN ('face_detected', 'face_recognized')
$$;

CREATE FUNCTION tidegate_face_label(person_name text) RETURNS text
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN person_name = 'Unknown' THEN '' ELSE coalesce(person_name, '') END
$$;

CREATE FUNCTION tidegate_page_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        INSERT INTO page_changes (source, day, changed_by)
        VALUES (TG_ARGV[0], TG_ARGV[1]::date, pg_current_xact_id()) ON CONFLICT DO NOTHING;
        RETURN NULL;
END $$;

CREATE FUNCTION tidegate_page_leaf(of_day date, of_source text) RETURNS regclass
        LANGUAGE sql STABLE AS $$
        SELECT to_regclass(quote_ident(of_source || '_' || to_char(of_day, 'YYYYMMDD')))
$$;

-- Once that is committed, nobody can write into the day without saying so: who is at it is waited
-- for (the lock of CREATE TRIGGER), though not for long.
CREATE FUNCTION tidegate_watch_page(of_day date, of_source text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
        child regclass := tidegate_page_leaf(of_day, of_source);
BEGIN
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = child AND tgname = 'page_emptied') THEN
                RETURN;
        END IF;
        PERFORM set_config('lock_timeout', '1s', true);
        EXECUTE format('CREATE TRIGGER page_changed AFTER INSERT OR UPDATE OR DELETE ON %s
                FOR EACH ROW EXECUTE FUNCTION tidegate_page_changed(%L, %L)', child, of_source, of_day);
        EXECUTE format('CREATE TRIGGER page_emptied AFTER TRUNCATE ON %s
                FOR EACH STATEMENT EXECUTE FUNCTION tidegate_page_changed(%L, %L)',
                child, of_source, of_day);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER page_changed,
                ENABLE ALWAYS TRIGGER page_emptied', child);
END $$;

-- Raw logs that were received in one time, and faces that were, and are of another: as sums have
-- them, of these things (null: all). A plan of its own each time, which knows the partitions of
-- that receipt alone.
CREATE FUNCTION tidegate_raw_logged(received_from timestamptz, received_to timestamptz,
        things bigint[])
        RETURNS TABLE (thing bigint, quarter integer, n bigint, bytes bigint, first_at timestamptz,
        last_at timestamptz)
        LANGUAGE plpgsql STABLE ROWS 100 AS $$
BEGIN
        RETURN QUERY EXECUTE
                'SELECT vehicle_id, tidegate_quarter(received_at), count(*),
                        sum(octet_length(logs))::bigint, min(received_at), max(received_at)
                FROM raw_logs WHERE received_at >= $1 AND received_at < $2
                AND ($3 IS NULL OR vehicle_id = ANY ($3)) GROUP BY 1, 2'
                USING received_from, received_to, things;
END $$;

CREATE FUNCTION tidegate_faces_seen(received_from timestamptz, received_to timestamptz,
        time_from timestamptz, time_to timestamptz, things bigint[])
        RETURNS TABLE (thing bigint, quarter integer, label text, n bigint, first_at timestamptz,
        last_at timestamptz)
        LANGUAGE plpgsql STABLE ROWS 100 AS $$
BEGIN
        RETURN QUERY EXECUTE
                'SELECT device_id, tidegate_quarter(time), tidegate_face_label(person_name),
                        count(*), min(time), max(time)
                FROM camera_events WHERE received_at >= $1 AND received_at < $2
                AND time >= $3 AND time < $4 AND tidegate_is_face(event_type)
                AND ($5 IS NULL OR device_id = ANY ($5)) GROUP BY 1, 2, 3'
                USING received_from, received_to, time_from, time_to, things;
END $$;

-- In a transaction of its own, REPEATABLE READ: what it does not see, and what comes meanwhile,
-- leaves its change behind.
CREATE FUNCTION tidegate_count_page(of_day date, of_source text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
        child regclass := tidegate_page_leaf(of_day, of_source);
        begins timestamptz := tidegate_midnight(of_day);
        ends timestamptz := tidegate_midnight(of_day + 1);
BEGIN
        IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = child AND tgname = 'page_emptied') THEN
                RETURN;
        END IF;
        DELETE FROM page_changes WHERE source = of_source AND day = of_day;
        DELETE FROM page_days WHERE source = of_source AND day = of_day;
        DELETE FROM page_sums WHERE source = of_source AND day = of_day;
        INSERT INTO page_sums (source, day, thing, label, n, bytes, first_at, last_at, quarters, counts)
        SELECT of_source, of_day, thing, label, sum(n), sum(bytes), min(first_at), max(last_at),
                array_agg(quarter), array_agg(n)
        FROM (SELECT thing, '' AS label, quarter, n, bytes, first_at, last_at
                FROM tidegate_raw_logged(begins, ends, NULL) WHERE of_source = 'raw_logs'
                UNION ALL SELECT thing, label, quarter, n, 0, first_at, last_at
                FROM tidegate_faces_seen(begins, ends, '-infinity', 'infinity', NULL)
                WHERE of_source = 'camera_events') r
        GROUP BY thing, label;
        INSERT INTO page_days (source, day, leaf) VALUES (of_source, of_day, child);
END $$;

-- Sums outlive their rows in nothing.
CREATE FUNCTION tidegate_forget_pages() RETURNS void LANGUAGE sql AS $$
        WITH gone AS (DELETE FROM page_days d WHERE NOT EXISTS (SELECT FROM page_leaves l
                        WHERE l.source = d.source AND l.day = d.day)
                RETURNING source, day),
        sums AS (DELETE FROM page_sums s USING gone g WHERE s.source = g.source AND s.day = g.day)
        DELETE FROM page_changes c USING gone g WHERE c.source = g.source AND c.day = g.day
$$;
