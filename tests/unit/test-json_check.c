/* JsonCheck: what is let through to json-c and PostgreSQL, and why the rest is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/decode/json_check.h"

typedef struct Case Case;

struct Case {
        const char *text;
        Reason reason;
};

static void check_cases(const Case cases[], size_t n) {
        for (size_t i = 0; i < n; ++i) {
                Reason reason = json_check(text_of(cases[i].text));

                if (reason != cases[i].reason)
                        fail_msg("%s: %s, expected %s",
                                 cases[i].text,
                                 reason_name(reason),
                                 reason_name(cases[i].reason));
        }
}

static void test_every_json_value_is_accepted(void **state) {
        static const Case cases[] = {
                { "null", REASON_NONE },
                { "true", REASON_NONE },
                { " false\r\n\t", REASON_NONE },
                { "0", REASON_NONE },
                { "-0", REASON_NONE },
                { "-1.5e+3", REASON_NONE },
                { "1E5", REASON_NONE },
                { "\"\"", REASON_NONE },
                { "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"", REASON_NONE },
                { "\"\x7f\xc2\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf\"", REASON_NONE },
                { "[]", REASON_NONE },
                { "{ }", REASON_NONE },
                { "[1, [2, {\"a\": []}], {\"b\": {}}]", REASON_NONE },
                { "{\"a\":1,\"a\":2}", REASON_NONE },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_what_lenient_parsers_take_is_refused(void **state) {
        static const Case cases[] = {
                { "", REASON_BAD_JSON },
                { "  ", REASON_BAD_JSON },
                { "{", REASON_BAD_JSON },
                { "}", REASON_BAD_JSON },
                { "[1", REASON_BAD_JSON },
                { "[1}", REASON_BAD_JSON },
                { "[1,]", REASON_BAD_JSON },
                { "[,1]", REASON_BAD_JSON },
                { "[1 2]", REASON_BAD_JSON },
                { "{\"a\":1,}", REASON_BAD_JSON },
                { "{\"a\"}", REASON_BAD_JSON },
                { "{\"a\":}", REASON_BAD_JSON },
                { "{a:1}", REASON_BAD_JSON },
                { "{1:1}", REASON_BAD_JSON },
                { "{'a':1}", REASON_BAD_JSON },
                { "['a']", REASON_BAD_JSON },
                { "NaN", REASON_BAD_JSON },
                { "[NaN]", REASON_BAD_JSON },
                { "Infinity", REASON_BAD_JSON },
                { "-Infinity", REASON_BAD_JSON },
                { "True", REASON_BAD_JSON },
                { "nul", REASON_BAD_JSON },
                { "+1", REASON_BAD_JSON },
                { "01", REASON_BAD_JSON },
                { ".5", REASON_BAD_JSON },
                { "5.", REASON_BAD_JSON },
                { "1e", REASON_BAD_JSON },
                { "1e+", REASON_BAD_JSON },
                { "-", REASON_BAD_JSON },
                { "0x10", REASON_BAD_JSON },
                { "1 2", REASON_BAD_JSON },
                { "{} x", REASON_BAD_JSON },
                { "{}{}", REASON_BAD_JSON },
                { "// c\n1", REASON_BAD_JSON },
                { "\"a\nb\"", REASON_BAD_JSON },
                { "\"a\tb\"", REASON_BAD_JSON },
                { "\"\\x41\"", REASON_BAD_JSON },
                { "\"\\u12g4\"", REASON_BAD_JSON },
                { "\"\\u12", REASON_BAD_JSON },
                { "\"\\", REASON_BAD_JSON },
                { "\"abc", REASON_BAD_JSON },
                { "\xef\xbb\xbf{}", REASON_BAD_JSON }, /* byte order mark */
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_what_is_absent_is_no_json_and_good_text(void **state) {
        (void)state;
        assert_int_equal(json_check((Text){ 0 }), REASON_BAD_JSON);
        assert_int_equal(json_check(TEXT("")), REASON_BAD_JSON);
        assert_int_equal(json_check_text((Text){ 0 }), REASON_NONE);
}

static void test_text_that_is_not_utf8_is_refused(void **state) {
        static const Case cases[] = {
                { "\"\xff\"", REASON_BAD_UTF8 },
                { "\"\x80\"", REASON_BAD_UTF8 },
                { "\"\xc0\xaf\"", REASON_BAD_UTF8 },         /* overlong */
                { "\"\xe0\x80\x80\"", REASON_BAD_UTF8 },     /* overlong */
                { "\"\xf0\x80\x80\x80\"", REASON_BAD_UTF8 }, /* overlong */
                { "\"\xed\xa0\x80\"", REASON_BAD_UTF8 },     /* surrogate */
                { "\"\xf4\x90\x80\x80\"", REASON_BAD_UTF8 }, /* beyond U+10FFFF */
                { "\"\xe2\x82", REASON_BAD_UTF8 },           /* cut short */
                { "\"\\ud800\"", REASON_BAD_UTF8 },
                { "\"\\udc00\"", REASON_BAD_UTF8 },
                { "\"\\ud800x\"", REASON_BAD_UTF8 },
                { "\"\\ud800\\ud800\"", REASON_BAD_UTF8 },
                { "\"\\ud800\\n\"", REASON_BAD_UTF8 },
                { "{broken \xff", REASON_BAD_UTF8 },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_nul_characters_are_refused_in_any_form(void **state) {
        static const Case cases[] = {
                { "\"a\\u0000\"", REASON_NUL_CHARACTER },
                { "{\"device_code\\u0000x\":\"a\"}", REASON_NUL_CHARACTER },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
        assert_int_equal(json_check(TEXT("\"a\0b\"")), REASON_NUL_CHARACTER);
        assert_int_equal(json_check(TEXT("{}\0")), REASON_NUL_CHARACTER);
        assert_int_equal(json_check_text(TEXT("long plain text, then \0")), REASON_NUL_CHARACTER);
        assert_int_equal(json_check_text(TEXT("\0then \xff")), REASON_BAD_UTF8);
        assert_int_equal(json_check_text(TEXT("plain text of more than eight bytes é")),
                         REASON_NONE);
        assert_int_equal(json_check_text((Text){ 0 }), REASON_NONE);
}

static void test_numbers_that_would_saturate_are_out_of_range(void **state) {
        static const Case cases[] = {
                { "18446744073709551615", REASON_NONE },
                { "18446744073709551616", REASON_OUT_OF_RANGE }, /* 2^64 */
                { "-9223372036854775808", REASON_NONE },
                { "-9223372036854775809", REASON_OUT_OF_RANGE },
                { "100000000000000000000", REASON_OUT_OF_RANGE },
                { "1e308", REASON_NONE },
                { "1.7976931348623157e308", REASON_NONE },
                { "1.8e308", REASON_OUT_OF_RANGE },
                { "-1.8e308", REASON_OUT_OF_RANGE },
                { "0.000001e310", REASON_NONE }, /* 1e304 */
                { "0.00000179769e314", REASON_NONE },
                { "0.00000179770e314", REASON_OUT_OF_RANGE },
                { "0.000e310", REASON_NONE },
                { "0.1e310", REASON_OUT_OF_RANGE },
                { "0.1e99999", REASON_OUT_OF_RANGE },
                { "18e307", REASON_OUT_OF_RANGE },
                { "17e307", REASON_NONE },
                { "1e999", REASON_OUT_OF_RANGE },
                { "[1e99999999999999999999]", REASON_OUT_OF_RANGE },
                { "1e-400", REASON_NONE },
                { "1e-20000", REASON_OUT_OF_RANGE }, /* no numeric of PostgreSQL */
                { "1e-99999999999999999999", REASON_OUT_OF_RANGE },
                { "1e00000000000000000005", REASON_NONE },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_depth_is_limited_without_recursion(void **state) {
        static char deep[200001];

        (void)state;
        memset(deep, '[', 100000);
        memset(deep + 100000, ']', 100000);

        for (size_t depth = 1; depth <= 40; ++depth) {
                Text text = { .data = deep + 100000 - depth, .n = 2 * depth };

                assert_int_equal(json_check(text),
                                 depth <= JSON_MAX_DEPTH ? REASON_NONE : REASON_TOO_DEEP);
        }
        assert_int_equal(json_check(text_of(deep)), REASON_TOO_DEEP);
        assert_int_equal(json_check((Text){ .data = deep, .n = 100000 }), REASON_TOO_DEEP);
}

static void test_every_prefix_of_a_document_is_refused(void **state) {
        static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\",true,null],\"b\":{"
                                   "\"c\":\"\xc3\xa9\"}}";

        (void)state;
        for (size_t n = 0; n < sizeof(text) - 1; ++n) {
                char *prefix = malloc(n + 1); /* of the exact size: the sanitizer watches its end */

                assert_non_null(prefix);
                memcpy(prefix, text, n);
                assert_int_not_equal(json_check((Text){ .data = prefix, .n = n }), REASON_NONE);
                free(prefix);
        }
        assert_int_equal(json_check(TEXT(text)), REASON_NONE);
}

/* The place is what cannot be there, or the end of what ends too early. */
static void test_a_reason_has_its_place(void **state) {
        static const struct {
                Text text;
                Reason reason;
                size_t at;
        } cases[] = {
                { TEXT("{\"a\":nan}"), REASON_BAD_JSON, 5 },
                { TEXT("{\"a\":1,}"), REASON_BAD_JSON, 7 },
                { TEXT("{\"a\" 1}"), REASON_BAD_JSON, 5 },
                { TEXT("{\"a\":1"), REASON_BAD_JSON, 6 },
                { TEXT("{} {}"), REASON_BAD_JSON, 3 },
                { TEXT("[1, 02]"), REASON_BAD_JSON, 4 },
                { TEXT("[1, 2.]"), REASON_BAD_JSON, 4 },
                { TEXT("[truth]"), REASON_BAD_JSON, 1 },
                { TEXT("[\"a\\x\"]"), REASON_BAD_JSON, 3 },
                { TEXT("[\"a\nb\"]"), REASON_BAD_JSON, 3 },
                { TEXT("[\"a"), REASON_BAD_JSON, 3 },
                { TEXT(""), REASON_BAD_JSON, 0 },
                { TEXT("  "), REASON_BAD_JSON, 2 },
                { TEXT("[\"ab\\u0000\"]"), REASON_NUL_CHARACTER, 4 },
                { TEXT("[1]\0\0"), REASON_NUL_CHARACTER, 3 },
                { TEXT("[\"\\ud800x\"]"), REASON_BAD_UTF8, 2 },
                { TEXT("[\"\\ud800\\u\"]"), REASON_BAD_UTF8, 2 },
                { TEXT("[\"seven b\\u0000\\ud800\"]"), REASON_NUL_CHARACTER, 9 },
                { TEXT("[\"seven b\nmore, and \\x\"]"), REASON_BAD_JSON, 9 },
                { TEXT("[\"a long one in ASCII\xff\"]"), REASON_BAD_UTF8, 21 },
                { TEXT("[1, -1e400]"), REASON_OUT_OF_RANGE, 4 },
                { TEXT("[18446744073709551616]"), REASON_OUT_OF_RANGE, 1 },
                { TEXT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]"), REASON_TOO_DEEP, 32 },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                size_t at = SIZE_MAX;

                assert_int_equal(json_check_at(cases[i].text, &at), cases[i].reason);
                assert_int_equal(at, cases[i].at);
        }
}

static void test_text_has_its_place_too(void **state) {
        size_t at = SIZE_MAX;

        (void)state;
        assert_int_equal(json_check_text_at(TEXT("a\0b\0"), &at), REASON_NUL_CHARACTER);
        assert_int_equal(at, 1);
        assert_int_equal(json_check_text_at(TEXT("a\0b, and more of it \xc3"), &at),
                         REASON_BAD_UTF8);
        assert_int_equal(at, 20);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_json_value_is_accepted),
                cmocka_unit_test(test_what_lenient_parsers_take_is_refused),
                cmocka_unit_test(test_what_is_absent_is_no_json_and_good_text),
                cmocka_unit_test(test_text_that_is_not_utf8_is_refused),
                cmocka_unit_test(test_nul_characters_are_refused_in_any_form),
                cmocka_unit_test(test_numbers_that_would_saturate_are_out_of_range),
                cmocka_unit_test(test_depth_is_limited_without_recursion),
                cmocka_unit_test(test_every_prefix_of_a_document_is_refused),
                cmocka_unit_test(test_a_reason_has_its_place),
                cmocka_unit_test(test_text_has_its_place_too),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
