#pragma once

/*
 * DbOwner: gives a device or a vehicle to a user, for an admin.
 *
 * Blocks; on a thread of the lane of commands. What was shared stays shared.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/query.h"

/* Fills in the status of the answer, as QUERY_OWNER has it. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_owner_give(DbConn *conn, const Query *query, Answer *answer);
