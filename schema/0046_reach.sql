-- 0046: how far the journal of an owner reaches.
--
-- What it has acknowledged and not stored is on its disk alone. It says with its signs of life up to
-- where, so that the range is known should it not come back.

ALTER TABLE slots ADD COLUMN reached bigint NOT NULL DEFAULT 0;
ALTER TABLE journal_positions ADD COLUMN reached bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN slots.reached IS 'the newest number in the journal of the owner, as of its last sign of life';
COMMENT ON COLUMN journal_positions.reached IS 'the same, as its gateway lost the slot: it has at least that';

ALTER TABLE journal_differences DROP CONSTRAINT journal_differences_kind_check;
ALTER TABLE journal_differences ADD CONSTRAINT journal_differences_kind_check
        CHECK (kind IN ('count', 'gap', 'disk'));
COMMENT ON COLUMN journal_differences.kind IS
        'count: passed by the position and not written; gap: no longer in the journal, nor here; '
        'disk: somebody has said that the journal is gone for good, with all behind after_seq';

CREATE FUNCTION tidegate_reach_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        NEW.reached := 0;
        RETURN NEW;
END $$;
CREATE TRIGGER tidegate_reach_anew BEFORE UPDATE ON slots FOR EACH ROW
        WHEN (NEW.fence <> OLD.fence) EXECUTE FUNCTION tidegate_reach_anew();

CREATE OR REPLACE FUNCTION tidegate_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        INSERT INTO journal_positions AS p (epoch, slot, left_at, left_fence, reached)
                SELECT OLD.epoch, OLD.slot, clock_timestamp(), OLD.fence, OLD.reached
                WHERE OLD.epoch <> NEW.epoch AND OLD.epoch <> ''
                ON CONFLICT (epoch) DO UPDATE SET left_at = excluded.left_at,
                left_fence = excluded.left_fence, reached = greatest(p.reached, excluded.reached);
        RETURN NULL;
END $$;

-- Says that, and hears how many journals of the slot have more to store than is said here.
CREATE FUNCTION tidegate_reach(which integer, my_instance text, my_seq bigint)
        RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        UPDATE slots SET reached = my_seq
                WHERE slot = which AND instance = my_instance AND reached <> my_seq;
        RETURN (SELECT count(*) FROM journal_positions WHERE slot = which AND left_at IS NOT NULL);
END $$;

-- Its disk is gone. It stays noted, with what is known of the range. Whether there was such a one.
CREATE FUNCTION tidegate_forget_journal(which text, who text) RETURNS boolean LANGUAGE sql AS $$
        WITH gone AS (UPDATE journal_positions p SET left_at = NULL
                WHERE p.epoch = which AND p.left_at IS NOT NULL
                AND NOT EXISTS (SELECT FROM slots s WHERE s.epoch = p.epoch AND s.instance IS NOT NULL)
                RETURNING p.journal_id, p.seq, p.reached),
        noted AS (INSERT INTO journal_differences (journal_id, kind, after_seq, last_seq, records, settled_at, settled_by)
                SELECT journal_id, 'disk', seq, greatest(seq, reached), 0, now(), who FROM gone RETURNING 1)
        SELECT EXISTS (SELECT FROM noted)
$$;
