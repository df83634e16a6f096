/* Allowance: what a device has waiting, as the journal goes on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/allowance.h"

static void test_what_waits_is_charged_until_it_is_passed(void **state) {
        CLEANUP(allowance_free) Allowance *allowance = NULL;

        (void)state;
        assert_int_equal(allowance_new(&allowance), 0);
        assert_int_equal(allowance_waiting(allowance, 7, 0), 0);
        for (uint64_t seq = 1; seq <= 10; ++seq)
                assert_int_equal(allowance_charge(allowance, 7, seq, 100, 0), 0);
        assert_int_equal(allowance_charge(allowance, 8, 11, 50, 0), 0);
        assert_int_equal(allowance_waiting(allowance, 7, 0), 1000);
        assert_int_equal(allowance_waiting(allowance, 8, 0), 50);
        assert_in_range(allowance_waiting(allowance, 7, 5), 500, 1000); /* never less than waits */
        assert_int_equal(allowance_waiting(allowance, 7, 10), 0);
        assert_int_equal(allowance_waiting(allowance, 8, 10), 50);
        assert_int_equal(allowance_waiting(allowance, 8, 11), 0);
}

static void test_who_is_stored_as_fast_as_he_sends_is_charged_little(void **state) {
        CLEANUP(allowance_free) Allowance *allowance = NULL;

        (void)state;
        assert_int_equal(allowance_new(&allowance), 0);
        for (uint64_t seq = 100; seq < 100000; ++seq) {
                assert_int_equal(allowance_charge(allowance, 7, seq, 10, seq - 50), 0);
                assert_in_range(allowance_waiting(allowance, 7, seq - 50), 0, 2 * 50 * 10 + 10);
        }
}

static void test_many_devices_come_and_go(void **state) {
        CLEANUP(allowance_free) Allowance *allowance = NULL;
        const int64_t n = 20000;

        (void)state;
        assert_int_equal(allowance_new(&allowance), 0);
        for (int64_t round = 0; round < 3; ++round)
                for (int64_t id = 1; id <= n; ++id)
                        assert_int_equal(allowance_charge(allowance,
                                                          id + round * n,
                                                          (uint64_t)(id + round * n),
                                                          (size_t)id,
                                                          (uint64_t)(round * n)),
                                         0);
        for (int64_t id = 1; id <= n; ++id) {
                assert_int_equal(allowance_waiting(allowance, id, (uint64_t)(2 * n)), 0);
                assert_int_equal(allowance_waiting(allowance, id + 2 * n, (uint64_t)(2 * n)), id);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_waits_is_charged_until_it_is_passed),
                cmocka_unit_test(test_who_is_stored_as_fast_as_he_sends_is_charged_little),
                cmocka_unit_test(test_many_devices_come_and_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
