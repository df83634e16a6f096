#pragma once

/*
 * Visible: who may see what, in SQL: the ids of what the user @user (an expression) owns or is
 * shared with, but for an admin, who sees all. The rule is tidegate_devices_of() and
 * tidegate_vehicles_of() in schema/, and user_sees_device() in model/account.h.
 */

#define DB_VISIBLE_DEVICES(user)  "SELECT id FROM tidegate_devices_of(" user ") AS seen (id)"
#define DB_VISIBLE_VEHICLES(user) "SELECT id FROM tidegate_vehicles_of(" user ") AS seen (id)"

/* Is @device among them? */
#define DB_SEES_DEVICE(user, device) \
        "EXISTS (SELECT FROM tidegate_devices_of(" user ") AS seen (id) WHERE seen.id = " device ")"

/* Or may he see all? @user 0: who is nobody in particular. */
#define DB_SEES_ALL(user)                                                                  \
        "(" user " = 0 OR EXISTS (SELECT FROM users u WHERE u.id = " user " AND u.role = " \
        "'admin'))"
