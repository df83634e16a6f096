-- 0018: a journal whose folder was copied.
--
-- A copy has the epoch of the original, and both give out the numbers that come next. If both store
-- in turn, the position of the one says nothing of what the other has beyond what they share.

ALTER TABLE journal_positions ADD COLUMN written_by text;
COMMENT ON COLUMN journal_positions.written_by IS 'the start of a gateway that stores it, or did last';

CREATE TABLE journal_writers (
        journal_id integer NOT NULL,
        writer text NOT NULL,
        successor text NOT NULL,
        seq bigint NOT NULL,
        ended_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (journal_id, writer)
);
COMMENT ON TABLE journal_writers IS 'who stored a journal before, for 90 days';
COMMENT ON COLUMN journal_writers.seq IS
        'up to here the successor had all, in the database or in a folder that was the same';

-- @my_writers: the starts that this folder knows of, the newest, which is ours, first. @my_begins:
-- the last number that it had as each of them found it. Says behind which number nothing of this
-- folder is stored, as a copy of it has stored since; 0: there is none. NULL: @my_session is over.
CREATE FUNCTION tidegate_write_journal(my_epoch text, my_session bigint, my_writers text[],
                my_begins bigint[])
        RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
        p journal_positions;
        seen bigint;
        shared bigint := 0;
        at integer;
BEGIN
        SELECT * INTO p FROM journal_positions WHERE epoch = my_epoch AND session = my_session
                FOR UPDATE;
        IF NOT FOUND THEN
                RETURN NULL;
        END IF;

        FOR i IN 2 .. cardinality(my_writers) LOOP
                SELECT w.seq INTO seen FROM journal_writers w
                        WHERE w.journal_id = p.journal_id AND w.writer = my_writers[i]
                        AND w.successor <> ALL (my_writers);
                IF FOUND THEN
                        shared := least(seen, my_begins[i - 1]);
                        EXIT;
                END IF;
        END LOOP;

        IF p.written_by <> my_writers[1] THEN
                at := array_position(my_writers, p.written_by);
                INSERT INTO journal_writers (journal_id, writer, successor, seq)
                        VALUES (p.journal_id, p.written_by, my_writers[1],
                                greatest(p.seq, CASE WHEN at IS NULL THEN shared
                                        ELSE my_begins[at - 1] END))
                        ON CONFLICT (journal_id, writer) DO UPDATE SET seq = excluded.seq,
                                successor = excluded.successor, ended_at = excluded.ended_at;
                DELETE FROM journal_writers
                        WHERE journal_id = p.journal_id AND ended_at < now() - interval '90 days';
        END IF;
        UPDATE journal_positions SET written_by = my_writers[1]
                WHERE journal_id = p.journal_id AND written_by IS DISTINCT FROM my_writers[1];
        RETURN shared;
END $$;
