-- 0001: everything that the first release stores.
--
-- Times are timestamptz and mean UTC. In the log tables `received_at` is our clock and decides the
-- partition; `time` is the device's clock, which may be wrong. (journal_id, seq) names the message
-- that a row came from; `item` counts within a message that carries several. Log tables have no
-- foreign keys: history outlives what it is about, and a look-up a row is too dear.

-- Who exists ------------------------------------------------------------------------------------

CREATE TABLE users (
        id bigserial PRIMARY KEY,
        username text NOT NULL UNIQUE CHECK (username <> ''),
        password_hash text NOT NULL,
        role text NOT NULL DEFAULT 'user' CHECK (role IN ('admin', 'user', 'viewer')),
        is_active boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username_lower ON users (lower(username));
COMMENT ON COLUMN users.password_hash IS 'scrypt, as $scrypt$ln=15,r=8,p=1$salt$hash';
COMMENT ON COLUMN users.role IS 'admin sees everything; user; viewer changes nothing';

CREATE TABLE devices (
        id bigserial PRIMARY KEY,
        key uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
        code text NOT NULL UNIQUE CHECK (code <> ''),
        user_id bigint REFERENCES users ON DELETE SET NULL,
        name text,
        product_type text,
        device_type text,
        firmware_version text,
        location text,
        is_active boolean NOT NULL DEFAULT true,
        token_hash bytea CHECK (octet_length(token_hash) = 32),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX devices_user_id ON devices (user_id);
COMMENT ON COLUMN devices.key IS 'a name that cannot be guessed, for URLs and labels';
COMMENT ON COLUMN devices.code IS 'the name in MQTT topics';
COMMENT ON COLUMN devices.user_id IS 'owner; null = nobody, only admins see it';
COMMENT ON COLUMN devices.token_hash IS 'HMAC-SHA-256(pepper, token); null = may not connect';

CREATE TABLE device_states (
        device_id bigint PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
        status text CHECK (status IN ('online', 'offline', 'warning', 'error')),
        last_seen timestamptz,
        time timestamptz,
        temperature double precision CHECK (temperature BETWEEN -273.15 AND 1000),
        humidity double precision CHECK (humidity BETWEEN 0 AND 100),
        latitude double precision CHECK (latitude BETWEEN -90 AND 90),
        longitude double precision CHECK (longitude BETWEEN -180 AND 180),
        updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE device_states IS 'the latest state; older data never overwrites newer';
COMMENT ON COLUMN device_states.last_seen IS 'when we received the newest message of any kind';
COMMENT ON COLUMN device_states.time IS 'device time of the newest status';
COMMENT ON COLUMN device_states.temperature IS '°C';
COMMENT ON COLUMN device_states.humidity IS '%';
COMMENT ON COLUMN device_states.latitude IS 'degrees, WGS 84';
COMMENT ON COLUMN device_states.longitude IS 'degrees, WGS 84';

CREATE TABLE vehicles (
        id bigserial PRIMARY KEY,
        code text NOT NULL UNIQUE CHECK (code <> ''),
        name text,
        user_id bigint REFERENCES users ON DELETE SET NULL,
        is_active boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX vehicles_user_id ON vehicles (user_id);

CREATE TABLE groups (
        id bigserial PRIMARY KEY,
        name text NOT NULL UNIQUE CHECK (name <> ''),
        created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE device_groups (
        device_id bigint NOT NULL REFERENCES devices ON DELETE CASCADE,
        group_id bigint NOT NULL REFERENCES groups ON DELETE CASCADE,
        PRIMARY KEY (device_id, group_id)
);
CREATE INDEX device_groups_group_id ON device_groups (group_id);

CREATE TABLE shares (
        id bigserial PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
        vehicle_id bigint REFERENCES vehicles ON DELETE CASCADE,
        device_id bigint REFERENCES devices ON DELETE CASCADE,
        group_id bigint REFERENCES groups ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT shares_one_thing CHECK (num_nonnulls(vehicle_id, device_id, group_id) = 1),
        UNIQUE (user_id, vehicle_id),
        UNIQUE (user_id, device_id),
        UNIQUE (user_id, group_id)
);
CREATE INDEX shares_vehicle_id ON shares (vehicle_id) WHERE vehicle_id IS NOT NULL;
CREATE INDEX shares_device_id ON shares (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX shares_group_id ON shares (group_id) WHERE group_id IS NOT NULL;
COMMENT ON TABLE shares IS 'user_id may see one vehicle, one device, or the devices of one group';

CREATE TABLE sensors (
        vehicle_id bigint NOT NULL REFERENCES vehicles ON DELETE CASCADE,
        sensor_id integer NOT NULL,
        name text,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (vehicle_id, sensor_id)
);
COMMENT ON TABLE sensors IS 'made when a vehicle first names a sensor';

CREATE TABLE commands (
        command_id text PRIMARY KEY,
        device_id bigint NOT NULL REFERENCES devices ON DELETE CASCADE,
        user_id bigint REFERENCES users ON DELETE SET NULL,
        action text NOT NULL,
        payload jsonb,
        state text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'published',
                'delivered', 'executing', 'done', 'failed', 'expired')),
        message text,
        idempotency_key text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        UNIQUE (user_id, idempotency_key)
);
CREATE INDEX commands_device_id ON commands (device_id, created_at);
COMMENT ON COLUMN commands.state IS 'done, failed and expired are final';

-- What happened: partitioned by day of receipt ---------------------------------------------------

CREATE TABLE raw_logs (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        vehicle_id bigint NOT NULL,
        journal_id integer NOT NULL,
        logs text NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX raw_logs_vehicle_time ON raw_logs (vehicle_id, time);

CREATE TABLE sensor_logs (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        vehicle_id bigint NOT NULL,
        journal_id integer NOT NULL,
        sensor_id integer NOT NULL,
        data jsonb NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX sensor_logs_vehicle_time ON sensor_logs (vehicle_id, time);

CREATE TABLE vehicle_logs (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        vehicle_id bigint NOT NULL,
        battery_voltage double precision,
        battery_current double precision,
        rssi double precision,
        latitude double precision CHECK (latitude BETWEEN -90 AND 90),
        longitude double precision CHECK (longitude BETWEEN -180 AND 180),
        heading double precision,
        speed double precision,
        journal_id integer NOT NULL,
        armed boolean,
        guided boolean,
        mode text,
        system_status text,
        extra jsonb
) PARTITION BY RANGE (received_at);
CREATE INDEX vehicle_logs_vehicle_time ON vehicle_logs (vehicle_id, time);
COMMENT ON COLUMN vehicle_logs.battery_voltage IS 'V';
COMMENT ON COLUMN vehicle_logs.battery_current IS 'A';
COMMENT ON COLUMN vehicle_logs.rssi IS 'dBm';
COMMENT ON COLUMN vehicle_logs.latitude IS 'degrees, WGS 84';
COMMENT ON COLUMN vehicle_logs.longitude IS 'degrees, WGS 84';
COMMENT ON COLUMN vehicle_logs.heading IS 'degrees from north, clockwise';
COMMENT ON COLUMN vehicle_logs.speed IS 'm/s';
COMMENT ON COLUMN vehicle_logs.extra IS 'members of the payload that have no column';

CREATE TABLE ble_detections (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        device_id bigint NOT NULL,
        rssi double precision NOT NULL,
        journal_id integer NOT NULL,
        item integer NOT NULL,
        zone text NOT NULL CHECK (zone IN ('near', 'medium', 'far')),
        device_hash text NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX ble_detections_device_time ON ble_detections (device_id, time);
-- The statistics ask for the last minutes every few seconds; ever-growing keys are cheap to add.
CREATE INDEX ble_detections_received_at ON ble_detections (received_at);
COMMENT ON COLUMN ble_detections.device_id IS 'the receiver';
COMMENT ON COLUMN ble_detections.device_hash IS 'whom it heard: SHA-256 in hex';
COMMENT ON COLUMN ble_detections.rssi IS 'dBm';

CREATE TABLE telemetry (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        device_id bigint NOT NULL,
        journal_id integer NOT NULL,
        payload json NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX telemetry_device_time ON telemetry (device_id, time);
COMMENT ON COLUMN telemetry.payload IS 'byte for byte as received, hence json and not jsonb';

CREATE TABLE camera_events (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        device_id bigint NOT NULL,
        confidence double precision,
        journal_id integer NOT NULL,
        event_type text NOT NULL,
        person_name text,
        data jsonb
) PARTITION BY RANGE (received_at);
CREATE INDEX camera_events_device_time ON camera_events (device_id, time);
COMMENT ON COLUMN camera_events.confidence IS '0 to 1';

CREATE TABLE alerts (
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        time timestamptz NOT NULL,
        vehicle_id bigint,
        device_id bigint,
        latitude double precision CHECK (latitude BETWEEN -90 AND 90),
        longitude double precision CHECK (longitude BETWEEN -180 AND 180),
        journal_id integer NOT NULL,
        severity text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
        alert_type text,
        message text,
        source text,
        extra jsonb
) PARTITION BY RANGE (received_at);
CREATE INDEX alerts_vehicle_time ON alerts (vehicle_id, time) WHERE vehicle_id IS NOT NULL;
CREATE INDEX alerts_device_time ON alerts (device_id, time) WHERE device_id IS NOT NULL;
COMMENT ON COLUMN alerts.latitude IS 'degrees, WGS 84';
COMMENT ON COLUMN alerts.longitude IS 'degrees, WGS 84';

CREATE TABLE dead_letters (
        id bigserial,
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        journal_id integer NOT NULL,
        item integer,
        reason text NOT NULL,
        topic text NOT NULL,
        detail text,
        payload bytea NOT NULL,
        PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
COMMENT ON TABLE dead_letters IS 'messages, and items of messages, that could not be used';
COMMENT ON COLUMN dead_letters.item IS 'which item of the message; null = the whole message';
COMMENT ON COLUMN dead_letters.reason IS 'the code that the metrics count by';

CREATE INDEX raw_logs_brin ON raw_logs USING brin (time, seq);
CREATE INDEX sensor_logs_brin ON sensor_logs USING brin (time, seq);
CREATE INDEX vehicle_logs_brin ON vehicle_logs USING brin (time, seq);
CREATE INDEX ble_detections_brin ON ble_detections USING brin (time, seq);
CREATE INDEX telemetry_brin ON telemetry USING brin (time, seq);
CREATE INDEX camera_events_brin ON camera_events USING brin (time, seq);
CREATE INDEX alerts_brin ON alerts USING brin (time, seq);
CREATE INDEX dead_letters_brin ON dead_letters USING brin (received_at, seq);

-- Camera statistics are asked for every few seconds: sums kept while events come in, so that
-- asking costs what there are cameras, not what there are events.

CREATE TABLE camera_states (
        device_id bigint PRIMARY KEY,
        last_event_at timestamptz NOT NULL,
        recording boolean NOT NULL DEFAULT false,
        recording_time timestamptz
) WITH (fillfactor = 50);
COMMENT ON COLUMN camera_states.recording IS 'the newest of recording_started, recording_stopped';

CREATE TABLE camera_days (
        device_id bigint NOT NULL,
        day date NOT NULL,
        recognitions bigint NOT NULL,
        unknown_faces bigint NOT NULL,
        last_recognition timestamptz,
        PRIMARY KEY (day, device_id)
) WITH (fillfactor = 50);
COMMENT ON COLUMN camera_days.day IS 'UTC day of receipt';

CREATE TABLE camera_people (
        device_id bigint NOT NULL,
        person_name text NOT NULL,
        last_seen timestamptz NOT NULL,
        PRIMARY KEY (device_id, person_name)
) WITH (fillfactor = 50);
COMMENT ON TABLE camera_people IS 'who was ever recognised, and by which camera';

CREATE FUNCTION tidegate_camera_events_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        INSERT INTO camera_states AS s (device_id, last_event_at)
        SELECT device_id, max(received_at) FROM added GROUP BY device_id ORDER BY device_id
        ON CONFLICT (device_id) DO UPDATE
                SET last_event_at = greatest(s.last_event_at, EXCLUDED.last_event_at);

        UPDATE camera_states s
        SET recording = n.recording, recording_time = n.time
        FROM (SELECT DISTINCT ON (device_id) device_id, time,
                        event_type = 'recording_started' AS recording
                FROM added
                WHERE event_type IN ('recording_started', 'recording_stopped')
                ORDER BY device_id, time DESC, seq DESC) n
        WHERE s.device_id = n.device_id
        AND (s.recording_time IS NULL OR n.time >= s.recording_time);

        INSERT INTO camera_days AS d
                (device_id, day, recognitions, unknown_faces, last_recognition)
        SELECT device_id, (received_at AT TIME ZONE 'UTC')::date AS day,
                count(*) FILTER (WHERE person_name NOT IN ('', 'Unknown')),
                count(*) FILTER (WHERE person_name IS NULL OR person_name IN ('', 'Unknown')),
                max(time) FILTER (WHERE person_name NOT IN ('', 'Unknown'))
        FROM added
        WHERE event_type IN ('face_detected', 'face_recognized')
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (day, device_id) DO UPDATE
                SET recognitions = d.recognitions + EXCLUDED.recognitions,
                unknown_faces = d.unknown_faces + EXCLUDED.unknown_faces,
                last_recognition = greatest(d.last_recognition, EXCLUDED.last_recognition);

        INSERT INTO camera_people AS p (device_id, person_name, last_seen)
        SELECT device_id, person_name, max(received_at)
        FROM added
        WHERE event_type IN ('face_detected', 'face_recognized')
        AND person_name NOT IN ('', 'Unknown')
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (device_id, person_name) DO UPDATE
                SET last_seen = EXCLUDED.last_seen WHERE p.last_seen < EXCLUDED.last_seen;
        RETURN NULL;
END $$;

CREATE TRIGGER camera_events_added AFTER INSERT ON camera_events
        REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION tidegate_camera_events_added();

-- The journal's position ------------------------------------------------------------------------

CREATE TABLE journal_positions (
        journal_id serial PRIMARY KEY,
        epoch text NOT NULL UNIQUE,
        seq bigint NOT NULL DEFAULT 0,
        session bigint NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);
COMMENT ON COLUMN journal_positions.seq IS 'every message up to here is stored';
COMMENT ON COLUMN journal_positions.session IS
        'counts the connections that wrote; what an older one still has under way is refused';

-- Runs first in each batch, so that the row is locked while the batch is under way: a connection
-- that takes over waits for the one before it and then knows whether its last batch got in.
CREATE FUNCTION tidegate_advance(journal integer, writer bigint, from_seq bigint, to_seq bigint)
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        UPDATE journal_positions
        SET seq = to_seq, updated_at = now()
        WHERE journal_id = journal AND session = writer AND seq = from_seq AND to_seq >= from_seq;
        IF NOT FOUND THEN
                RAISE EXCEPTION 'journal % is not at % for writer %', journal, from_seq, writer
                        USING ERRCODE = 'TG001';
        END IF;
END $$;

-- News for the gateways' registries ---------------------------------------------------------------

CREATE FUNCTION tidegate_notify_registry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
        before text;
        after text;
BEGIN
        IF TG_OP <> 'INSERT' THEN
                before := CASE TG_TABLE_NAME WHEN 'device_groups'
                        THEN (to_jsonb(OLD) ->> 'device_id') || ' ' || (to_jsonb(OLD) ->> 'group_id')
                        ELSE to_jsonb(OLD) ->> 'id' END;
        END IF;
        IF TG_OP <> 'DELETE' THEN
                after := CASE TG_TABLE_NAME WHEN 'device_groups'
                        THEN (to_jsonb(NEW) ->> 'device_id') || ' ' || (to_jsonb(NEW) ->> 'group_id')
                        ELSE to_jsonb(NEW) ->> 'id' END;
        END IF;
        IF before IS NOT NULL AND before IS DISTINCT FROM after THEN
                PERFORM pg_notify('tidegate_registry', TG_TABLE_NAME || ' DELETE ' || before);
        END IF;
        IF after IS NOT NULL THEN
                PERFORM pg_notify('tidegate_registry', TG_TABLE_NAME || ' ' || TG_OP || ' ' || after);
        END IF;
        RETURN NULL;
END $$;

CREATE FUNCTION tidegate_notify_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        PERFORM pg_notify('tidegate_registry', TG_TABLE_NAME || ' TRUNCATE');
        RETURN NULL;
END $$;

CREATE FUNCTION tidegate_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        NEW.updated_at := now();
        RETURN NEW;
END $$;

DO $$
DECLARE
        name text;
BEGIN
        FOREACH name IN ARRAY ARRAY['users', 'devices', 'vehicles', 'groups', 'device_groups',
                'shares'] LOOP
                EXECUTE format('CREATE TRIGGER registry_rows AFTER INSERT OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION tidegate_notify_registry()', name);
                EXECUTE format('CREATE TRIGGER registry_changes AFTER UPDATE ON %I
                        FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
                        EXECUTE FUNCTION tidegate_notify_registry()', name);
                EXECUTE format('CREATE TRIGGER registry_truncated AFTER TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION tidegate_notify_truncated()', name);
        END LOOP;
        FOREACH name IN ARRAY ARRAY['users', 'devices', 'vehicles'] LOOP
                EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON %I
                        FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
                        EXECUTE FUNCTION tidegate_touch()', name);
        END LOOP;
END $$;

-- Partitions -------------------------------------------------------------------------------------

-- Made beside the table and then attached: that blocks neither readers nor writers.
CREATE FUNCTION tidegate_make_partitions(from_day date, to_day date)
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
                        'ble_detections', 'telemetry', 'camera_events', 'alerts',
                        'dead_letters'] LOOP
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

-- One at a time, the oldest first, so that the lock on the table is short. Null: none is left.
CREATE FUNCTION tidegate_drop_partition(parent text, before_day date)
        RETURNS text LANGUAGE plpgsql AS $$
DECLARE
        child text;
BEGIN
        SELECT c.relname INTO child
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass(quote_ident(parent))
        AND c.relname ~ ('^' || parent || '_[0-9]{8}$')
        AND right(c.relname, 8) < to_char(before_day, 'YYYYMMDD')
        ORDER BY c.relname LIMIT 1;
        IF child IS NOT NULL THEN
                -- Writers queue up behind us while we wait for the lock: not for long.
                PERFORM set_config('lock_timeout', '1s', true);
                EXECUTE format('DROP TABLE %I', child);
                IF parent = 'camera_events' THEN
                        DELETE FROM camera_days WHERE day < before_day;
                        DELETE FROM camera_people WHERE last_seen < before_day;
                END IF;
        END IF;
        RETURN child;
END $$;
