-- 0006: a token dies with what it was given for.
--
-- A user has a generation, which his tokens name. It is drawn by lot, not counted: after a restore
-- the next user may get an id that somebody had before, and must not get his tokens with it.

CREATE FUNCTION tidegate_new_generation() RETURNS bigint LANGUAGE sql VOLATILE AS $$
        SELECT ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12))::bit(48)::bigint + 1
$$;

ALTER TABLE users
        ADD COLUMN generation bigint NOT NULL DEFAULT tidegate_new_generation(),
        ADD COLUMN tokens_from timestamptz;
COMMENT ON COLUMN users.generation IS 'what tokens must name; another one ends all of them';
COMMENT ON COLUMN users.tokens_from IS
        'tokens of others, which name no generation, must be issued after this; null = any';

-- However it is done, also by hand: who is shut out, renamed, or gets another password starts anew.
CREATE FUNCTION tidegate_renew_generation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        NEW.generation := tidegate_new_generation();
        NEW.tokens_from := clock_timestamp();
        RETURN NEW;
END $$;

CREATE TRIGGER renew BEFORE UPDATE ON users FOR EACH ROW
        WHEN (OLD.password_hash IS DISTINCT FROM NEW.password_hash
                OR OLD.username IS DISTINCT FROM NEW.username OR OLD.id IS DISTINCT FROM NEW.id
                OR (OLD.is_active AND NOT NEW.is_active))
        EXECUTE FUNCTION tidegate_renew_generation();

-- A name that is given again is another person's: tokens of others for the one before must not do
-- for him. Only a hash is kept of who was deleted.
CREATE TABLE former_users (
        name_hash bytea PRIMARY KEY,
        deleted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE former_users IS 'SHA-256 of the names of deleted users';

CREATE FUNCTION tidegate_note_former_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        INSERT INTO former_users (name_hash) VALUES (sha256(convert_to(OLD.username, 'UTF8')))
        ON CONFLICT (name_hash) DO UPDATE SET deleted_at = now();
        RETURN NULL;
END $$;

CREATE TRIGGER former AFTER DELETE ON users FOR EACH ROW
        EXECUTE FUNCTION tidegate_note_former_user();

CREATE FUNCTION tidegate_check_former_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        IF EXISTS (SELECT FROM former_users
                WHERE name_hash = sha256(convert_to(NEW.username, 'UTF8'))) THEN
                NEW.tokens_from := coalesce(NEW.tokens_from, clock_timestamp());
        END IF;
        RETURN NEW;
END $$;

CREATE TRIGGER former_name BEFORE INSERT ON users FOR EACH ROW
        EXECUTE FUNCTION tidegate_check_former_user();
