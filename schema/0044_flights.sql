-- 0044: what the broker may send again to whoever goes on with the session.
--
-- A slot takes the session at the broker with it, and the broker sends again what it has not heard an
-- acknowledgement of: to another gateway than the one that has stored it. So each transaction
-- that stores keeps what tells its messages from others (12 bytes each), as many as a session can
-- have in flight; and of each turn the first ones, as long as a journal of an earlier turn has
-- more to store: that may have some of them, too.

CREATE TABLE slot_flights (
        slot integer NOT NULL,
        total bigint NOT NULL,
        turn_total bigint NOT NULL,
        journal_id integer NOT NULL,
        fence bigint NOT NULL,
        flights bytea NOT NULL
);
CREATE INDEX slot_flights_total ON slot_flights (slot, total);
COMMENT ON TABLE slot_flights IS 'what tells stored messages from others, should the broker send them again';
COMMENT ON COLUMN slot_flights.total IS 'of all flights of the slot, with those of this row';
COMMENT ON COLUMN slot_flights.turn_total IS 'as the turn began';
COMMENT ON COLUMN slot_flights.fence IS 'of slots: whose turn it was';
COMMENT ON COLUMN slot_flights.flights IS
        'of each: CRC-32C of topic and payload, packet id, length of the topic, of the payload and flags';

ALTER TABLE journal_positions ADD COLUMN left_fence bigint, ADD COLUMN turn bigint NOT NULL DEFAULT 0,
        ADD COLUMN flights bigint NOT NULL DEFAULT 0, ADD COLUMN turn_flights bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN journal_positions.left_fence IS 'the turn after which it may have had more to store';
COMMENT ON COLUMN journal_positions.turn IS 'the fence under which it is stored, as are the next: see slot_flights';

-- Whoever takes a position over goes on behind all flights of the slot.
CREATE FUNCTION tidegate_count_flights() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        SELECT coalesce(fence, 0) INTO NEW.turn FROM slots WHERE slot = NEW.slot;
        NEW.turn := coalesce(NEW.turn, 0);
        NEW.flights := coalesce((SELECT max(total) FROM slot_flights WHERE slot = NEW.slot), 0);
        NEW.turn_flights := coalesce((SELECT min(turn_total) FROM (SELECT turn_total FROM slot_flights
                WHERE slot = NEW.slot AND fence = NEW.turn ORDER BY total DESC LIMIT 1) f), NEW.flights);
        RETURN NEW;
END $$;
CREATE TRIGGER tidegate_count_flights BEFORE INSERT ON journal_positions FOR EACH ROW
        EXECUTE FUNCTION tidegate_count_flights();
CREATE TRIGGER tidegate_count_flights_again BEFORE UPDATE OF session ON journal_positions FOR EACH ROW
        EXECUTE FUNCTION tidegate_count_flights();

-- Also of one that never stored anything, and may have taken in.
CREATE OR REPLACE FUNCTION tidegate_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        INSERT INTO journal_positions AS p (epoch, slot, left_at, left_fence)
                SELECT OLD.epoch, OLD.slot, clock_timestamp(), OLD.fence
                WHERE OLD.epoch <> NEW.epoch AND OLD.epoch <> ''
                ON CONFLICT (epoch) DO UPDATE
                SET left_at = excluded.left_at, left_fence = excluded.left_fence;
        RETURN NULL;
END $$;

-- The newest as many as there can be packet ids; and of each turn the first, as above. What is
-- looked at is what became old since this was done last, and some more.
CREATE FUNCTION tidegate_forget_flights(which integer, newest bigint)
        RETURNS void LANGUAGE sql AS $$
        DELETE FROM slot_flights f
        WHERE f.slot = which AND f.total <= newest - 65535 AND f.total > newest - 65535 - 131072
        AND (f.total - f.turn_total > 20000 OR NOT EXISTS (SELECT FROM journal_positions p
                WHERE p.slot = which AND p.left_at IS NOT NULL AND p.left_fence < f.fence))
$$;

DROP FUNCTION tidegate_advance(integer, bigint, bigint, bigint, bigint);
CREATE FUNCTION tidegate_advance(journal integer, writer bigint, from_seq bigint, to_seq bigint,
                without_row bigint, in_flight bytea DEFAULT NULL)
        RETURNS void LANGUAGE plpgsql AS $$
DECLARE
        n bigint := coalesce(octet_length(in_flight), 0) / 12;
        p journal_positions;
BEGIN
        UPDATE journal_positions
        SET seq = to_seq, updated_at = now(), stored = stored + without_row, flights = flights + n
        WHERE journal_id = journal AND session = writer AND seq = from_seq AND to_seq >= from_seq
        RETURNING * INTO p;
        IF NOT FOUND THEN
                RAISE EXCEPTION 'journal % is not at % for writer %', journal, from_seq, writer
                        USING ERRCODE = 'TG001';
        END IF;
        IF n > 0 THEN
                INSERT INTO slot_flights (slot, total, turn_total, journal_id, fence, flights)
                        VALUES (p.slot, p.flights, p.turn_flights, journal, p.turn, in_flight);
                IF p.flights / 1024 <> (p.flights - n) / 1024 THEN
                        PERFORM tidegate_forget_flights(p.slot, p.flights);
                END IF;
        END IF;
END $$;
COMMENT ON FUNCTION tidegate_advance IS
        'without_row: what leaves no row of its own is known to be right, and counted here; '
        'in_flight: see slot_flights';
