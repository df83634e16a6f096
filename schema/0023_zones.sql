-- 0023: the zones of detections, as an admin has set them.
--
-- One row, or none: then the routes of the configuration say where a zone begins. What is stored
-- keeps the zone of its day.

CREATE TABLE zones (
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        near_dbm double precision NOT NULL CHECK (near_dbm BETWEEN -127 AND -1),
        medium_dbm double precision NOT NULL CHECK (medium_dbm BETWEEN -127 AND -1),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CHECK (near_dbm > medium_dbm)
);
COMMENT ON COLUMN zones.near_dbm IS 'at or above is the zone near';
COMMENT ON COLUMN zones.medium_dbm IS 'at or above is medium, below is far';

CREATE TRIGGER registry_rows AFTER INSERT OR DELETE ON zones
        FOR EACH ROW EXECUTE FUNCTION tidegate_notify_registry();
CREATE TRIGGER registry_changes AFTER UPDATE ON zones
        FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
        EXECUTE FUNCTION tidegate_notify_registry();
CREATE TRIGGER registry_truncated AFTER TRUNCATE ON zones
        FOR EACH STATEMENT EXECUTE FUNCTION tidegate_notify_truncated();
CREATE TRIGGER touch BEFORE UPDATE ON zones
        FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION tidegate_touch();
ALTER TABLE zones ENABLE ALWAYS TRIGGER registry_rows,
        ENABLE ALWAYS TRIGGER registry_changes,
        ENABLE ALWAYS TRIGGER registry_truncated;
