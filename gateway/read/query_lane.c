#include "gateway/read/query_lane.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "gateway/read/fair_queue.h"
#include "gateway/read/query_answer.h"
#include "model/event.h"
#include "model/metrics.h"

enum {
        QUERY_LANE_WAIT_MS = 1000,    /* between looks at a silent queue */
        QUERY_LANE_CONNECT_MS = 2000, /* one attempt; the asker gets its 503 after it */
        QUERY_LANE_RETRY_MS = 1000,   /* no new attempt before; until then 503 at once */
        QUERY_LANE_OUTBOX_MS = 1000,  /* an outbox that stays full loses the answer */
};

typedef struct QueryReader QueryReader;

struct QueryReader {
        QueryLane *lane; /* borrowed */
        pthread_t thread;
        bool has_thread;
        DbConn *conn;
        int64_t retry_at_us;
        bool is_reported; /* that the database is away */
};

struct QueryLane {
        const char *name;   /* static */
        LoginCache *logins; /* borrowed */
        int nice;
        FairQueue *queue;
        Queue *outbox; /* borrowed */
        int stop_fd;
        LogPace said;
        size_t n_readers;
        QueryReader readers[];
};

static void query_lane_free_query(void *query) {
        query_free(query);
}

/* Connects when there is something to ask. False: not now. */
static bool query_reader_connect(QueryReader *reader) {
        int64_t now_us = clock_mono_us();

        if (db_conn_is_open(reader->conn))
                return true;
        if (now_us < reader->retry_at_us)
                return false;
        if (db_conn_connect_wait(reader->conn, QUERY_LANE_CONNECT_MS) == 0) {
                if (reader->is_reported)
                        log_info("query_database_connected lane=%s", reader->lane->name);
                reader->is_reported = false;
                return true;
        }
        if (!reader->is_reported)
                log_warning("query_database_away lane=%s error=\"%s\"",
                            reader->lane->name,
                            db_conn_error(reader->conn));
        reader->is_reported = true;
        reader->retry_at_us = clock_mono_us() + QUERY_LANE_RETRY_MS * INT64_C(1000);
        return false;
}

/* A connection that was idle may have died unseen: that deserves a second try. */
static int query_reader_compute(QueryReader *reader, const Query *query, Answer *answer) {
        unsigned long long n_more;
        int r = DB_E_OFFLINE;

        for (int i = 0; i < 2 && r == DB_E_OFFLINE; ++i) {
                if (!query_reader_connect(reader))
                        return 0; /* the answer says 503 already */
                r = query_answer(reader->conn, reader->lane->logins, query, answer);
        }
        if (r == DB_E_REJECTED && log_may(&reader->lane->said, &n_more))
                log_warning("query_refused lane=%s sqlstate=%s error=\"%s\" more=%llu",
                            reader->lane->name,
                            db_conn_sqlstate(reader->conn),
                            db_conn_error(reader->conn),
                            n_more);
        return r < 0 ? err_up(r) : 0;
}

static int query_lane_send(Queue *outbox, Answer **answerp) {
        CLEANUP(event_unref) Event *event = NULL;
        int r;

        r = event_new_answer(&event, answerp, answer_free);
        if (r < 0)
                return err_up(r);
        r = queue_push(outbox, event, QUERY_LANE_OUTBOX_MS);
        if (r == 0)
                (void)TAKE(&event);
        else if (r == QUEUE_E_FULL)
                metric_add(METRIC_OUTBOX_DROPPED, 1);
        return r < 0 ? err_up(r) : 0;
}

int query_lane_refuse(const Query *query, Queue *outbox) {
        CLEANUP(answer_free) Answer *answer = NULL;
        int r;

        r = answer_new(&answer, query); /* it says 503 */
        if (r == 0)
                r = query_lane_send(outbox, &answer);
        return r < 0 ? err_up(r) : 0;
}

static int query_reader_answer(QueryReader *reader, const Query *query) {
        CLEANUP(answer_free) Answer *answer = NULL;
        int r;

        if (query->deadline_us != 0 && clock_mono_us() > query->deadline_us)
                return 0; /* who asked has been told so: the work is for those who still wait */
        r = answer_new(&answer, query);
        if (r == 0)
                r = query_reader_compute(reader, query, answer);
        if (r == 0)
                r = query_lane_send(reader->lane->outbox, &answer);
        return r < 0 ? err_up(r) : 0;
}

/* A fault costs the query that met it, and nothing else. */
static void *query_reader_run(void *arg) {
        QueryReader *reader = arg;
        FairQueue *queue = reader->lane->queue;

        watch_enter(reader->lane->name);
        (void)!nice(reader->lane->nice); /* on Linux it is that of the thread */
        while (!fair_queue_is_drained(queue)) {
                CLEANUP(query_free) Query *query = NULL;
                FairItem item;

                if (!fair_queue_pop(queue, QUERY_LANE_WAIT_MS, &item))
                        continue;
                query = item.item;
                metric_add(METRIC_QUERY_WAITING, -1);
                if (query_reader_answer(reader, query) < 0)
                        log_error("query_failed lane=%s", reader->lane->name);
                fair_queue_done(queue, &item);
        }
        watch_leave();
        return NULL;
}

static int query_reader_start(QueryReader *reader, const QueryLaneOptions *options) {
        const DbConnOptions conn = {
                .url = options->database_url,
                .name = options->name,
                .connect_timeout_ms = QUERY_LANE_CONNECT_MS,
                .statement_timeout_ms = options->statement_timeout_ms,
        };
        int r;

        r = db_conn_new(&reader->conn, &conn);
        if (r < 0)
                return err_up(r);
        db_conn_set_stop(reader->conn, reader->lane->stop_fd);
        r = pthread_create(&reader->thread, NULL, query_reader_run, reader);
        if (r != 0)
                return err_new(-r);
        reader->has_thread = true;
        return 0;
}

int query_lane_new(QueryLane **ret_lane, const QueryLaneOptions *options, Queue *outbox) {
        CLEANUP(query_lane_free) QueryLane *lane = NULL;
        int r;

        lane = calloc(1, sizeof(*lane) + options->n_threads * sizeof(lane->readers[0]));
        if (!lane)
                return err_new(-ENOMEM);
        lane->name = options->name;
        lane->logins = options->logins;
        lane->nice = options->nice;
        lane->outbox = outbox;
        lane->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (lane->stop_fd < 0)
                return err_new(-errno);
        r = fair_queue_new(&lane->queue,
                           &(FairQueueOptions){
                                   .capacity = options->capacity,
                                   .n_share = options->n_share,
                                   .n_workers = options->n_threads,
                                   .n_busy = options->n_threads > 1 ? options->n_threads - 1 : 1,
                                   .free_item = query_lane_free_query,
                           });
        for (size_t i = 0; r == 0 && i < options->n_threads; ++i) {
                lane->readers[lane->n_readers++].lane = lane;
                r = query_reader_start(&lane->readers[i], options);
        }
        if (r < 0)
                return err_up(r);
        *ret_lane = TAKE(&lane);
        return 0;
}

QueryLane *query_lane_free(QueryLane *lane) {
        if (!lane)
                return NULL;

        if (lane->queue)
                fair_queue_close(lane->queue);
        if (lane->stop_fd >= 0)
                (void)eventfd_write(lane->stop_fd, 1);
        for (size_t i = 0; i < lane->n_readers; ++i) {
                if (lane->readers[i].has_thread)
                        MUST(pthread_join(lane->readers[i].thread, NULL));
                db_conn_free(lane->readers[i].conn);
        }
        fair_queue_free(lane->queue);
        if (lane->stop_fd >= 0)
                close(lane->stop_fd);
        free(lane);
        return NULL;
}

int query_lane_push(QueryLane *lane, Query **queryp) {
        const FairItem item = {
                .item = *queryp,
                .party = (*queryp)->party,
        };

        metric_add(METRIC_QUERY_WAITING, 1);
        if (fair_queue_push(lane->queue, &item) != 0) {
                metric_add(METRIC_QUERY_WAITING, -1);
                metric_add(METRIC_QUERY_REFUSED, 1);
                return QUERY_LANE_E_FULL;
        }
        *queryp = NULL;
        return 0;
}
