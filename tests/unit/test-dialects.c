#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants those before it. */
#include <cmocka.h>
#include <stdio.h>

#include "model/metrics.h"
#include "tests/fake/stage.h"

#define TIME "\"2025-10-18T16:30:00.123Z\""

/* Members and order are exact; the values of times that are now are cut out. */
static void expect_shape(Viewer *viewer, const char *shape) {
        const char *message = viewer_read(viewer);
        const char *from = message;

        assert_non_null(message);
        for (const char *want = shape; *want; ++want) {
                if (*want == '~') { /* a quoted time, or uuid */
                        assert_int_equal(*from, '"');
                        from = strchr(from + 1, '"');
                        assert_non_null(from);
                        ++from;
                        continue;
                }
                if (*from != *want)
                        fail_msg("expected %s\n       got %s", shape, message);
                ++from;
        }
        assert_int_equal(*from, '\0');
}

static void test_people_counter_says_what_it_should(void **state) {
        WsOptions options = stage_options();
        Stage stage;
        Viewer ana, bob;

        (void)state;
        options.stats_interval_ms = 20;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        assert_int_equal(viewer_open(&ana, &stage, "/ws", "ana"), 101);
        assert_int_equal(viewer_open(&bob, &stage, "/", "bob"), 101);
        viewer_send(&ana, "ping");
        viewer_expect(&ana, "pong");
        viewer_send(&ana, "what else");
        stage_message(&stage, KIND_BLE_DETECTIONS, 0, 1, "0");
        stage_message(&stage, KIND_BLE_DETECTIONS, 0, 1, "3");
        expect_shape(&ana,
                     "{\"type\":\"detection_event\",\"timestamp\":" TIME
                     ",\"device_id\":\"dev-1\",\"count\":3}");
        while (stage_answer(&stage, "{\"timestamp\":\"1\",\"total\":1}", NULL, 0) < 2)
                continue; /* the question was asked before bob came */
        expect_shape(&bob,
                     "{\"type\":\"stats_update\",\"timestamp\":~,\"data\":{\"timestamp\":\"1\","
                     "\"total\":1}}");
        stage_answer(&stage, "{\"timestamp\":\"2\",\"total\":1}", NULL, 0);
        stage_answer(&stage, "{\"timestamp\":\"3\",\"total\":2}", NULL, 0);
        expect_shape(&bob,
                     "{\"type\":\"stats_update\",\"timestamp\":~,\"data\":{\"timestamp\":\"3\","
                     "\"total\":2}}");
        viewer_done(&ana);
        viewer_done(&bob);
        stage_done(&stage);
}

static void test_energy_view_gets_bare_telemetry_the_last_first(void **state) {
        Stage stage;
        Viewer first, second, third, dashboard;

        (void)state;
        stage_init(&stage, NULL, "/ws/dashboard/*");
        stage_world(&stage);
        assert_int_equal(viewer_open(&first, &stage, "/ws/device/dev-1", "ana"), 101);
        stage_message(&stage, KIND_TELEMETRY, 0, 1, "{\"kW\": 1.50}");
        viewer_expect(&first, "{\"kW\": 1.50}");
        stage_message(&stage, KIND_TELEMETRY, 0, 2, "{\"kW\":9}");
        assert_int_equal(viewer_open(&second, &stage, "/ws/device/1", "root"), 101);
        viewer_expect(&second, "{\"kW\": 1.50}");
        assert_int_equal(viewer_open(&dashboard, &stage, "/ws/dashboard/dev-2", NULL), 101);
        viewer_expect(&dashboard, "{\"kW\":9}");
        viewer_expect_silence(&first);

        assert_int_equal(viewer_open(&third, &stage, "/ws/device/dev-1", "bob"), 403);
        viewer_done(&third);
        assert_int_equal(viewer_open(&third, &stage, "/ws/device/dev-1", NULL), 403);
        viewer_done(&third);
        assert_int_equal(viewer_open(&third, &stage, "/ws/device/nothing", "ana"), 403);
        viewer_done(&third);
        viewer_done(&first);
        viewer_done(&second);
        viewer_done(&dashboard);
        stage_done(&stage);
}

static void test_device_hub_lists_and_then_updates(void **state) {
        Stage stage;
        Viewer ana;

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        assert_int_equal(viewer_open(&ana, &stage, "/ws/devices", "ana"), 101);
        expect_shape(&ana,
                     "{\"type\":\"device_list\",\"devices\":[{\"id\":1,\"key\":~,"
                     "\"device_code\":\"dev-1\",\"product_type\":null,\"name\":\"Entrance\","
                     "\"location\":null,"
                     "\"status\":\"offline\",\"last_seen\":null,\"is_active\":true,"
                     "\"device_type\":null,\"firmware_version\":null,\"temperature\":null,"
                     "\"humidity\":null,\"latitude\":null,\"longitude\":null,"
                     "\"groups\":[{\"id\":1,\"name\":\"Floor 1\"}]}]}");
        stage_message(&stage, KIND_DEVICE_STATUS, 0, 2, NULL);
        stage_message(&stage, KIND_DEVICE_STATUS, 0, 1, NULL);
        expect_shape(&ana,
                     "{\"type\":\"device_update\",\"device\":{\"id\":1,\"key\":~,"
                     "\"device_code\":\"dev-1\",\"product_type\":null,\"name\":\"Entrance\","
                     "\"location\":null,"
                     "\"status\":\"online\",\"last_seen\":" TIME ",\"is_active\":true,"
                     "\"device_type\":null,\"firmware_version\":null,\"temperature\":25.1,"
                     "\"humidity\":60.2,\"latitude\":10.7,\"longitude\":106.6,"
                     "\"groups\":[{\"id\":1,\"name\":\"Floor 1\"}]}}");
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_long_device_list_comes_in_fragments_whatever_the_queue_holds(void **state) {
        WsOptions options = stage_options();
        RegistryRow row = { .table = REGISTRY_DEVICE };
        char code[32];
        Stage stage;
        Viewer early, root;

        (void)state;
        options.queue_bytes = 65536;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        for (int i = 10; i < 3010; ++i) {
                snprintf(code, sizeof(code), "dev-%d", i);
                row.device = (Device){ .id = i, .key = "k", .code = code, .is_active = true };
                stage_row(&stage, &row);
        }
        assert_int_equal(viewer_open(&early, &stage, "/ws/devices", "root"), 101);
        stage_message(&stage, KIND_DEVICE_STATUS, 0, 3009, NULL);
        viewer_expect(&early, "device_list");
        viewer_expect(&early, "device_update"); /* the server knows them all */
        assert_int_equal(viewer_open(&root, &stage, "/ws/devices", "root"), 101);
        stage_message(&stage, KIND_DEVICE_STATUS, 0, 3009, NULL);
        viewer_expect(&root, "device_list");
        assert_true(root.n_text > 500000);
        assert_true(root.n_fragments >= 15);
        assert_string_equal(root.text + root.n_text - 2, "]}");
        viewer_expect(&root, "device_update");
        viewer_done(&early);
        viewer_done(&root);
        stage_done(&stage);
}

static void test_vehicle_messages_have_their_members(void **state) {
        Stage stage;
        Viewer all, one, other;

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        assert_int_equal(viewer_open(&all, &stage, "/api/ws", "ana"), 101);
        expect_shape(&all,
                     "{\"type\":\"connection\",\"message\":\"Connected to SEANO real-time data "
                     "stream\",\"timestamp\":~,\"connection_count\":1}");
        assert_int_equal(viewer_open(&one, &stage, "/api/ws/vehicle/veh-1", "root"), 101);
        viewer_expect(&one, "\"connection_count\":2}");
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"GPS\"");
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"not hers\"");
        stage_message(&stage, KIND_SENSOR_LOG, 1, 0, "{\"t\":28.5}");
        stage_message(&stage, KIND_VEHICLE_LOG, 1, 0, "{\"speed\":1}");
        for (int i = 0; i < 2; ++i) {
                Viewer *viewer = i == 0 ? &all : &one;

                expect_shape(viewer,
                             "{\"type\":\"raw_log\",\"vehicle_id\":1,\"data\":\"GPS\","
                             "\"timestamp\":" TIME ",\"broadcast_time\":~,\"connection_count\":2}");
                expect_shape(viewer,
                             "{\"type\":\"sensor_log\",\"vehicle_id\":1,\"sensor_id\":5,\"data\":"
                             "{\"t\":28.5},\"timestamp\":" TIME
                             ",\"broadcast_time\":~,\"connection_count\":2}");
                expect_shape(viewer,
                             "{\"type\":\"vehicle_log\",\"vehicle_id\":1,\"data\":{\"speed\":1},"
                             "\"timestamp\":" TIME ",\"broadcast_time\":~,\"connection_count\":2}");
        }
        viewer_send(&all, "{\"type\":\"ping\",\"timestamp\":1.50}");
        expect_shape(&all, "{\"type\":\"pong\",\"timestamp\":1.50}");
        viewer_send(&one, "{\"type\":\"ping\",\"timestamp\":\"t\"}");
        expect_shape(&one, "{\"type\":\"pong\",\"timestamp\":\"t\",\"vehicle_id\":1}");
        viewer_send(&one, "{\"type\":");
        expect_shape(&one, "{\"type\":\"error\",\"message\":\"Invalid JSON format\"}");
        viewer_send_frame(&one, 0x82, "\0\1", 2);
        viewer_expect_silence(&one);

        assert_int_equal(viewer_open(&other, &stage, "/api/ws/vehicle/2", "ana"), 403);
        viewer_done(&other);
        assert_int_equal(viewer_open(&other, &stage, "/api/ws/vehicle/77", "ana"), 403);
        viewer_done(&other);
        assert_int_equal(viewer_open(&other, &stage, "/api/ws", NULL), 401);
        viewer_done(&other);
        assert_int_equal(viewer_open(&other, &stage, "/api/ws", "eve"), 401);
        viewer_done(&other);
        viewer_done(&all);
        viewer_done(&one);
        stage_done(&stage);
}

static void test_vehicle_subscription_is_enforced(void **state) {
        Stage stage;
        Viewer root;

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        assert_int_equal(viewer_open(&root, &stage, "/api/ws", "root"), 101);
        viewer_expect(&root, "connection");
        viewer_send(&root,
                    "{\"type\":\"subscribe\",\"event_types\":[\"raw_log\"],\"vehicle_ids\":[2,"
                    "\"veh-9\"]}");
        expect_shape(&root,
                     "{\"type\":\"subscription_ack\",\"message\":\"Subscription preferences "
                     "updated\"}");
        stage_message(&stage, KIND_RAW_LOG, 1, 0, "\"no\"");
        stage_message(&stage, KIND_VEHICLE_LOG, 2, 0, "{}");
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"yes\"");
        viewer_expect(&root, "\"yes\"");
        viewer_send(&root, "{\"type\":\"subscribe\",\"vehicle_ids\":[]}");
        viewer_expect(&root, "subscription_ack");
        stage_message(&stage, KIND_RAW_LOG, 2, 0, "\"no\"");
        viewer_send(&root, "{\"type\":\"subscribe\",\"vehicle_ids\":7}");
        viewer_expect(&root, "error");
        viewer_done(&root);
        stage_done(&stage);
}

static void test_camera_statistics_speak_their_dialect(void **state) {
        Stage stage;
        Viewer ana;
        int64_t ids[4] = { 0 };

        (void)state;
        stage_init(&stage, NULL, NULL);
        stage_world(&stage);
        assert_int_equal(viewer_open(&ana, &stage, "/api/ws/statistics", "ana"), 101);
        expect_shape(&ana,
                     "{\"type\":\"connection_status\",\"status\":\"connected\",\"connection_id\":~,"
                     "\"user\":{\"id\":2,\"username\":\"ana\"},\"message\":\"WebSocket connection "
                     "established successfully\"}");
        assert_int_equal(stage_answer(&stage, "{\"total_people\":1}", ids, 4), 1);
        assert_int_equal(ids[0], 2);
        expect_shape(&ana,
                     "{\"type\":\"statistics_update\",\"timestamp\":~,\"data\":{\"total_people\":1}"
                     "}");
        stage_message(&stage, KIND_CAMERA_EVENT, 0, 1, "{\"confidence\":0.98}");
        expect_shape(&ana,
                     "{\"type\":\"camera_event\",\"timestamp\":" TIME
                     ",\"camera_id\":\"dev-1\",\"event_type\":\"face_detected\",\"data\":"
                     "{\"confidence\":0.98}}");
        stage_message(&stage, KIND_ALERT, 0, 1, "{}");
        expect_shape(&ana,
                     "{\"type\":\"alert\",\"timestamp\":" TIME ",\"alert_type\":\"warning\","
                     "\"message\":\"Motion detected on Camera 1\",\"data\":{}}");
        viewer_send(&ana, "{\"type\":\"subscribe\",\"event_types\":[\"alert\"]}");
        expect_shape(&ana, "{\"type\":\"subscription_confirmed\",\"event_types\":[\"alert\"]}");
        stage_message(&stage, KIND_CAMERA_EVENT, 0, 1, "{}");
        viewer_send(&ana, "{\"type\":\"unsubscribe\",\"event_types\":[\"alert\"]}");
        expect_shape(&ana, "{\"type\":\"unsubscription_confirmed\",\"event_types\":[\"alert\"]}");
        stage_message(&stage, KIND_ALERT, 0, 1, "{}");
        viewer_send(&ana, "{\"type\":\"ping\",\"timestamp\":7}");
        expect_shape(&ana, "{\"type\":\"pong\",\"timestamp\":7}");
        viewer_done(&ana);
        stage_done(&stage);
}

static void test_camera_statistics_limit_sockets_of_a_user(void **state) {
        WsOptions options = stage_options();
        Stage stage;
        Viewer viewers[4];

        (void)state;
        options.max_connections_per_user = 2;
        stage_init(&stage, &options, NULL);
        stage_world(&stage);
        assert_int_equal(viewer_open(&viewers[0], &stage, "/api/ws/statistics", "ana"), 101);
        assert_int_equal(viewer_open(&viewers[1], &stage, "/api/ws/statistics", "ana"), 101);
        assert_int_equal(viewer_open(&viewers[2], &stage, "/api/ws/statistics", "ana"), 429);
        assert_non_null(strcasestr(viewers[2].head, "Retry-After"));
        assert_int_equal(viewer_open(&viewers[3], &stage, "/api/ws/statistics", "root"), 101);
        for (int i = 0; i < 4; ++i)
                viewer_done(&viewers[i]);
        assert_int_equal(viewer_open(&viewers[0], &stage, "/api/ws/statistics", NULL), 403);
        viewer_done(&viewers[0]);
        stage_done(&stage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_people_counter_says_what_it_should),
                cmocka_unit_test(test_energy_view_gets_bare_telemetry_the_last_first),
                cmocka_unit_test(test_device_hub_lists_and_then_updates),
                cmocka_unit_test(test_long_device_list_comes_in_fragments_whatever_the_queue_holds),
                cmocka_unit_test(test_vehicle_messages_have_their_members),
                cmocka_unit_test(test_vehicle_subscription_is_enforced),
                cmocka_unit_test(test_camera_statistics_speak_their_dialect),
                cmocka_unit_test(test_camera_statistics_limit_sockets_of_a_user),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
