-- 0028: what of a message was not used, beside its row.
--
-- An odd member costs itself and not its message. So many notes are kept of one device, or vehicle,
-- and day; what is beyond is counted.

CREATE TABLE row_notes (
        id bigserial,
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        journal_id integer NOT NULL,
        kind text NOT NULL,
        topic text NOT NULL,
        route text,
        device_id bigint,
        vehicle_id bigint,
        member text NOT NULL,
        reason text NOT NULL,
        detail text,
        PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
COMMENT ON TABLE row_notes IS 'members of stored messages that were set aside';
COMMENT ON COLUMN row_notes.seq IS 'of the row, which is in the table of its kind';
COMMENT ON COLUMN row_notes.member IS 'JSON pointer';
CREATE INDEX row_notes_brin ON row_notes USING brin (received_at, seq);

CREATE TABLE row_note_days (
        day date NOT NULL,
        device_id bigint NOT NULL,
        vehicle_id bigint NOT NULL,
        kept bigint NOT NULL,
        left_out bigint NOT NULL,
        PRIMARY KEY (day, device_id, vehicle_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE row_note_days IS 'how many notes of a device (0: none) or vehicle a day has';
COMMENT ON COLUMN row_note_days.left_out IS 'those that were one too many';

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
                        'device_status_logs', 'dead_letters', 'row_notes'] LOOP
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
