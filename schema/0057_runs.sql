-- 0057: what a start of a gateway at the edge has numbered is a line of its own.
--
-- The folder of an edge may be copied: both copies go on with one name, and with the same numbers.
-- So epoch is the start that numbered a message, where the edge says which that is; and there are
-- more of them than journals.

COMMENT ON COLUMN uplink_positions.epoch IS
        'the start that numbered it there, or its journal; the 64 bits as a signed number';

CREATE OR REPLACE FUNCTION tidegate_uplink_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        DELETE FROM uplink_positions p WHERE p.device_id = NEW.device_id AND p.epoch IN (
                SELECT epoch FROM uplink_positions WHERE device_id = NEW.device_id
                ORDER BY (epoch = NEW.epoch) DESC, stored_at DESC OFFSET 64);
        RETURN NULL;
END $$;
