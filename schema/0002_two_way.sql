-- 0002: commands to devices, what became of them, and every status that a device reported.

-- Commands ----------------------------------------------------------------------------------------

ALTER TABLE commands
        ALTER COLUMN payload TYPE json USING payload::json,
        ADD COLUMN published_at timestamptz,
        ADD COLUMN delivered_at timestamptz,
        ADD COLUMN finished_at timestamptz,
        ADD COLUMN claimed_by text,
        ADD COLUMN claimed_until timestamptz,
        ADD COLUMN expiry_noted_at timestamptz,
        DROP CONSTRAINT commands_user_id_idempotency_key_key,
        ADD CONSTRAINT commands_idempotency UNIQUE (user_id, device_id, idempotency_key);
UPDATE commands SET expires_at = created_at + interval '1 minute' WHERE expires_at IS NULL;
ALTER TABLE commands
        ALTER COLUMN expires_at SET DEFAULT now() + interval '1 minute',
        ALTER COLUMN expires_at SET NOT NULL;
COMMENT ON COLUMN commands.payload IS 'as it was given, which is how the device gets it';
COMMENT ON COLUMN commands.published_at IS 'the broker has acknowledged it, and the journal knows';
COMMENT ON COLUMN commands.delivered_at IS 'the device''s own socket has it';
COMMENT ON COLUMN commands.claimed_by IS 'the epoch of the gateway that publishes it';
COMMENT ON COLUMN commands.expiry_noted_at IS 'when a gateway last saw that its time is over';

-- What is under way is little and asked for every second; what is over is never scanned.
CREATE INDEX commands_open ON commands (device_id, created_at)
        WHERE state IN ('accepted', 'published', 'delivered', 'executing');
CREATE INDEX commands_expiry ON commands (expires_at)
        WHERE state IN ('accepted', 'published', 'delivered', 'executing');

CREATE FUNCTION tidegate_command_rank(state text) RETURNS integer
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE state WHEN 'accepted' THEN 0 WHEN 'published' THEN 1 WHEN 'delivered' THEN 2
                WHEN 'executing' THEN 3 ELSE 4 END
$$;
COMMENT ON FUNCTION tidegate_command_rank IS 'states only move up; those of rank 4 are final';

CREATE FUNCTION tidegate_notify_command() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        PERFORM pg_notify('tidegate_command', NEW.command_id);
        RETURN NULL;
END $$;

CREATE TRIGGER commands_added AFTER INSERT ON commands
        FOR EACH ROW EXECUTE FUNCTION tidegate_notify_command();

-- What happened -----------------------------------------------------------------------------------

CREATE TABLE command_events (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        device_id bigint NOT NULL,
        user_id bigint,
        journal_id integer NOT NULL,
        command_id text NOT NULL,
        state text NOT NULL CHECK (state IN ('accepted', 'published', 'delivered', 'executing',
                'done', 'failed', 'expired')),
        message text
) PARTITION BY RANGE (received_at);
CREATE INDEX command_events_device_time ON command_events (device_id, time);
CREATE INDEX command_events_brin ON command_events USING brin (time, seq);
COMMENT ON TABLE command_events IS 'each change of the state of a command';
COMMENT ON COLUMN command_events.user_id IS 'who commanded; null = a user that is gone';

CREATE TABLE device_status_logs (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        device_id bigint NOT NULL,
        temperature double precision,
        humidity double precision,
        latitude double precision CHECK (latitude BETWEEN -90 AND 90),
        longitude double precision CHECK (longitude BETWEEN -180 AND 180),
        journal_id integer NOT NULL,
        late boolean NOT NULL,
        status text NOT NULL CHECK (status IN ('online', 'offline', 'warning', 'error'))
) PARTITION BY RANGE (received_at);
CREATE INDEX device_status_logs_device_time ON device_status_logs (device_id, time);
CREATE INDEX device_status_logs_brin ON device_status_logs USING brin (time, seq);
COMMENT ON TABLE device_status_logs IS 'what each device_status said; null = it did not say';
COMMENT ON COLUMN device_status_logs.late IS 'older than what was known: it moved nothing';
COMMENT ON COLUMN device_status_logs.temperature IS '°C';
COMMENT ON COLUMN device_status_logs.humidity IS '%';
COMMENT ON COLUMN device_status_logs.latitude IS 'degrees, WGS 84';
COMMENT ON COLUMN device_status_logs.longitude IS 'degrees, WGS 84';

-- Partitions: as before, and of the new tables ---------------------------------------------------

CREATE OR REPLACE FUNCTION tidegate_make_partitions(from_day date, to_day date)
        RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
        parent text;
        child text;
        day date;
        n_made integer := 0;
BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('tidegate_partitions'));
        FOR i IN 0 .. to_day - from_day LOOP
                day := from_day + i;
                FOREACH parent IN ARRAY ARRAY['raw_logs', 'sensor_logs', 'vehicle_logs',
                        'ble_detections', 'telemetry', 'camera_events', 'alerts', 'command_events',
                        'device_status_logs', 'dead_letters'] LOOP
                        child := parent || to_char(day, '_YYYYMMDD');
                        CONTINUE WHEN to_regclass(quote_ident(child)) IS NOT NULL;
                        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS
                                INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)',
                                child, parent);
                        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I
                                FOR VALUES FROM (%L) TO (%L)', parent, child,
                                to_char(day, 'YYYY-MM-DD" 00:00:00+00"'),
                                to_char(day + 1, 'YYYY-MM-DD" 00:00:00+00"'));
                        n_made := n_made + 1;
                END LOOP;
        END LOOP;
        RETURN n_made;
END $$;
