-- 0010: ids do not catch up with codes and names that are numbers.
--
-- A new thing gets no id that is what another one is called, so that what was called 7 before there
-- was an id 7 stays the only one that "7" can mean. Only ids of the sequence are moved on.

CREATE FUNCTION tidegate_pass_taken_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
        ids regclass := pg_get_serial_sequence(TG_TABLE_NAME, 'id');
        is_taken boolean;
BEGIN
        WHILE NEW.id = pg_sequence_last_value(ids) LOOP
                EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I = $1)', TG_TABLE_NAME,
                        TG_ARGV[0]) INTO is_taken USING NEW.id::text;
                EXIT WHEN NOT is_taken;
                NEW.id := nextval(ids);
        END LOOP;
        RETURN NEW;
END $$;

CREATE TRIGGER pass_numbers BEFORE INSERT ON users FOR EACH ROW
        EXECUTE FUNCTION tidegate_pass_taken_numbers('username');
CREATE TRIGGER pass_numbers BEFORE INSERT ON devices FOR EACH ROW
        EXECUTE FUNCTION tidegate_pass_taken_numbers('code');
CREATE TRIGGER pass_numbers BEFORE INSERT ON vehicles FOR EACH ROW
        EXECUTE FUNCTION tidegate_pass_taken_numbers('code');
