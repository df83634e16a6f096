/* Stall: live goes ahead of what takes too long, and the log hears of it now and then. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "gateway/store/stall.h"

#define LIMIT_US 1000

static void test_longer_than_the_limit_is_a_stall(void **state) {
        Stall stall = { 0 };

        (void)state;
        stall_note(&stall, LIMIT_US, LIMIT_US);
        assert_false(stall.is_on);
        stall_note(&stall, LIMIT_US + 1, LIMIT_US);
        assert_true(stall.is_on && stall.is_said);
}

/* That a new transaction has waited for less does not end it: what was waited for has to come. */
static void test_it_ends_by_what_was_waited_for_only(void **state) {
        Stall stall = { 0 };

        (void)state;
        stall_note(&stall, LIMIT_US + 1, LIMIT_US);
        stall_note(&stall, 0, LIMIT_US);
        assert_true(stall.is_on);
        stall_go_on(&stall);
        assert_false(stall.is_on || stall.is_said);
        stall_note(&stall, LIMIT_US + 1, LIMIT_US);
        stall_give_up(&stall);
        assert_false(stall.is_on || stall.is_said);
}

static void test_the_next_one_counts_at_once_and_is_not_said(void **state) {
        Stall stall = { 0 };

        (void)state;
        stall_note(&stall, LIMIT_US + 1, LIMIT_US);
        stall_go_on(&stall);
        stall_note(&stall, LIMIT_US + 1, LIMIT_US);
        assert_true(stall.is_on);
        assert_false(stall.is_said);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_longer_than_the_limit_is_a_stall),
                cmocka_unit_test(test_it_ends_by_what_was_waited_for_only),
                cmocka_unit_test(test_the_next_one_counts_at_once_and_is_not_said),
        };

        log_set_level((LogLevel)-1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
