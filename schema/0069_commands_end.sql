-- 0069: a command has times that can be counted.
--
-- One that was inserted with expires_at = 'infinity' kept the dispatcher from ending any command, and
-- from taking dead letters in again. Who inserts such a one is told so.

UPDATE commands SET created_at = greatest(least(created_at, '9999-12-31Z'), '1970-01-01Z'),
        updated_at = greatest(least(updated_at, '9999-12-31Z'), '1970-01-01Z'),
        expires_at = greatest(least(expires_at, '9999-12-31Z'), '1970-01-01Z')
        WHERE NOT (created_at BETWEEN '1970-01-01Z' AND '9999-12-31Z'
                AND updated_at BETWEEN '1970-01-01Z' AND '9999-12-31Z'
                AND expires_at BETWEEN '1970-01-01Z' AND '9999-12-31Z');

ALTER TABLE commands ADD CONSTRAINT commands_times_check
        CHECK (created_at BETWEEN '1970-01-01Z' AND '9999-12-31Z'
                AND updated_at BETWEEN '1970-01-01Z' AND '9999-12-31Z'
                AND expires_at BETWEEN '1970-01-01Z' AND '9999-12-31Z');
