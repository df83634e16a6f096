/* WsSaid: what the body of a change says, in the order of its statement. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "ws/manage/said.h"

static int read_said(Query **ret_query, ManageKind kind, const char *body, char *why) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        assert_int_equal(query_new(&query, QUERY_MANAGE), 0);
        assert_int_equal(manage_query_new(&query->manage, kind), 0);
        r = ws_said_read(query, text_of(body), 3, why);
        *ret_query = TAKE(&query);
        return r;
}

static void test_members_come_in_their_order_with_defaults(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        char why[WS_SAID_WHY_SIZE];

        (void)state;
        assert_int_equal(read_said(&query,
                                   MANAGE_USER_ADD,
                                   "{\"password\":\"long enough\",\"username\":\"ana\"}",
                                   why),
                         0);
        assert_int_equal(query->manage->n_texts, 2);
        assert_string_equal(query->manage->texts[0], "ana");
        assert_string_equal(query->manage->texts[1], "user");
        assert_true(query->manage->has_password);
        assert_string_equal(query->password, "long enough");
}

static void test_an_id_is_told_from_a_name(void **state) {
        static const char *const said[][2] = { { "{\"user\":5}", "id:5" },
                                               { "{\"user\":\"5\"}", "id:5" },
                                               { "{\"user\":\"id:5\"}", "id:5" },
                                               { "{\"user\":\"ana\"}", "ana" } };
        char why[WS_SAID_WHY_SIZE];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(said); ++i) {
                CLEANUP(query_free) Query *query = NULL;

                assert_int_equal(read_said(&query, MANAGE_DEVICE_SHARE, said[i][0], why), 0);
                assert_string_equal(query->manage->texts[0], said[i][1]);
        }
}

static void test_devices_become_a_list_of_texts(void **state) {
        CLEANUP(query_free) Query *query = NULL, *bad = NULL;
        char why[WS_SAID_WHY_SIZE];

        (void)state;
        assert_int_equal(read_said(&query,
                                   MANAGE_GROUP_ADD,
                                   "{\"name\":\"All\",\"devices\":[\"dev-1\",7]}",
                                   why),
                         0);
        assert_string_equal(query->manage->texts[1], "[\"dev-1\",\"id:7\"]");
        assert_int_equal(read_said(&bad,
                                   MANAGE_GROUP_ADD,
                                   "{\"name\":\"All\",\"devices\":[null]}",
                                   why),
                         WS_SAID_E_INVALID);
        assert_non_null(strstr(why, "devices: allowed: a list"));
}

/* In part it would be another group than the one that was meant. */
static void test_of_more_devices_than_there_may_be_none_is_read_and_that_is_counted(void **state) {
        CLEANUP(query_free) Query *all = NULL, *more = NULL;
        char why[WS_SAID_WHY_SIZE];

        (void)state;
        metrics_reset();
        assert_int_equal(read_said(&all, MANAGE_GROUP_REMOVE, "{\"devices\":[1,2,3]}", why), 0);
        assert_int_equal(metric_get(METRIC_GROUPS_REFUSED), 0);
        assert_int_equal(read_said(&more, MANAGE_GROUP_REMOVE, "{\"devices\":[1,2,3,4]}", why),
                         WS_SAID_E_INVALID);
        assert_string_equal(why, "devices: allowed: a list of codes or ids of devices, 3 at most.");
        assert_int_equal(more->manage->n_texts, 0);
        assert_int_equal(metric_get(METRIC_GROUPS_REFUSED), 1);
}

static void test_what_cannot_be_is_told_by_its_member(void **state) {
        static const struct {
                ManageKind kind;
                const char *body;
                int r;
        } bad[] = {
                { MANAGE_USER_ADD, "[]", WS_SAID_E_BAD },
                { MANAGE_USER_ADD, "", WS_SAID_E_BAD },
                { MANAGE_USER_ADD, "{\"username\":\"7\"}", WS_SAID_E_INVALID },
                { MANAGE_USER_ADD, "{\"username\":{}}", WS_SAID_E_INVALID },
                { MANAGE_USER_PASSWORD, "{\"password\":\"short\"}", WS_SAID_E_INVALID },
                { MANAGE_USER_IDENTIFIER, "{\"identifier\":\"\"}", WS_SAID_E_INVALID },
                { MANAGE_DEVICE_ADD, "{\"code\":\"attic/floor lamp\"}", 0 },
                { MANAGE_DEVICE_ADD, "{\"code\":\"lamp \"}", WS_SAID_E_INVALID },
                { MANAGE_DEVICE_ADD, "{\"code\":\"a+b\"}", WS_SAID_E_INVALID },
                { MANAGE_VEHICLE_ADD, "{\"code\":\"17\"}", WS_SAID_E_INVALID },
                { MANAGE_USER_ADD,
                  "{\"username\":\"a/b\",\"password\":\"long enough\"}",
                  WS_SAID_E_INVALID },
                { MANAGE_DEVICE_ADD, "{\"code\":\"a\",\"name\":\"\\u0001\"}", WS_SAID_E_INVALID },
                { MANAGE_VEHICLE_SHARE, "{\"user\":null}", WS_SAID_E_INVALID },
                { MANAGE_USER_ADD,
                  "{\"username\":\"x\",\"password\":31415926535897932384626}",
                  WS_SAID_E_INVALID },
                { MANAGE_USER_PASSWORD, "{\"password\":1234567890}", WS_SAID_E_INVALID },
                { MANAGE_USER_IDENTIFIER, "{\"identifier\":1}", WS_SAID_E_INVALID },
                { MANAGE_USER_IDENTIFIER, "{}", WS_SAID_E_INVALID },
                { MANAGE_USER_IDENTIFIER, "{\"identifer\":\"x\"}", WS_SAID_E_INVALID },
                { MANAGE_USER_IDENTIFIER, "{\"identifier\":null}", 0 },
                { MANAGE_VEHICLE_ADD, "{\"code\":\"a\",\"name\":1}", WS_SAID_E_INVALID },
                { MANAGE_GROUP_ADD, "{\"name\":1,\"devices\":[]}", WS_SAID_E_INVALID },
                { MANAGE_DEVICE_SHARE, "{\"user\":9223372036854775808}", WS_SAID_E_INVALID },
                { MANAGE_DEVICE_SHARE, "{\"user\":-9223372036854775809}", WS_SAID_E_INVALID },
                { MANAGE_GROUP_REMOVE, "{\"devices\":[9223372036854775808]}", WS_SAID_E_INVALID },
        };
        char why[WS_SAID_WHY_SIZE];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                CLEANUP(query_free) Query *query = NULL;

                assert_int_equal(read_said(&query, bad[i].kind, bad[i].body, why), bad[i].r);
        }
}

static void test_who_says_nothing_is_asked_nothing(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        char why[WS_SAID_WHY_SIZE];

        (void)state;
        assert_int_equal(read_said(&query, MANAGE_USER_REVOKE, "", why), 0);
        assert_int_equal(query->manage->n_texts, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_members_come_in_their_order_with_defaults),
                cmocka_unit_test(test_an_id_is_told_from_a_name),
                cmocka_unit_test(test_devices_become_a_list_of_texts),
                cmocka_unit_test(
                        test_of_more_devices_than_there_may_be_none_is_read_and_that_is_counted),
                cmocka_unit_test(test_what_cannot_be_is_told_by_its_member),
                cmocka_unit_test(test_who_says_nothing_is_asked_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
