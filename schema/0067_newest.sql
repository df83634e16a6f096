-- 0067: the newest of everybody is read from its end.
--
-- By time alone: the newest that were heard, and what was heard in an hour. It stands for the BRIN of
-- that column as well; numbers have an index of their own. By receipt alone: the newest logs, for who
-- sees all. Both grow at their end and are cheap to add to.

CREATE INDEX ble_detections_time ON ble_detections (time);
DROP INDEX ble_detections_brin;

CREATE INDEX raw_logs_received_at ON raw_logs (received_at);
CREATE INDEX sensor_logs_received_at ON sensor_logs (received_at);
CREATE INDEX vehicle_logs_received_at ON vehicle_logs (received_at);
