/* WsNumbers: a place says what was shown of each journal by then. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/loop/numbers.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"

/* ---- places --------------------------------------------------------------------------------- */

static void expect_seen(const WsNumbers *numbers, uint64_t place, uint64_t a, uint64_t b) {
        uint64_t seen[2];

        ws_numbers_seen(numbers, place, seen);
        assert_int_equal(seen[0], a);
        assert_int_equal(seen[1], b);
}

static void test_a_place_says_what_was_shown_by_then(void **state) {
        WsNumbers numbers = { 0 };
        uint64_t first = 0;

        (void)state;
        assert_int_equal(ws_numbers_open(&numbers, A "," B), 0);
        expect_seen(&numbers, WS_NUMBERS_FIRST, 0, 0);
        for (uint64_t i = 1; i <= 1000; ++i) { /* two of a, then one of b */
                uint64_t place = ws_numbers_step(&numbers, i % 3 == 0, i);

                first = i == 1 ? place : first;
        }
        for (uint64_t i = 3; i <= 1000; ++i)
                expect_seen(&numbers, first + i - 1, i % 3 == 0 ? i - 1 : i, i - i % 3);
        expect_seen(&numbers, numbers.last_place + 7, 1000, 999);
        ws_numbers_done(&numbers);
}

static void test_a_place_is_found_by_what_was_seen(void **state) {
        WsNumbers numbers = { 0 };

        (void)state;
        assert_int_equal(ws_numbers_open(&numbers, A "," B), 0);
        for (uint64_t i = 1; i <= 1000; ++i)
                (void)ws_numbers_step(&numbers, i % 2, i);
        for (uint64_t a = 0; a <= 1000; a += 50) {
                const uint64_t since[2] = { a, 500 };
                uint64_t seen[2], place = ws_numbers_find(&numbers, since);

                ws_numbers_seen(&numbers, place, seen);
                assert_true(seen[0] <= since[0] && seen[1] <= since[1]);
                ws_numbers_seen(&numbers, place + 1, seen);
                assert_true(seen[0] > since[0] || seen[1] > since[1]);
        }
        ws_numbers_done(&numbers);
}

/* What is given for a place of long ago may bring something again, but leaves nothing out. */
static void test_of_a_place_of_long_ago_less_is_said(void **state) {
        const uint64_t n = UINT64_C(40) * WS_NUMBERS_STEPS;
        WsNumbers numbers = { 0 };
        uint64_t seen[2];

        (void)state;
        assert_int_equal(ws_numbers_open(&numbers, A "," B), 0);
        for (uint64_t i = 1; i <= n; ++i)
                (void)ws_numbers_step(&numbers, i % 2, i);
        for (uint64_t place = WS_NUMBERS_FIRST + 1; place <= numbers.last_place; place += 99991) {
                uint64_t i = place - WS_NUMBERS_FIRST;

                ws_numbers_seen(&numbers, place, seen);
                assert_true(seen[0] <= i && seen[1] <= i);
                if (i > n / 2)
                        assert_true(seen[0] > n / 4 && seen[1] > n / 4);
        }
        ws_numbers_done(&numbers);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_place_says_what_was_shown_by_then),
                cmocka_unit_test(test_a_place_is_found_by_what_was_seen),
                cmocka_unit_test(test_of_a_place_of_long_ago_less_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
