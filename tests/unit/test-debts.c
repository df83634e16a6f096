/* Debts: each device owes once, what it owes last, and no more owe than there is room for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/memory/debts.h"

static int64_t due_of(const Debts *debts, int64_t device_id) {
        for (size_t i = 0; i < debts_length(debts); ++i)
                if (debts_device(debts, i) == device_id)
                        return debts_due_us(debts, i);
        return -1;
}

static void test_a_device_owes_once_and_until_it_has_paid(void **state) {
        CLEANUP(debts_free) Debts *debts = NULL;

        (void)state;
        assert_int_equal(debts_new(&debts, 8), 0);
        assert_true(debts_owe(debts, 7, 100));
        assert_true(debts_owe(debts, 9, 200));
        assert_true(debts_owe(debts, 7, 300));
        assert_int_equal(debts_length(debts), 2);
        assert_int_equal(due_of(debts, 7), 300);
        assert_int_equal(due_of(debts, 9), 200);
        debts_pay(debts, 7);
        debts_pay(debts, 7);
        assert_false(debts_holds(debts, 7));
        assert_true(debts_holds(debts, 9));
        assert_int_equal(debts_length(debts), 1);
        assert_int_equal(debts_device(debts, 0), 9);
}

static void test_those_beyond_the_room_are_refused_and_cost_nobody_else(void **state) {
        CLEANUP(debts_free) Debts *debts = NULL;

        (void)state;
        assert_int_equal(debts_new(&debts, 2), 0);
        assert_true(debts_owe(debts, 1, 10));
        assert_true(debts_owe(debts, 2, 20));
        assert_false(debts_owe(debts, 3, 30));
        assert_false(debts_holds(debts, 3));
        assert_true(debts_owe(debts, 2, 40)); /* it is there already */
        assert_int_equal(due_of(debts, 1), 10);
        debts_pay(debts, 1);
        assert_true(debts_owe(debts, 3, 30));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_device_owes_once_and_until_it_has_paid),
                cmocka_unit_test(test_those_beyond_the_room_are_refused_and_cost_nobody_else),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
