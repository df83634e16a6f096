/* WsFeed: whose set is not what the text says that he has, or who may lack the state of something
 * in it, gets the whole. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "model/metrics.h"
#include "model/query.h"
#include "tests/fake/stage.h"

#define BOX       "\"bbox\":[19,49,21,51]"
#define INSIDE    50, 20
#define ELSEWHERE 50.5, 20.5
#define OUTSIDE   60, 20

typedef struct Fixture Fixture;

/* Ana has vehicle 1, and vehicle 2 as long as it is shared with her. */
struct Fixture {
        Stage stage;
        Viewer ana;
        char cursor[64], text[64]; /* of the set that she had before */
};

static void share(Fixture *f, bool is_there) {
        stage_row(&f->stage,
                  &(RegistryRow){ .table = REGISTRY_SHARE,
                                  .deleted = !is_there,
                                  .share = { .id = 9, .user_id = 2, .vehicle_id = 2 } });
}

static void member(const Viewer *viewer, const char *name, char ret_text[64]) {
        const char *at = strstr(viewer->text, name);

        assert_non_null(at);
        assert_int_equal(sscanf(at + strlen(name), "\":\"%63[^\"]", ret_text), 1);
}

static void subscribe(Fixture *f, const char *members) {
        char request[512];

        snprintf(request,
                 sizeof(request),
                 "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"vehicle/*\"]," BOX "%s}",
                 members);
        viewer_send(&f->ana, request);
}

/* She has seen the box with vehicle 1, and, where @both, vehicle 2 in it, and has gone. */
static void fixture_init(Fixture *f, bool both) {
        WsOptions options = stage_options();
        char welcome[64];

        *f = (Fixture){ 0 };
        options.queue_bytes = 65536;
        options.replay_events = 2;
        options.replay_bytes = 100000;
        stage_init(&f->stage, &options, NULL);
        stage_world(&f->stage);
        share(f, true);
        stage_place(&f->stage, 1, INSIDE);
        if (both)
                stage_place(&f->stage, 2, INSIDE);
        else
                stage_place(&f->stage, 2, OUTSIDE);
        viewer_open_native(&f->ana, &f->stage, "ana", welcome);
        subscribe(f, ",\"set\":true");
        viewer_expect(&f->ana, "\"ok\":true");
        viewer_expect(&f->ana, both ? "\"vehicle_ids\":[1,2]" : "\"vehicle_ids\":[1]");
        member(&f->ana, "\"cursor", f->cursor);
        member(&f->ana, "\"set", f->text);
        viewer_done(&f->ana);
}

static void fixture_done(Fixture *f) {
        viewer_done(&f->ana);
        stage_done(&f->stage);
}

/* She resumes, from what only the database has. */
static void come_back(Fixture *f) {
        char members[256], welcome[64];

        for (int i = 0; i < 6; ++i)
                stage_message(&f->stage, KIND_TELEMETRY, 0, 2, "{}");
        viewer_open_native(&f->ana, &f->stage, "ana", welcome);
        snprintf(members, sizeof(members), ",\"since\":\"%s\",\"set\":\"%s\"", f->cursor, f->text);
        subscribe(f, members);
}

static Event *place(uint64_t seq, int64_t vehicle_id, double latitude, double longitude) {
        Record record = {
                .seq = seq,
                .received_us = clock_now_us(),
                .time_us = clock_now_us(),
                .kind = KIND_VEHICLE_LOG,
                .vehicle_id = vehicle_id,
                .vehicle_log = { .latitude = latitude, .longitude = longitude },
                .data = TEXT("{}"),
        };
        Event *event = NULL;

        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        return event;
}

/* The next page that is asked for: @events up to @upto_seq. */
static void answer(Fixture *f, uint64_t upto_seq, Event *const events[], size_t n) {
        CLEANUP(query_free) Query *query = NULL;
        Answer *answer = NULL;
        Event *event = NULL;
        void *item = NULL;

        assert_int_equal(queue_pop(f->stage.queries, &item, 1, STAGE_MS), 1);
        query = item;
        assert_int_equal(query->kind, QUERY_REPLAY);
        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = 200;
        answer->upto_seq = upto_seq;
        answer->events = calloc(n + 1, sizeof(*answer->events));
        assert_non_null(answer->events);
        for (size_t i = 0; i < n; ++i)
                answer->events[answer->n_events++] = events[i];
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        stage_push(&f->stage, event);
}

static void expect_whole(Fixture *f, const char *ids) {
        viewer_expect(&f->ana, "\"type\":\"snapshot\"");
        if (!strstr(f->ana.text, "\"complete\":true"))
                fail_msg("not the whole: %s", f->ana.text);
        assert_non_null(strstr(f->ana.text, ids));
        viewer_expect_silence(&f->ana);
}

/* ---- */

static void test_what_is_as_it_was_is_not_repeated(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, false);
        come_back(&f);
        answer(&f, 4, (Event *[]){ place(3, 1, INSIDE) }, 1);
        viewer_expect(&f.ana, "\"recovered\":true");
        viewer_expect(&f.ana, "\"vehicle_ids\":[1],\"device_ids\":[],\"complete\":false");
        viewer_expect(&f.ana, "\"type\":\"vehicle_log\"");
        answer(&f, f.stage.seq, NULL, 0);
        viewer_expect(&f.ana,
                      "\"items\":[],\"vehicle_ids\":[],\"device_ids\":[],\"complete\":false");
        assert_non_null(strstr(f.ana.text, f.text));
        viewer_expect_silence(&f.ana);
        fixture_done(&f);
}

static void test_a_right_that_ends_while_it_resumes_takes_away_what_was_told(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, false);
        stage_place(&f.stage, 2, INSIDE);
        come_back(&f);
        answer(&f, 4, (Event *[]){ place(3, 2, INSIDE) }, 1);
        viewer_expect(&f.ana, "\"recovered\":true");
        viewer_expect(&f.ana, "\"vehicle_ids\":[2]");
        viewer_expect(&f.ana, "\"type\":\"vehicle_log\"");
        share(&f, false);
        answer(&f, f.stage.seq, NULL, 0);
        expect_whole(&f, "\"vehicle_ids\":[1]");
        fixture_done(&f);
}

static void test_a_right_that_comes_back_while_it_resumes_brings_the_state(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, true);
        share(&f, false);
        stage_place(&f.stage, 2, ELSEWHERE);
        come_back(&f);
        answer(&f, 4, NULL, 0);
        viewer_expect(&f.ana, "\"recovered\":true");
        share(&f, true);
        answer(&f, f.stage.seq, NULL, 0);
        expect_whole(&f, "\"vehicle_ids\":[1,2]");
        assert_non_null(strstr(f.ana.text, "{\"n\":3}"));
        fixture_done(&f);
}

static void test_what_came_in_by_a_late_message_does_not_stay(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, false);
        come_back(&f);
        answer(&f, 4, (Event *[]){ place(3, 2, INSIDE) }, 1);
        viewer_expect(&f.ana, "\"recovered\":true");
        viewer_expect(&f.ana, "\"vehicle_ids\":[2]");
        viewer_expect(&f.ana, "\"type\":\"vehicle_log\"");
        answer(&f, f.stage.seq, NULL, 0);
        expect_whole(&f, "\"vehicle_ids\":[1]");
        fixture_done(&f);
}

static void test_what_went_by_a_late_message_comes_back(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, false);
        come_back(&f);
        answer(&f, 5, (Event *[]){ place(3, 1, INSIDE), place(4, 1, OUTSIDE) }, 2);
        viewer_expect(&f.ana, "\"recovered\":true");
        viewer_expect(&f.ana, "\"vehicle_ids\":[1]");
        viewer_expect(&f.ana, "\"type\":\"vehicle_log\"");
        viewer_expect(&f.ana, "\"type\":\"left\"");
        answer(&f, f.stage.seq, NULL, 0);
        expect_whole(&f, "\"vehicle_ids\":[1]");
        fixture_done(&f);
}

static void test_a_box_that_moves_while_it_resumes_takes_away_what_was_told(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, false);
        stage_place(&f.stage, 2, ELSEWHERE);
        come_back(&f);
        answer(&f, 4, (Event *[]){ place(3, 2, ELSEWHERE) }, 1);
        viewer_expect(&f.ana, "\"recovered\":true");
        viewer_expect(&f.ana, "\"vehicle_ids\":[2]");
        viewer_expect(&f.ana, "\"type\":\"vehicle_log\"");
        viewer_send(&f.ana,
                    "{\"op\":\"move\",\"id\":2,\"subscription\":\"s1\",\"bbox\":[19,49,20.2,51]}");
        viewer_expect(&f.ana, "\"id\":2,\"ok\":true");
        answer(&f, 4, NULL, 0); /* was asked for before */
        answer(&f, f.stage.seq, NULL, 0);
        expect_whole(&f, "\"vehicle_ids\":[1]");
        fixture_done(&f);
}

/* They have come, and are answered in the same turn. */
static void wait_for_messages(int64_t n) {
        int64_t until_us = clock_mono_us() + STAGE_MS * INT64_C(1000);

        while (metric_get(METRIC_WS_MESSAGES_IN) < n && clock_mono_us() < until_us)
                sched_yield();
        assert_int_equal(metric_get(METRIC_WS_MESSAGES_IN), n);
}

static void keep(const Viewer *viewer, int n_bytes) {
        assert_int_equal(setsockopt(viewer->fd, SOL_SOCKET, SO_RCVBUF, &n_bytes, sizeof(n_bytes)),
                         0);
}

/* Nothing can be looked at, as ana reads nothing, and less than all is waiting for her. Nor does
 * what she sends tell of room in her kernel. */
static void fill(Fixture *f, Viewer *quick) {
        char log[2048];

        memset(log, 'x', sizeof(log));
        log[0] = '"';
        memcpy(log + sizeof(log) - 2, "\"", 2);
        keep(&f->ana, 4096);
        while (metric_get(METRIC_WS_QUEUED_BYTES) < 50000) {
                stage_message(&f->stage, KIND_RAW_LOG, 1, 0, log);
                viewer_expect(quick, "raw_log");
        }
        assert_int_equal(metric_get(METRIC_WS_DROPPED), 0);
}

/* She reads on, to what has this. */
static void read_to(Fixture *f, const char *text) {
        keep(&f->ana, 1048576);
        do
                assert_non_null(viewer_read(&f->ana));
        while (!strstr(f->ana.text, text));
}

static void test_a_right_that_went_and_came_back_between_two_looks_brings_the_state(void **state) {
        Viewer quick = { 0 };
        char welcome[64];
        Fixture f;

        (void)state;
        fixture_init(&f, true);
        viewer_open(&quick, &f.stage, "/api/ws", "ana");
        viewer_expect(&quick, "connection");
        viewer_open_native(&f.ana, &f.stage, "ana", welcome);
        subscribe(&f, ",\"set\":true");
        viewer_expect(&f.ana, "\"ok\":true");
        viewer_expect(&f.ana, "\"complete\":true");
        fill(&f, &quick);
        share(&f, false);
        stage_place(&f.stage, 2, ELSEWHERE);
        share(&f, true);
        stage_message(&f.stage, KIND_RAW_LOG, 1, 0, "\"the last\"");
        viewer_expect(&quick, "the last");
        read_to(&f, "the last");
        expect_whole(&f, "\"vehicle_ids\":[1,2]");
        viewer_done(&quick);
        fixture_done(&f);
}

static void test_a_right_that_goes_and_is_seen_to_be_gone_costs_no_whole(void **state) {
        char welcome[64];
        Fixture f;

        (void)state;
        fixture_init(&f, true);
        viewer_open_native(&f.ana, &f.stage, "ana", welcome);
        subscribe(&f, ",\"set\":true");
        viewer_expect(&f.ana, "\"ok\":true");
        viewer_expect(&f.ana, "\"complete\":true");
        share(&f, false);
        viewer_expect(&f.ana, "\"reason\":\"right\"");
        share(&f, true);
        viewer_expect(&f.ana, "\"vehicle_ids\":[2],\"device_ids\":[],\"complete\":false");
        viewer_expect_silence(&f.ana);
        fixture_done(&f);
}

static void test_targets_that_went_and_came_back_between_two_looks_bring_the_state(void **state) {
        Viewer quick = { 0 };
        char welcome[64];
        Fixture f;

        (void)state;
        fixture_init(&f, true);
        viewer_open(&quick, &f.stage, "/api/ws", "ana");
        viewer_expect(&quick, "connection");
        viewer_open_native(&f.ana, &f.stage, "ana", welcome);
        subscribe(&f, ",\"set\":true");
        viewer_expect(&f.ana, "\"ok\":true");
        viewer_expect(&f.ana, "\"complete\":true");
        fill(&f, &quick);
        viewer_send(&f.ana,
                    "{\"op\":\"move\",\"id\":2,\"subscription\":\"s1\",\"to\":[\"vehicle/"
                    "veh-1\"]}");
        wait_for_messages(3); /* the two that subscribed, and this */
        stage_place(&f.stage, 2, ELSEWHERE);
        viewer_expect(&quick, "vehicle_log");
        viewer_send(&f.ana,
                    "{\"op\":\"move\",\"id\":3,\"subscription\":\"s1\",\"to\":[\"vehicle/*\"]}");
        wait_for_messages(4);
        read_to(&f, "\"id\":3,\"ok\":true");
        expect_whole(&f, "\"vehicle_ids\":[1,2]");
        viewer_done(&quick);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_as_it_was_is_not_repeated),
                cmocka_unit_test(test_a_right_that_ends_while_it_resumes_takes_away_what_was_told),
                cmocka_unit_test(test_a_right_that_comes_back_while_it_resumes_brings_the_state),
                cmocka_unit_test(test_what_came_in_by_a_late_message_does_not_stay),
                cmocka_unit_test(test_what_went_by_a_late_message_comes_back),
                cmocka_unit_test(test_a_box_that_moves_while_it_resumes_takes_away_what_was_told),
                cmocka_unit_test(
                        test_a_right_that_went_and_came_back_between_two_looks_brings_the_state),
                cmocka_unit_test(test_a_right_that_goes_and_is_seen_to_be_gone_costs_no_whole),
                cmocka_unit_test(
                        test_targets_that_went_and_came_back_between_two_looks_bring_the_state),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
