-- 0037: what the clock behind a vehicle's messages is worth, as device_states says it of devices.
--
-- A row of its own, and not a column of vehicles: that one tells all registries of every change.

CREATE TABLE vehicle_clocks (
        vehicle_id bigint PRIMARY KEY REFERENCES vehicles ON DELETE CASCADE,
        clock text CHECK (clock IN ('ok', 'ahead', 'behind', 'no_clock', 'local_time')),
        clock_offset bigint,
        updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE vehicle_clocks IS 'what is known of the clocks of vehicles; no row: it has said no time';
COMMENT ON COLUMN vehicle_clocks.clock IS 'what its clock is worth';
COMMENT ON COLUMN vehicle_clocks.clock_offset IS 'milliseconds by which it is ahead, about';
