/* AnswerStream: an answer in pieces, as fast as who reads it, and for no longer than it may take.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/queue.h"
#include "base/stream.h"
#include "db/write/partitions.h"
#include "gateway/read/answer_stream.h"
#include "gateway/read/reader.h"
#include "model/event.h"
#include "model/metrics.h"
#include "postgres.h"

enum {
        PATIENCE_MS = 20000,
        WINDOW = 2,
        ROWS = 1000, /* of a KiB each: a dozen pieces */
};

static Queue *outbox;
static Reader reader;
static LogPace said;
static Stream *stream;
static Query *query;
static pthread_t thread;

static void free_event(void *item) {
        event_unref(item);
}

static void fill(void) {
        DbConn *conn = postgres_connect(PATIENCE_MS);

        postgres_run("INSERT INTO devices (code) VALUES ('d1');"
                     "INSERT INTO journal_positions (epoch, seq) VALUES ('aa', 5000)");
        assert_int_equal(db_partitions_make_today(conn), 0);
        postgres_run(
                "INSERT INTO telemetry (journal_id, seq, received_at, time, device_id, payload)"
                " SELECT 1, n, now(), now(), 1, json_build_object('a', repeat('x', 1000))"
                " FROM generate_series(1, 1000) n");
        db_conn_free(conn);
}

static int set_up(void **state) {
        (void)state;
        metrics_reset();
        postgres_migrate();
        fill();
        assert_int_equal(queue_new(&outbox, 64, free_event), 0);
        assert_int_equal(stream_new(&stream, WINDOW), 0);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        reader_done(&reader);
        query = query_free(query);
        stream = stream_unref(stream);
        outbox = queue_free(outbox);
        assert_int_equal(metric_get(METRIC_HISTORY_READING), 0);
        return 0;
}

static void *run(void *arg) {
        return (void *)(intptr_t)answer_stream(arg, query);
}

static void begin(int stream_timeout_ms) {
        const ReaderOptions options = { .name = "history",
                                        .database_url = getenv("TIDEGATE_TEST_DATABASE"),
                                        .statement_timeout_ms = PATIENCE_MS,
                                        .stream_timeout_ms = stream_timeout_ms,
                                        .greeting = ANSWER_STREAM_GREETING,
                                        .outbox = outbox,
                                        .said = &said };

        assert_int_equal(reader_init(&reader, &options), 0);
        assert_int_equal(query_new(&query, QUERY_HISTORY), 0);
        query->history = calloc(1, sizeof(*query->history));
        assert_non_null(query->history);
        query->history->kind = HISTORY_TELEMETRY;
        query->history->device_id = 1;
        query->history->from_us = query->history->to_us = CLOCK_UNKNOWN;
        query->history->limit = ROWS;
        query->stream = stream_ref(stream);
        assert_int_equal(pthread_create(&thread, NULL, run, &reader), 0);
}

static void end(void) {
        void *result = NULL;

        assert_int_equal(pthread_join(thread, &result), 0);
        assert_int_equal((intptr_t)result, 0);
}

/* The next piece, with room for one more granted where @grants: its status. */
static int next(bool grants, size_t *n_bytes, bool *ret_is_last) {
        void *item = NULL;
        Event *event;
        int status;

        assert_int_equal(queue_pop(outbox, &item, 1, PATIENCE_MS), 1);
        event = item;
        status = event->answer->status;
        *n_bytes += event->answer->chunk.n;
        *ret_is_last = event->answer->is_last;
        event_unref(event);
        if (grants)
                stream_grant(stream, 1);
        return status;
}

static int read_all(size_t *ret_n_pieces, size_t *ret_n_bytes) {
        bool is_last = false;
        int status = 0;

        *ret_n_pieces = *ret_n_bytes = 0;
        for (; !is_last; ++*ret_n_pieces)
                status = next(true, ret_n_bytes, &is_last);
        return status;
}

static void test_all_of_it_comes_in_pieces(void **state) {
        size_t n_pieces, n_bytes;

        (void)state;
        begin(PATIENCE_MS);
        assert_int_equal(read_all(&n_pieces, &n_bytes), 200);
        end();
        assert_true(n_bytes > (size_t)ROWS * 1000 && n_pieces > 10);
        assert_int_equal(metric_get(METRIC_HISTORY_DONE), 1);
        assert_int_equal(metric_get(METRIC_HISTORY_BYTES), (int64_t)n_bytes);
}

/* Who takes piece after piece, and never so slowly that anybody waits, has the connection as well.
 */
static void test_what_takes_too_long_is_broken_off_also_where_it_never_stands_still(void **state) {
        size_t n_pieces, n_bytes;

        (void)state;
        begin(1);
        assert_int_equal(read_all(&n_pieces, &n_bytes), 504);
        end();
        assert_true(n_bytes < (size_t)ROWS * 1000);
        assert_int_equal(metric_get(METRIC_HISTORY_FAILED), 1);
        assert_int_equal(metric_get(METRIC_HISTORY_DONE), 0);
}

static void test_who_takes_nothing_is_broken_off_as_well(void **state) {
        size_t n_bytes = 0;
        bool is_last = false;
        int status = 200;

        (void)state;
        begin(200);
        while (!is_last)
                status = next(false, &n_bytes, &is_last);
        end();
        assert_int_equal(status, 504);
        assert_true(n_bytes <= (size_t)WINDOW * STREAM_CHUNK);
}

static void test_what_nobody_waits_for_is_dropped_in_the_middle(void **state) {
        size_t n_bytes = 0;
        bool is_last = false;

        (void)state;
        begin(PATIENCE_MS);
        assert_int_equal(next(false, &n_bytes, &is_last), 200);
        stream_cancel(stream);
        end();
        assert_int_equal(metric_get(METRIC_HISTORY_CANCELLED), 1);
        assert_int_equal(metric_get(METRIC_HISTORY_DONE) + metric_get(METRIC_HISTORY_FAILED), 0);
}

static void test_the_end_of_the_reader_is_the_end_of_its_answer(void **state) {
        size_t n_bytes = 0;
        bool is_last = false;
        int status = 200;

        (void)state;
        begin(PATIENCE_MS);
        assert_int_equal(next(false, &n_bytes, &is_last), 200);
        reader_end(&reader);
        while (!is_last)
                status = next(false, &n_bytes, &is_last);
        end();
        assert_int_equal(status, 503);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_all_of_it_comes_in_pieces),
                CASE(test_what_takes_too_long_is_broken_off_also_where_it_never_stands_still),
                CASE(test_who_takes_nothing_is_broken_off_as_well),
                CASE(test_what_nobody_waits_for_is_dropped_in_the_middle),
                CASE(test_the_end_of_the_reader_is_the_end_of_its_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
