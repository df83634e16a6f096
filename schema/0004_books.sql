-- 0004: books that are kept by number.
--
-- What a transaction really wrote is counted in it, beside the position that it moves, so that the
-- count can be compared with what the journal holds between two positions.

ALTER TABLE journal_positions
        ADD COLUMN stored bigint NOT NULL DEFAULT 0,
        ADD COLUMN checked_seq bigint NOT NULL DEFAULT 0,
        ADD COLUMN checked_stored bigint NOT NULL DEFAULT 0;
UPDATE journal_positions SET checked_seq = seq;
COMMENT ON COLUMN journal_positions.stored IS
        'messages that are rows or letters, or rightly left neither; counted where they are written';
COMMENT ON COLUMN journal_positions.checked_seq IS 'up to here the journal and the count agree,';
COMMENT ON COLUMN journal_positions.checked_stored IS 'and the count was this';

CREATE TABLE journal_differences (
        id bigserial PRIMARY KEY,
        journal_id integer NOT NULL,
        kind text NOT NULL CHECK (kind IN ('count', 'gap')),
        after_seq bigint NOT NULL,
        last_seq bigint NOT NULL,
        records bigint NOT NULL DEFAULT 0,
        found_at timestamptz NOT NULL DEFAULT now(),
        settled_at timestamptz,
        settled_by text
);
COMMENT ON TABLE journal_differences IS
        'ranges of numbers in which messages are missing; open until settled_at is set';
COMMENT ON COLUMN journal_differences.kind IS
        'count: passed by the position and not written; gap: no longer in the journal, nor here';
COMMENT ON COLUMN journal_differences.records IS 'how many; negative: more than there should be';

DROP FUNCTION tidegate_advance(integer, bigint, bigint, bigint);
CREATE FUNCTION tidegate_advance(journal integer, writer bigint, from_seq bigint, to_seq bigint,
                without_row bigint)
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        UPDATE journal_positions
        SET seq = to_seq, updated_at = now(), stored = stored + without_row
        WHERE journal_id = journal AND session = writer AND seq = from_seq AND to_seq >= from_seq;
        IF NOT FOUND THEN
                RAISE EXCEPTION 'journal % is not at % for writer %', journal, from_seq, writer
                        USING ERRCODE = 'TG001';
        END IF;
END $$;
COMMENT ON FUNCTION tidegate_advance IS
        'without_row: what leaves no row of its own is known to be right, and counted here';

-- Letters are there to be taken away: those that were are not missing.
CREATE INDEX dead_letters_seq ON dead_letters (seq);
CREATE TABLE dead_letters_removed (
        journal_id integer NOT NULL,
        seq bigint NOT NULL,
        removed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letters_removed_seq ON dead_letters_removed (seq);
CREATE INDEX dead_letters_removed_at ON dead_letters_removed (removed_at);
COMMENT ON TABLE dead_letters_removed IS 'for 30 days: replayed, or discarded';

CREATE FUNCTION tidegate_dead_letters_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        DELETE FROM dead_letters_removed WHERE removed_at < now() - interval '30 days';
        INSERT INTO dead_letters_removed (journal_id, seq)
        SELECT DISTINCT journal_id, seq FROM removed;
        RETURN NULL;
END $$;

CREATE TRIGGER dead_letters_removed AFTER DELETE ON dead_letters
        REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION tidegate_dead_letters_removed();
