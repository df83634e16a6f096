#include "gateway/read/query_thread.h"

#include <pthread.h>

#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "gateway/read/history_pool.h"
#include "gateway/read/login_cache.h"
#include "gateway/read/query_lane.h"
#include "model/query.h"

#define QUERY_THREAD_WAIT_MS 1000 /* between looks at a silent queue */
#define QUERY_THREAD_NICE    10   /* of who hashes for others than those who come back */

/* Their names are those of the connections, in pg_stat_activity. */
typedef enum QuerySort {
        QUERY_SORT_SIGN_IN,   /* scrypt: a core for 50 ms */
        QUERY_SORT_RETURNING, /* the same, from where it was good before */
        QUERY_SORT_SUSPECT,   /* or from where it has just failed, or comes too often */
        QUERY_SORT_COMMANDS,
        QUERY_SORT_RESUME,
        QUERY_SORT_STATISTICS,
        QUERY_SORT_COUNT,
} QuerySort;

struct QueryThread {
        pthread_t thread;
        bool has_thread;
        HistoryPool *pool;       /* borrowed; may be NULL */
        Queue *queries, *outbox; /* borrowed */
        LoginCache *logins;
        QueryLane *lanes[QUERY_SORT_COUNT];
};

static QuerySort query_thread_sort(const Query *query) {
        switch (query->kind) {
        case QUERY_LOGIN:
                if (query->is_proven)
                        return QUERY_SORT_RETURNING;
                return query->is_suspect ? QUERY_SORT_SUSPECT : QUERY_SORT_SIGN_IN;
        case QUERY_DETECTION_STATS:
        case QUERY_CAMERA_STATS:
                return QUERY_SORT_STATISTICS;
        case QUERY_REPLAY:
                return QUERY_SORT_RESUME;
        default:
                return QUERY_SORT_COMMANDS;
        }
}

/* 0; what is left in *queryp then has found no place. */
static int query_thread_hand_on(QueryThread *thread, Query **queryp) {
        int r = 0;

        if ((*queryp)->kind != QUERY_HISTORY)
                r = query_lane_push(thread->lanes[query_thread_sort(*queryp)], queryp);
        else if (thread->pool)
                r = history_pool_push(thread->pool, queryp);
        return r < 0 ? err_up(r) : 0;
}

/* A fault costs the query that met it, and nothing else. */
static void *query_thread_run(void *arg) {
        QueryThread *thread = arg;

        watch_enter("queries");
        while (!queue_is_drained(thread->queries)) {
                CLEANUP(query_free) Query *query = NULL;
                void *item = NULL;
                int r;

                if (queue_pop(thread->queries, &item, 1, QUERY_THREAD_WAIT_MS) == 0)
                        continue;
                query = item;
                r = query_thread_hand_on(thread, &query);
                if (r == 0 && query)
                        r = query_lane_refuse(query, thread->outbox);
                if (r < 0)
                        log_error("query_failed");
        }
        watch_leave();
        return NULL;
}

/* Whoever has never been here, or guesses, uses what the others leave of a core each. Of those who
 * come back none has both readers, so that there is always one for the next. */
static int query_thread_open(QueryThread *thread,
                             QuerySort sort,
                             const QueryThreadOptions *options) {
        static const char *const names[QUERY_SORT_COUNT] = {
                [QUERY_SORT_SIGN_IN] = "sign-in", [QUERY_SORT_RETURNING] = "returning",
                [QUERY_SORT_SUSPECT] = "suspect", [QUERY_SORT_COMMANDS] = "query",
                [QUERY_SORT_RESUME] = "replay",   [QUERY_SORT_STATISTICS] = "statistics",
        };
        QueryLaneOptions lane = {
                .name = names[sort],
                .database_url = options->database_url,
                .statement_timeout_ms = options->statement_timeout_ms,
                .n_threads = options->n_connections,
                .capacity = options->capacity,
                .n_share = options->n_share,
                .logins = thread->logins,
        };
        int r;

        if (sort == QUERY_SORT_RETURNING) {
                lane.n_threads = 2;
        } else if (sort == QUERY_SORT_SIGN_IN || sort == QUERY_SORT_SUSPECT) {
                lane.n_threads = 1;
                lane.nice = QUERY_THREAD_NICE;
        }
        r = query_lane_new(&thread->lanes[sort], &lane, thread->outbox);
        return r < 0 ? err_up(r) : 0;
}

static int query_thread_start(QueryThread *thread, const QueryThreadOptions *options) {
        int r;

        r = login_cache_new(&thread->logins, options->login_cache, options->login_cache_ttl_s);
        for (int sort = 0; r == 0 && sort < QUERY_SORT_COUNT; ++sort)
                r = query_thread_open(thread, (QuerySort)sort, options);
        if (r < 0)
                return err_up(r);
        r = pthread_create(&thread->thread, NULL, query_thread_run, thread);
        if (r != 0)
                return err_new(-r);
        thread->has_thread = true;
        return 0;
}

int query_thread_new(QueryThread **ret_thread,
                     const QueryThreadOptions *options,
                     HistoryPool *pool,
                     Queue *queries,
                     Queue *outbox) {
        CLEANUP(query_thread_free) QueryThread *thread = NULL;
        int r;

        thread = calloc(1, sizeof(*thread));
        if (!thread)
                return err_new(-ENOMEM);
        thread->pool = pool;
        thread->queries = queries;
        thread->outbox = outbox;
        r = query_thread_start(thread, options);
        if (r < 0)
                return err_up(r);

        *ret_thread = TAKE(&thread);
        return 0;
}

QueryThread *query_thread_free(QueryThread *thread) {
        if (!thread)
                return NULL;

        queue_close(thread->queries);
        if (thread->has_thread)
                MUST(pthread_join(thread->thread, NULL));
        for (size_t sort = 0; sort < QUERY_SORT_COUNT; ++sort)
                query_lane_free(thread->lanes[sort]);
        login_cache_free(thread->logins);
        free(thread);
        return NULL;
}
