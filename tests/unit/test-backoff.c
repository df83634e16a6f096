/* Backoff: each wait is twice the one before, none is longer than the longest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/backoff.h"

static void test_each_wait_is_twice_the_one_before(void **state) {
        Backoff backoff = { 0 };

        (void)state;
        assert_int_equal(backoff_left_ms(&backoff), 0);
        assert_int_equal(backoff_fail(&backoff, 250, 5000), 250);
        assert_int_equal(backoff_fail(&backoff, 250, 5000), 500);
        assert_int_equal(backoff_fail(&backoff, 250, 5000), 1000);
        backoff = (Backoff){ 0 };
        assert_int_equal(backoff_fail(&backoff, 250, 5000), 250);
}

static void test_no_wait_is_longer_than_the_longest(void **state) {
        Backoff backoff = { 0 };

        (void)state;
        for (int i = 0; i < 100; ++i)
                assert_in_range(backoff_fail(&backoff, 3600000, 3600000), 3600000, 3600000);
        backoff = (Backoff){ 0 };
        backoff_be_longest(&backoff);
        assert_int_equal(backoff_fail(&backoff, 500, 30000), 30000);
}

static void test_the_wait_ends(void **state) {
        Backoff backoff = { 0 };

        (void)state;
        (void)backoff_fail(&backoff, 3600000, 3600000);
        assert_in_range(backoff_left_ms(&backoff), 3000000, 3600001);
        backoff.until_us = 0;
        assert_int_equal(backoff_left_ms(&backoff), 0);
}

static void test_who_failed_together_comes_apart(void **state) {
        int least = 1000, most = 0;

        (void)state;
        for (int i = 0; i < 1000; ++i) {
                Backoff backoff = { 0 };
                int ms = backoff_fail_apart(&backoff, 1000, 30000);

                assert_in_range(ms, 500, 1000);
                least = ms < least ? ms : least;
                most = ms > most ? ms : most;
        }
        assert_true(most - least > 300);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_wait_is_twice_the_one_before),
                cmocka_unit_test(test_no_wait_is_longer_than_the_longest),
                cmocka_unit_test(test_the_wait_ends),
                cmocka_unit_test(test_who_failed_together_comes_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
