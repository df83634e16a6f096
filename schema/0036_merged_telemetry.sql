-- 0036: what is known of devices that send changes alone.
--
-- Rows of telemetry have what came. What it comes to altogether is made of all of them, and a
-- gateway that starts reads it here. Written with the batch that the last change is in.

CREATE TABLE merged_telemetry (
        device_id bigint PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
        seq bigint NOT NULL,
        received_at timestamptz NOT NULL,
        payload json NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE merged_telemetry IS 'of devices whose route says merge = on: their changes, laid over each other';
COMMENT ON COLUMN merged_telemetry.seq IS 'of the message that was laid over it last';
