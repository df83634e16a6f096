/* Name: what could be taken for an id, and what is UTF-8. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/name.h"

static void test_what_could_be_a_number_is_no_name(void **state) {
        static const char *const numbers[] = {
                "1",        "007",          "+1",           "-1",         " 1",     "1 ",
                "1 2",      "1\t",          "+ 1",          "id:5",       "ID:5",   "id:",
                "id:x",     "\uff11",       "\u0661\u0662", "\u0967",     "\u00b2", "1\u200b",
                "\u22121",  "\ufeff1",      "\u20031",      "\U0001d7d9", "\u24ea", "366961220",
                "1\u00a02", "\u2460\u2461",
        };
        static const char *const names[] = {
                "a1",  "1a",  "0x10", "1e5",    "dev-1", "10-2",         "192.168.1.20",
                "1.0", "1_0", "id",   "idea",   "id-5",  "\u4e00\u4e8c", "IV",
                "-",   "+",   "",     "\u200b", "aid:5", "a id:5",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(numbers); ++i)
                if (!name_is_number(text_of(numbers[i])))
                        fail_msg("'%s' was taken for a name", numbers[i]);
        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                if (name_is_number(text_of(names[i])))
                        fail_msg("'%s' was taken for a number", names[i]);
        assert_false(name_is_number(TEXT("1\xff")));
}

static void test_one_rule_says_what_is_new_may_be_called(void **state) {
        static const char *const names[] = { "a",        "attic/lamp", "living room",
                                             "A/7/23",   "caf\u00e9",  "lamp \u2764\ufe0f",
                                             "a\u200bb", "10-2" };
        static const struct {
                const char *name, *why;
        } others[] = {
                { "", "is empty" },
                { "17", "could be taken for an id" },
                { "id:5", "could be taken for an id" },
                { "1\u200b", "could be taken for an id" },
                { "lamp ", "begins or ends with a space, or with what nobody sees" },
                { " lamp", "begins or ends with a space, or with what nobody sees" },
                { "lamp\u200b", "begins or ends with a space, or with what nobody sees" },
                { "\ufefflamp", "begins or ends with a space, or with what nobody sees" },
                { "\u200b", "begins or ends with a space, or with what nobody sees" },
                { "a+b", "has + or #" },
                { "a/#", "has + or #" },
                { "a\tb", "has characters that no topic may have" },
                { "a\xff", "is not UTF-8" },
        };
        char longest[NAME_LONGEST + 2];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                assert_null(name_refusal(text_of(names[i])));
        for (size_t i = 0; i < N_ELEMENTS(others); ++i) {
                assert_string_equal(name_refusal(text_of(others[i].name)), others[i].why);
                assert_non_null(name_user_refusal(text_of(others[i].name)));
        }
        memset(longest, 'a', sizeof(longest));
        assert_null(name_refusal((Text){ longest, NAME_LONGEST }));
        assert_string_equal(name_refusal((Text){ longest, NAME_LONGEST + 1 }),
                            "is longer than 128 bytes");
        assert_null(name_user_refusal(TEXT("ana")));
        assert_string_equal(name_user_refusal(TEXT("a b")), "has a space or /");
        assert_string_equal(name_user_refusal(TEXT("a/b")), "has a space or /");
}

static void test_utf8_is_told_from_what_only_looks_like_it(void **state) {
        static const Text good[] = {
                { "", 0 },
                { "a", 1 },
                { "\xc3\xa9", 2 },
                { "\xe2\x82\xac", 3 },
                { "\xf0\x9f\x9a\x80", 4 },
                { "\xf4\x8f\xbf\xbf", 4 },
        };
        static const Text bad[] = {
                { "\xff", 1 },
                { "\xc3", 1 },
                { "a\xc3(", 3 },
                { "\xc0\x80", 2 },
                { "\xc1\xbf", 2 },
                { "\xe0\x80\x80", 3 },
                { "\xed\xa0\x80", 3 },
                { "\xed\xbf\xbf", 3 },
                { "\xf0\x80\x80\x80", 4 },
                { "\xf4\x90\x80\x80", 4 },
                { "\xf8\x88\x80\x80\x80", 5 },
                { "\x80", 1 },
                { "a\0b", 3 },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(good); ++i)
                assert_true(name_is_utf8(good[i]));
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_false(name_is_utf8(bad[i]));
}

static void test_ids_are_said_or_spelt(void **state) {
        (void)state;
        assert_int_equal(name_said_id(TEXT("id:5")), 5);
        assert_int_equal(name_said_id(TEXT("5")), 0);
        assert_int_equal(name_said_id(TEXT("id:05")), 0);
        assert_int_equal(name_said_id(TEXT("id:")), 0);
        assert_int_equal(name_said_id(TEXT("ID:5")), 0);
        assert_int_equal(name_said_id((Text){ 0 }), 0);
        assert_int_equal(name_spelt_id(TEXT("5")), 5);
        assert_int_equal(name_spelt_id(TEXT("+5")), 0);
        assert_int_equal(name_spelt_id(TEXT("1234567890123456789")), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_could_be_a_number_is_no_name),
                cmocka_unit_test(test_one_rule_says_what_is_new_may_be_called),
                cmocka_unit_test(test_utf8_is_told_from_what_only_looks_like_it),
                cmocka_unit_test(test_ids_are_said_or_spelt),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
