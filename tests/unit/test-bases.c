/* Bases: what topics of a profile begin with, where a route says all, some or none of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/config/bases.h"

static void assert_becomes(const char *usual,
                           const char *said,
                           const char *text,
                           const char *expected) {
        CLEANUP_BASES Bases bases = { 0 };
        CLEANUP_BUF Buf out = { 0 };

        assert_int_equal(bases_read(&bases, usual, said), 0);
        assert_false(bases_lack(&bases, text));
        bases_fill(&bases, text, &out);
        assert_string_equal(buf_text(&out).data, expected);
}

static void assert_lacks(const char *usual, const char *said, const char *text) {
        CLEANUP_BASES Bases bases = { 0 };

        assert_int_equal(bases_read(&bases, usual, said), 0);
        assert_true(bases_lack(&bases, text));
}

static void test_one_base_is_what_a_route_says_or_that_of_the_profile(void **state) {
        (void)state;
        assert_becomes("house", NULL, "$base/{device}", "house/{device}");
        assert_becomes("house", "a/{user}", "x/$base/$base", "x/a/{user}/a/{user}");
        assert_becomes("", NULL, "$base{device}/rpc", "{device}/rpc");
        assert_becomes(NULL, "", "$base{device}", "{device}");
        assert_becomes("house", "a, b", "$base/c", "a, b/c");
        assert_becomes("house", "h", "$base2/c", "h2/c");
}

static void test_of_a_list_each_is_said_or_follows_from_the_first(void **state) {
        (void)state;
        assert_becomes("tele, stat", NULL, "$base/a $base2/b", "tele/a stat/b");
        assert_becomes("tele, stat", "home/tele", "$base/a $base2/b", "home/tele/a home/stat/b");
        assert_becomes("tele, stat", "a/{user}/tele", "$base2/b", "a/{user}/stat/b");
        assert_becomes("tele, stat", "t ,s/t", "$base/a $base2/b", "t/a s/t/b");
        assert_becomes("a/b, c, d", "x/a/b", "$base2 $base3 $base4", "x/c x/d x/a/b4");
}

static void test_what_does_not_follow_is_not_there(void **state) {
        (void)state;
        assert_lacks("tele, stat", "telemetry", "$base2/b");
        assert_lacks("tele, stat", "hometele", "$base2/b");
        assert_lacks("tele, stat", "tele/", "$base2/b");
        assert_lacks("tele, stat", "", "$base2/b");
        assert_becomes("tele, stat", "telemetry", "$base/a", "telemetry/a");
}

static void test_more_than_there_are_is_a_mistake(void **state) {
        Bases bases;

        (void)state;
        assert_int_equal(bases_read(&bases, "tele, stat", "a, b, c"), BASES_E_TOO_MANY);
        bases_done(&bases);
        assert_int_equal(bases_read(&bases, "a, b, c, d, e", NULL), BASES_E_TOO_MANY);
        bases_done(&bases);
        assert_int_equal(bases_read(&bases, "a,,,,", NULL), BASES_E_TOO_MANY);
        bases_done(&bases);
}

static void test_none_between_two_commas_is_a_mistake(void **state) {
        static const char *const lists[] = { ", s", "t,", "t, ", "," };
        Bases bases;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(lists); ++i) {
                assert_int_equal(bases_read(&bases, "tele, stat", lists[i]), BASES_E_MISSING);
                bases_done(&bases);
                assert_int_equal(bases_read(&bases, lists[i], NULL), BASES_E_MISSING);
                bases_done(&bases);
        }
        assert_becomes("tele, stat", "", "$base/a", "/a");
}

static void test_in_a_filter_a_name_is_a_level_of_any_name(void **state) {
        CLEANUP_BASES Bases bases = { 0 };
        CLEANUP_BUF Buf out = { 0 };

        (void)state;
        assert_int_equal(bases_read(&bases, "tele, stat", "{user}/tele"), 0);
        bases_fill_filters(&bases, "$base/+/x,$base2/#", &out);
        assert_string_equal(buf_text(&out).data, "+/tele/+/x, +/stat/#");
}

static void test_in_a_filter_a_name_of_a_rest_is_several_levels(void **state) {
        CLEANUP_BASES Bases bases = { 0 };
        CLEANUP_BUF Buf out = { 0 };

        (void)state;
        assert_int_equal(bases_read(&bases, "tele, stat", "{site...}/tele"), 0);
        bases_fill_filters(&bases, "$base/+/x, $base2/+/y", &out);
        assert_string_equal(buf_text(&out).data, "#/tele/+/x, #/stat/+/y");
}

static void test_a_filter_of_what_is_not_there_is_none(void **state) {
        CLEANUP_BASES Bases bases = { 0 };
        CLEANUP_BUF Buf out = { 0 };

        (void)state;
        assert_int_equal(bases_read(&bases, "tele, stat", "telemetry"), 0);
        bases_fill_filters(&bases, "$base2/+/x, $base/+/y, z/#, $base2/#", &out);
        assert_string_equal(buf_text(&out).data, "telemetry/+/y, z/#");
        buf_reset(&out);
        bases_fill_filters(&bases, "$base2/+/x", &out);
        assert_string_equal(buf_text(&out).data, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_base_is_what_a_route_says_or_that_of_the_profile),
                cmocka_unit_test(test_of_a_list_each_is_said_or_follows_from_the_first),
                cmocka_unit_test(test_what_does_not_follow_is_not_there),
                cmocka_unit_test(test_more_than_there_are_is_a_mistake),
                cmocka_unit_test(test_none_between_two_commas_is_a_mistake),
                cmocka_unit_test(test_in_a_filter_a_name_is_a_level_of_any_name),
                cmocka_unit_test(test_in_a_filter_a_name_of_a_rest_is_several_levels),
                cmocka_unit_test(test_a_filter_of_what_is_not_there_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
