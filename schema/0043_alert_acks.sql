-- 0043: who has acknowledged an alert, and when.
--
-- Beside the alert, which stays as it was stored; by day of its receipt, so that it goes with it.

CREATE TABLE alert_acks (
        journal_id integer NOT NULL,
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        vehicle_id bigint,
        device_id bigint,
        acknowledged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        user_id bigint NOT NULL,
        acknowledged_by text NOT NULL,
        PRIMARY KEY (journal_id, seq, received_at)
) PARTITION BY RANGE (received_at);
COMMENT ON TABLE alert_acks IS 'alerts that somebody has acknowledged';
COMMENT ON COLUMN alert_acks.received_at IS 'of the alert';
COMMENT ON COLUMN alert_acks.user_id IS 'who it was first; he may be gone';
COMMENT ON COLUMN alert_acks.acknowledged_by IS 'what he was called';

-- A day of each that alerts have.
DO $$
DECLARE
        day record;
BEGIN
        FOR day IN SELECT right(c.relname, 9) AS suffix, pg_get_expr(c.relpartbound, c.oid) AS bounds
                        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                        WHERE i.inhparent = 'alerts'::regclass LOOP
                EXECUTE format('CREATE TABLE %I PARTITION OF alert_acks %s',
                        'alert_acks' || day.suffix, day.bounds);
        END LOOP;
END $$;

-- As before, and of this table.
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
                        'device_status_logs', 'dead_letters', 'row_notes', 'alert_acks'] LOOP
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

-- "<epoch>:<seq> <vehicle> <device> <us> <name>", for the gateways that show it.
CREATE FUNCTION tidegate_notify_alert_ack() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        PERFORM pg_notify('tidegate_alert', format('%s:%s %s %s %s %s', p.epoch, NEW.seq,
                        coalesce(NEW.vehicle_id, 0), coalesce(NEW.device_id, 0),
                        (extract(epoch FROM NEW.acknowledged_at) * 1000000)::bigint,
                        left(NEW.acknowledged_by, 1000)))
                FROM journal_positions p WHERE p.journal_id = NEW.journal_id;
        RETURN NULL;
END $$;

CREATE TRIGGER alert_acks_added AFTER INSERT ON alert_acks
        FOR EACH ROW EXECUTE FUNCTION tidegate_notify_alert_ack();
