-- 0011: commands end before they are sent: cancelled by who may, or as who sent them may not any more.
--
-- The mark in the row decides, in one place and for all gateways: from then on nobody sends the
-- command. The state follows through the journal, as every state does.

ALTER TABLE commands
        ADD COLUMN cancelled_at timestamptz,
        ADD COLUMN cancel_message text,
        DROP CONSTRAINT commands_state_check,
        ADD CONSTRAINT commands_state_check CHECK (state IN ('accepted', 'published', 'delivered',
                'executing', 'done', 'failed', 'expired', 'cancelled'));
COMMENT ON COLUMN commands.state IS 'done, failed and expired are final; cancelled, unless its device says otherwise';
COMMENT ON COLUMN commands.cancelled_at IS 'not sent any more from then on; its state follows';
COMMENT ON COLUMN commands.cancel_message IS 'who or what cancelled it';

CREATE INDEX commands_cancelled ON commands (cancelled_at) WHERE cancelled_at IS NOT NULL
        AND state IN ('accepted', 'published', 'delivered', 'executing');

-- The partitions have the check as their own, too.
DO $$
DECLARE
        child regclass;
BEGIN
        ALTER TABLE command_events DROP CONSTRAINT command_events_state_check;
        FOR child IN SELECT inhrelid::regclass FROM pg_inherits
                WHERE inhparent = 'command_events'::regclass LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS command_events_state_check',
                        child);
        END LOOP;
        ALTER TABLE command_events ADD CONSTRAINT command_events_state_check CHECK (state IN (
                'accepted', 'published', 'delivered', 'executing', 'done', 'failed', 'expired',
                'cancelled'));
END $$;

CREATE OR REPLACE FUNCTION tidegate_command_rank(state text) RETURNS integer
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE state WHEN 'accepted' THEN 0 WHEN 'published' THEN 1 WHEN 'delivered' THEN 2
                WHEN 'executing' THEN 3 WHEN 'cancelled' THEN 4 ELSE 5 END
$$;
COMMENT ON FUNCTION tidegate_command_rank IS
        'states only move up; those of rank 5 are final, and 4 ends what no device has answered';

CREATE FUNCTION tidegate_may_command(who bigint, what bigint) RETURNS boolean
        LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM users u JOIN devices d ON d.id = what
                WHERE u.id = who AND u.is_active AND u.role <> 'viewer' AND (u.role = 'admin'
                OR d.user_id = who
                OR EXISTS (SELECT FROM shares s WHERE s.device_id = what AND s.user_id = who)
                OR EXISTS (SELECT FROM device_groups g JOIN shares s USING (group_id)
                        WHERE g.device_id = what AND s.user_id = who)))
$$;
COMMENT ON FUNCTION tidegate_may_command IS 'may the user command the device, as things are now?';

CREATE TRIGGER commands_cancelled AFTER UPDATE OF cancelled_at ON commands
        FOR EACH ROW WHEN (OLD.cancelled_at IS NULL AND NEW.cancelled_at IS NOT NULL)
        EXECUTE FUNCTION tidegate_notify_command();

-- Afterwards nobody knows whose they were.
CREATE FUNCTION tidegate_cancel_commands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
        UPDATE commands SET cancelled_at = now(), updated_at = now(), expiry_noted_at = NULL,
                cancel_message = 'who sent it is gone'
        WHERE user_id = OLD.id AND state IN ('accepted', 'published') AND cancelled_at IS NULL;
        RETURN OLD;
END $$;

CREATE TRIGGER cancel_commands BEFORE DELETE ON users FOR EACH ROW
        EXECUTE FUNCTION tidegate_cancel_commands();
