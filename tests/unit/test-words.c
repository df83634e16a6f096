/* Words: what two payloads are, as a line of a map. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/discover/words.h"

static void assert_line(Text yes, Text no, const char *wanted) {
        CLEANUP_BUF Buf line = { 0 };
        const Words words = { .yes = "true", .no = "false", .for_yes = yes, .for_no = no };
        const char *why = words_put(&line, &words);

        if (wanted) {
                assert_null(why);
                assert_true(text_equal(buf_text(&line), text_of(wanted)));
        } else {
                assert_non_null(why);
                assert_int_equal(line.n, 0);
        }
}

static void test_two_words_are_an_operation(void **state) {
        (void)state;
        assert_line(TEXT("ON"), TEXT("OFF"), " | word true=ON false=OFF");
        assert_line(TEXT("an"), TEXT("gerade aus"), " | word true=an \"false=gerade aus\"");
}

static void test_what_a_map_cannot_tell_apart_is_none(void **state) {
        static const char longest[] =
                "0123456789012345678901234567890123456789012345678901234567890123+";

        (void)state;
        assert_line(TEXT("x"), TEXT("x"), NULL);
        assert_line(TEXT("x"), TEXT(""), NULL);
        assert_line(TEXT("a|b"), TEXT("y"), NULL);
        assert_line(TEXT("it's"), TEXT("y"), NULL);
        assert_line(TEXT("y"), TEXT("a,b"), NULL);
        assert_line(TEXT("y"), TEXT("\"b\""), NULL);
        assert_line(TEXT("y"), TEXT("a\nb"), NULL);
        assert_line((Text){ .data = longest, .n = 65 }, TEXT("y"), NULL);
        assert_line((Text){ .data = longest, .n = 10 },
                    (Text){ .data = longest, .n = 64 },
                    " | word true=0123456789 "
                    "false=0123456789012345678901234567890123456789012345678901234567890123");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_two_words_are_an_operation),
                cmocka_unit_test(test_what_a_map_cannot_tell_apart_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
