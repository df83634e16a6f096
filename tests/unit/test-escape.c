/* Escape: bytes of others become text that a terminal may get, and that says what they were. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/escape.h"

static void test_what_can_be_read_stands_as_it_is(void **state) {
        static const char text[] = "{\"name\": \"Zürich → 東京 🚲\"} ~!";
        char out[128];

        (void)state;
        assert_int_equal(escape_text(TEXT(text), out, sizeof(out)), sizeof(text) - 1);
        assert_string_equal(out, text);
}

static void test_what_cannot_says_what_it_was(void **state) {
        static const struct {
                Text text;
                const char *out;
        } cases[] = {
                { TEXT("a\nb\rc\td"), "a\\nb\\rc\\td" },
                { TEXT("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f" },
                { TEXT("a\0b"), "a\\x00b" },
                { TEXT("C:\\x1b"), "C:\\\\x1b" },            /* no escape of ours */
                { TEXT("\xff\xc3("), "\\xff\\xc3(" },        /* not UTF-8 */
                { TEXT("\xe6\x9d"), "\\xe6\\x9d" },          /* cut */
                { TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80" }, /* a surrogate */
                { TEXT("\xc2\x9b"
                       "31m"),
                  "\\u009b31m" }, /* CSI in one character */
                { TEXT("a\xe2\x80\xae"
                       "b\xef\xbb\xbf"),
                  "a\\u202eb\\ufeff" },
                { TEXT("\xc2\xa0\xe2\x80\xaf\xe3\x80\x80"),
                  "\\u00a0\\u202f\\u3000" }, /* no space */
                { TEXT(""), "" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                char out[64];

                assert_int_equal(escape_text(cases[i].text, out, sizeof(out)),
                                 strlen(cases[i].out));
                assert_string_equal(out, cases[i].out);
        }
}

static void test_no_character_is_cut(void **state) {
        static const char *const fits[] = { "", "", "", "é", "é", "é", "é", "é\\x1b", "é\\x1b" };

        (void)state;
        for (size_t size = 1; size < N_ELEMENTS(fits); ++size) {
                char out[16];

                memset(out, '#', sizeof(out));
                assert_int_equal(escape_text(TEXT("é\x1b"), out, size), strlen(fits[size]));
                assert_string_equal(out, fits[size]);
                assert_int_equal(out[size], '#');
        }
}

/* Whatever the bytes are: nothing that comes out is a control character, and it ends. */
static void test_all_bytes_come_out_harmless(void **state) {
        char all[512], out[sizeof(all) * ESCAPE_MAX];
        size_t n;

        (void)state;
        for (size_t i = 0; i < sizeof(all); ++i)
                all[i] = (char)(i < 256 ? i : (i * 167) >> 1);
        n = escape_text((Text){ .data = all, .n = sizeof(all) }, out, sizeof(out));
        assert_true(n >= sizeof(all));
        for (size_t i = 0; i < n; ++i)
                assert_true((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_can_be_read_stands_as_it_is),
                cmocka_unit_test(test_what_cannot_says_what_it_was),
                cmocka_unit_test(test_no_character_is_cut),
                cmocka_unit_test(test_all_bytes_come_out_harmless),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
