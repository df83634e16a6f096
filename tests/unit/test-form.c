/* Form: a query, taken apart. What requests make of it: test-request.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "ws/wire/form.h"

static void test_escapes_are_what_they_spell(void **state) {
        char value[16];

        (void)state;
        assert_int_equal(ws_form_decode(TEXT("a%2Bb+c"), ' ', value, sizeof(value)), 0);
        assert_string_equal(value, "a+b c");
        assert_int_equal(ws_form_decode(TEXT("a+b"), '+', value, sizeof(value)), 0);
        assert_string_equal(value, "a+b");
        assert_int_equal(ws_form_decode(TEXT("%0"), ' ', value, sizeof(value)), WS_FORM_E_BAD);
        assert_int_equal(ws_form_decode(TEXT("%00"), ' ', value, sizeof(value)), WS_FORM_E_BAD);
        assert_int_equal(ws_form_decode(TEXT("0123456789abcdef"), ' ', value, sizeof(value)),
                         WS_FORM_E_TOO_LONG);
}

static void test_what_does_not_fit_is_there(void **state) {
        char value[4];
        bool found = false;

        (void)state;
        assert_true(ws_form_find(TEXT("x=1&a%62=23&ab=4"), "ab", value, sizeof(value), &found));
        assert_true(found);
        assert_string_equal(value, "23");
        found = false;
        assert_false(ws_form_find(TEXT("ab=1234"), "ab", value, sizeof(value), &found));
        assert_true(found);
        found = false;
        assert_false(ws_form_find(TEXT("abc=1&=2"), "ab", value, sizeof(value), &found));
        assert_false(found);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_escapes_are_what_they_spell),
                cmocka_unit_test(test_what_does_not_fit_is_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
