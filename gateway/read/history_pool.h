#pragma once

/*
 * HistoryPool: the few threads that read the past, each on a connection of its own.
 *
 * Takes queries of kind QUERY_HISTORY and sends the body in chunks through the outbox, as fast as
 * the query's Stream has room; a heavy one keeps one thread busy, and delays neither logins nor
 * statistics nor messages. Users take turns, and with more than one thread none has them all. One
 * that nobody waits for any more is dropped, also in the middle: the statement under way ends with
 * its connection, which the server looks after twice a second. Too many waiting are refused. An
 * answer that takes longer than stream_timeout_ms is broken off, so that slow readers cannot keep
 * the threads.
 */

#include "base/base.h"
#include "model/query.h"

typedef struct HistoryPool HistoryPool;
typedef struct HistoryPoolOptions HistoryPoolOptions;
typedef struct Queue Queue;

struct HistoryPoolOptions {
        const char *database_url;
        int statement_timeout_ms; /* of each piece */
        int stream_timeout_ms;    /* of the whole */
        size_t n_connections;
        size_t capacity; /* queries that wait */
        size_t n_share;  /* of them of one user */
};

enum {
        HISTORY_POOL_E_FULL = 1,
};

MUST_CHECK int history_pool_new(HistoryPool **ret_pool,
                                const HistoryPoolOptions *options,
                                Queue *outbox);
HistoryPool *history_pool_free(HistoryPool *pool); /* joins */

MUST_CHECK int history_pool_push(HistoryPool *pool, Query **queryp); /* takes it on success */

DEFINE_CLEANUP(HistoryPool *, history_pool_free);
