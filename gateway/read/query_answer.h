#pragma once

/*
 * QueryAnswer: what the database says to one question of a ws loop. Blocks, on the connection that
 * it is given; QUERY_HISTORY is not for it (gateway/read/history_pool.h).
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/query.h"

typedef struct LoginCache LoginCache;

/* Fills in @answer: status, bodies, events. 0; DB_E_OFFLINE or DB_E_REJECTED as db/ answers, and
 * then the status is what it was. */
MUST_CHECK int query_answer(DbConn *conn, LoginCache *cache, const Query *query, Answer *answer);
