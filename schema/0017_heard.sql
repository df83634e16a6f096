-- 0017: what is replicated into the registry, or into the commands, is heard.
--
-- Sessions of logical replication, and whoever sets session_replication_role, run only those
-- triggers that always run. These only tell the gateways; what changes other tables stays ordinary,
-- as those tables may be replicated as well.

DO $$
DECLARE
        name text;
BEGIN
        FOREACH name IN ARRAY ARRAY['users', 'devices', 'vehicles', 'groups', 'device_groups',
                'shares'] LOOP
                EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER registry_rows,
                        ENABLE ALWAYS TRIGGER registry_changes,
                        ENABLE ALWAYS TRIGGER registry_truncated', name);
        END LOOP;
        ALTER TABLE commands ENABLE ALWAYS TRIGGER commands_added,
                ENABLE ALWAYS TRIGGER commands_cancelled;
END $$;
