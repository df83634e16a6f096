-- 0068: many replays that are refused cost no turn more than a few do.
--
-- Behind the one that was looked at last, up to n are this session's now, and no more than some are
-- looked at: each that is refused takes a transaction of its own. Who is told of none begins anew.
-- Also of those that are gone it says that they were looked at.

CREATE FUNCTION tidegate_claim_replays(me text, my_session text, after bigint, n integer)
        RETURNS TABLE (letter bigint, refused text) LANGUAGE plpgsql AS $$
DECLARE
        todo record;
        n_claimed integer := 0;
BEGIN
        FOR todo IN SELECT r.letter_id FROM replays r WHERE r.letter_id > after AND r.outcome IS NULL
                AND (r.claimed_by IS NULL
                        OR (r.claimed_by = me AND r.session IS DISTINCT FROM my_session)
                        OR (r.claimed_by <> me AND r.requested_at < now() - interval '1 day'))
                ORDER BY r.letter_id LIMIT n * 4 FOR UPDATE SKIP LOCKED
        LOOP
                EXIT WHEN n_claimed >= n;
                letter := todo.letter_id;
                refused := NULL;
                BEGIN
                        IF EXISTS (SELECT FROM dead_letters d WHERE d.id = letter) THEN
                                UPDATE replays r SET claimed_by = me, session = my_session
                                        WHERE r.letter_id = letter;
                                n_claimed := n_claimed + 1;
                        ELSE
                                UPDATE replays r SET outcome = 'gone' WHERE r.letter_id = letter;
                        END IF;
                EXCEPTION WHEN integrity_constraint_violation OR data_exception OR plpgsql_error
                        OR raise_exception OR with_check_option_violation THEN
                        refused := SQLSTATE || ': ' || SQLERRM;
                END;
                RETURN NEXT;
        END LOOP;
END $$;
COMMENT ON FUNCTION tidegate_claim_replays(text, text, bigint, integer) IS
        'dead letters to be taken in again, behind one; refused: not, and why';
