-- 0005: retention that no clock can talk into dropping what should stay.
--
-- Retention goes by a day of its own, which follows the database's clock one day at a time. A
-- clock that jumps moves nothing: see tidegate_retention_day().

CREATE FUNCTION tidegate_today() RETURNS date LANGUAGE sql VOLATILE AS $$
        SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date
$$;

CREATE TABLE retention_day (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        day date NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE retention_day IS 'the day by which retention last went; one row';

-- What the tables hold says how far we were; an empty table can lose nothing.
INSERT INTO retention_day (day)
SELECT least(tidegate_today(), (max(received_at) AT TIME ZONE 'UTC')::date)
FROM (
        (SELECT received_at FROM raw_logs ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM sensor_logs ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM vehicle_logs ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM ble_detections ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM telemetry ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM camera_events ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM alerts ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM command_events ORDER BY seq DESC LIMIT 1) UNION ALL
        (SELECT received_at FROM device_status_logs ORDER BY seq DESC LIMIT 1)
) newest;

CREATE TABLE written_days (
        day date PRIMARY KEY,
        written_on date NOT NULL
);
COMMENT ON TABLE written_days IS
        'days that were written into after they were over: kept as long as if they were written_on';

-- The store is about to write into these days.
CREATE FUNCTION tidegate_note_written(from_day date, to_day date)
        RETURNS void LANGUAGE sql VOLATILE AS $$
        INSERT INTO written_days AS w (day, written_on)
        SELECT from_day + i, greatest(tidegate_today(), (SELECT day FROM retention_day))
        FROM generate_series(0, to_day - from_day) i
        WHERE from_day + i < greatest(tidegate_today(), (SELECT day FROM retention_day))
        ON CONFLICT (day) DO UPDATE SET written_on = EXCLUDED.written_on
                WHERE w.written_on < EXCLUDED.written_on
$$;

-- The day by which retention may go now; null, and why, if it may not. `held` alone says that the
-- clocks do not fit; with a day as well, one more day was given to a jump that has lasted.
CREATE FUNCTION tidegate_retention_day(gateway_now timestamptz, is_patient boolean,
        OUT day date, OUT held text) LANGUAGE plpgsql AS $$
DECLARE
        today date := tidegate_today();
        last date;
BEGIN
        INSERT INTO retention_day (day) VALUES (today) ON CONFLICT DO NOTHING;
        SELECT r.day INTO last FROM retention_day r FOR UPDATE;
        day := today;
        IF abs(extract(epoch FROM gateway_now - clock_timestamp())) > 86400 THEN
                held := 'clock_disagrees';
                day := NULL;
        ELSIF today > last + 1 THEN
                held := 'clock_jumped';
                day := CASE WHEN is_patient THEN last + 1 END;
        ELSIF today < last - 1 THEN
                held := 'clock_went_back';
                day := CASE WHEN is_patient THEN today END;
        END IF;
        IF day <> last AND (day > last OR held IS NOT NULL) THEN
                UPDATE retention_day r SET day = tidegate_retention_day.day, updated_at = now();
        END IF;
END $$;

-- As before, but a day that was written into later than it was stays for as long as that says.
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
                END IF;
        END IF;
        RETURN child;
END $$;
