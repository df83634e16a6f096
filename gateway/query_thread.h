#pragma once

/*
 * QueryThread: answers what the ws loops ask of the database, on a connection and a thread of its
 * own.
 *
 * Takes Query objects from @queries, pushes their Answers as Events on @outbox. What is short it
 * answers itself; what may be long (QUERY_HISTORY) it hands on to the pool. A heavy query delays
 * other queries, never a message. Ends when @queries is closed.
 */

#include "gateway/base/base.h"

typedef struct HistoryPool HistoryPool;
typedef struct Queue Queue;
typedef struct QueryThread QueryThread;

MUST_CHECK int query_thread_new(QueryThread **ret_thread,
                                const char *database_url,
                                int statement_timeout_ms,
                                HistoryPool *pool, /* borrowed; NULL: history is refused */
                                Queue *queries,
                                Queue *outbox);
QueryThread *query_thread_free(QueryThread *thread); /* closes the queue, joins */

DEFINE_CLEANUP(QueryThread *, query_thread_free);
