-- 0056: a dead letter that is refused stops nobody.
--
-- Its message stays in the journal, and is named here: in the transaction that passes it.

ALTER TABLE journal_differences DROP CONSTRAINT journal_differences_kind_check;
ALTER TABLE journal_differences ADD CONSTRAINT journal_differences_kind_check
        CHECK (kind IN ('count', 'gap', 'disk', 'refused'));
COMMENT ON COLUMN journal_differences.kind IS
        'count: passed by the position and not written; gap: no longer in the journal, nor here; '
        'disk: somebody has said that the journal is gone for good, with all behind after_seq; '
        'refused: neither its table nor dead_letters takes them, and the journal keeps them';

-- One range an hour, however many they are: which of its numbers are meant is what no table has.
CREATE FUNCTION tidegate_note_refused(journal integer, seqs bigint[])
        RETURNS void LANGUAGE plpgsql AS $$
BEGIN
        UPDATE journal_differences SET last_seq = (SELECT max(s) FROM unnest(seqs) AS s),
                records = records + cardinality(seqs)
        WHERE id = (SELECT max(id) FROM journal_differences WHERE journal_id = journal
                AND kind = 'refused' AND settled_at IS NULL
                AND found_at > now() - interval '1 hour');
        IF NOT FOUND THEN
                INSERT INTO journal_differences (journal_id, kind, after_seq, last_seq, records)
                SELECT journal, 'refused', min(s) - 1, max(s), count(*) FROM unnest(seqs) AS s;
        END IF;
        UPDATE journal_positions SET stored = stored + cardinality(seqs) WHERE journal_id = journal;
END $$;
COMMENT ON FUNCTION tidegate_note_refused IS 'so that what has no row and no letter is known';
