/* What a device heard is shown at once, and then in sums. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/hub/heard.h"

#define INTERVAL 1000

static WsHeard heard;

static int setup(void **state) {
        (void)state;
        heard = (WsHeard){ 0 };
        return ws_heard_init(&heard);
}

static int teardown(void **state) {
        (void)state;
        ws_heard_done(&heard);
        return 0;
}

static bool hears(int64_t device_id, uint32_t n, int64_t now_ms) {
        const Event event = {
                .device_id = device_id, .n_items = n, .seq = (uint64_t)now_ms, .time_us = 7 - now_ms
        };
        bool is_due = false;

        assert_int_equal(ws_heard_note(&heard, &event, now_ms, &is_due), 0);
        return is_due;
}

static void assert_sum(int64_t now_ms, int64_t device_id, uint32_t n) {
        WsHeardDevice sum;

        assert_true(ws_heard_take(&heard, now_ms, INTERVAL, &sum));
        assert_int_equal(sum.device_id, device_id);
        assert_int_equal(sum.n_items, n);
}

static void assert_nothing(int64_t now_ms) {
        WsHeardDevice sum;

        assert_false(ws_heard_take(&heard, now_ms, INTERVAL, &sum));
}

static void test_the_first_is_shown_and_the_rest_is_summed_up(void **state) {
        (void)state;
        assert_true(hears(1, 3, 100));
        assert_false(hears(1, 4, 200));
        assert_true(hears(2, 1, 300));
        assert_false(hears(1, 5, 1099));
        assert_nothing(1099);
        assert_sum(1100, 1, 9);
        assert_nothing(1100);
        assert_false(hears(1, 2, 1200)); /* within the next */
        assert_nothing(2099);
        assert_sum(2100, 1, 2);
}

static void test_who_is_silent_for_an_interval_is_new(void **state) {
        (void)state;
        assert_true(hears(1, 3, 100));
        assert_nothing(1100);
        assert_true(hears(1, 3, 1101));
        assert_false(hears(1, 3, 1102));
        assert_sum(9999, 1, 3);
        assert_nothing(9999);
}

static void test_a_sum_has_the_newest_time_and_does_not_run_over(void **state) {
        WsHeardDevice sum;

        (void)state;
        assert_true(hears(1, 1, 1));
        assert_false(hears(1, UINT32_MAX - 1, 2));
        assert_false(hears(1, 5, 3));
        assert_true(ws_heard_take(&heard, 5000, INTERVAL, &sum));
        assert_int_equal(sum.n_items, UINT32_MAX);
        assert_int_equal(sum.time_us, 5);
        assert_int_equal(sum.seq, 3);
}

static void test_all_that_wait_are_shown_in_turn(void **state) {
        (void)state;
        for (int i = 1; i <= 100; ++i) {
                assert_true(hears(i, 1, i));
                assert_false(hears(i, (uint32_t)i, 101));
        }
        assert_nothing(1000);
        for (int i = 1; i <= 100; ++i)
                assert_sum(1200, i, (uint32_t)i);
        assert_nothing(1200);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_the_first_is_shown_and_the_rest_is_summed_up,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_is_silent_for_an_interval_is_new,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_sum_has_the_newest_time_and_does_not_run_over, setup, teardown),
                cmocka_unit_test_setup_teardown(test_all_that_wait_are_shown_in_turn,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
