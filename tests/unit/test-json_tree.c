/* JsonTree: the form is judged strictly, a value costs itself, and every digit stays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/json_scan.h"
#include "gateway/decode/json_tree.h"

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        JsonTree tree;
        Buf out;
};

static int fixture_init(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(arena_new(&f->arena, 256), 0);
        *state = f;
        return 0;
}

static int fixture_done(void **state) {
        Fixture *f = *state;

        json_tree_done(&f->tree);
        buf_done(&f->out);
        arena_free(f->arena);
        free(f);
        return 0;
}

static const JsonNode *read_good(Fixture *f, Text text) {
        JsonFault fault;
        int r = json_tree_read(&f->tree, text, &fault);

        if (r != 0)
                fail_msg("%.*s: %s at %zu",
                         (int)text.n,
                         text.data,
                         reason_name(fault.reason),
                         fault.at);
        return f->tree.nodes;
}

/* The member or element that has to be there. */
static const JsonNode *there(const JsonNode *node) {
        if (!node) {
                fail_msg("it is not there");
                abort();
        }
        return node;
}

static void check_refused(Fixture *f, Text text, Reason reason, size_t at) {
        JsonFault fault;

        if (json_tree_read(&f->tree, text, &fault) != (int)reason)
                fail_msg("%.*s: %s", (int)text.n, text.data, reason_name(fault.reason));
        assert_int_equal(fault.reason, reason);
        assert_int_equal(fault.at, at);
}

static void check_written(Fixture *f, Text text, const char *expected) {
        buf_reset(&f->out);
        json_write(&f->out, &f->tree, read_good(f, text));
        if (!text_equal(buf_text(&f->out), text_of(expected)))
                fail_msg("%s is not %s", f->out.data, expected);
        assert_int_equal(json_check(buf_text(&f->out)), REASON_NONE);
}

static void check_content(Fixture *f, Text text, Text expected) {
        const JsonNode *node = read_good(f, text);
        Text content;

        assert_int_equal(node->type, JSON_STRING);
        assert_int_equal(json_content(&f->tree, node, f->arena, &content), 0);
        assert_int_equal(content.n, expected.n);
        assert_memory_equal(content.data, expected.data, expected.n);
}

static void test_members_and_elements_are_found(void **state) {
        Fixture *f = *state;
        const JsonNode *root = read_good(f, TEXT(" {\"a\":[1,{\"b\":\"x\"},[]],\"c\":null}\n"));
        const JsonNode *array = json_member(&f->tree, root, TEXT("a"));

        assert_int_equal(array->type, JSON_ARRAY);
        assert_int_equal(array->n, 3);
        assert_true(text_equal(json_text(&f->tree, array), TEXT("[1,{\"b\":\"x\"},[]]")));
        assert_true(text_equal(json_text(&f->tree, json_element(array, 0)), TEXT("1")));
        assert_true(json_is(&f->tree,
                            json_member(&f->tree, json_element(array, 1), TEXT("b")),
                            TEXT("x")));
        assert_int_equal(there(json_element(array, 2))->n, 0);
        assert_null(json_element(array, 3));
        assert_int_equal(there(json_member(&f->tree, root, TEXT("c")))->type, JSON_NULL);
        assert_null(json_member(&f->tree, root, TEXT("d")));
        assert_null(json_member(&f->tree, array, TEXT("a")));
        assert_null(json_member(&f->tree, NULL, TEXT("a")));
}

static void test_the_last_of_two_members_counts(void **state) {
        Fixture *f = *state;
        const JsonNode *root = read_good(f, TEXT("{\"v\":1,\"\\u0076\":{\"w\":[]},\"w\":3}"));

        assert_int_equal(there(json_member(&f->tree, root, TEXT("v")))->type, JSON_OBJECT);
        assert_true(
                text_equal(json_text(&f->tree, json_member(&f->tree, root, TEXT("w"))), TEXT("3")));
}

static void test_what_is_no_json_is_refused_where_it_goes_wrong(void **state) {
        check_refused(*state, TEXT(""), REASON_BAD_JSON, 0);
        check_refused(*state, TEXT("{\"v\":1,}"), REASON_BAD_JSON, 7);
        check_refused(*state, TEXT("{\"v\":1 /* x */}"), REASON_BAD_JSON, 7);
        check_refused(*state, TEXT("{'v':1}"), REASON_BAD_JSON, 1);
        check_refused(*state, TEXT("{\"a\":1,\"b\":{\"c\":"), REASON_BAD_JSON, 16);
        check_refused(*state, TEXT("{\"a\":True}"), REASON_BAD_JSON, 5);
        check_refused(*state, TEXT("[01]"), REASON_BAD_JSON, 1);
        check_refused(*state, TEXT("[1 2]"), REASON_BAD_JSON, 3);
        check_refused(*state, TEXT("1 2"), REASON_BAD_JSON, 2);
        check_refused(*state, TEXT("[\"\\x\"]"), REASON_BAD_JSON, 3);
        check_refused(*state, TEXT("\xff\xfe{\0"), REASON_BAD_UTF8, 0);
        check_refused(*state, TEXT("{\"a\"\0:1}"), REASON_NUL_CHARACTER, 4);
        check_refused(*state, TEXT("{\"a\":\xc2\xb0}"), REASON_BAD_JSON, 5);
}

static void test_a_value_that_is_odd_costs_itself(void **state) {
        check_written(*state, TEXT("{\"t\":nan,\"h\":40}"), "{\"t\":null,\"h\":40}");
        check_written(*state,
                      TEXT("[NaN,-Infinity,inf,-nan,1e400,null]"),
                      "[null,null,null,null,null,null]");
        check_written(*state,
                      TEXT("[1.#QNAN,-1.#IND,1.#INF00,nan(ind),-nan(snan)]"),
                      "[null,null,null,null,null]");
        check_refused(*state, TEXT("[nan(ind]"), REASON_BAD_JSON, 4);
        check_written(*state,
                      TEXT("{\"unit\":\"\xb0"
                           "C\"}"),
                      "{\"unit\":\"\xef\xbf\xbd"
                      "C\"}");
        check_written(*state, TEXT("[\"\\ud83dx\"]"), "[\"\xef\xbf\xbdx\"]");
        check_written(*state, TEXT("{\"n\":\"ab\\u0000\\u0000\"}"), "{\"n\":\"ab\"}");
        check_written(*state, TEXT("[\"a\tb\n\"]"), "[\"a\\u0009b\\u000a\"]");
        check_written(*state,
                      TEXT("[\"a\0b\\n\\\"\"]"),
                      "[\"a\xef\xbf\xbd"
                      "b\\u000a\\u0022\"]");
        check_written(*state, TEXT("{\"\xff\":1}"), "{\"\xef\xbf\xbd\":1}");
}

static void test_what_is_not_odd_stays_byte_for_byte(void **state) {
        check_written(*state,
                      TEXT("{\"v\" : -0 , \"w\":[1.50, 1E5]}"),
                      "{\"v\" : -0 , \"w\":[1.50, 1E5]}");
        check_written(*state, TEXT("\"a\\u00e9\\/\""), "\"a\\u00e9\\/\"");
}

static void test_every_digit_of_a_number_stays(void **state) {
        Fixture *f = *state;
        const JsonNode *root = read_good(f, TEXT("{\"iccid\":89490200001234567890}"));

        assert_false(root->has_odd);
        assert_true(text_equal(json_text(&f->tree, json_member(&f->tree, root, TEXT("iccid"))),
                               TEXT("89490200001234567890")));
}

static void test_what_is_odd_says_why_and_marks_those_around_it(void **state) {
        Fixture *f = *state;
        const JsonNode *root = read_good(f, TEXT("[[1],[1e999],\"\xff\",\"\\u0000\"]"));

        assert_true(root->has_odd);
        assert_int_equal(root->odd, REASON_NONE);
        assert_false(there(json_element(root, 0))->has_odd);
        assert_true(there(json_element(root, 1))->has_odd);
        assert_int_equal(there(json_element(json_element(root, 1), 0))->odd, REASON_OUT_OF_RANGE);
        assert_int_equal(there(json_element(root, 2))->odd, REASON_BAD_UTF8);
        assert_int_equal(there(json_element(root, 3))->odd, REASON_NUL_CHARACTER);
}

static void test_strings_are_read_as_they_mean(void **state) {
        check_content(*state, TEXT("\"plain text\""), TEXT("plain text"));
        check_content(*state,
                      TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude80\""),
                      TEXT("\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80"));
        check_content(*state,
                      TEXT("\"a\\u0000b\\u0000\""),
                      TEXT("a\xef\xbf\xbd"
                           "b"));
        check_content(*state, TEXT("\"\\u0000\\u0000\""), TEXT(""));
        check_content(*state, TEXT("\"\\udc00\xe9\""), TEXT("\xef\xbf\xbd\xef\xbf\xbd"));
}

static void test_a_name_is_compared_as_it_means(void **state) {
        Fixture *f = *state;

        assert_true(json_is(&f->tree, read_good(f, TEXT("\"\\u0061b\"")), TEXT("ab")));
        assert_false(json_is(&f->tree, read_good(f, TEXT("\"\\u0061b\"")), TEXT("abc")));
        assert_false(json_is(&f->tree, read_good(f, TEXT("\"\\u0061b\"")), TEXT("a")));
        assert_false(json_is(&f->tree, read_good(f, TEXT("1")), TEXT("1")));
}

/* @n brackets around one number. */
static Text nested(Fixture *f, size_t n) {
        buf_reset(&f->out);
        for (size_t i = 0; i < n; ++i)
                buf_append_char(&f->out, '[');
        buf_append_char(&f->out, '1');
        for (size_t i = 0; i < n; ++i)
                buf_append_char(&f->out, ']');
        assert_false(buf_failed(&f->out));
        return buf_text(&f->out);
}

static void test_what_is_too_deep_costs_itself_up_to_a_limit(void **state) {
        Fixture *f = *state;
        CLEANUP_BUF Buf written = { 0 };
        JsonFault fault;

        assert_false(read_good(f, nested(f, JSON_MAX_DEPTH))->has_odd);
        assert_true(read_good(f, nested(f, JSON_MAX_DEPTH + 1))->has_odd);
        json_write(&written, &f->tree, json_root(&f->tree));
        assert_int_equal(json_check(buf_text(&written)), REASON_NONE);
        assert_int_equal(f->tree.n, JSON_MAX_DEPTH + 1);
        assert_true(read_good(f, nested(f, JSON_MAX_LEVELS))->has_odd);
        assert_int_equal(json_tree_read(&f->tree, nested(f, JSON_MAX_LEVELS + 1), &fault),
                         REASON_TOO_DEEP);
        assert_int_equal(fault.at, JSON_MAX_LEVELS);
}

/* What a scan takes off the front of @text. */
static Text taken(Text text, bool (*scan)(JsonCursor *, JsonToken *), JsonToken *ret_token) {
        JsonCursor cursor = { .at = text.data, .end = text.data + text.n };

        if (!scan(&cursor, ret_token))
                return (Text){ 0 };
        return (Text){ .data = text.data, .n = (size_t)(cursor.at - text.data) };
}

static void test_a_token_ends_where_it_ends(void **state) {
        JsonToken token;

        (void)state;
        assert_int_equal(taken(TEXT("12.5e-3,"), json_scan_number, &token).n, 7);
        assert_int_equal(taken(TEXT("-0]"), json_scan_number, &token).n, 2);
        assert_null(taken(TEXT("-"), json_scan_number, &token).data);
        assert_null(taken(TEXT("1.e5"), json_scan_number, &token).data);
        assert_int_equal(taken(TEXT("1e309 "), json_scan_number, &token).n, 5);
        assert_int_equal(token.odd, REASON_OUT_OF_RANGE);
        assert_int_equal(taken(TEXT("\"a\\\"b\" "), json_scan_string, &token).n, 6);
        assert_true(token.is_escaped);
        assert_null(taken(TEXT("\"eight and more"), json_scan_string, &token).data);
}

static void test_no_number_is_told_from_words_that_begin_like_one(void **state) {
        static const Text words[] = { TEXT("nan"), TEXT("-NaN"), TEXT("+inf"), TEXT("Infinity") };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(words); ++i) {
                JsonCursor cursor = { .at = words[i].data, .end = words[i].data + words[i].n };

                assert_true(json_scan_no_number(&cursor));
                assert_true(cursor.at == cursor.end);
                cursor = (JsonCursor){ .at = words[i].data, .end = cursor.end - 1 };
                if (json_scan_no_number(&cursor))
                        assert_true(cursor.at < cursor.end); /* "inf", and "init" behind it */
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_token_ends_where_it_ends),
                cmocka_unit_test(test_no_number_is_told_from_words_that_begin_like_one),
                cmocka_unit_test_setup_teardown(test_members_and_elements_are_found,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_the_last_of_two_members_counts,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_what_is_no_json_is_refused_where_it_goes_wrong,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_a_value_that_is_odd_costs_itself,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_what_is_not_odd_stays_byte_for_byte,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_every_digit_of_a_number_stays,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_what_is_odd_says_why_and_marks_those_around_it,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_strings_are_read_as_they_mean,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_a_name_is_compared_as_it_means,
                                                fixture_init,
                                                fixture_done),
                cmocka_unit_test_setup_teardown(test_what_is_too_deep_costs_itself_up_to_a_limit,
                                                fixture_init,
                                                fixture_done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
