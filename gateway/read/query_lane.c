#include "gateway/read/query_lane.h"

#include <pthread.h>
#include <unistd.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/watch.h"
#include "gateway/read/fair_queue.h"

enum {
        QUERY_LANE_WAIT_MS = 1000, /* between looks at a silent queue */
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
                if (options->answer(&thread->reader, query) < 0)
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
        const FairItem item = {
                .item = *queryp,
                .party = (*queryp)->party,
        };

        metric_add(lane->options.waiting, 1);
        if (fair_queue_push(lane->queue, &item) != 0) {
                metric_add(lane->options.waiting, -1);
                return QUERY_LANE_E_FULL;
        }
        *queryp = NULL;
        return 0;
}
