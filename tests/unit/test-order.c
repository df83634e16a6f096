#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "ws/device/detections.h"
#include "ws/device/order.h"

static const WsOptions options = { .command_timeout_ms = 5000, .command_max_timeout_ms = 60000 };

static WsRefused read_order(const char *json, WsOrder *ret_order) {
        WsRefused refused = { 0 };

        assert_int_equal(ws_order_read(&options, text_of(json), ret_order, &refused), 0);
        return refused;
}

static void test_an_order_is_read(void **state) {
        WsOrder order;

        (void)state;
        assert_int_equal(read_order("{\"op\":\"command\",\"id\":5,\"device\":\"ems_001\","
                                    "\"action\":\"SET_MODE\",\"payload\":{\"b\":1.50,\"a\":[null]},"
                                    "\"timeout_ms\":10000,\"idempotency_key\":\"k-1\"}",
                                    &order)
                                 .status,
                         0);
        assert_string_equal(order.action, "SET_MODE");
        assert_string_equal(order.payload, "{\"b\":1.50,\"a\":[null]}");
        assert_string_equal(order.idempotency_key, "k-1");
        assert_int_equal(order.timeout_ms, 10000);
        ws_order_done(&order);

        assert_int_equal(read_order("{\"action\":\"A\",\"payload\":null}", &order).status, 0);
        assert_null(order.payload);
        assert_string_equal(order.idempotency_key, "");
        assert_int_equal(order.timeout_ms, 0);
        ws_order_done(&order);
}

static void test_what_is_no_order_is_invalid(void **state) {
        static const char *const bad[] = {
                "",
                "x",
                "[]",
                "{}",
                "{\"action\":1}",
                "{\"action\":\"\"}",
                "{\"action\":\"a\\nb\"}",
                "{\"action\":\"A\",\"payload\":[]}",
                "{\"action\":\"A\",\"payload\":\"x\"}",
                "{\"action\":\"A\",\"timeout_ms\":0}",
                "{\"action\":\"A\",\"timeout_ms\":-5}",
                "{\"action\":\"A\",\"timeout_ms\":60001}",
                "{\"action\":\"A\",\"timeout_ms\":99999999999999999999}",
                "{\"action\":\"A\",\"timeout_ms\":\"5\"}",
                "{\"action\":\"A\",\"timeout_ms\":1.5}",
                "{\"action\":\"A\",\"idempotency_key\":\"\"}",
                "{\"action\":\"A\",\"idempotency_key\":\"\xc3\xa4\"}",
                "{\"action\":\"A\",\"idempotency_key\":7}",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                WsOrder order;
                WsRefused refused = read_order(bad[i], &order);

                assert_int_equal(refused.status, 422);
                assert_string_equal(refused.code, "invalid");
                ws_order_done(&order);
        }
}

static void test_only_who_may_commands(void **state) {
        static const int64_t audience[] = { 1, 2 };
        const User ana = { .id = 1, .role = ROLE_USER, .is_active = true };
        const User viv = { .id = 2, .role = ROLE_VIEWER, .is_active = true };
        const User ben = { .id = 3, .role = ROLE_USER, .is_active = true };
        const User root = { .id = 4, .role = ROLE_ADMIN, .is_active = true };
        const Device off = { .id = 8, .audience = { 2, audience } };
        const Device device = { .id = 9, .is_active = true, .audience = { 2, audience } };
        const struct {
                const User *user;
                const Device *device;
                int status;
        } cases[] = {
                { &ana, &device, 0 },   { &root, &device, 0 },  { &viv, &device, 403 },
                { &ben, &device, 404 }, { NULL, &device, 403 }, { &ana, NULL, 404 },
                { &root, NULL, 404 },   { &ana, &off, 409 },    { &viv, NULL, 403 },
        };
        const WsOrder order = { .action = "A" };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP(query_free) Query *query = NULL;
                WsRefused refused = { 0 };

                assert_int_equal(ws_order_ask(&options,
                                              cases[i].user,
                                              cases[i].device,
                                              &order,
                                              &query,
                                              &refused),
                                 0);
                assert_int_equal(refused.status, cases[i].status);
                assert_int_equal(query != NULL, cases[i].status == 0);
                if (!query)
                        continue;
                assert_int_equal(query->kind, QUERY_COMMAND);
                assert_int_equal(query->user_ids[0], cases[i].user->id);
                assert_int_equal(query->device_id, 9);
                assert_int_equal(query->timeout_ms, 5000);
                assert_int_equal(query->max_pending, 100);
                assert_memory_equal(query->command_id, "cmd_", 4);
                assert_true(strlen(query->command_id) < QUERY_COMMAND_ID_SIZE);
        }
}

static Query *ask(const WsOptions *opts, const User *user, const Device *device) {
        const WsOrder order = { .action = "A" };
        WsRefused refused = { 0 };
        Query *query = NULL;

        assert_int_equal(ws_order_ask(opts, user, device, &order, &query, &refused), 0);
        assert_int_equal(refused.status, 0);
        return query;
}

static void test_whom_a_device_is_shared_with_has_a_part_of_its_queue(void **state) {
        static const struct {
                int n_all, n_own, n_others, n_other;
        } cases[] = { { 100, 100, 75, 25 }, { 3, 3, 2, 1 }, { 1, 1, 1, 1 } };
        static const int64_t users[] = { 1, 2 };
        const Device device = {
                .id = 9, .user_id = 1, .is_active = true, .audience = { 2, users }
        };
        const User owner = { .id = 1, .role = ROLE_USER, .is_active = true };
        const User other = { .id = 2, .role = ROLE_USER, .is_active = true };
        const User admin = { .id = 3, .role = ROLE_ADMIN, .is_active = true };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const WsOptions opts = { .command_max_pending = cases[i].n_all,
                                         .command_user_share = 25,
                                         .command_reserve = 25 };
                CLEANUP(query_free) Query *of_owner = ask(&opts, &owner, &device);
                CLEANUP(query_free) Query *of_admin = ask(&opts, &admin, &device);
                CLEANUP(query_free) Query *of_other = ask(&opts, &other, &device);

                assert_int_equal(of_owner->max_pending, cases[i].n_all);
                assert_int_equal(of_owner->max_own, cases[i].n_own);
                assert_int_equal(of_admin->max_own, cases[i].n_own);
                assert_int_equal(of_other->max_pending, cases[i].n_others);
                assert_int_equal(of_other->max_own, cases[i].n_other);
        }
}

static void test_answers_are_explained(void **state) {
        static const int statuses[][2] = { { 202, 0 },   { 200, 0 },   { 404, 404 }, { 409, 409 },
                                           { 422, 422 }, { 429, 429 }, { 503, 503 }, { 504, 504 } };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(statuses); ++i) {
                WsRefused refused = ws_order_result(&(Answer){ .status = statuses[i][0] });

                assert_int_equal(refused.status, statuses[i][1]);
                assert_int_equal(refused.retry, statuses[i][1] == 429 || statuses[i][1] > 500);
        }
}

static void test_an_answer_of_a_device_is_told_from_telemetry(void **state) {
        (void)state;
        assert_true(ws_order_is_ack(TEXT("{\"command_id\":\"c\",\"status\":\"ok\"}")));
        assert_true(ws_order_is_ack(TEXT("{\"status\":\"error\",\"command_id\":\"c\","
                                         "\"message\":\"m\",\"timestamp\":\"t\"}")));
        assert_false(ws_order_is_ack(TEXT("{\"command_id\":\"c\",\"status\":\"ok\",\"v\":1}")));
        assert_false(ws_order_is_ack(TEXT("{\"command_id\":\"c\"}")));
        assert_false(ws_order_is_ack(TEXT("{\"command_id\":5,\"status\":\"ok\"}")));
        assert_false(ws_order_is_ack(TEXT("[\"command_id\",\"status\"]")));
        assert_false(ws_order_is_ack(TEXT("not json with \"command_id\" in it")));
        assert_false(ws_order_is_ack((Text){ 0 }));
}

#define HASH "abababababababababababababababababababababababababababababababab"
#define GOOD "{\"device_hash\":\"" HASH "\",\"rssi\":-55}"

static void test_detections_are_counted_and_the_useless_refused(void **state) {
        WsDetections found;

        (void)state;
        assert_null(ws_detections_read(TEXT("{\"device_id\":\"rpi\",\"detections\":[" GOOD
                                            ",{\"rssi\":1}," GOOD "]}"),
                                       false,
                                       &found));
        assert_string_equal(found.device, "rpi");
        assert_int_equal(found.n_items, 3);
        assert_int_equal(found.n_good, 2);
        assert_null(ws_detections_read(TEXT("{\"detections\":[]}"), false, &found));
        assert_string_equal(found.device, "");
        assert_int_equal(found.n_items, 0);
        assert_null(ws_detections_read(TEXT(GOOD), true, &found));
        assert_int_equal(found.n_good, 1);

        assert_non_null(ws_detections_read(TEXT(GOOD), false, &found));
        assert_non_null(ws_detections_read(TEXT("{\"detections\":[{}]}"), true, &found));
        assert_non_null(ws_detections_read(TEXT("{\"rssi\":-5}"), true, &found));
        assert_non_null(ws_detections_read(TEXT("[]"), false, &found));
        assert_non_null(ws_detections_read(TEXT(""), false, &found));
        assert_non_null(ws_detections_read(TEXT("{\"detections\":"), false, &found));
        assert_non_null(
                ws_detections_read(TEXT("{\"device_id\":{},\"detections\":[]}"), false, &found));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_order_is_read),
                cmocka_unit_test(test_what_is_no_order_is_invalid),
                cmocka_unit_test(test_only_who_may_commands),
                cmocka_unit_test(test_whom_a_device_is_shared_with_has_a_part_of_its_queue),
                cmocka_unit_test(test_answers_are_explained),
                cmocka_unit_test(test_an_answer_of_a_device_is_told_from_telemetry),
                cmocka_unit_test(test_detections_are_counted_and_the_useless_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
