/* Condition: which payloads a route is for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/decode/condition.h"

static bool holds(const char *text, const char *payload) {
        CLEANUP(condition_free) Condition *condition = NULL;
        JsonTree tree = { 0 };
        const char *why;
        JsonFault fault;
        bool is_so;

        assert_int_equal(condition_new(&condition, text, &why), 0);
        assert_string_equal(condition_text(condition), text);
        assert_int_equal(json_tree_read(&tree, text_of(payload), &fault), 0);
        is_so = condition_holds(condition, &tree);
        json_tree_done(&tree);
        return is_so;
}

static void test_a_value_is_compared_as_it_is_written(void **state) {
        (void)state;
        assert_true(holds("/_type = location", "{\"_type\":\"location\"}"));
        assert_true(holds("/t = lwt, location", "{\"t\":\"location\"}"));
        assert_false(holds("/t = lwt, location", "{\"t\":\"waypoint\"}"));
        assert_false(holds("/t = location", "{}"));
        assert_true(holds("/n = 1.50", "{\"n\":1.50}"));
        assert_false(holds("/n = 1.5", "{\"n\":1.50}"));
        assert_true(holds("/b = true", "{\"b\":true}"));
        assert_true(holds("/b = null", "{\"b\":null}"));
        assert_true(holds("/ = 21.5", "21.5"));
        assert_true(holds("/t = 'lwt', \"location\"", "{\"t\":\"location\"}"));
        assert_true(holds("/t = ''", "{\"t\":\"\"}"));
        assert_true(holds("/Battery Level and /a or b = 1", "{\"Battery Level\":1,\"a or b\":1}"));
        assert_true(holds("/a/1 = x", "{\"a\":[0,\"x\"]}"));
        assert_false(holds("/a/01 = x", "{\"a\":[0,\"x\"]}")); /* RFC 6901: no index */
        assert_true(holds("/a/01 = x", "{\"a\":{\"01\":\"x\"}}"));
        assert_true(holds("/a/0 = x", "{\"a\":[\"x\"]}"));
}

static void test_what_is_in_quotes_is_one_value(void **state) {
        (void)state;
        assert_true(holds("/t = 'a, b', c", "{\"t\":\"a, b\"}"));
        assert_false(holds("/t = 'a, b', c", "{\"t\":\"a\"}"));
        assert_true(holds("/t = 'x and /y' and /z", "{\"t\":\"x and /y\",\"z\":1}"));
        assert_true(holds("/t = ' > '", "{\"t\":\" > \"}"));
        assert_true(holds("/t = 5\"", "{\"t\":\"5\\\"\"}"));
        assert_true(holds("/t = \"it's\"", "{\"t\":\"it's\"}"));
}

static void test_another_value_or_none_is_not_that(void **state) {
        (void)state;
        assert_true(holds("/t != a", "{\"t\":\"b\"}"));
        assert_true(holds("/t != a", "{}"));
        assert_false(holds("/t != a, b", "{\"t\":\"b\"}"));
}

static void test_something_is_there_or_is_not(void **state) {
        (void)state;
        assert_true(holds("/lat", "{\"lat\":0}"));
        assert_false(holds("/lat", "{\"lat\":null}"));
        assert_false(holds("/lat", "[]"));
        assert_true(holds("! /test", "{}"));
        assert_false(holds("!/test", "{\"test\":false}"));
}

static void test_it_is_of_a_type(void **state) {
        (void)state;
        assert_true(holds("/ is object", "{}"));
        assert_true(holds("/ is object", "{\"action\":null}"));
        assert_false(holds("/ is object", "[]"));
        assert_false(holds("/ is object", "254"));
        assert_true(holds("/a is array", "{\"a\":[]}"));
        assert_true(holds("/a is text,number", "{\"a\":\"\"}"));
        assert_true(holds("/a is text , number", "{\"a\":-1.5}"));
        assert_false(holds("/a is text, number", "{\"a\":true}"));
        assert_true(holds("/a is bool", "{\"a\":true}"));
        assert_true(holds("/a is bool", "{\"a\":false}"));
        assert_false(holds("/a is bool", "{\"a\":null}"));
        assert_false(holds("/a is object", "[]")); /* there is none */
        assert_true(holds("! / is object", "[]"));
        assert_true(holds("! / is object", "null"));
        assert_false(holds("! / is object", "{}"));
        assert_false(holds("!/a is number, text", "{\"a\":1}"));
        assert_true(holds("!/a is number, text", "{\"b\":1}"));
        assert_true(holds("! / is array and /a", "{\"a\":1}"));
        assert_true(holds("/b and / is object and /a is number", "{\"a\":1,\"b\":2}"));
        assert_true(holds("/this is a name", "{\"this is a name\":1}"));
        assert_true(holds("/what is text is number", "{\"what is text is number\":1}"));
}

static void test_all_parts_have_to_hold(void **state) {
        (void)state;
        assert_true(holds("/a = 1 and /b and ! /c", "{\"a\":1,\"b\":2}"));
        assert_false(holds("/a = 1 and /b and ! /c", "{\"a\":1,\"b\":2,\"c\":3}"));
        assert_false(holds("/a = 1 and /b", "{\"a\":1}"));
}

static void test_what_is_no_condition_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "a = b",
                "= b",
                "/a/~9",
                "! a",
                "! a is object",
                "/a and ",
                "/a and and /b",
                "/a == 1",
                "/a = b or /c = d",
                "/a = b || c",
                "/a && /b",
                "/a > 1",
                "/a <= 1",
                "/a = b and",
                "/a = 'b",
                "/a = 'b, c",
                "/a = 'b'c",
                "/a =",
                "/a = b,",
                "/a = b, c, b",
                "/1 and /2 and /3 and /4 and /5 and /6 and /7 and /8 and /9"
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i) {
                Condition *condition = NULL;
                const char *why = NULL;

                assert_int_equal(condition_new(&condition, texts[i], &why), CONDITION_E_INVALID);
                assert_non_null(why);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_value_is_compared_as_it_is_written),
                cmocka_unit_test(test_what_is_in_quotes_is_one_value),
                cmocka_unit_test(test_another_value_or_none_is_not_that),
                cmocka_unit_test(test_something_is_there_or_is_not),
                cmocka_unit_test(test_it_is_of_a_type),
                cmocka_unit_test(test_all_parts_have_to_hold),
                cmocka_unit_test(test_what_is_no_condition_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
