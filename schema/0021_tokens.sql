-- 0021: tokens of devices that others made.
--
-- A device that moves in has its token in its firmware, and the database of its former system had
-- a hash of it. At its next use it is hashed as ours are, and the same token goes on.

ALTER TABLE devices
        ADD COLUMN token_form text NOT NULL DEFAULT 'keyed'
                CHECK (token_form IN ('keyed', 'sha256', 'bcrypt')),
        ADD COLUMN token_text text,
        ADD COLUMN token_generation bigint NOT NULL DEFAULT tidegate_new_generation(),
        ADD CONSTRAINT devices_token_text CHECK ((token_form = 'bcrypt') = (token_text IS NOT NULL));
COMMENT ON COLUMN devices.token_hash IS
        'keyed: HMAC-SHA-256(pepper, token); sha256: of the token, bcrypt: of token_text; null = may not connect';
COMMENT ON COLUMN devices.token_text IS 'a bcrypt of the token: found by the device''s name, never by itself';
COMMENT ON COLUMN devices.token_generation IS 'another one ends the sockets that the token before had opened';

CREATE FUNCTION tidegate_renew_token_generation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        NEW.token_generation := tidegate_new_generation();
        RETURN NEW;
END $$;

CREATE TRIGGER renew_token BEFORE UPDATE ON devices FOR EACH ROW
        WHEN ((OLD.token_hash IS DISTINCT FROM NEW.token_hash
                        OR OLD.token_form IS DISTINCT FROM NEW.token_form
                        OR OLD.token_text IS DISTINCT FROM NEW.token_text)
                AND current_setting('tidegate.same_token', true) IS DISTINCT FROM NEW.id::text)
        EXECUTE FUNCTION tidegate_renew_token_generation();

-- As tidegate_rehash().
CREATE FUNCTION tidegate_rehash_token(whose bigint, checked bytea, anew bytea)
        RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
        PERFORM FROM devices WHERE id = whose AND token_hash = checked AND token_form <> 'keyed'
                FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
                RETURN false;
        END IF;
        PERFORM set_config('tidegate.same_token', whose::text, true);
        UPDATE devices SET token_hash = anew, token_form = 'keyed', token_text = NULL
                WHERE id = whose;
        PERFORM set_config('tidegate.same_token', '', true);
        RETURN true;
END $$;
