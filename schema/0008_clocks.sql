-- 0008: states that a clock ahead had frozen: a device's time is never newer than its receipt.

UPDATE device_states SET time = last_seen WHERE time > last_seen;
COMMENT ON COLUMN device_states.time IS
        'device time of the newest status that had one, or its receipt where its clock was ahead';

UPDATE camera_states SET recording_time = last_event_at WHERE recording_time > last_event_at;
UPDATE camera_days SET last_recognition = now() WHERE last_recognition > now();
