-- 0070: who asks again which numbers others may have used is told the same.
--
-- An answer may be lost on the way, and what it says may not be noted (a full disk): the owner asks
-- once more. It was told that nobody else had any by then, as the first time had made them its own,
-- and could give numbers that the owner before had shown.

ALTER TABLE slot_numbers ADD COLUMN used bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN slot_numbers.used IS 'up to where others may have used them before those of @instance';

CREATE OR REPLACE FUNCTION tidegate_reserve_numbers(which integer, my_instance text, my_fence bigint,
                my_seq bigint, OUT used bigint, OUT reserved bigint)
        LANGUAGE plpgsql AS $$
DECLARE
        n slot_numbers;
BEGIN
        used := 0;
        reserved := 0;
        PERFORM FROM slots WHERE slot = which AND instance = my_instance AND fence = my_fence
                FOR SHARE;
        IF NOT FOUND THEN
                RETURN;
        END IF;
        SELECT * INTO n FROM slot_numbers s WHERE s.slot = which;
        used := CASE WHEN n.instance IS DISTINCT FROM my_instance THEN coalesce(n.until, 0)
                ELSE n.used END;
        reserved := greatest(n.until, my_seq) + 268435456;
        INSERT INTO slot_numbers AS s VALUES (which, reserved, my_instance, used)
                ON CONFLICT (slot) DO UPDATE SET until = excluded.until, instance = excluded.instance,
                used = excluded.used;
END $$;
COMMENT ON FUNCTION tidegate_reserve_numbers IS
        'of the owner of a slot, with the fence of its turn; @used: up to where others may have used them before its own';
