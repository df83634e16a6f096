/* WsProven: who was good from where, for a day. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/access/proven.h"

#define NOW_US INT64_C(1760800000000000)
#define DAY_US INT64_C(86400000000)

static void test_a_name_is_proven_from_its_address_alone_and_for_a_day(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 1024), 0);
        assert_false(ws_proven_has(proven, TEXT("ana"), 7, NOW_US));
        ws_proven_add(proven, TEXT("ana"), 7, NOW_US);
        assert_true(ws_proven_has(proven, TEXT("ana"), 7, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("ana"), 8, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("ben"), 7, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("an"), 7, NOW_US));
        assert_true(ws_proven_has(proven, TEXT("ana"), 7, NOW_US + DAY_US - 1));
        assert_false(ws_proven_has(proven, TEXT("ana"), 7, NOW_US + DAY_US));
}

static void test_a_table_that_is_full_takes_the_newest(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 1), 0);
        ws_proven_add(proven, TEXT("ana"), 7, NOW_US);
        ws_proven_add(proven, TEXT("ben"), 7, NOW_US);
        assert_true(ws_proven_has(proven, TEXT("ben"), 7, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("ana"), 7, NOW_US));
}

static void test_who_is_forgotten_for_another_is_counted(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL, *small = NULL;

        (void)state;
        metrics_reset();
        assert_int_equal(ws_proven_new(&proven, 1000000), 0);
        for (int i = 0; i < 3; ++i)
                ws_proven_add(proven, TEXT("ana"), 7, NOW_US + i); /* again is no other */
        assert_int_equal(metric_get(METRIC_LOGIN_FORGOTTEN), 0);
        assert_int_equal(ws_proven_new(&small, 1), 0);
        ws_proven_add(small, TEXT("ana"), 7, NOW_US);
        ws_proven_add_guess(small, TEXT("ben"), NOW_US);
        ws_proven_add_guess(small, TEXT("cid"), NOW_US); /* whoever guesses displaces nobody */
        assert_int_equal(metric_get(METRIC_LOGIN_FORGOTTEN), 2); /* network, address: for ana */
        ws_proven_add(small, TEXT("ana"), 7, NOW_US + DAY_US);   /* whose day was over */
        assert_int_equal(metric_get(METRIC_LOGIN_FORGOTTEN), 4);
}

static void test_a_place_is_proven_by_anybody(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 1024), 0);
        assert_false(ws_proven_has_place(proven, 7, NOW_US));
        ws_proven_add(proven, TEXT("ana"), 7, NOW_US);
        assert_true(ws_proven_has_place(proven, 7, NOW_US + DAY_US - 1));
        assert_false(ws_proven_has_place(proven, 7, NOW_US + DAY_US));
        assert_false(ws_proven_has_place(proven, 8, NOW_US));
        assert_false(ws_proven_has(proven, TEXT(""), 7, NOW_US));
}

static void test_guesses_are_of_a_name_for_a_day_and_displace_nobody_who_was_good(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 1), 0);
        ws_proven_add(proven, TEXT("ana"), 7, NOW_US);
        assert_false(ws_proven_is_guessed(proven, TEXT("ana"), NOW_US));
        ws_proven_add_guess(proven, TEXT("ana"), NOW_US);
        assert_true(ws_proven_is_guessed(proven, TEXT("ana"), NOW_US + DAY_US - 1));
        assert_false(ws_proven_is_guessed(proven, TEXT("ana"), NOW_US + DAY_US));
        assert_false(ws_proven_is_guessed(proven, TEXT("ben"), NOW_US));
        assert_true(ws_proven_has(proven, TEXT("ana"), 7, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("ana"), 0, NOW_US));
}

static void test_few_who_are_new_go_early(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;
        int n = 0;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 16), 0);
        while (ws_proven_take_early(proven, 7, NOW_US))
                ++n;
        assert_int_equal(n, 4);
        for (int64_t i = 1; i <= 10; ++i) /* a crowd that goes on */
                assert_false(ws_proven_take_early(proven, 7, NOW_US + i * 900000));
        assert_true(ws_proven_take_early(proven, 7, NOW_US + 10000000));
        for (int64_t i = 1; i <= 10; ++i)
                assert_true(ws_proven_take_early(proven, 7, NOW_US + 10000000 + i * 500000));
}

static void test_a_crowd_from_elsewhere_keeps_no_neighbour_waiting(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;
        uint64_t ours = ws_party_address("203.0.113.7");
        int n = 0;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 1024), 0);
        ws_proven_add(proven, TEXT("ana"), ours, NOW_US);
        while (ws_proven_take_early(proven, ws_party_address("198.51.100.7"), NOW_US))
                continue;
        assert_true(ws_proven_take_early(proven, ws_party_address("203.0.200.9"), NOW_US));
        assert_false(ws_proven_take_early(proven, ws_party_address("203.1.113.7"), NOW_US));
        while (ws_proven_take_early(proven, ws_party_address("203.0.200.9"), NOW_US))
                ++n;
        assert_int_equal(n, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_name_is_proven_from_its_address_alone_and_for_a_day),
                cmocka_unit_test(test_a_table_that_is_full_takes_the_newest),
                cmocka_unit_test(test_who_is_forgotten_for_another_is_counted),
                cmocka_unit_test(test_a_place_is_proven_by_anybody),
                cmocka_unit_test(
                        test_guesses_are_of_a_name_for_a_day_and_displace_nobody_who_was_good),
                cmocka_unit_test(test_few_who_are_new_go_early),
                cmocka_unit_test(test_a_crowd_from_elsewhere_keeps_no_neighbour_waiting),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
