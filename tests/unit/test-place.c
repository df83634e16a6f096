/* Place: where something is, and what is around it, for people. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/escape.h"
#include "gateway/decode/place.h"

static void check_place(Text text, size_t at, const char *expected) {
        char place[PLACE_SIZE];

        place_write(text, at, place);
        assert_string_equal(place, expected);
}

static void test_lines_and_columns_count_from_one_in_characters(void **state) {
        (void)state;
        check_place(TEXT("{\"a\":nan}"), 5, "line 1, column 6 (byte 5): {\"a\":<-- here nan}");
        check_place(TEXT("{\n \"ü\": x\n}"),
                    8,
                    "line 2, column 6 (byte 8): {\\n \"ü\":<-- here  x\\n}");
        check_place(TEXT("\n\n\n"), 3, "line 4, column 1 (byte 3): \\n\\n\\n<-- here it ends");
        check_place(TEXT("\xff"), 0, "line 1, column 1 (byte 0): <-- here \\xff");
        check_place(TEXT("a\0b"), 1, "line 1, column 2 (byte 1): a<-- here \\x00b");
}

static void test_a_long_text_is_cut_between_characters(void **state) {
        static const char text[] = "0123456789éé0123456789é0123456789é0123456789é0123456789";

        (void)state;
        check_place(text_of(text),
                    45,
                    "line 1, column 42 (byte 45): ...é0123456789é0123456<-- here 789é0123456789");
        check_place(text_of(text),
                    1,
                    "line 1, column 2 (byte 1): 0<-- here 123456789éé0123456789...");
        check_place(TEXT("0123456789012345678901234567890123456789"),
                    0,
                    "line 1, column 1 (byte 0): <-- here 012345678901234567890123...");
}

/* Whatever the bytes are, it fits, and has no control character. */
static void test_the_longest_escapes_fit(void **state) {
        char bytes[200], place[PLACE_SIZE], value[PLACE_VALUE_SIZE];
        Text text = { .data = bytes, .n = sizeof(bytes) };

        (void)state;
        memset(bytes, 0x1b, sizeof(bytes));
        for (size_t at = 0; at <= sizeof(bytes); ++at) {
                place_write(text, at, place);
                assert_true(strlen(place) < PLACE_SIZE);
                assert_null(strchr(place, 0x1b));
                assert_non_null(strstr(place, "<-- here "));
        }
        place_value(text, value);
        assert_int_equal(strlen(value), PLACE_VALUE_SIZE - 1);
        assert_string_equal(value + strlen(value) - 7, "\\x1b...");
}

static void test_a_value_that_fits_is_whole(void **state) {
        char value[PLACE_VALUE_SIZE];

        (void)state;
        place_value(TEXT("a\tb"), value);
        assert_string_equal(value, "a\\tb");
        place_value(TEXT("0123456789012345678901234567890123456789"), value);
        assert_string_equal(value, "0123456789012345678901234567890123456789");
        place_value(TEXT("012345678901234567890123456789012345678é"), value);
        assert_string_equal(value, "012345678901234567890123456789012345678...");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines_and_columns_count_from_one_in_characters),
                cmocka_unit_test(test_a_long_text_is_cut_between_characters),
                cmocka_unit_test(test_the_longest_escapes_fit),
                cmocka_unit_test(test_a_value_that_fits_is_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
