#pragma once

/*
 * DbManage: users, devices, vehicles, shares and groups, and what is said of an alert, as somebody
 * changes them by HTTP; and the commands that there were.
 *
 * Blocks; on a thread of the lane of commands. Each is one statement, which also judges whether who
 * asks still may: nobody does what he might not do any more. A thing that he does not see answers
 * as one that there is not; one that he sees and that is not his is 403.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/query.h"

/* Fills in status and body, as QUERY_MANAGE has it. @password_hash: where the query has a password.
 * 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_manage(DbConn *conn,
                         const Query *query,
                         const char *password_hash,
                         Answer *answer);
