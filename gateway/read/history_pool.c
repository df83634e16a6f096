#include "gateway/read/history_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "db/read/reading.h"
#include "gateway/read/fair_queue.h"
#include "model/event.h"
#include "model/metrics.h"

enum {
        HISTORY_POOL_WAIT_MS = 1000,    /* between looks at a silent queue */
        HISTORY_POOL_CONNECT_MS = 2000, /* one attempt; the asker gets its 503 after it */
        HISTORY_POOL_OUTBOX_MS = 1000,  /* an outbox that stays full breaks the answer off */
        HISTORY_POOL_SLICE_MS = 500,    /* between looks at whether we are to stop */
        HISTORY_POOL_CANCELLED = -1,    /* in the place of a status: nobody is there to be told */
};

typedef struct HistoryWorker HistoryWorker;

struct HistoryWorker {
        HistoryPool *pool; /* borrowed */
        pthread_t thread;
        bool has_thread;
        int wake_fd; /* a cancel, or the end */
        DbConn *conn;
        Buf body; /* read and not sent yet */
};

struct HistoryPool {
        FairQueue *queue;
        Queue *outbox; /* borrowed */
        atomic_bool stopping;
        LogPace said;
        int64_t stream_timeout_us;
        size_t n_workers;
        HistoryWorker workers[];
};

static void history_pool_free_query(void *query) {
        query_free(query);
}

/* ---- one answer ---------------------------------------------------------------------------- */

/* Whatever is lost here breaks the stream, of which the loop learns by itself. */
static int history_worker_push(HistoryWorker *worker, const Query *query, Answer **answerp) {
        CLEANUP(event_unref) Event *event = NULL;
        int r;

        r = event_new_answer(&event, answerp, answer_free);
        if (r < 0)
                return err_up(r);
        r = queue_push(worker->pool->outbox, event, HISTORY_POOL_OUTBOX_MS);
        if (r == 0) {
                (void)TAKE(&event);
        } else if (r > 0) {
                metric_add(METRIC_OUTBOX_DROPPED, 1);
                stream_break(query->stream);
        }
        return r < 0 ? err_up(r) : r;
}

static int history_worker_fail(HistoryWorker *worker, const Query *query, int status) {
        CLEANUP(answer_free) Answer *answer = NULL;
        int r;

        r = answer_new(&answer, query);
        if (r < 0)
                return err_up(r);
        answer->status = status;
        answer->is_last = true;
        r = history_worker_push(worker, query, &answer);
        return r < 0 ? err_up(r) : 0;
}

/* Waits until the reader has room for one more chunk. 0, or why there will be none. */
static int history_worker_wait(HistoryWorker *worker, Stream *stream, int64_t deadline_us) {
        for (;;) {
                watch_turn();
                switch (stream_take(stream, HISTORY_POOL_SLICE_MS)) {
                case 0:
                        return 0;
                case STREAM_E_CANCELLED:
                        return HISTORY_POOL_CANCELLED;
                default:
                        if (atomic_load(&worker->pool->stopping))
                                return 503;
                        if (clock_mono_us() > deadline_us)
                                return 504;
                }
        }
}

/* The first @n bytes of what was read. */
static int history_worker_send(HistoryWorker *worker, const Query *query, size_t n, bool is_last) {
        CLEANUP(answer_free) Answer *answer = NULL;
        Buf *body = &worker->body;
        int r;

        r = answer_new(&answer, query);
        if (r < 0)
                return err_up(r);
        answer->status = 200;
        answer->is_last = is_last;
        buf_append(&answer->chunk, body->data, n);
        if (buf_failed(&answer->chunk))
                return err_new(-ENOMEM);
        memmove(body->data, body->data + n, body->n - n);
        body->n -= n;
        metric_add(METRIC_HISTORY_BYTES, (int64_t)n);

        r = history_worker_push(worker, query, &answer);
        return r < 0 ? err_up(r) : r > 0 ? HISTORY_POOL_E_FULL : 0;
}

/* What is worth a chunk, and at the end the rest. *ret_status stays 0 while all is well. */
static int history_worker_flush(HistoryWorker *worker,
                                const Query *query,
                                bool is_last,
                                int64_t deadline_us,
                                int *ret_status) {
        Buf *body = &worker->body;
        int status = 0;
        int r = 0;

        while (r == 0 && status == 0 && (is_last || body->n >= STREAM_CHUNK)) {
                size_t n = body->n < STREAM_CHUNK ? body->n : STREAM_CHUNK;
                bool ends = is_last && n == body->n;

                status = history_worker_wait(worker, query->stream, deadline_us);
                if (status == 0)
                        r = history_worker_send(worker, query, n, ends);
                if (ends)
                        break;
        }
        *ret_status = r > 0 ? HISTORY_POOL_CANCELLED : status;
        return r < 0 ? err_up(r) : 0;
}

/* What a refusal of the database means to who asked. */
static int history_worker_status(const HistoryWorker *worker, int r) {
        unsigned long long n_more;
        const char *sqlstate = db_conn_sqlstate(worker->conn);

        switch (r) {
        case DB_E_NOT_FOUND: /* the cursor's journal */
                return 400;
        case DB_E_REJECTED:
                if (strcmp(sqlstate, "57014") == 0) /* the statement time-out */
                        return 504;
                if (log_may(&worker->pool->said, &n_more))
                        log_warning("history_refused sqlstate=%s error=\"%s\" more=%llu",
                                    sqlstate,
                                    db_conn_error(worker->conn),
                                    n_more);
                return 500;
        default:
                return 503;
        }
}

static int history_worker_read(HistoryWorker *worker,
                               DbReading *reading,
                               const Query *query,
                               int *ret_status) {
        int64_t deadline_us = clock_mono_us() + worker->pool->stream_timeout_us;
        bool is_last = false;
        int status = 0;
        int r = 0;

        while (r == 0 && status == 0 && !is_last) {
                r = db_reading_next(reading, &worker->body, &is_last);
                if (r == 0)
                        r = history_worker_flush(worker, query, is_last, deadline_us, &status);
                if (r > 0)
                        status = history_worker_status(worker, r);
        }
        *ret_status = status;
        return r < 0 ? err_up(r) : 0;
}

/* ---- the connection ------------------------------------------------------------------------ */

/* The server notices by itself when we are gone, where it can. */
static int history_worker_connect(HistoryWorker *worker) {
        int r;

        if (db_conn_is_open(worker->conn))
                return 0;
        r = db_conn_connect_wait(worker->conn, HISTORY_POOL_CONNECT_MS);
        if (r == 0)
                r = db_conn_script(worker->conn, "SET client_connection_check_interval = 500");
        return r == DB_E_REJECTED ? 0 : r;
}

/* A connection that was idle may have died unseen: that deserves a second try. */
static int history_worker_open(HistoryWorker *worker, const Query *query, DbReading **ret_reading) {
        int r = DB_E_OFFLINE;

        for (int i = 0; i < 2 && r == DB_E_OFFLINE && !stream_is_cancelled(query->stream); ++i) {
                r = history_worker_connect(worker);
                if (r == 0)
                        r = db_reading_new(ret_reading, worker->conn, query->history);
        }
        return r;
}

/* After this no cancel of the query that is over meets the next one; only the end is for good. */
static void history_worker_calm(HistoryWorker *worker, Stream *stream) {
        eventfd_t n;

        stream_end(stream);
        (void)eventfd_read(worker->wake_fd, &n);
        if (atomic_load(&worker->pool->stopping))
                (void)eventfd_write(worker->wake_fd, 1);
}

static int history_worker_answer(HistoryWorker *worker, const Query *query) {
        CLEANUP(db_reading_free) DbReading *reading = NULL;
        int status = 0;
        int r;

        if (stream_begin(query->stream, worker->wake_fd) != 0) {
                metric_add(METRIC_HISTORY_CANCELLED, 1);
                return 0;
        }
        r = history_worker_open(worker, query, &reading);
        if (r == 0)
                r = history_worker_read(worker, reading, query, &status);
        else if (r > 0)
                status = history_worker_status(worker, r);
        history_worker_calm(worker, query->stream);

        if (stream_is_cancelled(query->stream) || status == HISTORY_POOL_CANCELLED) {
                metric_add(METRIC_HISTORY_CANCELLED, 1);
                return r < 0 ? err_up(r) : 0;
        }
        metric_add(status == 0 && r >= 0 ? METRIC_HISTORY_DONE : METRIC_HISTORY_FAILED, 1);
        if (r < 0)
                status = 500;
        if (status != 0 && history_worker_fail(worker, query, status) < 0)
                stream_break(query->stream);
        return r < 0 ? err_up(r) : 0;
}

/* ---- the threads --------------------------------------------------------------------------- */

/* A fault costs the query that met it, and nothing else. */
static void *history_worker_run(void *arg) {
        HistoryWorker *worker = arg;
        HistoryPool *pool = worker->pool;

        watch_enter("history");
        while (!fair_queue_is_drained(pool->queue)) {
                CLEANUP(query_free) Query *query = NULL;
                FairItem item;

                if (!fair_queue_pop(pool->queue, HISTORY_POOL_WAIT_MS, &item))
                        continue;
                query = item.item;
                metric_add(METRIC_HISTORY_WAITING, -1);
                metric_add(METRIC_HISTORY_READING, 1);
                if (history_worker_answer(worker, query) < 0)
                        log_error("history_failed");
                metric_add(METRIC_HISTORY_READING, -1);
                fair_queue_done(pool->queue, &item);
                buf_done(&worker->body);
        }
        watch_leave();
        return NULL;
}

static int history_worker_init(HistoryWorker *worker, const HistoryPoolOptions *options) {
        const DbConnOptions conn = {
                .url = options->database_url,
                .name = "history",
                .connect_timeout_ms = HISTORY_POOL_CONNECT_MS,
                .statement_timeout_ms = options->statement_timeout_ms,
        };
        int r;

        worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (worker->wake_fd < 0)
                return err_new(-errno);
        r = db_conn_new(&worker->conn, &conn);
        if (r < 0)
                return err_up(r);
        db_conn_set_stop(worker->conn, worker->wake_fd);
        r = pthread_create(&worker->thread, NULL, history_worker_run, worker);
        if (r != 0)
                return err_new(-r);
        worker->has_thread = true;
        return 0;
}

int history_pool_new(HistoryPool **ret_pool, const HistoryPoolOptions *options, Queue *outbox) {
        CLEANUP(history_pool_free) HistoryPool *pool = NULL;
        int r;

        pool = calloc(1, sizeof(*pool) + options->n_connections * sizeof(pool->workers[0]));
        if (!pool)
                return err_new(-ENOMEM);
        pool->outbox = outbox;
        pool->stream_timeout_us = options->stream_timeout_ms * INT64_C(1000);
        r = fair_queue_new(&pool->queue,
                           &(FairQueueOptions){
                                   .capacity = options->capacity,
                                   .n_share = options->n_share,
                                   .n_workers = options->n_connections,
                                   .n_busy = options->n_connections > 1 ? options->n_connections - 1
                                                                        : 1,
                                   .free_item = history_pool_free_query,
                           });
        for (size_t i = 0; r == 0 && i < options->n_connections; ++i) {
                pool->workers[i] = (HistoryWorker){ .pool = pool, .wake_fd = -1 };
                ++pool->n_workers;
                r = history_worker_init(&pool->workers[i], options);
        }
        if (r < 0)
                return err_up(r);
        *ret_pool = TAKE(&pool);
        return 0;
}

static void history_worker_done(HistoryWorker *worker) {
        if (worker->has_thread)
                MUST(pthread_join(worker->thread, NULL));
        db_conn_free(worker->conn);
        if (worker->wake_fd >= 0)
                close(worker->wake_fd);
        buf_done(&worker->body);
}

HistoryPool *history_pool_free(HistoryPool *pool) {
        if (!pool)
                return NULL;

        atomic_store(&pool->stopping, true);
        if (pool->queue)
                fair_queue_close(pool->queue);
        for (size_t i = 0; i < pool->n_workers; ++i)
                if (pool->workers[i].wake_fd >= 0)
                        (void)eventfd_write(pool->workers[i].wake_fd, 1);
        for (size_t i = 0; i < pool->n_workers; ++i)
                history_worker_done(&pool->workers[i]);
        fair_queue_free(pool->queue);
        free(pool);
        return NULL;
}

int history_pool_push(HistoryPool *pool, Query **queryp) {
        const FairItem item = { .item = *queryp, .party = (*queryp)->party };

        metric_add(METRIC_HISTORY_WAITING, 1);
        if (fair_queue_push(pool->queue, &item) == 0) {
                *queryp = NULL;
                return 0;
        }
        metric_add(METRIC_HISTORY_WAITING, -1);
        metric_add(METRIC_QUERY_REFUSED, 1);
        return HISTORY_POOL_E_FULL;
}
