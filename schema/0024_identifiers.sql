-- 0024: what else a user is called in topics.
--
-- Devices of a system that moves in say whose they are by an id of its own (a UUID), which is nobody's
-- name and no id of ours. It is a second name, in topics alone: nobody signs in by it.

ALTER TABLE users ADD COLUMN identifier text UNIQUE CHECK (identifier <> '');
COMMENT ON COLUMN users.identifier IS 'another name for topics, such as an id of another system';

-- What is one's name is not another's identifier: whose messages would they be?
CREATE FUNCTION tidegate_one_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        IF EXISTS (SELECT FROM users WHERE id <> NEW.id
                        AND (username = NEW.identifier OR identifier = NEW.username)) THEN
                RAISE unique_violation USING MESSAGE = 'the name or identifier is another user''s';
        END IF;
        RETURN NEW;
END $$;

CREATE TRIGGER one_identity BEFORE INSERT OR UPDATE OF username, identifier ON users FOR EACH ROW
        EXECUTE FUNCTION tidegate_one_identity();
