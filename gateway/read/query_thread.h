#pragma once

/*
 * QueryThread: sorts what the ws loops ask of the database into lanes.
 *
 * Takes Query objects from @queries and hands each to the lane of its sort, or to the pool
 * (QUERY_HISTORY); it never waits for the database itself. What finds no place there is answered
 * 503. Ends when @queries is closed.
 */

#include "base/base.h"

typedef struct HistoryPool HistoryPool;
typedef struct Queue Queue;
typedef struct QueryThread QueryThread;
typedef struct QueryThreadOptions QueryThreadOptions;

struct QueryThreadOptions {
        const char *database_url;
        int statement_timeout_ms;
        size_t n_connections; /* of the lanes that read tables: resume, statistics, commands */
        size_t login_cache;   /* users whose log-in is kept (gateway/read/login_cache.h) */
        int64_t login_cache_ttl_s;
        size_t capacity; /* questions that wait in a lane */
        size_t n_share;  /* of them of one user, device or address */
};

MUST_CHECK int query_thread_new(QueryThread **ret_thread,
                                const QueryThreadOptions *options,
                                HistoryPool *pool, /* borrowed; NULL: history is refused */
                                Queue *queries,
                                Queue *outbox);
QueryThread *query_thread_free(QueryThread *thread); /* closes the queue, joins */

DEFINE_CLEANUP(QueryThread *, query_thread_free);
