/* Err: success stays success, a fault stays that fault, a forgotten answer becomes one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include "base/err.h"

static void test_success_goes_up_as_success(void **state) {
        (void)state;
        assert_int_equal(err_up(0), 0);
}

static void test_a_fault_goes_up_as_it_is(void **state) {
        (void)state;
        assert_int_equal(err_new(-ENOMEM), -ENOMEM);
        assert_int_equal(err_up(-ENOSPC), -ENOSPC);
}

static void test_an_answer_that_nobody_handled_is_a_fault(void **state) {
        (void)state;
        assert_int_equal(err_up(1), -ENOTRECOVERABLE);
        assert_int_equal(err_up(404), -ENOTRECOVERABLE);
}

static void test_a_fault_has_a_text(void **state) {
        (void)state;
        assert_string_equal(err_text(-ENOSPC), "No space left on device");
        assert_string_equal(err_text(-100000), "unknown error");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_success_goes_up_as_success),
                cmocka_unit_test(test_a_fault_goes_up_as_it_is),
                cmocka_unit_test(test_an_answer_that_nobody_handled_is_a_fault),
                cmocka_unit_test(test_a_fault_has_a_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
