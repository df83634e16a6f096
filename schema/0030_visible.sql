-- 0030: who may see what, said once for all queries.
--
-- A user sees what he owns and what is shared with him; devices also by the groups that are. An admin
-- sees all, which the caller knows. Plain SQL without settings, so that PostgreSQL plans them into the
-- query: a condition on the id comes down to the indexes.

CREATE FUNCTION tidegate_devices_of(who bigint) RETURNS SETOF bigint
        LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 AS $$
        SELECT id FROM devices WHERE user_id = who
        UNION SELECT device_id FROM shares WHERE user_id = who AND device_id IS NOT NULL
        UNION SELECT g.device_id FROM device_groups g JOIN shares s USING (group_id)
                WHERE s.user_id = who
$$;
COMMENT ON FUNCTION tidegate_devices_of IS 'the devices that the user sees, unless he sees all';

CREATE FUNCTION tidegate_vehicles_of(who bigint) RETURNS SETOF bigint
        LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 AS $$
        SELECT id FROM vehicles WHERE user_id = who
        UNION SELECT vehicle_id FROM shares WHERE user_id = who AND vehicle_id IS NOT NULL
$$;
COMMENT ON FUNCTION tidegate_vehicles_of IS 'the vehicles that the user sees, unless he sees all';

CREATE OR REPLACE FUNCTION tidegate_may_command(who bigint, what bigint) RETURNS boolean
        LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM users u JOIN devices d ON d.id = what
                WHERE u.id = who AND u.is_active AND u.role <> 'viewer' AND (u.role = 'admin'
                OR EXISTS (SELECT FROM tidegate_devices_of(who) AS seen (id)
                        WHERE seen.id = what)))
$$;
