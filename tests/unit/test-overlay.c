/* Overlay: what changed is laid over what was known, member by member, and takes nothing away. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/store/overlay.h"

static void assert_laid(const char *known, const char *change, const char *whole) {
        CLEANUP(arena_free) Arena *arena = NULL;
        CLEANUP_BUF Buf buf = { 0 };

        assert_int_equal(arena_new(&arena, 256), 0);
        assert_int_equal(overlay(&buf, arena, text_of(known), text_of(change)), 0);
        assert_string_equal(buf_text(&buf).data, whole);
}

static void test_what_is_not_said_stays(void **state) {
        (void)state;
        assert_laid("{\"a\":1,\"b\":2}", "{\"b\":3}", "{\"a\":1,\"b\":3}");
        assert_laid("{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}");
        assert_laid("{\"a\":1}", "{}", "{\"a\":1}");
        assert_laid("{}", "{\"a\":1}", "{\"a\":1}");
        assert_laid("{}", "{}", "{}");
}

static void test_objects_are_laid_over_at_every_level(void **state) {
        (void)state;
        assert_laid("{\"params\":{\"switch:0\":{\"id\":0,\"output\":true,\"apower\":8.9}}}",
                    "{\"params\":{\"switch:0\":{\"id\":0,\"apower\":0.0},\"switch:1\":{\"id\":1}}}",
                    "{\"params\":{\"switch:0\":{\"id\":0,\"output\":true,\"apower\":0.0},"
                    "\"switch:1\":{\"id\":1}}}");
}

static void test_all_else_is_replaced(void **state) {
        (void)state;
        assert_laid("{\"a\":[1,2,3]}", "{\"a\":[4]}", "{\"a\":[4]}");
        assert_laid("{\"a\":{\"b\":1}}", "{\"a\":2}", "{\"a\":2}");
        assert_laid("{\"a\":2}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
        assert_laid("{\"a\":1}", "[1]", "[1]");
        assert_laid("[1]", "{\"a\":1}", "{\"a\":1}");
}

static void test_null_is_a_value(void **state) {
        (void)state;
        assert_laid("{\"tC\":19.8}", "{\"tC\":null}", "{\"tC\":null}");
        assert_laid("{\"tC\":null}", "{\"tF\":1}", "{\"tC\":null,\"tF\":1}");
}

static void test_bytes_stay_as_they_came(void **state) {
        (void)state;
        assert_laid("{ \"a\" : 1.50, \"b\":[ 1 , 2 ] }",
                    "{\"c\":89490200001234567890}",
                    "{\"a\":1.50,\"b\":[ 1 , 2 ],\"c\":89490200001234567890}");
}

static void test_a_name_is_its_characters_and_its_last_value(void **state) {
        (void)state;
        assert_laid("{\"ab\":1}", "{\"a\\u0062\":2}", "{\"ab\":2}");
        assert_laid("{\"a\":1,\"a\":2}", "{\"b\":3,\"b\":4}", "{\"a\":2,\"b\":4}");
        assert_laid("{\"\":1}", "{\"\":2}", "{\"\":2}");
}

static void test_what_cannot_be_read_is_not_there(void **state) {
        (void)state;
        assert_laid("{", "{\"a\":1}", "{\"a\":1}");
        assert_laid("", "{\"a\":1}", "{\"a\":1}");
        assert_laid("{\"a\":1}", "nonsense", "{\"a\":1}");
        assert_laid("", "", "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_not_said_stays),
                cmocka_unit_test(test_objects_are_laid_over_at_every_level),
                cmocka_unit_test(test_all_else_is_replaced),
                cmocka_unit_test(test_null_is_a_value),
                cmocka_unit_test(test_bytes_stay_as_they_came),
                cmocka_unit_test(test_a_name_is_its_characters_and_its_last_value),
                cmocka_unit_test(test_what_cannot_be_read_is_not_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
