#include "gateway/read/query_lane.h"

#include <pthread.h>
#include <unistd.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/watch.h"
#include "gateway/read/fair_queue.h"

enum {
        QUERY_LANE_WAIT_MS = 1000, /* between looks at a silent queue */
        QUERY_LANE_BEHIND = 1000,  /* rounds, for an account at which somebody guesses */
};

typedef struct QueryThread QueryThread;

struct QueryThread {
        QueryLane *lane; /* borrowed */
        pthread_t thread;
        bool has_thread;
        Reader reader;
};

struct QueryLane {
        QueryLaneOptions options;
        FairQueue *queue;
        LogPace said;
        size_t n_threads;
        QueryThread threads[];
};

static void query_lane_free_query(void *query) {
        query_free(query);
}

/* If a refusal came at once, it would tell that there is such an account. */
static int query_thread_put_back(QueryThread *thread, Query **queryp) {
        const QueryLaneOptions *options = &thread->lane->options;
        int r;

        (*queryp)->refused = 401;
        if (query_lane_push(options->refused, queryp) == 0)
                return 0;
        (*queryp)->refused = 503; /* as nobody else has a place there */
        r = options->answer(&thread->reader, *queryp);
        return err_up(r);
}

static int query_thread_answer(QueryThread *thread, Query **queryp) {
        int r;

        r = thread->lane->options.answer(&thread->reader, *queryp);
        if (r == READER_E_REFUSED)
                r = query_thread_put_back(thread, queryp);
        return err_up(r);
}

/* A fault costs the query that met it, and nothing else. */
static void *query_thread_run(void *arg) {
        QueryThread *thread = arg;
        const QueryLaneOptions *options = &thread->lane->options;
        FairQueue *queue = thread->lane->queue;

        watch_enter(options->reader.name);
        (void)!nice(options->nice); /* on Linux it is that of the thread */
        while (!fair_queue_is_drained(queue)) {
                CLEANUP(query_free) Query *query = NULL;
                FairItem item;

                if (!fair_queue_pop(queue, QUERY_LANE_WAIT_MS, &item)) {
                        secret_keep_memory(false);
                        continue;
                }
                secret_keep_memory(true); /* of one hash for the next: they come in rows */
                query = item.item;
                metric_add(options->waiting, -1);
                if (query_thread_answer(thread, &query) < 0)
                        log_error("query_failed lane=%s", options->reader.name);
                fair_queue_done(queue, &item);
        }
        secret_keep_memory(false);
        watch_leave();
        return NULL;
}

static int query_lane_add_thread(QueryLane *lane) {
        QueryThread *thread = &lane->threads[lane->n_threads];
        int r;

        *thread = (QueryThread){ .lane = lane, .reader = { .wake_fd = -1 } };
        ++lane->n_threads;
        r = reader_init(&thread->reader, &lane->options.reader);
        if (r < 0)
                return err_up(r);
        r = pthread_create(&thread->thread, NULL, query_thread_run, thread);
        if (r != 0)
                return err_new(-r);
        thread->has_thread = true;
        return 0;
}

int query_lane_new(QueryLane **ret_lane, const QueryLaneOptions *options) {
        CLEANUP(query_lane_free) QueryLane *lane = NULL;
        int r;

        lane = calloc(1, sizeof(*lane) + options->n_threads * sizeof(lane->threads[0]));
        if (!lane)
                return err_new(-ENOMEM);
        lane->options = *options;
        lane->options.reader.said = &lane->said;
        r = fair_queue_new(&lane->queue,
                           &(FairQueueOptions){
                                   .capacity = options->capacity,
                                   .n_share = options->n_share,
                                   .n_workers = options->n_threads,
                                   .n_busy = options->n_threads > 1 ? options->n_threads - 1 : 1,
                                   .free_item = query_lane_free_query,
                           });
        for (size_t i = 0; r == 0 && i < options->n_threads; ++i)
                r = query_lane_add_thread(lane);
        if (r < 0)
                return err_up(r);
        *ret_lane = TAKE(&lane);
        return 0;
}

void query_lane_stop(QueryLane *lane) {
        if (lane->queue)
                fair_queue_close(lane->queue);
        for (size_t i = 0; i < lane->n_threads; ++i)
                reader_end(&lane->threads[i].reader);
        for (size_t i = 0; i < lane->n_threads; ++i) {
                if (lane->threads[i].has_thread)
                        MUST(pthread_join(lane->threads[i].thread, NULL));
                lane->threads[i].has_thread = false;
        }
}

QueryLane *query_lane_free(QueryLane *lane) {
        if (!lane)
                return NULL;

        query_lane_stop(lane);
        for (size_t i = 0; i < lane->n_threads; ++i)
                reader_done(&lane->threads[i].reader);
        fair_queue_free(lane->queue);
        free(lane);
        return NULL;
}

int query_lane_push(QueryLane *lane, Query **queryp) {
        bool by_account = lane->options.refused != NULL;
        const FairItem item = {
                .item = *queryp,
                .party = by_account ? (*queryp)->account : (*queryp)->party,
                .n_behind = by_account && (*queryp)->is_guessed ? QUERY_LANE_BEHIND : 0,
        };

        metric_add(lane->options.waiting, 1);
        if (fair_queue_push(lane->queue, &item) != 0) {
                metric_add(lane->options.waiting, -1);
                return QUERY_LANE_E_FULL;
        }
        *queryp = NULL;
        return 0;
}
