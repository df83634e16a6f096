-- 0059: one replay that is refused keeps no other waiting.
--
-- What nobody has claimed, what an earlier start of this gateway has, and what a gateway did that has
-- been gone for a day: up to n of them are this session's now. One whose row in replays cannot be
-- written, for a constraint or a trigger, stays as it is and is named, with what was said of it.

CREATE FUNCTION tidegate_claim_replays(me text, my_session text, n integer)
        RETURNS TABLE (letter bigint, refused text) LANGUAGE plpgsql AS $$
DECLARE
        todo record;
        n_claimed integer := 0;
BEGIN
        FOR todo IN SELECT r.letter_id FROM replays r WHERE r.outcome IS NULL
                AND (r.claimed_by IS NULL
                        OR (r.claimed_by = me AND r.session IS DISTINCT FROM my_session)
                        OR (r.claimed_by <> me AND r.requested_at < now() - interval '1 day'))
                ORDER BY r.letter_id FOR UPDATE SKIP LOCKED
        LOOP
                EXIT WHEN n_claimed >= n;
                letter := todo.letter_id;
                refused := NULL;
                BEGIN
                        IF EXISTS (SELECT FROM dead_letters d WHERE d.id = letter) THEN
                                UPDATE replays r SET claimed_by = me, session = my_session
                                        WHERE r.letter_id = letter;
                                n_claimed := n_claimed + 1;
                                RETURN NEXT;
                        ELSE
                                UPDATE replays r SET outcome = 'gone' WHERE r.letter_id = letter;
                        END IF;
                EXCEPTION WHEN integrity_constraint_violation OR data_exception OR plpgsql_error
                        OR raise_exception OR with_check_option_violation THEN
                        refused := SQLSTATE || ': ' || SQLERRM;
                        RETURN NEXT;
                END;
        END LOOP;
END $$;
COMMENT ON FUNCTION tidegate_claim_replays IS 'dead letters to be taken in again; refused: not, and why';
