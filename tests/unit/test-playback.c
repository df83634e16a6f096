/* WsPlayback: what is read ahead is little, what is read is shown in order, and nothing of it goes
 * to who may not see it, whatever the database says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/metrics.h"
#include "tests/fake/stage.h"
#include "ws/viewer/feed.h"

#define LONG_AGO INT64_C(1760805000000000)
#define PLAY                                                                                \
        "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"user\"],\"at\":\"2025-10-18T16:30:00Z\"," \
        "\"rate\":100}"
#define FIRST_SEQ 1000

typedef struct Fixture Fixture;

struct Fixture {
        Stage stage;
        Viewer ana;
};

static void fixture_init(Fixture *f) {
        WsOptions options = stage_options();
        char cursor[64];

        *f = (Fixture){ 0 };
        options.queue_bytes = 65536;
        stage_init(&f->stage, &options, NULL);
        f->stage.seq = 1000000;
        stage_world(&f->stage);
        viewer_open_native(&f->ana, &f->stage, "ana", cursor);
}

static void fixture_done(Fixture *f) {
        viewer_done(&f->ana);
        stage_done(&f->stage);
}

static Query *next_query(Fixture *f) {
        void *item = NULL;

        assert_int_equal(queue_pop(f->stage.queries, &item, 1, STAGE_MS), 1);
        assert_int_equal(((Query *)item)->kind, QUERY_REPLAY);
        return item;
}

/* The page: @n messages of this vehicle, all of one time, with @n_bytes of text each. */
static void answer(Fixture *f, const Query *query, int status, size_t n, size_t n_bytes) {
        Answer *answer = NULL;
        Event *event = NULL;
        CLEANUP_BUF Buf data = { 0 };

        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = status;
        answer->upto_seq = FIRST_SEQ + n;
        answer->events = calloc(n + 1, sizeof(*answer->events));
        assert_non_null(answer->events);
        for (size_t i = 0; i < n; ++i) {
                Record record = { .seq = FIRST_SEQ + i,
                                  .received_us = LONG_AGO,
                                  .time_us = LONG_AGO,
                                  .kind = KIND_RAW_LOG,
                                  .vehicle_id = i % 2 == 0 ? 1 : 2 };

                buf_reset(&data);
                buf_printf(&data, "\"%zu ", i);
                for (size_t j = 0; j <= n_bytes; ++j)
                        buf_append_char(&data, 'x');
                buf_append_char(&data, '"');
                assert_false(buf_failed(&data));
                record.data = buf_text(&data);
                assert_int_equal(event_new_message(&answer->events[i], &record, NULL, true), 0);
                ++answer->n_events;
        }
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        stage_push(&f->stage, event);
}

static void expect_message(Fixture *f, size_t i) {
        char text[64];

        snprintf(text, sizeof(text), "\"data\":\"%zu x", i);
        viewer_expect(&f->ana, text);
        assert_non_null(strstr(f->ana.text, "\"subscription\":\"s1\",\"replay\":true"));
}

static void test_a_page_is_asked_for_that_begins_then_and_is_bounded(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_send(&f.ana, PLAY);
        query = next_query(&f);
        assert_true(query->replay->is_playback && query->replay->is_first);
        assert_int_equal(query->replay->from_us, LONG_AGO);
        assert_int_equal(query->replay->after_seq, 0);
        assert_int_equal(query->replay->max_bytes, WS_PLAYBACK_BYTES);
        assert_int_equal(query->replay->n_vehicle_ids, 1);
        fixture_done(&f);
}

static void test_what_is_not_hers_is_not_shown(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_send(&f.ana, PLAY);
        query = next_query(&f);
        answer(&f, query, 200, 5, 10); /* 1 and 3 are of another's vehicle */
        viewer_expect(&f.ana, "\"id\":1,\"ok\":true,\"subscription\":\"s1\",\"replay\":true");
        expect_message(&f, 0);
        expect_message(&f, 2);
        expect_message(&f, 4);
        fixture_done(&f);
}

static void test_what_the_database_refuses_is_refused_and_is_no_subscription(void **state) {
        static const struct {
                int status;
                const char *code;
        } refusals[] = { { 404, "not_found" }, { 410, "not_found" }, { 503, "unavailable" } };
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (size_t i = 0; i < N_ELEMENTS(refusals); ++i) {
                CLEANUP(query_free) Query *query = NULL;

                viewer_send(&f.ana, PLAY);
                query = next_query(&f);
                answer(&f, query, refusals[i].status, 0, 0);
                viewer_expect(&f.ana, refusals[i].code);
        }
        assert_int_equal(metric_get(METRIC_WS_PLAYBACKS_REFUSED), 0);
        viewer_send(&f.ana, "{\"op\":\"pause\",\"id\":2,\"subscription\":\"s3\"}");
        viewer_expect(&f.ana, "no such playback");
        fixture_done(&f);
}

static void test_a_page_that_does_not_come_is_asked_for_again(void **state) {
        CLEANUP(query_free) Query *first = NULL, *second = NULL, *third = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_send(&f.ana, PLAY);
        first = next_query(&f);
        answer(&f, first, 200, 0, 0); /* nothing yet, and it may go on for long */
        viewer_expect(&f.ana, "\"id\":1,\"ok\":true");
        viewer_send(&f.ana, "{\"op\":\"pause\",\"id\":2,\"subscription\":\"s1\"}");
        viewer_expect(&f.ana, "\"id\":2,\"ok\":true");
        viewer_send(&f.ana,
                    "{\"op\":\"seek\",\"id\":3,\"subscription\":\"s1\",\"at\":\"2025-10-18\"}");
        viewer_expect(&f.ana, "bad_request");
        viewer_send(&f.ana,
                    "{\"op\":\"seek\",\"id\":4,\"subscription\":\"s1\",\"at\":\"2025-10-18T16:"
                    "00Z\"}");
        second = next_query(&f);
        viewer_send(&f.ana, "{\"op\":\"live\",\"id\":5,\"subscription\":\"s1\"}");
        viewer_expect(&f.ana, "\"busy\"");
        answer(&f, second, 503, 0, 0);
        viewer_expect(&f.ana, "\"id\":4,\"ok\":false,\"error\":{\"code\":\"unavailable\"");
        viewer_expect_silence(&f.ana);
        viewer_send(&f.ana, "{\"op\":\"seek\",\"id\":6,\"subscription\":\"s1\"}");
        viewer_expect(&f.ana, "\"id\":6,\"ok\":true");
        third = next_query(&f);
        assert_false(third->replay->is_first);
        assert_int_equal(third->replay->from_us, LONG_AGO);
        assert_int_equal(third->replay->after_seq, FIRST_SEQ);
        fixture_done(&f);
}

/* More than the socket's queue, and more than the kernel takes of it at once. */
static void test_a_slow_socket_gets_all_of_it(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_send(&f.ana, PLAY);
        query = next_query(&f);
        answer(&f, query, 200, 600, 20000);
        viewer_expect(&f.ana, "\"id\":1,\"ok\":true");
        for (size_t i = 0; i < 600; i += 2)
                expect_message(&f, i);
        assert_int_equal(metric_get(METRIC_WS_DROPPED), 0);
        assert_int_equal(metric_get(METRIC_WS_CONFLATED), 0);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_page_is_asked_for_that_begins_then_and_is_bounded),
                cmocka_unit_test(test_what_is_not_hers_is_not_shown),
                cmocka_unit_test(test_what_the_database_refuses_is_refused_and_is_no_subscription),
                cmocka_unit_test(test_a_page_that_does_not_come_is_asked_for_again),
                cmocka_unit_test(test_a_slow_socket_gets_all_of_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
