-- 0013: one number line over those who take turns.
--
-- Gateways of one slot store one after the other. Who resumes at the next one is to get what the
-- others stored, and to be told where one of them may have left something in its journal.

ALTER TABLE journal_positions
        ADD COLUMN slot integer NOT NULL DEFAULT 0,
        ADD COLUMN left_at timestamptz;
COMMENT ON COLUMN journal_positions.left_at IS
        'when its gateway lost the slot, and may have had more to store; NULL: it had not';

CREATE FUNCTION tidegate_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        UPDATE journal_positions SET left_at = clock_timestamp()
                WHERE epoch = OLD.epoch AND OLD.epoch <> NEW.epoch;
        RETURN NULL;
END $$;
COMMENT ON FUNCTION tidegate_left IS 'taken over from one that had not let go';
CREATE TRIGGER tidegate_left AFTER UPDATE ON slots FOR EACH ROW
        WHEN (OLD.instance IS NOT NULL AND NEW.fence <> OLD.fence)
        EXECUTE FUNCTION tidegate_left();
