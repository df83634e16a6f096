/* Text: lists, numbers, hex and a hash, each as it is read and written everywhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"

static void test_items_come_one_by_one_and_none_is_empty(void **state) {
        Text rest = TEXT(" , a,,b\t c ,");
        Text item;

        (void)state;
        assert_true(text_next_item(&rest, ", \t", &item));
        assert_true(text_equal(item, TEXT("a")));
        assert_true(text_next_item(&rest, ", \t", &item));
        assert_true(text_equal(item, TEXT("b")));
        assert_true(text_next_item(&rest, ", \t", &item));
        assert_true(text_equal(item, TEXT("c")));
        assert_false(text_next_item(&rest, ", \t", &item));
        assert_false(text_next_item(&rest, ", \t", &item));
        rest = (Text){ 0 };
        assert_false(text_next_item(&rest, ",", &item));
}

static void test_only_what_separates_ends_an_item(void **state) {
        Text rest = TEXT("a b/c ,d\0e");
        Text item;

        (void)state;
        assert_true(text_next_item(&rest, ",", &item));
        assert_true(text_equal(text_trim(item), TEXT("a b/c")));
        assert_true(text_next_item(&rest, ",", &item));
        assert_int_equal(item.n, 3); /* a NUL is a byte */
        assert_true(text_equal(text_trim(TEXT(" \t ")), TEXT("")));
}

static void test_what_is_in_quotes_separates_nothing(void **state) {
        Text text = TEXT("a='x, y', it's 5\", \"q, r");

        (void)state;
        assert_int_equal(text_find_unquoted(text, TEXT(",")), 8);
        assert_int_equal(text_find_unquoted(text, TEXT(" | ")), text.n);
        assert_false(text_is_closed(text));
        text.n = 18; /* apostrophes and inches open nothing */
        assert_true(text_is_closed(text));
        text = TEXT("'x'");
        assert_true(text_unquote(&text));
        assert_true(text_equal(text, TEXT("x")));
        text = TEXT("'x'y");
        assert_false(text_unquote(&text));
        text = TEXT("\"");
        assert_false(text_unquote(&text));
        text = TEXT("x'");
        assert_true(text_unquote(&text));
        assert_true(text_equal(text, TEXT("x'")));
}

static void test_a_number_is_digits_up_to_the_most(void **state) {
        static const char *const others[] = { "",    "-1",  "+1",  " 1",  "1 ",
                                              "0x1", "1.0", "256", "2550" };
        uint64_t number = 7;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(others); ++i)
                assert_false(text_to_number(text_of(others[i]), 255, &number));
        assert_int_equal(number, 7);
        assert_true(text_to_number(TEXT("255"), 255, &number));
        assert_int_equal(number, 255);
        assert_true(text_to_number(TEXT("000"), 255, &number));
        assert_int_equal(number, 0);
        assert_false(text_to_number(TEXT("9"), 5, &number));
}

static void test_the_largest_number_there_is_is_read(void **state) {
        uint64_t number = 0;

        (void)state;
        assert_true(text_to_number(TEXT("18446744073709551615"), UINT64_MAX, &number));
        assert_true(number == UINT64_MAX);
        assert_false(text_to_number(TEXT("18446744073709551616"), UINT64_MAX, &number));
        assert_false(text_to_number(TEXT("184467440737095516150"), UINT64_MAX, &number));
}

static void test_hex_is_written_as_it_is_read(void **state) {
        const uint8_t bytes[] = { 0x00, 0x9a, 0xff };
        char hex[7];

        (void)state;
        text_put_hex(hex, bytes, sizeof(bytes));
        assert_string_equal(hex, "009aff");
        for (size_t i = 0; i < sizeof(bytes); ++i)
                assert_int_equal(text_hex_digit(hex[2 * i]) << 4 | text_hex_digit(hex[2 * i + 1]),
                                 bytes[i]);
        assert_int_equal(text_hex_digit('F'), 15);
        for (const char *c = "g/:@G`\x80"; *c; ++c)
                assert_int_equal(text_hex_digit(*c), -1);
}

static void test_the_hash_is_fnv_1a(void **state) {
        (void)state;
        assert_true(text_hash(TEXT_HASH, "", 0) == UINT64_C(0xcbf29ce484222325));
        assert_true(text_hash(TEXT_HASH, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
        assert_true(text_hash(TEXT_HASH, "foobar", 6) == UINT64_C(0x85944171f73967e8));
        assert_true(text_hash(text_hash(TEXT_HASH, "foo", 3), "bar", 3) ==
                    text_hash(TEXT_HASH, "foobar", 6));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_items_come_one_by_one_and_none_is_empty),
                cmocka_unit_test(test_only_what_separates_ends_an_item),
                cmocka_unit_test(test_what_is_in_quotes_separates_nothing),
                cmocka_unit_test(test_a_number_is_digits_up_to_the_most),
                cmocka_unit_test(test_the_largest_number_there_is_is_read),
                cmocka_unit_test(test_hex_is_written_as_it_is_read),
                cmocka_unit_test(test_the_hash_is_fnv_1a),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
