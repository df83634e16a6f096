/* Format: bytes that are no JSON, as JSON; and JsonPath: where in it something is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/decode/format.h"
#include "gateway/decode/json_path.h"

static void check_read(const char *name, Text payload, const char *expected) {
        CLEANUP(arena_free) Arena *arena = NULL;
        char said[FORMAT_NAME_SIZE];
        const char *why;
        Format format;
        Text json;

        assert_int_equal(arena_new(&arena, 256), 0);
        assert_true(format_from_name(text_of(name), &format));
        assert_string_equal(format_name(format, said), name);
        assert_int_equal(format_read(format, arena, payload, &json, &why), 0);
        if (!text_equal(json, text_of(expected)))
                fail_msg("%s: %.*s", name, (int)json.n, json.data);
}

static void check_refused(const char *name, Text payload, Reason reason) {
        CLEANUP(arena_free) Arena *arena = NULL;
        const char *why = NULL;
        Format format;
        Text json;

        assert_int_equal(arena_new(&arena, 256), 0);
        assert_true(format_from_name(text_of(name), &format));
        assert_int_equal(format_read(format, arena, payload, &json, &why), (int)reason);
        assert_non_null(why);
}

static void test_bare_values_become_json(void **state) {
        (void)state;
        check_read("json", TEXT("{\"a\":1}"), "{\"a\":1}");
        check_read("text", TEXT("a \"b\"\n"), "\"a \\\"b\\\"\\n\"");
        check_read("number", TEXT(" 21.50\r\n"), "21.50");
        check_read("number", TEXT("+007"), "7");
        check_read("bool", TEXT("ON"), "true");
        check_read("bool", TEXT(" no\n"), "false");
        check_refused("number", TEXT("21,5"), REASON_WRONG_TYPE);
        check_refused("number", TEXT(""), REASON_WRONG_TYPE);
        check_refused("bool", TEXT("maybe"), REASON_WRONG_TYPE);
        check_refused("text", TEXT("\xff"), REASON_BAD_UTF8);
}

static void test_fields_are_an_array(void **state) {
        (void)state;
        check_read("csv",
                   TEXT("1.50,abc,,\"7\",\"a \"\"b\"\", c\"\r\n"),
                   "[1.50,\"abc\",null,\"7\",\"a \\\"b\\\", c\"]");
        check_read("csv", TEXT("x"), "[\"x\"]");
        check_read("csv", TEXT(" a , 2 "), "[\"a\",2]");
        check_read("csv", TEXT("a,"), "[\"a\",null]");
        check_refused("csv", TEXT("\"a"), REASON_BAD_JSON);
        check_refused("csv", TEXT("\"a\"b"), REASON_BAD_JSON);
        check_refused("csv", TEXT("a\nb"), REASON_BAD_JSON);
}

static void test_what_is_no_number_may_be_text(void **state) {
        (void)state;
        check_read("number_or_text", TEXT(" +021.50\n"), "21.50");
        check_read("number_or_text", TEXT("online"), "\"online\"");
        check_read("number_or_text", TEXT("21.5 C\n"), "\"21.5 C\\n\"");
        check_read("number_or_text", TEXT("true"), "\"true\"");
        check_read("number_or_text", TEXT("nan"), "\"nan\"");
        check_read("base64+number_or_text", TEXT("MjEuNQ=="), "21.5");
        check_refused("number_or_text", TEXT("\xff"), REASON_BAD_UTF8);
}

static void test_base64_is_of_one_of_them(void **state) {
        (void)state;
        check_read("base64+json", TEXT("eyJhIjoxfQ=="), "{\"a\":1}");
        check_read("base64+json", TEXT("eyJhIjoxfQ"), "{\"a\":1}");
        check_read("base64+number", TEXT("MjEuNQ==\n"), "21.5");
        check_refused("base64+json", TEXT("*"), REASON_BAD_JSON);
        check_refused("base64+text", TEXT("=="), REASON_BAD_JSON); /* as no bytes at all */
        check_refused("base64+text", TEXT("/w=="), REASON_BAD_UTF8);
}

static void test_a_mark_and_nuls_within_base64_are_no_part_of_it(void **state) {
        (void)state;
        check_read("base64+json", TEXT("77u/eyJhIjoxfQAA"), "{\"a\":1}");
        check_read("base64+number", TEXT("MjEuNQA="), "21.5");
        check_read("base64+text", TEXT("77u/b24A"), "\"on\"");
        check_read("base64+bool", TEXT("b24ACg=="), "true");
        check_read("base64+csv", TEXT("77u/MSwyAA=="), "[1,2]");
        check_read("base64+text", TEXT("AAA="), "\"\"");
        check_read("base64+cbor", TEXT("GQEA"), "256");
        check_refused("base64+json", TEXT("AAA="), REASON_BAD_JSON);
        check_refused("base64+csv", TEXT("AAA="), REASON_BAD_JSON);
        check_refused("base64+text", TEXT("YQBi"), REASON_NUL_CHARACTER);
}

static void test_other_names_are_none(void **state) {
        static const char *const names[] = { "",       "xml",     "JSON",
                                             "base64", "base64+", "base64+base64+json" };
        Format format;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                assert_false(format_from_name(text_of(names[i]), &format));
}

static void check_found(const char *pointer, const char *json, const char *expected) {
        CLEANUP(json_path_free) JsonPath *path = NULL;
        JsonTree tree = { 0 };
        const JsonNode *node;
        JsonFault fault;

        assert_int_equal(json_path_new(&path, text_of(pointer)), 0);
        assert_string_equal(json_path_text(path), pointer);
        assert_int_equal(json_tree_read(&tree, text_of(json), &fault), 0);
        node = json_path_find(path, &tree, json_root(&tree));
        if (!expected)
                assert_null(node);
        else
                assert_true(node && text_equal(json_text(&tree, node), text_of(expected)));
        json_tree_done(&tree);
}

static void test_a_path_leads_to_a_value(void **state) {
        (void)state;
        check_found("/", "21.5", "21.5");
        check_found("/a/b", "{\"a\":{\"b\":1}}", "1");
        check_found("/a/1/c", "{\"a\":[0,{\"c\":2}]}", "2");
        check_found("/a~1b/~0", "{\"a/b\":{\"~\":3}}", "3");
        check_found("/0", "{\"0\":4}", "4");
        check_found("/a", "{\"a\":null}", "null");
        check_found("/a/b", "{\"a\":1}", NULL);
        check_found("/2", "[0,1]", NULL);
        check_found("/x", "[0,1]", NULL);
}

static void test_a_star_is_the_first_that_has_the_rest(void **state) {
        (void)state;
        check_found("/*/t", "{\"a\":1,\"b\":{\"u\":1},\"c\":{\"t\":2},\"d\":{\"t\":3}}", "2");
        check_found("/r/*/t", "{\"r\":[{\"u\":1},{\"t\":5}]}", "5");
        check_found("/*", "{\"a\":1,\"b\":2}", "1");
        check_found("/*/t", "{\"a\":1}", NULL);
        check_found("/*/t", "7", NULL);
}

static void test_what_is_no_path_is_refused(void **state) {
        static const char *const texts[] = { "", "a", "/a~", "/a~2", "/*/*" };
        JsonPath *path = NULL;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i)
                assert_int_equal(json_path_new(&path, text_of(texts[i])), JSON_PATH_E_INVALID);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bare_values_become_json),
                cmocka_unit_test(test_fields_are_an_array),
                cmocka_unit_test(test_what_is_no_number_may_be_text),
                cmocka_unit_test(test_base64_is_of_one_of_them),
                cmocka_unit_test(test_a_mark_and_nuls_within_base64_are_no_part_of_it),
                cmocka_unit_test(test_other_names_are_none),
                cmocka_unit_test(test_a_path_leads_to_a_value),
                cmocka_unit_test(test_a_star_is_the_first_that_has_the_rest),
                cmocka_unit_test(test_what_is_no_path_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
