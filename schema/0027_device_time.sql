-- 0027: what a device said in place of a time, and what its clock is worth.
--
-- A time that is not believed is replaced by the receipt (docs/time.md). What was said stays readable:
-- as text, for it may be no time at all.

DO $$
DECLARE
        name text;
BEGIN
        FOREACH name IN ARRAY ARRAY['raw_logs', 'sensor_logs', 'vehicle_logs', 'ble_detections',
                'telemetry', 'camera_events', 'alerts', 'device_status_logs', 'command_events'] LOOP
                EXECUTE format('ALTER TABLE %I ADD COLUMN device_time text', name);
                EXECUTE format('COMMENT ON COLUMN %I.device_time IS %L', name,
                        'what the device said, where time is the receipt in its place');
        END LOOP;
END $$;

ALTER TABLE device_states
        ADD COLUMN clock text
                CHECK (clock IN ('ok', 'ahead', 'behind', 'no_clock', 'local_time')),
        ADD COLUMN clock_offset bigint,
        ADD COLUMN clock_set_at timestamptz;
COMMENT ON COLUMN device_states.clock IS 'what its clock is worth; null: it has said no time';
COMMENT ON COLUMN device_states.clock_offset IS 'milliseconds by which it is ahead, about';
COMMENT ON COLUMN device_states.clock_set_at IS
        'when it was last found to have been set back: an older time is no older status since';
