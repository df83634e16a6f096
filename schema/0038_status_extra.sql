-- 0038: what a status says beside what it has columns for, as vehicle_logs and alerts keep it.

ALTER TABLE device_status_logs ADD COLUMN extra jsonb;
COMMENT ON COLUMN device_status_logs.extra IS 'members of the payload that have no column';
