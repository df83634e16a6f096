/* Cursor: of one journal as it always was, of several as one word, and nothing else is one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ws/wire/cursor.h"

static void test_of_one_journal_it_is_epoch_and_number(void **state) {
        char text[CURSOR_TEXT_SIZE];
        Cursor cursor;

        (void)state;
        assert_int_equal(cursor_parse(TEXT("0123456789abcdef:1795000000000001"), &cursor), 0);
        assert_int_equal(cursor.n, 1);
        assert_string_equal(cursor.parts[0].epoch, "0123456789abcdef");
        assert_int_equal(cursor.parts[0].seq, 1795000000000001);
        assert_string_equal(cursor_text(&cursor, text), "0123456789abcdef:1795000000000001");
        assert_int_equal(cursor_parse(TEXT("0123456789abcdef:0"), &cursor), 0);
        assert_int_equal(cursor.parts[0].seq, 0);
}

static Cursor of_several(size_t n) {
        Cursor cursor = { .n = n };

        for (size_t i = 0; i < n; ++i) {
                snprintf(cursor.parts[i].epoch, CURSOR_EPOCH_SIZE, "fedcba98765432%02zx", i & 0xff);
                cursor.parts[i].seq = 1795000000000001 + i * i * 1000003;
        }
        return cursor;
}

/* These are in clients' hands: another form is to have another first byte. */
static void test_of_several_it_is_one_word(void **state) {
        char text[CURSOR_TEXT_SIZE];
        Cursor cursor, again;

        (void)state;
        for (size_t n = 2; n <= CURSOR_MAX; ++n) {
                cursor = of_several(n);
                cursor.parts[n - 1].seq = n % 2 ? 0 : UINT64_C(9999999999999999);
                (void)cursor_text(&cursor, text);
                assert_null(strpbrk(text, ":+/= "));
                assert_int_equal(cursor_parse(text_of(text), &again), 0);
                assert_int_equal(again.n, n);
                for (size_t i = 0; i < n; ++i) {
                        assert_string_equal(again.parts[i].epoch, cursor.parts[i].epoch);
                        assert_int_equal(again.parts[i].seq, cursor.parts[i].seq);
                }
        }
        cursor = of_several(2);
        assert_string_equal(cursor_text(&cursor, text), "AQL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4Q9");
}

static void test_the_longest_fits(void **state) {
        Cursor cursor = of_several(CURSOR_MAX);
        char text[CURSOR_TEXT_SIZE];

        (void)state;
        for (size_t i = 1; i < CURSOR_MAX; ++i)
                cursor.parts[i].seq = UINT64_C(9999999999999999);
        cursor.parts[0].seq = 0;
        assert_true(strlen(cursor_text(&cursor, text)) < CURSOR_TEXT_SIZE);
        assert_int_equal(cursor_parse(text_of(text), &cursor), 0);
}

static void test_nothing_else_is_one(void **state) {
        static const char *const bad[] = {
                "",
                ":",
                "0123456789abcdef:",
                "0123456789abcde:1",
                "0123456789ABCDEF:1",
                "0123456789abcdef:-1",
                "0123456789abcdef:1 ",
                "0123456789abcdef:12345678901234567",
                "AQL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4Q",    /* cut */
                "AQL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4Q9AA", /* something behind it */
                "AQL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4Q9=",
                "AgL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4Q9",   /* another form */
                "AQP-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4Q9",   /* of three */
                "AQH-3LqYdlQyAAAGYIuc-54BAA",                 /* of one, which is said otherwise */
                "AQL-3LqYdlQyAP7cuph2VDIAAAZgiwFfMAEAw4Q9",   /* one of them twice */
                "AQL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEBw4Q9",   /* none is the least */
                "AQL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4S9AA", /* a number that is said longer */
        };
        Cursor cursor;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                if (cursor_parse(text_of(bad[i]), &cursor) != CURSOR_E_UNREADABLE)
                        fail_msg("%s was read", bad[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_of_one_journal_it_is_epoch_and_number),
                cmocka_unit_test(test_of_several_it_is_one_word),
                cmocka_unit_test(test_the_longest_fits),
                cmocka_unit_test(test_nothing_else_is_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
