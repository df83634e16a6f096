-- 0031: the time of the newest status, whether the device said one or not.
--
-- `time` orders statuses, and is the newest that a clock of the device has said: what came after it
-- without a time, a last will, was shown with that.

ALTER TABLE device_states ADD COLUMN status_time timestamptz;
UPDATE device_states SET status_time = time;
COMMENT ON COLUMN device_states.status_time IS 'time of the newest status: its own, or its receipt';
