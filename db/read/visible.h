#pragma once

/*
 * Visible: who may see what, in SQL: the ids that the user @user (an expression) owns, or that are
 * shared with him; devices also by their groups. The same rule as model/registry.h.
 */

#define DB_VISIBLE_DEVICES(user)                                                        \
        "SELECT d.id FROM devices d WHERE d.user_id = " user                            \
        " UNION SELECT h.device_id FROM shares h WHERE h.user_id = " user               \
        " AND h.device_id IS NOT NULL"                                                  \
        " UNION SELECT g.device_id FROM device_groups g JOIN shares h USING (group_id)" \
        " WHERE h.user_id = " user

#define DB_VISIBLE_VEHICLES(user)                                          \
        "SELECT v.id FROM vehicles v WHERE v.user_id = " user              \
        " UNION SELECT h.vehicle_id FROM shares h WHERE h.user_id = " user \
        " AND h.vehicle_id IS NOT NULL"
