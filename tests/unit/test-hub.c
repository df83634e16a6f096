#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants those before it. */
#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "model/metrics.h"
#include "tests/fake/stage.h"

static void share(Stage *stage, int64_t id, int64_t user_id, int64_t vehicle_id, bool deleted) {
        RegistryRow row = {
                .table = REGISTRY_SHARE,
                .deleted = deleted,
                .share = { .id = id, .user_id = user_id, .vehicle_id = vehicle_id },
        };

        stage_row(stage, &row);
}

static void test_users_see_their_own_and_what_is_shared(void **state) {
        Stage stage;
        Viewer ana, bob, root;

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        viewer_open(&ana, &stage, "/api/ws", "ana");
        viewer_open(&bob, &stage, "/api/ws", "bob");
        viewer_open(&root, &stage, "/api/ws", "root");
        viewer_expect(&ana, "connection");
        viewer_expect(&bob, "connection");
        viewer_expect(&root, "connection");

        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"one\"");
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"two\"");
        share(&stage, 9, 2, 2, false);
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"three\"");
        share(&stage, 9, 2, 2, true);
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"four\"");
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"five\"");
        viewer_expect(&ana, "\"one\"");
        viewer_expect(&ana, "\"three\"");
        viewer_expect(&ana, "\"five\"");
        viewer_expect(&bob, "\"two\"");
        viewer_expect(&bob, "\"three\"");
        viewer_expect(&bob, "\"four\"");
        viewer_expect(&root, "\"one\"");
        viewer_expect(&root, "\"two\"");
        viewer_expect(&root, "\"three\"");
        viewer_expect(&root, "\"four\"");
        viewer_expect(&root, "\"five\"");
        viewer_expect_silence(&ana);
        viewer_expect_silence(&bob);
        viewer_expect_silence(&root); /* once, however many ways there are to see it */
        viewer_done(&ana);
        viewer_done(&bob);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_lost_right_closes_what_the_path_names(void **state) {
        RegistryRow gone = { .table = REGISTRY_VEHICLE, .deleted = true, .vehicle = { .id = 1 } };
        RegistryRow off = {
                .table = REGISTRY_USER,
                .user = { .id = 3, .name = "bob", .role = ROLE_USER, .is_active = false },
        };
        Stage stage;
        Viewer shared, own, all;

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        share(&stage, 9, 2, 2, false);
        assert_int_equal(viewer_open(&shared, &stage, "/api/ws/vehicle/2", "ana"), 101);
        assert_int_equal(viewer_open(&own, &stage, "/api/ws/vehicle/1", "ana"), 101);
        assert_int_equal(viewer_open(&all, &stage, "/api/ws", "bob"), 101);
        share(&stage, 9, 2, 2, true);
        assert_int_equal(viewer_read_close(&shared), 4004);
        viewer_expect(&own, "connection");
        viewer_expect_silence(&own);
        stage_row(&stage, &gone);
        assert_int_equal(viewer_read_close(&own), 4004);
        stage_row(&stage, &off);
        assert_int_equal(viewer_read_close(&all), 4004);
        assert_int_equal(metric_get(METRIC_WS_CLOSED_REVOKED), 3);
        viewer_done(&shared);
        viewer_done(&own);
        viewer_done(&all);
        stage_done(&stage);
}

static void test_admin_who_is_one_no_more_sees_no_more(void **state) {
        RegistryRow demoted = {
                .table = REGISTRY_USER,
                .user = { .id = 1, .name = "root", .role = ROLE_USER, .is_active = true },
        };
        Stage stage;
        Viewer root;

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        viewer_open(&root, &stage, "/api/ws", "root");
        viewer_expect(&root, "connection");
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"before\"");
        stage_row(&stage, &demoted);
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"after\"");
        share(&stage, 1, 1, 1, false);
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"shared\"");
        viewer_expect(&root, "\"before\"");
        viewer_expect(&root, "\"shared\"");
        viewer_done(&root);
        stage_done(&stage);
}

/* A reader that stops is conflated and closed; the other one gets everything meanwhile. */
static void test_slow_reader_is_closed_and_delays_nobody(void **state) {
        WsOptions options = stage_options();
        char log[2048];
        Stage stage;
        Viewer slow, quick;
        int n = 0;

        (void)state;
        options.queue_bytes = 65536;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        viewer_open(&slow, &stage, "/api/ws", "ana");
        viewer_open(&quick, &stage, "/api/ws", "ana");
        viewer_expect(&quick, "connection");
        memset(log, 'x', sizeof(log));
        while (metric_get(METRIC_WS_CLOSED_SLOW) == 0) {
                snprintf(log, 16, "\"%013d", n);
                log[15] = 'x';
                memcpy(log + sizeof(log) - 2, "\"", 2);
                stage_message(&stage, KIND_RAW_LOG, 1, 0, log);
                snprintf(log, 16, "%013d", n++);
                viewer_expect(&quick, log);
        }
        assert_int_equal(viewer_read_close(&slow), 4101);
        assert_true(metric_get(METRIC_WS_DROPPED) > 0);
        viewer_expect_silence(&quick);
        viewer_done(&slow);
        viewer_done(&quick);
        stage_done(&stage);
}

static void test_slow_reader_of_states_gets_the_newest(void **state) {
        WsOptions options = stage_options();
        char data[1100], last[32];
        Stage stage;
        Viewer slow, quick;
        int n = 0;

        (void)state;
        options.queue_bytes = 65536;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        viewer_open(&slow, &stage, "/api/ws", "ana");
        viewer_open(&quick, &stage, "/api/ws", "ana");
        viewer_expect(&quick, "connection");
        memset(data, ' ', sizeof(data));
        while (metric_get(METRIC_WS_CONFLATED) < 100) {
                ++n;
                snprintf(last, sizeof(last), "{\"n\":%08d", n);
                memcpy(data, last, strlen(last));
                memcpy(data + sizeof(data) - 2, "}", 2);
                stage_message(&stage, KIND_VEHICLE_LOG, 1, 0, data);
                viewer_expect(&quick, last);
        }
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"the end\"");
        viewer_expect(&slow, "connection");
        while (viewer_read(&slow) && !strstr(slow.text, last))
                assert_null(strstr(slow.text, "the end")); /* the newest state comes, in order */
        viewer_expect(&slow, "the end");
        assert_int_equal(metric_get(METRIC_WS_CLOSED_SLOW), 0);
        viewer_done(&slow);
        viewer_done(&quick);
        stage_done(&stage);
}

static void test_reader_that_stays_conflated_is_closed(void **state) {
        WsOptions options = stage_options();
        char data[1100];
        Stage stage;
        Viewer slow;

        (void)state;
        options.queue_bytes = 65536;
        options.slow_ms = 50;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        viewer_open(&slow, &stage, "/api/ws", "ana");
        memset(data, ' ', sizeof(data));
        data[0] = '{';
        memcpy(data + sizeof(data) - 2, "}", 2);
        while (metric_get(METRIC_WS_CLOSED_SLOW) == 0)
                stage_message(&stage, KIND_VEHICLE_LOG, 1, 0, data);
        assert_int_equal(viewer_read_close(&slow), 4101);
        viewer_done(&slow);
        stage_done(&stage);
}

/* Sockets come and go, politely and not, while everything is broadcast to them. */
static void test_churn_leaves_nothing_behind(void **state) {
        enum { N = 40, ROUNDS = 50 };
        WsOptions options = stage_options();
        static const char *const paths[] = {
                "/api/ws", "/api/ws/vehicle/1", "/ws/devices", "/ws", "/ws/device/1"
        };
        Viewer viewers[N] = { 0 };
        Stage stage;

        (void)state;
        options.max_connections_per_user = N;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        for (int round = 0; round < ROUNDS; ++round) {
                for (int i = 0; i < N; ++i) {
                        const char *path = paths[(size_t)(i + round) % N_ELEMENTS(paths)];

                        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"x\"");
                        stage_message(&stage, KIND_TELEMETRY, 0, 1, "{}");
                        stage_message(&stage, KIND_DEVICE_STATUS, 0, 1, NULL);
                        if (viewers[i].fd > 0 && i % 3 == 0)
                                viewer_send_frame(&viewers[i], 0x88, "\x03\xe9", 2);
                        viewer_done(&viewers[i]);
                        assert_int_equal(viewer_open(&viewers[i], &stage, path, "ana"), 101);
                }
        }
        for (int i = 0; i < N; ++i)
                viewer_done(&viewers[i]);
        stage_wait_connections(0);
        stage_done(&stage);
        assert_int_equal(metric_get(METRIC_WS_ACCEPTED), N * ROUNDS);
        assert_int_equal(metric_get(METRIC_WS_CLOSED), N * ROUNDS);
}

/* Ends while many are open and messages are under way. */
static void test_server_ends_with_open_sockets(void **state) {
        enum { N = 20 };
        Viewer viewers[N];
        Stage stage;

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        for (int i = 0; i < N; ++i)
                assert_int_equal(viewer_open(&viewers[i], &stage, "/api/ws", "ana"), 101);
        for (int i = 0; i < 1000; ++i)
                stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"x\"");
        stage_done(&stage);
        for (int i = 0; i < N; ++i)
                viewer_done(&viewers[i]);
}

static void test_statistics_are_asked_once_for_all_scopes(void **state) {
        int64_t ids[8] = { 0 };
        Stage stage;
        Viewer viewers[4];

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        viewer_open(&viewers[0], &stage, "/api/ws/statistics", "ana");
        assert_int_equal(stage_answer(&stage, "{\"n\":1}", NULL, 0), 1);
        viewer_expect(&viewers[0], "connection_status");
        viewer_expect(&viewers[0], "\"n\":1");
        viewer_open(&viewers[1], &stage, "/api/ws/statistics", "ana");
        assert_int_equal(stage_answer(&stage, "{\"n\":1}", NULL, 0), 1);
        viewer_expect(&viewers[1], "connection_status");
        viewer_expect(&viewers[1], "\"n\":1");
        viewer_expect_silence(&viewers[0]); /* it knows that already */
        viewer_open(&viewers[2], &stage, "/api/ws/statistics", "bob");
        assert_int_equal(stage_answer(&stage, "{\"n\":1}", ids, 8), 2);
        assert_int_equal(ids[0] + ids[1], 2 + 3);
        viewer_open(&viewers[3], &stage, "/api/ws/statistics", "root");
        assert_int_equal(stage_answer(&stage, "{\"n\":1}", ids, 8), 3);
        assert_int_equal(ids[0] + ids[1] + ids[2], 2 + 3 + 0);
        for (int i = 0; i < 4; ++i)
                viewer_done(&viewers[i]);
        stage_done(&stage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_users_see_their_own_and_what_is_shared),
                cmocka_unit_test(test_lost_right_closes_what_the_path_names),
                cmocka_unit_test(test_admin_who_is_one_no_more_sees_no_more),
                cmocka_unit_test(test_slow_reader_is_closed_and_delays_nobody),
                cmocka_unit_test(test_slow_reader_of_states_gets_the_newest),
                cmocka_unit_test(test_reader_that_stays_conflated_is_closed),
                cmocka_unit_test(test_churn_leaves_nothing_behind),
                cmocka_unit_test(test_server_ends_with_open_sockets),
                cmocka_unit_test(test_statistics_are_asked_once_for_all_scopes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
