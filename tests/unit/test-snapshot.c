/* WsSnapshot: what is known of each thing that a subscription matches, and of no other. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/fake/stage.h"
#include "ws/viewer/feed.h"

static void open_viewer(Stage *stage, Viewer *viewer, const char *user) {
        char cursor[64];

        viewer_open_native(viewer, stage, user, cursor);
}

static void begin(Stage *stage) {
        WsOptions options = stage_options();

        stage_init(stage, &options, NULL);
        stage_world(stage);
}

static void subscribe(Viewer *viewer, const char *members) {
        char request[256];

        snprintf(request, sizeof(request), "{\"op\":\"subscribe\",\"id\":1,%s}", members);
        viewer_send(viewer, request);
        viewer_expect(viewer, "\"id\":1,\"ok\":true");
}

static void expect_all(const Viewer *viewer, const char *const parts[]) {
        for (size_t i = 0; parts[i]; ++i)
                if (!strstr(viewer->text, parts[i]))
                        fail_msg("%s has no %s", viewer->text, parts[i]);
}

static void test_a_snapshot_has_what_its_user_sees(void **state) {
        Viewer ana = { 0 };
        Stage stage;

        (void)state;
        begin(&stage);
        stage_place(&stage, 1, 10, 20);
        stage_place(&stage, 2, 10, 20);
        open_viewer(&stage, &ana, "ana");
        subscribe(&ana, "\"to\":[\"user\"],\"snapshot\":true");
        viewer_expect(&ana, "\"type\":\"snapshot\"");
        expect_all(&ana,
                   (const char *[]){
                           "\"vehicle_id\":1", "\"device_id\":1", "\"done\":true", NULL });
        assert_null(strstr(ana.text, "\"vehicle_id\":2"));
        assert_null(strstr(ana.text, "\"device_id\":2"));
        viewer_expect_silence(&ana);
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_a_snapshot_of_a_box_has_what_is_inside(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage);
        stage_place(&stage, 1, 10, 20);
        stage_place(&stage, 2, 50, 20);
        open_viewer(&stage, &root, "root");
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"snapshot\":true,\"bbox\":[19,49,21,51]");
        viewer_expect(&root, "\"type\":\"snapshot\"");
        expect_all(&root, (const char *[]){ "\"vehicle_id\":2", "\"done\":true", NULL });
        assert_null(strstr(root.text, "\"vehicle_id\":1"));
        viewer_done(&root);
        stage_done(&stage);
}

static void test_a_log_without_a_place_leaves_a_vehicle_where_it_was(void **state) {
        Viewer root = { 0 };
        Stage stage;

        (void)state;
        begin(&stage);
        stage_place(&stage, 2, 50, 20);
        stage_place(&stage, 2, (double)NAN, (double)NAN);
        open_viewer(&stage, &root, "root");
        subscribe(&root, "\"to\":[\"vehicle/*\"],\"snapshot\":true,\"bbox\":[19,49,21,51]");
        viewer_expect(&root, "\"vehicle_id\":2");
        viewer_done(&root);
        stage_done(&stage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_snapshot_has_what_its_user_sees),
                cmocka_unit_test(test_a_snapshot_of_a_box_has_what_is_inside),
                cmocka_unit_test(test_a_log_without_a_place_leaves_a_vehicle_where_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
