#pragma once

/*
 * AnswerOnce: a question that one event answers, whatever its kind but QUERY_HISTORY.
 *
 * Blocks. What finds the database away is answered 503, what comes after its deadline by nothing.
 * Only faults.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/query.h"

typedef struct LoginCache LoginCache;
typedef struct Reader Reader;

MUST_CHECK int answer_once(Reader *reader, const Query *query);

/* Of it, what asks the database: fills in @answer (status, bodies, events). 0; else as db/ answers,
 * and then the status is what it was. */
MUST_CHECK int answer_once_ask(DbConn *conn,
                               LoginCache *logins,
                               const Query *query,
                               Answer *answer);
