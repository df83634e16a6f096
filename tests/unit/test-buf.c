/* Buf: growth, and JSON that reads back as it was. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"

static const char *double_text(Buf *buf, double value) {
        buf_reset(buf);
        buf_json_double(buf, value);
        return buf->data;
}

static const char *string_text(Buf *buf, Text text) {
        buf_reset(buf);
        buf_json_string(buf, text);
        return buf->data;
}

static void test_appends_grow_the_buffer_and_keep_the_nul(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        for (int i = 0; i < 5000; ++i)
                buf_printf(&buf, "%d,", i % 10);
        assert_int_equal(buf.n, 10000);
        assert_int_equal(strlen(buf.data), 10000);
        buf_append_text(&buf, TEXT("end"));
        buf_append_string(&buf, "!");
        buf_append_char(&buf, '?');
        buf_append(&buf, NULL, 0);
        assert_string_equal(buf.data + 10000, "end!?");
        buf_done(&buf);
        assert_int_equal(buf_text(&buf).n, 0);
        assert_string_equal(buf_text(&buf).data, "");
}

static void test_failure_sticks_until_reset(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        buf_append_string(&buf, "kept");
        buf_append(&buf, "x", SIZE_MAX / 2);
        assert_true(buf_failed(&buf));
        buf_append_string(&buf, "more");
        assert_string_equal(buf.data, "kept");
        buf_reset(&buf);
        buf_append_string(&buf, "again");
        assert_false(buf_failed(&buf));
        assert_string_equal(buf.data, "again");
}

static void test_doubles_are_as_short_as_they_can_be(void **state) {
        static const struct {
                double value;
                const char *text;
        } cases[] = {
                { 0, "0" },
                { -0.0, "-0.0" },
                { 1, "1" },
                { -45, "-45" },
                { 25.1, "25.1" },
                { -0.5, "-0.5" },
                { 13.76, "13.76" },
                { 1013.25, "1013.25" },
                { -6.2088, "-6.2088" },
                { 106.8456, "106.8456" },
                { 0.1 + 0.2, "0.30000000000000004" },
                { 1.0 / 3, "0.3333333333333333" },
                { 100.05, "100.05" },
                { 0.00000001, "1e-08" },
                { 0.0001, "0.0001" },
                { 106.84561234567, "106.84561234567" },
                { 9007199254740991.0, "9007199254740991" },
                { -9007199254740991.0, "-9007199254740991" },
                { 1e22, "1e+22" },
                { 1e300, "1e+300" },
                { 5e-324, "4.94065645841247e-324" },
                { 123456.12345678, "123456.12345678" },
                { (double)NAN, "null" },
                { (double)INFINITY, "null" },
                { -(double)INFINITY, "null" },
        };
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                assert_string_equal(double_text(&buf, cases[i].value), cases[i].text);
}

static uint64_t random_bits(uint64_t *seed) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed;
}

static void test_every_double_reads_back_the_same(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        uint64_t seed = 88172645463325252U;

        (void)state;
        for (int i = 0; i < 300000; ++i) {
                uint64_t bits = random_bits(&seed);
                double value, again;
                char general[40];

                memcpy(&value, &bits, sizeof(value));
                if (i % 3 == 1)
                        value = (double)(int64_t)(bits >> 20) / 1e6; /* up to 15 digits and more */
                if (i % 3 == 2)
                        value = (double)(int32_t)bits / pow(10, (double)(bits >> 60));
                if (!isfinite(value))
                        continue;

                again = strtod(double_text(&buf, value), NULL);
                assert_memory_equal(&again, &value, sizeof(value));
                snprintf(general, sizeof(general), "%.15g", value);
                if (!strchr(general, 'e') && strtod(general, NULL) == value && value != 0)
                        assert_string_equal(buf.data, general);
        }
}

static void test_the_locale_does_not_matter(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        locale_t german, before;

        (void)state;
        german = newlocale(LC_NUMERIC_MASK, "de_DE.UTF-8", NULL);
        if (!german)
                skip();
        before = uselocale(german);
        assert_string_equal(double_text(&buf, 1.0 / 3), "0.3333333333333333");
        assert_string_equal(double_text(&buf, 1.5e-10), "1.5e-10");
        uselocale(before);
        freelocale(german);
}

static void test_integers_of_every_size(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        buf_json_int(&buf, INT64_MIN);
        buf_append_char(&buf, ' ');
        buf_json_int(&buf, INT64_MAX);
        buf_append_char(&buf, ' ');
        buf_json_int(&buf, 0);
        buf_append_char(&buf, ' ');
        buf_json_bool(&buf, true);
        buf_json_bool(&buf, false);
        assert_string_equal(buf.data, "-9223372036854775808 9223372036854775807 0 truefalse");
}

static void test_strings_escape_what_json_forbids(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        assert_string_equal(string_text(&buf, TEXT("plain")), "\"plain\"");
        assert_string_equal(string_text(&buf, TEXT("")), "\"\"");
        assert_string_equal(string_text(&buf, (Text){ 0 }), "null");
        assert_string_equal(string_text(&buf, TEXT("a\"b\\c/d")), "\"a\\\"b\\\\c/d\"");
        assert_string_equal(string_text(&buf, TEXT("\b\f\n\r\t\x01\x1f\x7f")),
                            "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
        assert_string_equal(string_text(&buf, TEXT("a\0b")), "\"a\\u0000b\"");
        assert_string_equal(string_text(&buf, TEXT("é \u2028 😀")), "\"é \u2028 😀\"");
}

static void test_broken_utf8_never_gets_into_a_frame(void **state) {
        static const Text broken[] = {
                TEXT("\xff"),         TEXT("\xc3"),         TEXT("\xc0\x80"),
                TEXT("\xed\xa0\x80"), TEXT("\xe2\x80"),     TEXT("\xf4\x90\x80\x80"),
                TEXT("\x80"),         TEXT("\xf0\x9f\x98"), TEXT("\xe2\x28\xa1"),
        };
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(broken); ++i)
                assert_non_null(strstr(string_text(&buf, broken[i]), "\ufffd"));
        assert_string_equal(string_text(&buf, TEXT("a\xc3(b")), "\"a\ufffd(b\"");
}

static void test_times_are_quoted_with_milliseconds(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        buf_json_time(&buf, INT64_C(1760805000123456));
        assert_string_equal(buf.data, "\"2025-10-18T16:30:00.123Z\"");
}

/* Written as it is up to @at, where something is that has to be escaped, or the end. */
static void assert_escaped(Text text, size_t at) {
        CLEANUP_BUF Buf buf = { 0 };

        buf_json_string(&buf, text);
        assert_memory_equal(buf.data + 1, text.data, at);
        assert_int_equal(buf.n == text.n + 2, at == text.n);
        assert_int_equal(buf.data[buf.n - 1], '"');
        if (at < text.n)
                assert_int_not_equal(buf.data[1 + at], text.data[at] == '\\' ? 'x' : text.data[at]);
}

/* Of any length, up to any place, and of no byte behind the end: the sanitizer watches it. */
static void test_what_json_must_escape_is_seen_wherever_it_is(void **state) {
        static const char odd[] = "\"\\\x1f\x01\x80\xff";

        (void)state;
        for (size_t n = 0; n < 27; ++n) {
                char *text = malloc(n > 0 ? n : 1);

                assert_non_null(text);
                memset(text, '~', n);
                assert_int_equal(buf_json_plain(text, text + n), n);
                assert_escaped((Text){ text, n }, n);
                for (size_t i = 0; i < n * (sizeof(odd) - 1); ++i) {
                        memset(text, ' ', n);
                        text[i % n] = odd[i / n];
                        assert_int_equal(buf_json_plain(text, text + n), i % n);
                        assert_escaped((Text){ text, n }, i % n);
                }
                free(text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_appends_grow_the_buffer_and_keep_the_nul),
                cmocka_unit_test(test_failure_sticks_until_reset),
                cmocka_unit_test(test_doubles_are_as_short_as_they_can_be),
                cmocka_unit_test(test_every_double_reads_back_the_same),
                cmocka_unit_test(test_the_locale_does_not_matter),
                cmocka_unit_test(test_integers_of_every_size),
                cmocka_unit_test(test_strings_escape_what_json_forbids),
                cmocka_unit_test(test_broken_utf8_never_gets_into_a_frame),
                cmocka_unit_test(test_times_are_quoted_with_milliseconds),
                cmocka_unit_test(test_what_json_must_escape_is_seen_wherever_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
