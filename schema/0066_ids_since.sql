-- 0066: a token of others that names a user by id does not reach whoever is given that id later.
--
-- An id is given again by a database that was restored, or emptied with RESTART IDENTITY. When it
-- was given is not when its row came: ids that are moved in were given elsewhere, before.

ALTER TABLE users ADD COLUMN id_since timestamptz;
ALTER TABLE users ALTER COLUMN id_since SET DEFAULT clock_timestamp();
COMMENT ON COLUMN users.id_since IS
        'tokens of others that name the id and were issued before this are for another; null = none is';
