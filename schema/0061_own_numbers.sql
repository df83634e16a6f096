-- 0061: who gave a slot's numbers last, so that the same gateway goes on with them.
--
-- A gateway may have a slot again, and nobody else had it meanwhile but `tidegate journal adopt`,
-- which gives no numbers. What it had shown and not stored yet was given others then, as another
-- gateway might have shown those, and was read by all as something new.

ALTER TABLE slot_numbers ADD COLUMN instance text;
COMMENT ON COLUMN slot_numbers.instance IS 'whose they are, or were last: the start of a gateway';

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
        SELECT * INTO n FROM slot_numbers WHERE slot = which;
        IF n.instance IS DISTINCT FROM my_instance THEN
                used := coalesce(n.until, 0);
        END IF;
        reserved := greatest(n.until, my_seq) + 268435456;
        INSERT INTO slot_numbers VALUES (which, reserved, my_instance)
                ON CONFLICT (slot) DO UPDATE SET until = excluded.until, instance = excluded.instance;
END $$;
COMMENT ON FUNCTION tidegate_reserve_numbers IS
        'of the owner of a slot, with the fence of its turn; @used is 0 where nobody else had any since its own';
