#include "gateway/query_thread.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "db/commands.h"
#include "db/history.h"
#include "db/replay.h"
#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/event.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/query.h"
#include "gateway/base/queue.h"
#include "gateway/base/secret.h"
#include "gateway/history_pool.h"

DEFINE_CLEANUP(char *, free);

enum {
        QUERY_THREAD_REPLAYS = 64,      /* waiting; the hub never asks for so many at once */
        QUERY_THREAD_WAIT_MS = 1000,    /* between looks at a silent queue */
        QUERY_THREAD_CONNECT_MS = 2000, /* one attempt; the asker gets its 503 after it */
        QUERY_THREAD_RETRY_MS = 1000,   /* no new attempt before; until then 503 at once */
        QUERY_THREAD_OUTBOX_MS = 1000,  /* an outbox that stays full loses the answer */
};

struct QueryThread {
        pthread_t thread;
        bool has_thread;
        int stop_fd;
        HistoryPool *pool;       /* borrowed; may be NULL */
        QueryThread *replays;    /* owned: what subscribers missed holds up nobody's login */
        Queue *replay_queries;   /* owned */
        Queue *queries, *outbox; /* borrowed */
        DbConn *conn;
        int64_t retry_at_us;
        bool is_reported; /* that the database is away */
};

/* Connects when there is something to ask. False: not now. */
static bool query_thread_connect(QueryThread *thread) {
        int64_t now_us = clock_mono_us();

        if (db_conn_is_open(thread->conn))
                return true;
        if (now_us < thread->retry_at_us)
                return false;
        if (db_conn_connect_wait(thread->conn, QUERY_THREAD_CONNECT_MS) == 0) {
                if (thread->is_reported)
                        log_info("query_database_connected");
                thread->is_reported = false;
                return true;
        }
        if (!thread->is_reported)
                log_warning("query_database_away error=\"%s\"", db_conn_error(thread->conn));
        thread->is_reported = true;
        thread->retry_at_us = clock_mono_us() + QUERY_THREAD_RETRY_MS * INT64_C(1000);
        return false;
}

/* An unknown user costs as much as a wrong password. */
static int query_thread_login(QueryThread *thread, const Query *query, Answer *answer) {
        CLEANUP(free) char *hash = NULL;
        int64_t user_id = 0, generation = 0;
        int r;

        r = db_history_login(thread->conn, query->username, &user_id, &generation, &hash);
        if (r != 0 && r != DB_E_NOT_FOUND)
                return r < 0 ? err_up(r) : r;

        if (secret_password_verify(query->password, hash)) {
                answer->user_id = user_id;
                answer->generation = generation;
                answer->status = 200;
        } else {
                answer->status = 401;
        }
        return 0;
}

/* Keeps one event of the page: its arg is the answer, which has room for all. */
static int query_thread_on_missed(void *arg, const Record *record, const DeviceState *state) {
        Answer *answer = arg;
        int r;

        r = event_new_message(&answer->events[answer->n_events], record, state, true);
        if (r < 0)
                return err_up(r);
        ++answer->n_events;
        return 0;
}

static int query_thread_replay(QueryThread *thread, const Query *query, Answer *answer) {
        int r;

        while (answer->n_events > 0) /* of a try that was cut off */
                event_unref(answer->events[--answer->n_events]);
        free(answer->events);
        answer->events = calloc((size_t)query->replay->limit + 1, sizeof(*answer->events));
        if (!answer->events)
                return err_new(-ENOMEM);

        r = db_replay(thread->conn,
                      query->replay,
                      query_thread_on_missed,
                      answer,
                      &answer->upto_seq);
        switch (r) {
        case 0:
                answer->status = 200;
                return 0;
        case DB_E_NOT_FOUND:
                answer->status = 404;
                return 0;
        case DB_E_EXISTS:
                answer->status = 410;
                return 0;
        default:
                return r < 0 ? err_up(r) : r;
        }
}

static int query_thread_ask(QueryThread *thread, const Query *query, Answer *answer) {
        int r;

        switch (query->kind) {
        case QUERY_LOGIN:
                return query_thread_login(thread, query, answer);
        case QUERY_DETECTION_STATS:
                r = db_history_detection_stats(thread->conn,
                                               query->user_ids,
                                               query->n_user_ids,
                                               query->minutes,
                                               query->device_id,
                                               answer->bodies);
                break;
        case QUERY_CAMERA_STATS:
                r = db_history_camera_stats(thread->conn,
                                            query->user_ids,
                                            query->n_user_ids,
                                            answer->bodies);
                break;
        case QUERY_COMMAND:
                return db_commands_add(thread->conn, query, answer);
        case QUERY_COMMAND_GET:
                return db_commands_get(thread->conn, query, answer);
        case QUERY_PENDING_COMMANDS:
                return db_commands_pending(thread->conn, query, answer);
        case QUERY_REPLAY:
                return query_thread_replay(thread, query, answer);
        default:
                return 0;
        }
        if (r == 0)
                answer->status = 200;
        return r;
}

/* A connection that was idle may have died unseen: that deserves a second try. */
static int query_thread_compute(QueryThread *thread, const Query *query, Answer *answer) {
        int r = DB_E_OFFLINE;

        for (int i = 0; i < 2 && r == DB_E_OFFLINE; ++i) {
                if (!query_thread_connect(thread))
                        return 0; /* the answer says 503 already */
                r = query_thread_ask(thread, query, answer);
        }
        if (r == DB_E_REJECTED)
                log_warning("query_refused sqlstate=%s error=\"%s\"",
                            db_conn_sqlstate(thread->conn),
                            db_conn_error(thread->conn));
        return r < 0 ? err_up(r) : 0;
}

static int query_thread_answer(QueryThread *thread, const Query *query) {
        CLEANUP(answer_free) Answer *answer = NULL;
        CLEANUP(event_unref) Event *event = NULL;
        int r;

        r = answer_new(&answer, query);
        if (r == 0 && query->kind != QUERY_HISTORY)
                r = query_thread_compute(thread, query, answer);
        if (r == 0)
                r = event_new_answer(&event, &answer);
        if (r < 0)
                return err_up(r);

        r = queue_push(thread->outbox, event, QUERY_THREAD_OUTBOX_MS);
        if (r == 0)
                (void)TAKE(&event);
        else if (r == QUEUE_E_FULL)
                metric_add(METRIC_OUTBOX_DROPPED, 1);
        return r < 0 ? err_up(r) : 0;
}

/* What the pool has no room for is answered here: with 503. */
static bool query_thread_hands_on(QueryThread *thread, Query **queryp) {
        if ((*queryp)->kind == QUERY_REPLAY && thread->replays &&
            queue_push(thread->replay_queries, *queryp, 0) == 0) {
                *queryp = NULL;
                return true;
        }
        return (*queryp)->kind == QUERY_HISTORY && thread->pool &&
               history_pool_push(thread->pool, queryp) == 0;
}

/* A fault costs the query that met it, and nothing else. */
static void *query_thread_run(void *arg) {
        QueryThread *thread = arg;

        while (!queue_is_drained(thread->queries)) {
                CLEANUP(query_free) Query *query = NULL;
                void *item = NULL;

                if (queue_pop(thread->queries, &item, 1, QUERY_THREAD_WAIT_MS) == 0)
                        continue;
                query = item;
                if (query_thread_hands_on(thread, &query))
                        continue;
                if (query_thread_answer(thread, query) < 0)
                        log_error("query_failed");
        }
        return NULL;
}

static void query_thread_free_query(void *query) {
        query_free(query);
}

static int query_thread_prepare(QueryThread *thread,
                                const char *name,
                                const char *database_url,
                                int statement_timeout_ms) {
        int r;

        thread->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (thread->stop_fd < 0)
                return err_new(-errno);
        r = db_conn_new(&thread->conn,
                        &(DbConnOptions){ .url = database_url,
                                          .name = name,
                                          .connect_timeout_ms = QUERY_THREAD_CONNECT_MS,
                                          .statement_timeout_ms = statement_timeout_ms });
        if (r < 0)
                return err_up(r);
        db_conn_set_stop(thread->conn, thread->stop_fd);
        return 0;
}

static int query_thread_start(QueryThread *thread) {
        int r;

        r = pthread_create(&thread->thread, NULL, query_thread_run, thread);
        if (r != 0)
                return err_new(-r);
        thread->has_thread = true;
        return 0;
}

/* A second one of its kind, for replays alone. */
static int query_thread_second(QueryThread *first,
                               const char *database_url,
                               int statement_timeout_ms) {
        CLEANUP(query_thread_free) QueryThread *second = NULL;
        int r;

        r = queue_new(&first->replay_queries, QUERY_THREAD_REPLAYS, query_thread_free_query);
        if (r < 0)
                return err_up(r);
        second = calloc(1, sizeof(*second));
        if (!second)
                return err_new(-ENOMEM);
        second->queries = first->replay_queries;
        second->outbox = first->outbox;
        r = query_thread_prepare(second, "replay", database_url, statement_timeout_ms);
        if (r == 0)
                r = query_thread_start(second);
        if (r < 0)
                return err_up(r);

        first->replays = TAKE(&second);
        return 0;
}

int query_thread_new(QueryThread **ret_thread,
                     const char *database_url,
                     int statement_timeout_ms,
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
        r = query_thread_prepare(thread, "query", database_url, statement_timeout_ms);
        if (r == 0)
                r = query_thread_second(thread, database_url, statement_timeout_ms);
        if (r == 0)
                r = query_thread_start(thread);
        if (r < 0)
                return err_up(r);

        *ret_thread = TAKE(&thread);
        return 0;
}

QueryThread *query_thread_free(QueryThread *thread) {
        if (!thread)
                return NULL;

        queue_close(thread->queries);
        if (thread->stop_fd >= 0)
                (void)eventfd_write(thread->stop_fd, 1);
        if (thread->has_thread)
                MUST(pthread_join(thread->thread, NULL));
        query_thread_free(thread->replays);
        queue_free(thread->replay_queries);
        db_conn_free(thread->conn);
        if (thread->stop_fd >= 0)
                close(thread->stop_fd);
        free(thread);
        return NULL;
}
