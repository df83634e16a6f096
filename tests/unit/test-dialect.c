/* WsDialect, WsAdmission, the JSON of devices: what all dialects have in common. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_out.h"
#include "ws/dialects/admission.h"
#include "ws/viewer/client.h"
#include "ws/viewer/device_json.h"
#include "ws/viewer/dialect.h"

static const char *name_of(const char *path, char ret_target[64]) {
        Text target = TEXT("untouched");
        const WsDialect *dialect = ws_dialect_find(text_of(path), &target);

        assert_true(target.n < 64);
        memcpy(ret_target, target.n ? target.data : "", target.n);
        ret_target[target.n] = '\0';
        return dialect ? dialect->name : NULL;
}

/* ---- paths ---------------------------------------------------------------------------------- */

static void test_no_two_dialects_have_the_same_name_or_number(void **state) {
        (void)state;
        for (size_t i = 0; i < ws_dialect_n_all; ++i)
                for (size_t k = 0; k < i; ++k) {
                        assert_string_not_equal(ws_dialect_all[i]->name, ws_dialect_all[k]->name);
                        assert_int_not_equal(ws_dialect_all[i]->id, ws_dialect_all[k]->id);
                }
}

static void test_each_has_what_its_door_needs(void **state) {
        (void)state;
        for (size_t i = 0; i < ws_dialect_n_all; ++i) {
                const WsDialect *dialect = ws_dialect_all[i];

                assert_true(dialect->match && dialect->admit);
                assert_true(dialect->kinds == 0 || dialect->format);
                assert_true(!dialect->has_feed || dialect->subscribed);
                assert_true(dialect->door == WS_DOOR_SOCKET || dialect->flush || dialect->wrap);
        }
}

static void test_a_path_is_of_one_dialect_at_most(void **state) {
        static const char *const paths[] = {
                "/",           "/ws",          "/ws/energy", "/ws/devices",   "/api/ws",
                "/api/events", "/ws/uplink/d", "/ws/user/1", "/ws/vehicle/1", "/ws/device/1",
                "/ws/all",     "/nothing",     "",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(paths); ++i) {
                size_t n = 0;

                for (size_t k = 0; k < ws_dialect_n_all; ++k) {
                        Text target = { 0 };

                        n += ws_dialect_all[k]->match(text_of(paths[i]), &target);
                }
                assert_true(n <= 1);
        }
}

static void test_what_is_nobodys_leaves_the_target_alone(void **state) {
        char target[64];

        (void)state;
        assert_null(name_of("/no/such/path", target));
        assert_string_equal(target, "untouched");
        assert_non_null(name_of("/ws", target));
        assert_string_equal(target, "");
}

static void test_one_level_is_one_level(void **state) {
        Text target = TEXT("untouched");

        (void)state;
        assert_false(ws_dialect_match_level(TEXT("/ws/x/"), TEXT("/ws/x/"), &target));
        assert_false(ws_dialect_match_level(TEXT("/ws/x"), TEXT("/ws/x/"), &target));
        assert_false(ws_dialect_match_level(TEXT("/ws/x/a/b"), TEXT("/ws/x/"), &target));
        assert_false(ws_dialect_match_level(TEXT("/ws/x/a/"), TEXT("/ws/x/"), &target));
        assert_false(ws_dialect_match_level(TEXT("/ws/y/a"), TEXT("/ws/x/"), &target));
        assert_true(text_equal(target, TEXT("untouched")));
        assert_true(ws_dialect_match_level(TEXT("/ws/x/a b"), TEXT("/ws/x/"), &target));
        assert_true(text_equal(target, TEXT("a b")));
}

/* ---- who may -------------------------------------------------------------------------------- */

static const int64_t of_ana[] = { 2 };
static const User ana = { .id = 2, .role = ROLE_USER, .is_active = true, .generation = 9 };
static const User root = { .id = 1, .role = ROLE_ADMIN, .is_active = true, .generation = 3 };
static const Vehicle boat = { .id = 7, .audience = { .n = 1, .user_ids = of_ana } };
static const Vehicle other = { .id = 8 };

static void test_a_user_sees_what_is_his_and_an_admin_everything(void **state) {
        WsIdentity identity = { .user = &ana, .expires_us = 1234 };
        WsClient client = { 0 };

        (void)state;
        assert_int_equal(ws_admission_any(&client, &identity, TEXT("")), 0);
        assert_true(client.user_id == 2 && client.generation == 9 && client.expires_us == 1234);
        assert_true(ws_admission_sees_vehicle(&client, &identity, &boat));
        assert_false(ws_admission_sees_vehicle(&client, &identity, &other));
        assert_false(ws_admission_sees_vehicle(&client, &identity, NULL));

        identity = (WsIdentity){ .user = &root, .expires_us = INT64_MAX };
        assert_int_equal(ws_admission_any(&client, &identity, TEXT("")), 0);
        assert_true(client.user_id == 1 && client.generation == 3);
        assert_true(ws_admission_sees_vehicle(&client, &identity, &other));
        assert_false(ws_admission_sees_vehicle(&client, &identity, NULL));
}

/* Where auth.anonymous has opened the path. */
static void test_nobody_is_somebody_who_sees_all_where_that_is_allowed(void **state) {
        const WsIdentity nobody = { .is_anonymous = true, .expires_us = INT64_MAX };
        WsClient client = { .user_id = 2, .generation = 9 };

        (void)state;
        assert_int_equal(ws_admission_any(&client, &nobody, TEXT("")), 0);
        assert_true(client.user_id == 0 && client.generation == 0 && client.sees_all);
        assert_true(ws_admission_sees_vehicle(&client, &nobody, &boat));
}

static void test_whether_there_is_such_a_thing_learns_only_who_sees_all(void **state) {
        (void)state;
        assert_int_equal(ws_admission_unseen(&(WsClient){ .sees_all = true }), 404);
        assert_int_equal(ws_admission_unseen(&(WsClient){ .sees_all = false }), 403);
}

/* ---- what is said --------------------------------------------------------------------------- */

static void test_what_is_not_known_of_a_device_is_null(void **state) {
        const Device device = {
                .id = 3, .key = "k", .code = "d\"3", .state = device_state_unknown()
        };
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        ws_device_update_json(&buf, &device);
        assert_string_equal(
                buf.data,
                "{\"type\":\"device_update\",\"device\":{\"id\":3,\"key\":\"k\","
                "\"device_code\":\"d\\\"3\",\"product_type\":null,\"name\":null,\"location\":null,"
                "\"status\":\"offline\",\"last_seen\":null,\"is_active\":false,"
                "\"device_type\":null,\"firmware_version\":null,\"temperature\":null,"
                "\"humidity\":null,\"latitude\":null,\"longitude\":null,\"groups\":[]}}");
}

static void test_a_clock_says_how_far_it_is_off_where_that_is_known(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        JsonOut out = { .buf = &buf };
        DeviceClock clock = { 0 };

        (void)state;
        json_out_object(&out, NULL);
        ws_clock_json(&out, &clock);
        json_out_object_end(&out);
        assert_string_equal(buf.data, "{\"clock\":null}");
}

static void test_statistics_are_said_as_they_were_found(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        ws_dialect_statistics(&buf, "stats", TEXT("{\"a\":[1]}"));
        assert_int_equal(strncmp(buf.data, "{\"type\":\"stats\",\"timestamp\":\"", 29), 0);
        assert_non_null(strstr(buf.data, "Z\",\"data\":{\"a\":[1]}}"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_two_dialects_have_the_same_name_or_number),
                cmocka_unit_test(test_each_has_what_its_door_needs),
                cmocka_unit_test(test_a_path_is_of_one_dialect_at_most),
                cmocka_unit_test(test_what_is_nobodys_leaves_the_target_alone),
                cmocka_unit_test(test_one_level_is_one_level),
                cmocka_unit_test(test_a_user_sees_what_is_his_and_an_admin_everything),
                cmocka_unit_test(test_nobody_is_somebody_who_sees_all_where_that_is_allowed),
                cmocka_unit_test(test_whether_there_is_such_a_thing_learns_only_who_sees_all),
                cmocka_unit_test(test_what_is_not_known_of_a_device_is_null),
                cmocka_unit_test(test_a_clock_says_how_far_it_is_off_where_that_is_known),
                cmocka_unit_test(test_statistics_are_said_as_they_were_found),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
