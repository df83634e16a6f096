/* WsCensus: a client with a set is told of each thing that comes into it and that goes, and why. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "tests/fake/stage.h"
#include "ws/viewer/feed.h"

#define BOX    ",\"bbox\":[19,49,21,51]"
#define INSIDE 50, 20

static char cursor[64]; /* of the last welcome */

static void begin(Stage *stage, int max_set) {
        WsOptions options = stage_options();

        options.replay_events = 100;
        options.replay_bytes = 100000;
        options.max_set = max_set;
        stage_init(stage, &options, NULL);
        stage_world(stage);
}

static void subscribe(Viewer *viewer, const char *members) {
        char request[512];

        snprintf(request, sizeof(request), "{\"op\":\"subscribe\",\"id\":1,%s}", members);
        viewer_send(viewer, request);
        viewer_expect(viewer, "\"id\":1,\"ok\":true");
}

/* The next message has all of these. */
static void expect(Viewer *viewer, const char *const parts[]) {
        viewer_expect(viewer, parts[0]);
        for (size_t i = 1; parts[i]; ++i)
                if (!strstr(viewer->text, parts[i]))
                        fail_msg("%s has no %s", viewer->text, parts[i]);
}

#define EXPECT(viewer, ...) expect((viewer), (const char *[]){ __VA_ARGS__, NULL })

static void set_text(const Viewer *viewer, char ret_text[64]) {
        const char *set = strstr(viewer->text, "\"set\":\"");

        assert_non_null(set);
        assert_int_equal(sscanf(set, "\"set\":\"%63[^\"]", ret_text), 1);
}

static void share(Stage *stage, bool is_there) {
        stage_row(stage,
                  &(RegistryRow){ .table = REGISTRY_SHARE,
                                  .deleted = !is_there,
                                  .share = { .id = 9, .user_id = 2, .vehicle_id = 2 } });
}

/* ---- */

static void test_the_whole_set_comes_first_with_what_has_said_nothing(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        stage_place(&stage, 1, INSIDE);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"user\"],\"set\":true");
        EXPECT(&root,
               "\"type\":\"snapshot\"",
               "\"vehicle_ids\":[1,2]",
               "\"device_ids\":[1,2]",
               "\"complete\":true",
               "\"done\":true",
               "\"set\":\"4.");
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_who_asks_for_no_set_hears_of_none(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        stage_place(&stage, 1, INSIDE);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"snapshot\":true" BOX);
        viewer_expect(&root, "\"type\":\"snapshot\"");
        assert_null(strstr(root.text, "complete"));
        assert_null(strstr(root.text, "_ids"));
        stage_place(&stage, 1, 60, 20);
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_what_enters_a_box_is_named_before_it_moves_and_told_when_it_leaves(void **state) {
        char empty[64], text[64];
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"set\":true" BOX);
        EXPECT(&root, "\"vehicle_ids\":[]", "\"complete\":true");
        set_text(&root, empty);
        stage_place(&stage, 1, INSIDE);
        EXPECT(&root, "\"type\":\"snapshot\"", "\"vehicle_ids\":[1]", "\"complete\":false");
        viewer_expect(&root, "{\"type\":\"vehicle_log\",\"vehicle_id\":1");
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"a\"");
        viewer_expect(&root, "{\"type\":\"raw_log\"");
        stage_place(&stage, 1, 60, 20);
        EXPECT(&root,
               "{\"type\":\"left\",\"subscription\":\"s1\",\"vehicle_id\":1,\"reason\":\"box\"",
               "\"cursor\":\"");
        set_text(&root, text);
        assert_string_equal(text, empty);
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"b\"");
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_what_moves_counts_also_where_its_type_is_not_asked_for(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"types\":[\"raw_log\"],\"set\":true" BOX);
        viewer_expect(&root, "\"complete\":true");
        stage_place(&stage, 1, INSIDE);
        EXPECT(&root, "\"vehicle_ids\":[1]", "\"items\":[]");
        stage_place(&stage, 1, 60, 20);
        EXPECT(&root, "\"type\":\"left\"", "\"reason\":\"box\"");
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_a_right_that_is_given_and_taken_is_told(void **state) {
        Viewer ana = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        stage_place(&stage, 2, INSIDE);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, "\"to\":[\"user\"],\"set\":true");
        EXPECT(&ana, "\"vehicle_ids\":[1]", "\"device_ids\":[1]", "\"complete\":true");
        share(&stage, true);
        EXPECT(&ana,
               "\"type\":\"snapshot\"",
               "\"vehicle_ids\":[2]",
               "\"complete\":false",
               "{\"type\":\"vehicle_log\",\"vehicle_id\":2");
        share(&stage, false);
        EXPECT(&ana, "\"type\":\"left\"", "\"vehicle_id\":2", "\"reason\":\"right\"");
        viewer_expect_silence(&ana);
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_what_leaves_its_group_and_what_is_deleted_is_told_as_such(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"group/1\",\"vehicle/*\"],\"set\":true");
        EXPECT(&root, "\"vehicle_ids\":[1,2]", "\"device_ids\":[1]", "\"complete\":true");
        stage_row(&stage,
                  &(RegistryRow){ .table = REGISTRY_DEVICE_GROUP,
                                  .deleted = true,
                                  .device_group = { .device_id = 1, .group_id = 1 } });
        EXPECT(&root, "\"type\":\"left\"", "\"device_id\":1", "\"reason\":\"group\"");
        stage_row(&stage,
                  &(RegistryRow){
                          .table = REGISTRY_VEHICLE, .deleted = true, .vehicle = { .id = 2 } });
        EXPECT(&root, "\"type\":\"left\"", "\"vehicle_id\":2", "\"reason\":\"deleted\"");
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_who_resumes_with_the_text_of_the_set_gets_no_whole(void **state) {
        Viewer ana = { 0 };
        char request[256], text[64];
        Stage stage;

        (void)state;
        begin(&stage, 100);
        stage_place(&stage, 1, INSIDE);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, "\"to\":[\"user\"],\"set\":true");
        viewer_expect(&ana, "\"complete\":true");
        set_text(&ana, text);
        stage_place(&stage, 1, INSIDE);
        viewer_expect(&ana, "{\"type\":\"vehicle_log\"");
        viewer_done(&ana);

        snprintf(request,
                 sizeof(request),
                 "\"to\":[\"user\"],\"since\":\"%s\",\"set\":\"%s\"",
                 cursor,
                 text);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, request);
        viewer_expect(&ana, "{\"type\":\"vehicle_log\"");
        EXPECT(&ana,
               "\"type\":\"snapshot\"",
               "\"items\":[]",
               "\"vehicle_ids\":[]",
               "\"complete\":false",
               text);
        viewer_expect_silence(&ana);
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_who_resumes_after_a_change_gets_the_whole(void **state) {
        Viewer ana = { 0 };
        char request[256], text[64];
        Stage stage;

        (void)state;
        begin(&stage, 100);
        stage_place(&stage, 1, INSIDE);
        share(&stage, true);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, "\"to\":[\"user\"],\"set\":true");
        EXPECT(&ana, "\"vehicle_ids\":[1,2]", "\"complete\":true");
        set_text(&ana, text);
        viewer_done(&ana);

        share(&stage, false);
        viewer_open_native(&ana, &stage, "ana", cursor);
        snprintf(request,
                 sizeof(request),
                 "\"to\":[\"user\"],\"since\":\"%s\",\"set\":\"%s\"",
                 cursor,
                 text);
        subscribe(&ana, request);
        EXPECT(&ana, "\"vehicle_ids\":[1]", "\"complete\":true");
        viewer_expect_silence(&ana);
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_the_text_of_a_set_without_a_cursor_spares_nothing(void **state) {
        char request[256], text[64];
        Viewer ana = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        stage_place(&stage, 1, INSIDE);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, "\"to\":[\"user\"],\"set\":true");
        viewer_expect(&ana, "\"complete\":true");
        set_text(&ana, text);
        snprintf(request, sizeof(request), "\"to\":[\"user\"],\"set\":\"%s\"", text);
        subscribe(&ana, request);
        EXPECT(&ana, "\"subscription\":\"s2\"", "\"vehicle_ids\":[1]", "\"complete\":true");
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_nothing_that_was_held_back_comes_behind_its_leaving(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"max_hz\":0.001,\"set\":true" BOX);
        viewer_expect(&root, "\"complete\":true");
        stage_place(&stage, 1, INSIDE);
        viewer_expect(&root, "\"vehicle_ids\":[1]");
        viewer_expect(&root, "{\"type\":\"vehicle_log\"");
        stage_place(&stage, 1, INSIDE); /* waits for its turn */
        stage_place(&stage, 1, 60, 20);
        viewer_expect(&root, "\"type\":\"left\"");
        stage_message(&stage, KIND_ALERT, 2, 0, "{}"); /* would take along what is held */
        stage_place(&stage, 2, INSIDE);
        viewer_expect(&root, "\"vehicle_ids\":[2]");
        viewer_done(&root);
        stage_done(&stage);
}

static void test_who_hears_nothing_is_told_how_far_he_is(void **state) {
        WsOptions options = stage_options();
        Viewer root = { 0 }, other = { 0 };
        Stage stage;

        (void)state;
        options.progress_ms = 100;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        viewer_open_native(&other, &stage, "root", cursor);
        subscribe(&other, "\"to\":[\"user\"]");
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"device/*\"],\"set\":true");
        viewer_expect(&root, "\"complete\":true");
        EXPECT(&root, "{\"type\":\"progress\",\"cursor\":\"", "\"timestamp\":\"");
        stage_place(&stage, 1, INSIDE); /* which is not for it */
        viewer_expect(&other, "{\"type\":\"vehicle_log\"");
        do
                assert_non_null(viewer_read(&root));
        while (strstr(root.text, cursor));
        EXPECT(&root, "{\"type\":\"progress\",\"cursor\":\"", "\"timestamp\":\"");
        viewer_expect_silence(&other);
        viewer_done(&root);
        viewer_done(&other);
        stage_done(&stage);
}

static void move(Viewer *viewer, const char *members) {
        char request[512];

        snprintf(request,
                 sizeof(request),
                 "{\"op\":\"move\",\"id\":2,\"subscription\":\"s1\",%s}",
                 members);
        viewer_send(viewer, request);
        EXPECT(viewer, "\"id\":2,\"ok\":true", "\"subscription\":\"s1\"", "\"cursor\":\"");
}

static void test_a_box_that_moves_tells_what_it_loses_and_finds(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        stage_place(&stage, 1, INSIDE);
        stage_place(&stage, 2, 60, 20);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"set\":true,\"bbox\":[19,49,21,61]");
        EXPECT(&root, "\"vehicle_ids\":[1,2]", "\"complete\":true");
        move(&root, "\"bbox\":[19,49,21,51]");
        EXPECT(&root, "\"type\":\"left\"", "\"vehicle_id\":2", "\"reason\":\"box\"");
        move(&root, "\"bbox\":[19,59,21,61]");
        EXPECT(&root, "\"type\":\"left\"", "\"vehicle_id\":1", "\"reason\":\"box\"");
        EXPECT(&root, "\"vehicle_ids\":[2]", "\"complete\":false", "\"type\":\"vehicle_log\"");
        move(&root, "\"bbox\":null,\"to\":[\"vehicle/veh-1\",\"device/dev-1\"]");
        EXPECT(&root, "\"type\":\"left\"", "\"vehicle_id\":2", "\"reason\":\"target\"");
        EXPECT(&root, "\"vehicle_ids\":[1]", "\"device_ids\":[1]");
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"not seen\"");
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"seen\"");
        viewer_expect(&root, "\"seen\"");
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_a_move_to_where_it_is_has_nothing_to_look_for(void **state) {
        WsTarget two[] = { { WS_TARGET_VEHICLE, 1 }, { WS_TARGET_DEVICE, 1 } };
        WsTarget others[] = { { WS_TARGET_VEHICLE, 1 }, { WS_TARGET_VEHICLE, 2 } };
        const WsChange to = { .targets = true }, all = { true, true, true };
        WsSubscription now = { .targets = two, .n_targets = 2 };
        WsSubscription next = now;

        (void)state;
        assert_false(ws_census_is_other(&now, &next, all));
        next.targets = others;
        assert_true(ws_census_is_other(&now, &next, to));
        assert_false(ws_census_is_other(&now, &next, (WsChange){ .pace = true }));
        next.n_targets = 1;
        assert_true(ws_census_is_other(&now, &next, to));
        next = now;
        next.has_box = true;
        assert_true(ws_census_is_other(&now, &next, all));
        assert_true(ws_census_is_other(&next, &now, all));
        assert_false(ws_census_is_other(&now, &next, to));
}

static void test_a_pace_that_is_taken_away_lets_go_what_waited(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        viewer_open_native(&root, &stage, "root", cursor);
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"max_hz\":0.001");
        stage_place(&stage, 1, INSIDE);
        viewer_expect(&root, "{\"type\":\"vehicle_log\"");
        stage_place(&stage, 1, INSIDE); /* waits for its turn */
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"then\"");
        viewer_expect(&root, "{\"type\":\"vehicle_log\"");
        viewer_expect(&root, "\"then\"");
        stage_place(&stage, 1, INSIDE);
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"overtakes\"");
        viewer_expect(&root, "\"overtakes\"");
        viewer_send(&root, "{\"op\":\"move\",\"id\":2,\"subscription\":\"s1\",\"max_hz\":null}");
        viewer_expect(&root, "{\"type\":\"vehicle_log\"");
        viewer_expect(&root, "\"id\":2,\"ok\":true");
        stage_place(&stage, 1, INSIDE);
        viewer_expect(&root, "{\"type\":\"vehicle_log\"");
        viewer_done(&root);
        stage_done(&stage);
}

static void test_a_move_of_nothing_is_refused_and_changes_nothing(void **state) {
        Viewer ana = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 100);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, "\"to\":[\"vehicle/*\"]");
        viewer_send(&ana, "{\"op\":\"move\",\"id\":2,\"subscription\":\"s9\",\"max_hz\":1}");
        viewer_expect(&ana, "\"not_found\"");
        viewer_send(&ana,
                    "{\"op\":\"move\",\"id\":3,\"subscription\":\"s1\",\"to\":[\"vehicle/2\"]}");
        viewer_expect(&ana, "\"not_found\"");
        viewer_send(&ana, "{\"op\":\"move\",\"id\":4,\"subscription\":\"s1\",\"bbox\":[1]}");
        viewer_expect(&ana, "\"bad_request\"");
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"as ever\"");
        viewer_expect(&ana, "\"as ever\"");
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_who_had_no_room_for_a_leaving_gets_the_whole_behind_the_gap(void **state) {
        int64_t n_dropped = metric_get(METRIC_WS_DROPPED);
        WsOptions options = stage_options();
        Viewer slow = { 0 }, quick = { 0 };
        char log[2048];
        Stage stage;

        (void)state;
        options.queue_bytes = 65536;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        viewer_open(&quick, &stage, "/api/ws", "ana");
        viewer_expect(&quick, "connection");
        viewer_open_native(&slow, &stage, "ana", cursor);
        subscribe(&slow, "\"to\":[\"vehicle/*\"],\"set\":true" BOX);
        viewer_expect(&slow, "\"complete\":true");
        stage_place(&stage, 1, INSIDE);
        viewer_expect(&quick, "vehicle_log");
        memset(log, 'x', sizeof(log));
        log[0] = '"';
        memcpy(log + sizeof(log) - 2, "\"", 2);
        while (metric_get(METRIC_WS_DROPPED) == n_dropped) {
                stage_message(&stage, KIND_RAW_LOG, 1, 0, log);
                viewer_expect(&quick, "raw_log");
        }
        stage_place(&stage, 1, 60, 20); /* nothing can be said of that now */
        viewer_expect(&quick, "vehicle_log");
        do
                assert_non_null(viewer_read(&slow));
        while (!strstr(slow.text, "\"type\":\"gap\""));
        EXPECT(&slow, "\"type\":\"snapshot\"", "\"vehicle_ids\":[]", "\"complete\":true");
        stage_place(&stage, 1, INSIDE);
        EXPECT(&slow, "\"vehicle_ids\":[1]", "\"complete\":false");
        viewer_expect(&slow, "{\"type\":\"vehicle_log\"");
        viewer_done(&slow);
        viewer_done(&quick);
        stage_done(&stage);
}

static void test_a_set_that_is_too_large_closes_its_socket(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage, 3);
        viewer_open_native(&root, &stage, "root", cursor);
        viewer_send(&root, "{\"op\":\"subscribe\",\"id\":1,\"set\":true}");
        assert_int_equal(viewer_read_close(&root), 4100);
        viewer_done(&root);
        stage_done(&stage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_whole_set_comes_first_with_what_has_said_nothing),
                cmocka_unit_test(test_who_asks_for_no_set_hears_of_none),
                cmocka_unit_test(
                        test_what_enters_a_box_is_named_before_it_moves_and_told_when_it_leaves),
                cmocka_unit_test(test_what_moves_counts_also_where_its_type_is_not_asked_for),
                cmocka_unit_test(test_a_right_that_is_given_and_taken_is_told),
                cmocka_unit_test(test_what_leaves_its_group_and_what_is_deleted_is_told_as_such),
                cmocka_unit_test(test_who_resumes_with_the_text_of_the_set_gets_no_whole),
                cmocka_unit_test(test_who_resumes_after_a_change_gets_the_whole),
                cmocka_unit_test(test_the_text_of_a_set_without_a_cursor_spares_nothing),
                cmocka_unit_test(test_nothing_that_was_held_back_comes_behind_its_leaving),
                cmocka_unit_test(test_who_hears_nothing_is_told_how_far_he_is),
                cmocka_unit_test(test_a_box_that_moves_tells_what_it_loses_and_finds),
                cmocka_unit_test(test_a_move_to_where_it_is_has_nothing_to_look_for),
                cmocka_unit_test(test_a_pace_that_is_taken_away_lets_go_what_waited),
                cmocka_unit_test(test_a_move_of_nothing_is_refused_and_changes_nothing),
                cmocka_unit_test(test_who_had_no_room_for_a_leaving_gets_the_whole_behind_the_gap),
                cmocka_unit_test(test_a_set_that_is_too_large_closes_its_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
