/* WsTape: time goes on at the rate that was asked for, and waits for who does not take it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/viewer/tape.h"

#define S INT64_C(1000000)

static void test_time_goes_as_fast_as_was_asked_for(void **state) {
        static const double rates[] = { 0.1, 1, 2.5, 100 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rates); ++i) {
                WsTape tape = { .rate = rates[i] };

                ws_tape_move(&tape, 5000 * S, 70 * S);
                assert_int_equal(ws_tape_at(&tape, 70 * S), 5000 * S);
                assert_int_equal(ws_tape_at(&tape, 90 * S),
                                 5000 * S + (int64_t)(20 * rates[i]) * S);
        }
}

static void test_what_is_held_stays_and_goes_on_from_there(void **state) {
        WsTape tape = { .rate = 10 };

        (void)state;
        ws_tape_move(&tape, 1000 * S, 0);
        ws_tape_hold(&tape, 2 * S);
        assert_int_equal(ws_tape_at(&tape, 900 * S), 1020 * S);
        ws_tape_hold(&tape, 900 * S);
        assert_int_equal(ws_tape_at(&tape, 950 * S), 1020 * S);
        ws_tape_go(&tape, 0.5, 1000 * S);
        assert_int_equal(ws_tape_at(&tape, 1000 * S), 1020 * S);
        assert_int_equal(ws_tape_at(&tape, 1004 * S), 1022 * S);
}

static void test_another_rate_begins_where_it_is(void **state) {
        WsTape tape = { .rate = 10 };

        (void)state;
        ws_tape_move(&tape, 1000 * S, 0);
        ws_tape_go(&tape, 100, 1 * S);
        assert_int_equal(ws_tape_at(&tape, 1 * S), 1010 * S);
        assert_int_equal(ws_tape_at(&tape, 2 * S), 1110 * S);
}

static void test_what_is_shown_late_delays_what_follows(void **state) {
        WsTape tape = { .rate = 10 };

        (void)state;
        ws_tape_move(&tape, 1000 * S, 0);
        ws_tape_show(&tape, 1005 * S, S); /* half a second late: that is no delay */
        assert_int_equal(ws_tape_at(&tape, S), 1010 * S);
        ws_tape_show(&tape, 1020 * S, 60 * S);
        assert_int_equal(ws_tape_at(&tape, 60 * S), 1020 * S);
        assert_int_equal(ws_tape_at(&tape, 61 * S), 1030 * S);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_time_goes_as_fast_as_was_asked_for),
                cmocka_unit_test(test_what_is_held_stays_and_goes_on_from_there),
                cmocka_unit_test(test_another_rate_begins_where_it_is),
                cmocka_unit_test(test_what_is_shown_late_delays_what_follows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
