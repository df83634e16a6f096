#pragma once

/*
 * AnswerManage: what somebody changes by HTTP, done and written into the log.
 *
 * Blocks; on a thread of the lane of commands.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/query.h"

/* As db_manage(). */
MUST_CHECK int answer_manage(DbConn *conn, const Query *query, Answer *answer);
