-- 0055: which numbers the owner of a slot may show alone.
--
-- An owner shows ahead of the database, to viewers of all nodes. Whoever takes its slot must give
-- none of those numbers again, which would pass for shown, and knows them neither from what is
-- stored nor from a clock. So numbers are reserved before they are shown.

CREATE TABLE slot_numbers (
        slot integer PRIMARY KEY,
        until bigint NOT NULL
);
COMMENT ON TABLE slot_numbers IS 'up to where a slot''s owners may have given out numbers and shown what has them';

-- For what comes behind @my_seq, 2^28 of them: @used is up to where any owner may have used them
-- before, @reserved up to where this one may now: nothing, if the slot is not its own any more.
CREATE FUNCTION tidegate_reserve_numbers(which integer, my_instance text, my_fence bigint,
                my_seq bigint, OUT used bigint, OUT reserved bigint)
        LANGUAGE plpgsql AS $$
BEGIN
        used := 0;
        reserved := 0;
        PERFORM FROM slots WHERE slot = which AND instance = my_instance AND fence = my_fence
                FOR SHARE;
        IF NOT FOUND THEN
                RETURN;
        END IF;
        used := coalesce((SELECT until FROM slot_numbers WHERE slot = which), 0);
        reserved := greatest(used, my_seq) + 268435456;
        INSERT INTO slot_numbers VALUES (which, reserved)
                ON CONFLICT (slot) DO UPDATE SET until = excluded.until;
END $$;
COMMENT ON FUNCTION tidegate_reserve_numbers IS 'of the owner of a slot, with the fence of its turn';
