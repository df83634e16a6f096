-- 0035: what a chart shows of minutes and hours that are over, so that a year of it does not read its rows.
--
-- Of each number that a thing has sent: of each minute and hour (of its own time) the first, the
-- least, the greatest and the last point, and how many there are. Counted by the day of receipt, as
-- detections are (0026, 0032): a day that is over as one piece, and of yesterday and today the
-- hours that are. Whoever writes into what is counted says of which thing, and its day is read from
-- its rows until it was counted anew. Decision 071.

CREATE TABLE series_days (
        source text NOT NULL,
        day date NOT NULL,
        leaf oid NOT NULL,
        counted_to timestamptz NOT NULL,
        is_whole boolean NOT NULL DEFAULT false,
        next_from timestamptz,
        next_to timestamptz,
        next_thing bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (source, day)
);
COMMENT ON TABLE series_days IS 'days of receipt of which there are sums for charts';
COMMENT ON COLUMN series_days.counted_to IS 'of every thing what was received before this is counted';
COMMENT ON COLUMN series_days.is_whole IS 'as one piece, not hour by hour';
COMMENT ON COLUMN series_days.next_to IS 'what is being counted, up to next_thing; null: nothing is';

CREATE TABLE series_things (
        source text NOT NULL,
        day date NOT NULL,
        thing bigint NOT NULL,
        counted_to timestamptz NOT NULL,
        is_crowded boolean NOT NULL,
        PRIMARY KEY (source, thing, day)
);
COMMENT ON COLUMN series_things.is_crowded IS 'it has too many members, or takes too long: its rows are read';

CREATE TABLE series_changes (
        source text NOT NULL,
        day date NOT NULL,
        thing bigint NOT NULL,
        changed_by xid8 NOT NULL,
        PRIMARY KEY (source, thing, day, changed_by)
);
COMMENT ON TABLE series_changes IS 'who wrote into what is counted: the sums of that day are not good';

CREATE TABLE series_sums (
        source text NOT NULL,
        day date NOT NULL,
        thing bigint NOT NULL,
        sensor integer NOT NULL,
        member text NOT NULL,
        step integer NOT NULL,
        received_from timestamptz NOT NULL,
        received_to timestamptz NOT NULL,
        at integer[] NOT NULL,
        first_time double precision[] NOT NULL,
        first double precision[] NOT NULL,
        low_time double precision[] NOT NULL,
        low double precision[] NOT NULL,
        high_time double precision[] NOT NULL,
        high double precision[] NOT NULL,
        last_time double precision[] NOT NULL,
        last double precision[] NOT NULL,
        n integer[] NOT NULL,
        PRIMARY KEY (source, thing, sensor, member, step, day, received_from)
);
COMMENT ON COLUMN series_sums.sensor IS '-1: of no sensor';
COMMENT ON COLUMN series_sums.step IS 's: 60, or 3600; minutes only where they are far fewer than the rows';
COMMENT ON COLUMN series_sums.at IS 'one entry for each minute, or hour: its number since 1970; times are in us';

CREATE VIEW series_leaves AS
        SELECT s.source, s.owner, c.oid AS leaf, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
        FROM (VALUES ('telemetry', 'device_id'), ('vehicle_logs', 'vehicle_id'),
                ('sensor_logs', 'vehicle_id')) AS s (source, owner)
        JOIN pg_inherits i ON i.inhparent = to_regclass(s.source)
        JOIN pg_class c ON c.oid = i.inhrelid AND c.relname ~ '_[0-9]{8}$';

-- What counts as a number in JSON: what a double holds, and a boolean as 0 and 1.
CREATE FUNCTION tidegate_series_number(v text) RETURNS double precision
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN left(v, 1) IN ('t', 'f') THEN (v = 'true')::integer::double precision
                WHEN v !~ '^[-0-9]' THEN NULL
                WHEN length(v) <= 40 AND v !~ '[eE]' THEN v::double precision
                WHEN v ~ '^-?[0-9]{1,100}([.][0-9]{1,100})?[eE][-+]?[0-9]{1,2}$' THEN v::double precision
                END
$$;

CREATE FUNCTION tidegate_series_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        IF TG_OP = 'TRUNCATE' THEN
                DELETE FROM series_days WHERE source = TG_ARGV[0] AND day = TG_ARGV[1]::date;
                RETURN NULL;
        END IF;
        INSERT INTO series_changes (source, day, thing, changed_by)
        SELECT TG_ARGV[0], TG_ARGV[1]::date, (r ->> TG_ARGV[2])::bigint, pg_current_xact_id()
        FROM (VALUES (CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END),
                (CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END)) AS v (r)
        WHERE r IS NOT NULL ON CONFLICT DO NOTHING;
        RETURN NULL;
END $$;

-- Once that is committed, nobody can write what was received before @until without saying so. Who
-- is at it is waited for, though not for long; what comes as it is received pays for a comparison.
CREATE FUNCTION tidegate_watch_series(source text, owner text, leaf oid, of_day date, until timestamptz)
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        PERFORM set_config('lock_timeout', '1s', true);
        EXECUTE format('CREATE OR REPLACE TRIGGER series_inserted AFTER INSERT ON %s
                FOR EACH ROW WHEN (NEW.received_at < %L)
                EXECUTE FUNCTION tidegate_series_changed(%L, %L, %L)',
                leaf::regclass, until, source, of_day, owner);
        EXECUTE format('CREATE OR REPLACE TRIGGER series_changed AFTER UPDATE OR DELETE ON %s
                FOR EACH ROW EXECUTE FUNCTION tidegate_series_changed(%L, %L, %L)',
                leaf::regclass, source, of_day, owner);
        EXECUTE format('CREATE OR REPLACE TRIGGER series_emptied AFTER TRUNCATE ON %s
                FOR EACH STATEMENT EXECUTE FUNCTION tidegate_series_changed(%L, %L)',
                leaf::regclass, source, of_day);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER series_inserted,
                ENABLE ALWAYS TRIGGER series_changed, ENABLE ALWAYS TRIGGER series_emptied', leaf::regclass);
END $$;

-- Every number of one thing in one day of receipt, as rows of sensor, member, v, time and seq: $1
-- thing, $2 and $3 of which receipt. The partition is named, as planning with a year of them costs
-- more than reading one.
CREATE FUNCTION tidegate_series_members(source text, leaf oid) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT format(CASE source
        WHEN 'telemetry' THEN 'SELECT -1 AS sensor, m.key AS member, m.value::text AS v, time, seq
                FROM %s, json_each(CASE WHEN json_typeof(payload) = ''object'' THEN payload ELSE ''{}'' END) m
                WHERE device_id = $1'
        WHEN 'vehicle_logs' THEN 'SELECT -1 AS sensor, m.key AS member, m.value::text AS v, time, seq
                FROM %s, jsonb_each(coalesce(extra, ''{}'') || jsonb_build_object(
                        ''battery_voltage'', battery_voltage, ''battery_current'', battery_current,
                        ''rssi'', rssi, ''latitude'', latitude, ''longitude'', longitude,
                        ''heading'', heading, ''armed'', armed, ''guided'', guided, ''speed'', speed)) m
                WHERE vehicle_id = $1'
        WHEN 'sensor_logs' THEN 'SELECT sensor_id AS sensor, m.key AS member, m.value::text AS v, time, seq
                FROM %s, jsonb_each(CASE WHEN jsonb_typeof(data) = ''object'' THEN data ELSE ''{}'' END) m
                WHERE vehicle_id = $1'
        END || ' AND received_at >= $2 AND received_at < $3', leaf::regclass)
$$;

-- Of one thing what was received in a piece of a day; from its midnight on: all that there is of that
-- day anew. The changes go first: who writes from here on leaves another one.
CREATE FUNCTION tidegate_count_series(of_source text, of_leaf oid, of_day date, of_thing bigint,
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
                        entries AS (SELECT 60 AS step, * FROM minutes UNION ALL
                                SELECT 3600, sensor, member, at / 60, min(f), min(lo), min(hi), max(l), sum(n)
                                FROM minutes GROUP BY 2, 3, 4)
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

-- Sums outlive their rows in nothing.
CREATE FUNCTION tidegate_forget_series() RETURNS void LANGUAGE sql AS $$
        DELETE FROM series_days d WHERE NOT EXISTS
                (SELECT FROM series_leaves l WHERE l.source = d.source AND l.day = d.day AND l.leaf = d.leaf);
        DELETE FROM series_things t WHERE NOT EXISTS
                (SELECT FROM series_days d WHERE d.source = t.source AND d.day = t.day);
        DELETE FROM series_sums t WHERE NOT EXISTS
                (SELECT FROM series_days d WHERE d.source = t.source AND d.day = t.day);
        DELETE FROM series_changes t WHERE NOT EXISTS
                (SELECT FROM series_days d WHERE d.source = t.source AND d.day = t.day);
$$;

-- One step of the work: what somebody wrote into is counted anew, then the newest day that lacks
-- something is watched, or counted for some more things: for so many, or for two seconds. 0: the
-- next one could not be counted, and is left to its rows. False: there is no more; null: somebody
-- else is at it, or has the lock.
CREATE FUNCTION tidegate_next_series(n_things integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
        stop_at timestamptz := clock_timestamp() + interval '2 seconds';
        is_skipped boolean := n_things = 0;
        hour timestamptz := tidegate_hour(clock_timestamp() - interval '1 minute');
        yesterday date := ((clock_timestamp() - interval '25 hours') AT TIME ZONE 'UTC')::date;
        piece record;
        next_one bigint;
BEGIN
        IF NOT pg_try_advisory_xact_lock(hashtext('tidegate_series')) THEN
                RETURN NULL;
        END IF;
        SELECT c.source, c.day, c.thing, d.leaf, greatest(d.counted_to, t.counted_to) AS counted_to INTO piece
        FROM series_changes c JOIN series_days d ON d.source = c.source AND d.day = c.day
        LEFT JOIN series_things t ON t.source = c.source AND t.day = c.day AND t.thing = c.thing
        LIMIT 1;
        IF FOUND THEN
                PERFORM tidegate_count_series(piece.source, piece.leaf, piece.day, piece.thing,
                        tidegate_midnight(piece.day), piece.counted_to, is_skipped);
                RETURN true;
        END IF;

        SELECT l.*, d.counted_to, d.next_from, d.next_to, d.next_thing, u.until INTO piece
        FROM series_leaves l LEFT JOIN series_days d ON d.source = l.source AND d.day = l.day AND d.leaf = l.leaf,
                LATERAL (SELECT CASE WHEN l.day >= yesterday THEN least(hour, tidegate_midnight(l.day + 1))
                        ELSE tidegate_midnight(l.day + 1) END AS until) u
        WHERE tidegate_midnight(l.day) < u.until
        AND (d.counted_to IS NULL OR d.counted_to < u.until OR (l.day < yesterday AND NOT d.is_whole))
        ORDER BY l.day DESC, l.source LIMIT 1;
        IF NOT FOUND THEN
                RETURN false;
        END IF;

        IF piece.next_to IS NULL THEN
                PERFORM tidegate_watch_series(piece.source, piece.owner, piece.leaf, piece.day, piece.until);
                INSERT INTO series_days (source, day, leaf, counted_to, next_from, next_to)
                VALUES (piece.source, piece.day, piece.leaf, tidegate_midnight(piece.day),
                        CASE WHEN piece.day >= yesterday AND piece.counted_to IS NOT NULL THEN piece.counted_to
                                ELSE tidegate_midnight(piece.day) END, piece.until)
                ON CONFLICT (source, day) DO UPDATE SET next_from = excluded.next_from,
                        next_to = excluded.next_to, next_thing = 0;
                RETURN true;
        END IF;
        FOR i IN 1 .. greatest(n_things, 1) LOOP
                EXECUTE format('SELECT min(%I) FROM %s WHERE %I > $1', piece.owner, piece.leaf::regclass, piece.owner)
                INTO next_one USING piece.next_thing;
                IF next_one IS NULL THEN
                        UPDATE series_days SET counted_to = next_to, is_whole = next_from = tidegate_midnight(day)
                                AND next_to = tidegate_midnight(day + 1), next_from = NULL, next_to = NULL
                        WHERE source = piece.source AND day = piece.day;
                        RETURN true;
                END IF;
                PERFORM tidegate_count_series(piece.source, piece.leaf, piece.day, next_one,
                        piece.next_from, piece.next_to, is_skipped);
                piece.next_thing := next_one;
                EXIT WHEN clock_timestamp() > stop_at;
        END LOOP;
        UPDATE series_days SET next_thing = piece.next_thing WHERE source = piece.source AND day = piece.day;
        RETURN true;
EXCEPTION WHEN lock_not_available THEN
        RETURN NULL;
END $$;

-- Rows of one member of a thing that were received in one time and are of another, as columns have
-- them, whose edges are those of steps.
CREATE FUNCTION tidegate_series_rows(of_source text, leaf oid, thing bigint, sensor integer, member text,
        received_from timestamptz, received_to timestamptz, time_from double precision, time_to double precision,
        all_from double precision, all_to double precision, points integer, step integer)
        RETURNS TABLE (i integer, f double precision[], lo double precision[], hi double precision[],
                l double precision[], n bigint) LANGUAGE plpgsql STABLE ROWS 100 AS $$
BEGIN
        RETURN QUERY EXECUTE format('SELECT width_bucket(greatest(floor(t / $9) * $9, $6), $6, $7, $8), min(ARRAY[t, seq, x]),
                        min(ARRAY[x, t, seq]), min(ARRAY[-x, t, seq]), max(ARRAY[t, seq, x]), count(*)
                FROM (SELECT round(date_part(''epoch'', time) * 1e6) AS t, seq::float8 AS seq,
                                tidegate_series_number(v) AS x
                        FROM (%s AND time >= timestamptz ''epoch'' + $10 * interval ''1us''
                                AND time < timestamptz ''epoch'' + $11 * interval ''1us'') r
                        WHERE sensor = $4 AND member = $5) p
                WHERE x IS NOT NULL GROUP BY 1', tidegate_series_members(of_source, leaf))
        USING thing, received_from, received_to, sensor, member, all_from, all_to, points, step * 1e6::float8,
                time_from, time_to;
END $$;

-- One member of a thing as $points columns, of steps where they are counted, else of its rows.
CREATE FUNCTION tidegate_series(of_source text, of_thing bigint, of_sensor integer, of_member text,
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
        entries AS MATERIALIZED (SELECT leaf, received_from, received_to, seq, width, u.*, u.at * width AS begins
                FROM sums, unnest(at, first_time, first, low_time, low, high_time, high,
                        last_time, last, n) AS u (at, ft, f, lot, lo, hit, hi, lt, l, n)
                WHERE step = of_step AND u.at * width < all_to AND (u.at + 1) * width > all_from),
        unread AS (SELECT leaf, counted_to AS a, day_end AS b, all_from AS c, all_to AS d FROM days WHERE counted_to < day_end
                UNION ALL SELECT leaf, received_from, received_to, all_from, all_to FROM sums s WHERE step <> of_step
                AND NOT EXISTS (SELECT FROM sums o WHERE o.day = s.day AND o.received_from = s.received_from AND o.step = of_step)
                UNION ALL SELECT leaf, received_from, received_to, greatest(begins, all_from), least(begins + width, all_to)
                FROM entries WHERE begins < all_from OR begins + width > all_to),
        parts AS (SELECT width_bucket(begins, all_from, all_to, points) AS i, ARRAY[ft, seq, f] AS f,
                        ARRAY[lo, lot, seq] AS lo, ARRAY[-hi, hit, seq] AS hi, ARRAY[lt, seq, l] AS l, n::bigint
                FROM entries WHERE begins >= all_from AND begins + width <= all_to
                UNION ALL SELECT r.* FROM unread, LATERAL tidegate_series_rows(of_source, leaf, of_thing, of_sensor,
                        of_member, a, b, c, d, all_from, all_to, points, of_step) r)
        SELECT i, min(f), min(lo), min(hi), max(l), sum(n)::bigint FROM parts GROUP BY i
$$;
