-- The statistics count what a user may see, and read no other device's rows for it: an index that
-- begins with the device, in the order of receipt, as their window is. It stands for two: nothing
-- asks for detections of all devices by time alone, or for one device's by its own clock.

CREATE INDEX ble_detections_device_received_at ON ble_detections (device_id, received_at);
DROP INDEX ble_detections_received_at;
DROP INDEX ble_detections_device_time;
