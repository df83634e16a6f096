-- 0047: a journal that is stored by somebody else than its gateway.
--
-- What a dead node had acknowledged and not stored is on its disk. Whoever has that stores it, while
-- others have the slot: under the journal's own position, so that it is once, whoever comes when.
-- What of it the broker may yet send to the owner is written down as flights beforehand, in a turn
-- of its own, and the owner's turn begins anew behind that: it stores nothing more before it has
-- read them.

-- To be ended by tidegate_adopt_flights(), in the same transaction. The owner can store nothing
-- meanwhile; who takes the slot over waits. NULL: there is no such journal. Not @is_free: its own
-- gateway has the slot, or had it last and nobody has noticed that it is gone.
CREATE FUNCTION tidegate_adopt_begin(my_epoch text, OUT which integer, OUT at_seq bigint,
                OUT is_free boolean)
        LANGUAGE plpgsql AS $$
DECLARE
        s slots;
BEGIN
        SELECT slot INTO which FROM journal_positions WHERE epoch = my_epoch;
        IF NOT FOUND THEN
                RETURN;
        END IF;
        SELECT * INTO s FROM slots WHERE slot = which FOR KEY SHARE;
        is_free := s.slot IS NULL OR s.instance IS NULL OR s.epoch <> my_epoch;
        PERFORM FROM journal_positions p WHERE p.epoch IN (my_epoch, s.epoch)
                ORDER BY p.journal_id FOR UPDATE;
        SELECT seq INTO at_seq FROM journal_positions WHERE epoch = my_epoch;
END $$;
COMMENT ON FUNCTION tidegate_adopt_begin IS
        'the journal of a dead node is to be stored: who has its slot stores nothing until the end';

-- What the broker may send again of it; NULL: nothing, and nobody has to know.
CREATE FUNCTION tidegate_adopt_flights(my_epoch text, held bytea) RETURNS void
        LANGUAGE plpgsql AS $$
DECLARE
        p journal_positions;
        s slots;
        newest bigint;
        n bigint := coalesce(octet_length(held), 0) / 12;
BEGIN
        IF n = 0 THEN
                RETURN;
        END IF;
        SELECT * INTO p FROM journal_positions WHERE epoch = my_epoch;
        UPDATE slots SET fence = fence + 2 WHERE slot = p.slot RETURNING * INTO s;
        IF s.instance IS NOT NULL THEN
                UPDATE journal_positions SET session = session + 1 WHERE epoch = s.epoch;
        END IF;
        newest := coalesce((SELECT max(total) FROM slot_flights WHERE slot = p.slot), 0);
        INSERT INTO slot_flights (slot, total, turn_total, journal_id, fence, flights)
                VALUES (p.slot, newest + n, newest, p.journal_id, s.fence - 1, held);
END $$;

-- The position is taken over by who has the disk, unless its own gateway has the slot.
CREATE FUNCTION tidegate_adopt_position(my_epoch text)
        RETURNS TABLE (journal_id integer, seq bigint, session bigint) LANGUAGE plpgsql AS $$
BEGIN
        PERFORM FROM slots s JOIN journal_positions p ON s.slot = p.slot
                WHERE p.epoch = my_epoch FOR KEY SHARE OF s;
        RETURN QUERY UPDATE journal_positions p SET session = p.session + 1
                WHERE p.epoch = my_epoch AND NOT EXISTS (SELECT FROM slots s WHERE s.slot = p.slot
                        AND s.instance IS NOT NULL AND s.epoch = my_epoch)
                RETURNING p.journal_id, p.seq, p.session;
END $$;

-- All up to @last_seq is stored: nothing is waited for any more. Whether it is so.
CREATE FUNCTION tidegate_adopt_end(my_epoch text, last_seq bigint) RETURNS boolean LANGUAGE sql AS $$
        WITH done AS (UPDATE journal_positions SET left_at = NULL
                WHERE epoch = my_epoch AND seq >= last_seq RETURNING 1)
        SELECT EXISTS (SELECT FROM done)
$$;

-- As 0046, but that an owner whose turn begins anew has said it already.
DROP TRIGGER tidegate_reach_anew ON slots;
CREATE TRIGGER tidegate_reach_anew BEFORE UPDATE ON slots FOR EACH ROW
        WHEN (NEW.fence <> OLD.fence AND NEW.instance IS DISTINCT FROM OLD.instance)
        EXECUTE FUNCTION tidegate_reach_anew();
