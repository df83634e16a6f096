-- 0064: what a list of the newest costs is what is asked for, not the day of everybody.
--
-- By thing and receipt: the newest of what somebody sees, and whether a vehicle was heard in the last
-- minutes, is a probe for each thing. By receipt alone, which grows at its end and is cheap to add
-- to: the newest of all, for who sees all. That stands for the BRIN of the same column as well.

CREATE INDEX raw_logs_vehicle_received_at ON raw_logs (vehicle_id, received_at);
CREATE INDEX sensor_logs_vehicle_received_at ON sensor_logs (vehicle_id, received_at);
CREATE INDEX vehicle_logs_vehicle_received_at ON vehicle_logs (vehicle_id, received_at);

CREATE INDEX ble_detections_received_at ON ble_detections (received_at);
DROP INDEX ble_detections_received_brin;

CREATE INDEX camera_events_device_received_at ON camera_events (device_id, received_at);
CREATE INDEX camera_events_received_at ON camera_events (received_at);

CREATE INDEX alerts_vehicle_received_at ON alerts (vehicle_id, received_at)
        WHERE vehicle_id IS NOT NULL;
CREATE INDEX alerts_device_received_at ON alerts (device_id, received_at)
        WHERE device_id IS NOT NULL;
CREATE INDEX alerts_received_at ON alerts (received_at);
