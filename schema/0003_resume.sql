-- 0003: what a subscriber missed is read in the order of its numbers.
--
-- Ever-growing keys cost little to add (the rightmost page is in memory), and a page of what came
-- after a cursor then costs what it holds, however large the day's partition is and however long
-- ago it was summarised.

CREATE INDEX raw_logs_seq ON raw_logs (seq);
CREATE INDEX sensor_logs_seq ON sensor_logs (seq);
CREATE INDEX vehicle_logs_seq ON vehicle_logs (seq);
CREATE INDEX ble_detections_seq ON ble_detections (seq);
CREATE INDEX telemetry_seq ON telemetry (seq);
CREATE INDEX camera_events_seq ON camera_events (seq);
CREATE INDEX alerts_seq ON alerts (seq);
CREATE INDEX command_events_seq ON command_events (seq);
CREATE INDEX device_status_logs_seq ON device_status_logs (seq);
