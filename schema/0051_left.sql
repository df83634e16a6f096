-- 0051: journals of slots that are no more are counted as left, too.
--
-- Whoever goes on with fewer slots before their journals are stored has what they hold on the disk of
-- a slot that nobody counts for: `tidegate cluster status` named it, the metric and /readyz did not.
-- Whoever has the lowest slot counts them.

CREATE OR REPLACE FUNCTION tidegate_reach(which integer, my_instance text, my_seq bigint)
        RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        UPDATE slots SET reached = my_seq
                WHERE slot = which AND instance = my_instance AND reached <> my_seq;
        RETURN (SELECT count(*) FROM journal_positions p WHERE p.left_at IS NOT NULL
                AND (p.slot = which OR (which = (SELECT min(slot) FROM slots)
                        AND NOT EXISTS (SELECT FROM slots s WHERE s.slot = p.slot))));
END $$;
