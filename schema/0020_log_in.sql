-- 0020: hashes of passwords that others made.
--
-- Who moves in brings hashes in other forms (docs/migrate/import.md), some of which take longer to
-- check than ours. At the next log-in each becomes one of ours.

COMMENT ON COLUMN users.password_hash IS
        'scrypt, as $scrypt$ln=15,r=8,p=1$salt$hash, or a form of docs/migrate/import.md';

-- The same password in another form is no new password, and ends no token.
DROP TRIGGER renew ON users;
CREATE TRIGGER renew BEFORE UPDATE ON users FOR EACH ROW
        WHEN ((OLD.password_hash IS DISTINCT FROM NEW.password_hash
                        AND current_setting('tidegate.same_password', true)
                                IS DISTINCT FROM NEW.id::text)
                OR OLD.username IS DISTINCT FROM NEW.username OR OLD.id IS DISTINCT FROM NEW.id
                OR (OLD.is_active AND NOT NEW.is_active))
        EXECUTE FUNCTION tidegate_renew_generation();

-- Only where the hash is still the one that was checked. A log-in waits for nobody's lock: where
-- somebody has the row, the next one does it.
CREATE FUNCTION tidegate_rehash(whose bigint, checked text, anew text)
        RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
        PERFORM FROM users WHERE id = whose AND password_hash = checked FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
                RETURN false;
        END IF;
        PERFORM set_config('tidegate.same_password', whose::text, true);
        UPDATE users SET password_hash = anew WHERE id = whose;
        PERFORM set_config('tidegate.same_password', '', true);
        RETURN true;
END $$;

-- How long a refusal takes must not tell whether there is such a user. So a name that is nobody's
-- is checked against the hash of somebody, always the same one, whom only the key can tell.
CREATE TABLE log_in_key (
        key uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO log_in_key DEFAULT VALUES;
COMMENT ON TABLE log_in_key IS 'one row: decides whose hash stands in for a name that is nobody''s';

CREATE FUNCTION tidegate_stand_in(name text) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT u.password_hash
        FROM (SELECT min(id) AS first, max(id) - min(id) + 1 AS n FROM users) ids,
                (SELECT string_agg(key::text, '') AS key FROM log_in_key) k,
                LATERAL (SELECT ids.first + ('x' || left(md5(coalesce(k.key, '') || name), 12))
                        ::bit(48)::bigint % ids.n AS id) place,
                LATERAL (SELECT password_hash FROM users WHERE id >= place.id
                        ORDER BY id LIMIT 1) u
$$;
