-- 0052: whoever gets a thing gets it unshared.
--
-- A share is the word of an owner. Whom the one before had let see a device or vehicle saw what it
-- sends for the next one, who knew nothing of it. What is nobody's meanwhile keeps its shares, until
-- somebody has it: also who deletes an account takes nothing from others.

CREATE FUNCTION tidegate_unshare() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        IF TG_TABLE_NAME = 'devices' THEN
                DELETE FROM shares WHERE device_id = NEW.id;
        ELSE
                DELETE FROM shares WHERE vehicle_id = NEW.id;
        END IF;
        RETURN NULL;
END $$;

CREATE TRIGGER tidegate_unshare AFTER UPDATE OF user_id ON devices FOR EACH ROW
        WHEN (NEW.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id)
        EXECUTE FUNCTION tidegate_unshare();
CREATE TRIGGER tidegate_unshare AFTER UPDATE OF user_id ON vehicles FOR EACH ROW
        WHEN (NEW.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id)
        EXECUTE FUNCTION tidegate_unshare();
