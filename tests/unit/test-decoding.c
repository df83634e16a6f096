/* Decoder: what is odd in a message costs itself, is named once and in few bytes, and leaves what
 * was known as it was. (What each kind takes and refuses: test-decode.c.) */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/arena.h"
#include "gateway/decode/decoder.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/place.h"

static Arena *arena;
static Record record;
static Decoder decoder;

static size_t n_pointed; /* places that were looked for */

void __real_json_pointer(const JsonTree *tree, const JsonNode *node, char ret[], size_t size);
void __wrap_json_pointer(const JsonTree *tree, const JsonNode *node, char ret[], size_t size);
void __wrap_json_pointer(const JsonTree *tree, const JsonNode *node, char ret[], size_t size) {
        ++n_pointed;
        __real_json_pointer(tree, node, ret, size);
}

static int set_up(void **state) {
        (void)state;
        n_pointed = 0;
        return arena_new(&arena, 4096);
}

static int tear_down(void **state) {
        (void)state;
        decoder_done(&decoder);
        arena = arena_free(arena);
        return 0;
}

static void begin(Text payload) {
        decoder_done(&decoder);
        record = (Record){ .payload = payload };
        decoder = (Decoder){ .arena = arena, .record = &record, .body = payload };
}

static void parse(const char *payload) {
        begin(text_of(payload));
        assert_int_equal(decoder_parse(&decoder), 0);
}

static void assert_text(Text text, const char *expected) {
        if (!text_equal(text, text_of(expected)))
                fail_msg("'%.*s' is not '%s'", (int)text.n, text.data, expected);
}

static void assert_note(size_t i, const char *member, Reason reason) {
        assert_true(i < record.n_notes);
        assert_text(record.notes[i].member, member);
        assert_int_equal(record.notes[i].reason, reason);
        assert_non_null(record.notes[i].detail.data);
}

/* It can be stored and shown wherever text can. */
static void assert_is_fit_to_be_shown(Text text) {
        size_t at;

        assert_true(text.n > 0 && text.n < 1024);
        assert_int_equal(json_check_text_at(text, &at), REASON_NONE);
        for (size_t i = 0; i < text.n; ++i)
                assert_true((unsigned char)text.data[i] >= 0x20);
}

/* ---- what is of no use leaves what was known ---- */

static const MemberWord words[] = { { "on", TEXT("on") },
                                    { "yes", TEXT("on") },
                                    { "off", TEXT("off") },
                                    { NULL, { 0 } } };

static void test_what_cannot_be_used_is_left_as_it_was(void **state) {
        const NumberRule rule = { .name = "n", .min = 0, .max = 10 };
        const JsonNode *object = NULL;
        Text text = TEXT("before"), word = TEXT("before");
        double number = 5;

        (void)state;
        for (int round = 0; round < 2; ++round) {
                static const char *const payloads[] = {
                        "{\"t\":null,\"w\":null,\"n\":null,\"o\":null}", "{}"
                };

                parse(payloads[round]);
                assert_int_equal(member_text(&decoder, decoder.root, "t", 9, &text), 0);
                assert_int_equal(member_word(&decoder, "w", words, &word), 0);
                assert_int_equal(member_number(&decoder, decoder.root, &rule, &number), 0);
                assert_int_equal(member_object(&decoder, "o", &object), 0);
                assert_int_equal(record.n_notes, 0); /* it is not there: that is nothing odd */
        }
        parse("{\"t\":[1],\"w\":\"maybe\",\"n\":11,\"o\":[]}");
        assert_int_equal(member_text(&decoder, decoder.root, "t", 9, &text), 0);
        assert_int_equal(member_word(&decoder, "w", words, &word), 0);
        assert_int_equal(member_number(&decoder, decoder.root, &rule, &number), 0);
        assert_int_equal(member_object(&decoder, "o", &object), 0);
        assert_text(text, "before");
        assert_text(word, "before");
        assert_true(number == 5);
        assert_null(object);
        assert_int_equal(record.n_notes, 4);
        assert_note(0, "/t", REASON_WRONG_TYPE);
        assert_note(1, "/w", REASON_OUT_OF_RANGE);
        assert_note(2, "/n", REASON_OUT_OF_RANGE);
        assert_note(3, "/o", REASON_WRONG_TYPE);
        assert_text(record.notes[1].detail, "/w: not one of on, off: \"maybe\"");
}

static void test_text_has_the_room_that_it_is_given(void **state) {
        Text text = { 0 };

        (void)state;
        parse("{\"t\":\"12345\",\"u\":\"123456\",\"v\":\"\\u00e9\\u00e9x\",\"w\":12345}");
        assert_int_equal(member_text(&decoder, decoder.root, "t", 5, &text), 0);
        assert_text(text, "12345");
        assert_int_equal(member_text(&decoder, decoder.root, "v", 5, &text), 0);
        assert_text(text, "\xc3\xa9\xc3\xa9x"); /* what it says counts, not how it is written */
        assert_int_equal(member_text(&decoder, decoder.root, "u", 5, &text), 0);
        assert_text(text, "\xc3\xa9\xc3\xa9x");
        assert_note(0, "/u", REASON_OUT_OF_RANGE);
        assert_int_equal(member_text(&decoder, decoder.root, "w", 5, &text), 0);
        assert_text(text, "12345");
}

/* ---- notes ---- */

static void test_the_same_is_noted_once_and_of_many_the_first_few(void **state) {
        char payload[1024] = "{";
        size_t n = 1;

        (void)state;
        for (int i = 0; i < 2 * DECODER_MAX_NOTES; ++i)
                n += (size_t)snprintf(payload + n, sizeof(payload) - n, "\"m%d\":[],", i);
        snprintf(payload + n - 1, sizeof(payload) - n + 1, "}");
        parse(payload);
        for (int i = 0; i < 2 * DECODER_MAX_NOTES; ++i) {
                Text text = TEXT("before");
                char name[16];

                snprintf(name, sizeof(name), "m%d", i);
                for (int twice = 0; twice < 2; ++twice)
                        assert_int_equal(member_text(&decoder, decoder.root, name, 9, &text), 0);
                assert_text(text, "before"); /* set aside, noted or not */
                assert_int_equal(record.n_notes, i < DECODER_MAX_NOTES ? i + 1 : DECODER_MAX_NOTES);
        }
        assert_note(0, "/m0", REASON_WRONG_TYPE);
        assert_note(DECODER_MAX_NOTES - 1, "/m15", REASON_WRONG_TYPE);
        assert_int_equal(decoder_set_aside_text(&decoder,
                                                REASON_OUT_OF_RANGE,
                                                "topic",
                                                "odd",
                                                TEXT("x")),
                         0);
        assert_int_equal(record.n_notes, DECODER_MAX_NOTES);
}

/* A name may be there as often as there is room. Each time its place costs what is before it. */
static void test_what_is_odd_under_one_name_is_looked_for_a_few_times(void **state) {
        static char payload[160000] = "{";
        size_t n = 1;

        (void)state;
        for (int i = 0; i < 10000; ++i)
                n += (size_t)snprintf(payload + n, sizeof(payload) - n, "\"a\":NaN,");
        snprintf(payload + n - 1, sizeof(payload) - n + 1, "}");
        parse(payload);
        assert_int_equal(record.n_notes, 1);
        assert_note(0, "/a", REASON_OUT_OF_RANGE);
        assert_true(n_pointed <= DECODER_MAX_ASIDES);
}

static void test_what_was_noted_says_why_the_whole_is_of_no_use(void **state) {
        Text text = { 0 };

        (void)state;
        parse("{\"o\":{\"t\":[]},\"u\":null}");
        assert_int_equal(decoder_refuse_without(&decoder, decoder.root, "t"),
                         REASON_MISSING_MEMBER);
        assert_text(record.detail, "/t: missing");
        assert_int_equal(decoder_refuse_without(&decoder, decoder.root, "u"),
                         REASON_MISSING_MEMBER);
        assert_text(record.detail, "/u: missing");
        assert_int_equal(member_text(&decoder,
                                     member_get(&decoder, decoder.root, "o"),
                                     "t",
                                     9,
                                     &text),
                         0);
        assert_int_equal(decoder_refuse_without(&decoder,
                                                member_get(&decoder, decoder.root, "o"),
                                                "t"),
                         REASON_WRONG_TYPE);
        assert_text(record.detail, "/o/t: not text: [...]");
}

/* ---- hostile text ---- */

/* Names and values of any length and of any bytes: what is said of them is short, and is text. */
static void test_what_is_said_is_short_and_fit_to_be_shown(void **state) {
        static char payload[70000];
        static const char evil[] = "\\u0000\\ud800\xc3\xa9\xe2\x82\xac\\u001b[2J\xff\xfe%s%n\\\"";
        size_t n = 0;
        Text text = { 0 };
        int r;

        (void)state;
        n += (size_t)snprintf(payload, sizeof(payload), "{\"t\":[],\"");
        while (n < 30000)
                n += (size_t)snprintf(payload + n, sizeof(payload) - n, "%s", evil);
        n += (size_t)snprintf(payload + n, sizeof(payload) - n, "\":{\"\":\"");
        while (n < 60000)
                n += (size_t)snprintf(payload + n, sizeof(payload) - n, "%s", evil);
        snprintf(payload + n, sizeof(payload) - n, "\"}}");
        parse(payload);
        assert_true(record.n_notes > 0);
        for (size_t i = 0; i < record.n_notes; ++i) {
                assert_is_fit_to_be_shown(record.notes[i].member);
                assert_is_fit_to_be_shown(record.notes[i].detail);
        }
        r = decoder_refuse_value(&decoder,
                                 REASON_OUT_OF_RANGE,
                                 decoder.root + decoder.root->span - 1,
                                 "of no use");
        assert_int_equal(r, REASON_OUT_OF_RANGE);
        assert_is_fit_to_be_shown(record.detail);
        r = decoder_refuse_piece(&decoder, REASON_BAD_JSON, "x", text_of(payload));
        assert_int_equal(r, REASON_BAD_JSON);
        assert_is_fit_to_be_shown(record.detail);
        assert_int_equal(decoder_set_aside_text(&decoder,
                                                REASON_BAD_UTF8,
                                                "topic",
                                                "odd",
                                                text_of(payload)),
                         0);
        assert_is_fit_to_be_shown(record.notes[record.n_notes - 1].detail);
        assert_int_equal(member_text(&decoder, decoder.root, "t", 9, &text), 0);
        assert_null(text.data);
}

static void test_a_place_is_cut_where_its_room_ends(void **state) {
        char at[24];

        (void)state;
        parse("{\"a\":{\"b\":1}}");
        for (size_t size = 1; size <= sizeof(at); ++size) {
                const JsonNode *value =
                        member_get(&decoder, member_get(&decoder, decoder.root, "a"), "b");

                memset(at, 'X', sizeof(at));
                decoder.pointer = "/elements/17";
                decoder_point(&decoder, value, at, size);
                assert_true(memchr(at, '\0', size) != NULL);
                for (size_t i = size; i < sizeof(at); ++i)
                        assert_int_equal(at[i], 'X');
        }
        assert_string_equal(at, "/elements/17/a/b");
}

/* ---- the body ---- */

static void test_a_body_that_is_no_object_says_what_it_is(void **state) {
        (void)state;
        begin(TEXT(" \t\r\n "));
        assert_int_equal(decoder_parse(&decoder), REASON_BAD_JSON);
        assert_text(record.detail, "empty payload");
        begin(TEXT("[1,2]"));
        assert_int_equal(decoder_parse(&decoder), REASON_BAD_JSON);
        assert_text(record.detail, "payload: not an object: [1,2]");
        begin(TEXT("[1,2]"));
        assert_int_equal(decoder_parse_value(&decoder), 0);
        assert_int_equal(decoder.root->type, JSON_ARRAY);
        begin(TEXT("{\"a\":1"));
        decoder.pointer = "/7";
        assert_int_equal(decoder_parse(&decoder), REASON_BAD_JSON);
        assert_true(record.detail.n > 4 && memcmp(record.detail.data, "/7: ", 4) == 0);
}

/* Who has read it already gives it away, and has nothing left to release. */
static void test_what_was_read_already_is_taken_over(void **state) {
        Text body = TEXT("{\"a\":1}");
        Parsed parsed = { 0 };
        JsonFault fault;

        (void)state;
        assert_int_equal(json_tree_read(&parsed.tree, body, &fault), 0);
        begin(body);
        decoder.parsed = &parsed;
        assert_int_equal(decoder_parse(&decoder), 0);
        assert_null(parsed.tree.nodes);
        assert_null(decoder.parsed);
        assert_non_null(member_get(&decoder, decoder.root, "a"));
}

static void test_text_for_people_is_what_a_string_says_or_all_of_it(void **state) {
        static const struct {
                const char *body, *text;
        } cases[] = {
                { "hello", "hello" },
                { " \"a\\nb\" ", "a\nb" },
                { "\"\"", "" },
                { "\"a\" and \"b\"", "\"a\" and \"b\"" }, /* it only begins like one */
                { "\"a", "\"a" },
                { "", "" },
                { "  ", "  " },
                { "{\"a\":1}", "{\"a\":1}" },
        };
        Text text;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                begin(text_of(cases[i].body));
                assert_int_equal(decoder_plain_text(&decoder, &text), 0);
                assert_text(text, cases[i].text);
        }
        begin(TEXT("a\xff"));
        assert_int_equal(decoder_plain_text(&decoder, &text), REASON_BAD_UTF8);
        begin(TEXT("\"a\\ud800b\""));
        assert_int_equal(decoder_plain_text(&decoder, &text), 0);
        assert_text(text,
                    "a\xef\xbf\xbd"
                    "b");
        assert_note(0, "", REASON_BAD_UTF8);
}

/* ---- JSON of it, to be stored ---- */

static void test_what_is_whole_is_not_copied_and_what_is_odd_is_mended(void **state) {
        Text json;

        (void)state;
        parse("{\"a\":{\"x\":[1, 2]},\"b\":{\"y\":\"\\ud800\",\"z\":NaN}}");
        assert_int_equal(decoder_json(&decoder, member_get(&decoder, decoder.root, "a"), &json), 0);
        assert_text(json, "{\"x\":[1, 2]}");
        assert_true(json.data > record.payload.data &&
                    json.data < record.payload.data + record.payload.n);
        assert_int_equal(decoder_json(&decoder, member_get(&decoder, decoder.root, "b"), &json), 0);
        assert_text(json, "{\"y\":\"\xef\xbf\xbd\",\"z\":null}");
}

static bool is_short(const Decoder *of, const JsonNode *name) {
        return json_text(&of->tree, name).n <= 3; /* with its quotes */
}

static bool is_any(const Decoder *of, const JsonNode *name) {
        (void)of;
        (void)name;
        return true;
}

static void test_the_rest_is_an_object_whatever_is_left_out(void **state) {
        Text json;

        (void)state;
        parse("{\"a\":1,\"long\":{\"b\":[NaN]},\"b\":2,\"lo\\\"ng\":\"x\",\"c\":{}}");
        assert_int_equal(decoder_rest(&decoder, decoder.root, is_short, &json), 0);
        assert_text(json, "{\"long\":{\"b\":[null]},\"lo\\\"ng\":\"x\"}");
        assert_int_equal(decoder_rest(&decoder, decoder.root, is_any, &json), 0);
        assert_text(json, "{}");
        parse("{}");
        assert_int_equal(decoder_rest(&decoder, decoder.root, is_short, &json), 0);
        assert_text(json, "{}");
}

/* ---- who ---- */

static void check_name(const char *payload, const char *expected, size_t n_notes) {
        static const char *const members[] = { "id", "code", NULL };
        Text name = { 0 };

        parse(payload);
        assert_int_equal(decoder_name(&decoder, members, &name), 0);
        if (expected)
                assert_text(name, expected);
        else
                assert_null(name.data);
        assert_int_equal(record.n_notes, n_notes);
}

static void test_a_name_is_the_first_that_is_there(void **state) {
        static const char *const members[] = { "id", NULL };
        Text name = TEXT("of the topic");

        (void)state;
        check_name("{\"code\":\"b\",\"id\":\"a\"}", "a", 0);
        check_name("{\"code\":\"b\",\"id\":null}", "b", 0);
        check_name("{}", NULL, 0);
        check_name("{\"id\":17}", "17", 0);
        check_name("{\"id\":12345678901234567890123456789}", "12345678901234567890123456789", 0);
        check_name("{\"id\":1.5,\"code\":\"b\"}", NULL, 1); /* not another's */
        check_name("{\"id\":1e3}", NULL, 1);
        check_name("{\"id\":true}", NULL, 1);
        check_name("{\"id\":\"\"}", NULL, 1);
        check_name("{\"id\":\"a\\u0007b\"}", NULL, 1);
        check_name("{\"id\":\"a\\u007fb\"}", NULL, 1);
        parse("{\"id\":[]}");
        assert_int_equal(decoder_name(&decoder, members, &name), 0);
        assert_text(name, "of the topic");
        assert_int_equal(record.n_notes, 0); /* nobody looked at it */
}

static void test_a_name_has_as_many_bytes_as_a_name_may_have(void **state) {
        char name[DECODER_MAX_NAME + 2];

        (void)state;
        memset(name, 'n', sizeof(name));
        assert_true(decoder_is_name((Text){ name, DECODER_MAX_NAME }));
        assert_false(decoder_is_name((Text){ name, DECODER_MAX_NAME + 1 }));
        assert_false(decoder_is_name((Text){ name, 0 }));
        assert_true(decoder_is_name(TEXT("\xc3\xa9 x/+#")));
        for (int c = 0; c < 0x20; ++c) {
                name[3] = (char)c;
                assert_false(decoder_is_name((Text){ name, 5 }));
        }
}

#define DECODING(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                DECODING(test_what_cannot_be_used_is_left_as_it_was),
                DECODING(test_text_has_the_room_that_it_is_given),
                DECODING(test_the_same_is_noted_once_and_of_many_the_first_few),
                DECODING(test_what_is_odd_under_one_name_is_looked_for_a_few_times),
                DECODING(test_what_was_noted_says_why_the_whole_is_of_no_use),
                DECODING(test_what_is_said_is_short_and_fit_to_be_shown),
                DECODING(test_a_place_is_cut_where_its_room_ends),
                DECODING(test_a_body_that_is_no_object_says_what_it_is),
                DECODING(test_what_was_read_already_is_taken_over),
                DECODING(test_text_for_people_is_what_a_string_says_or_all_of_it),
                DECODING(test_what_is_whole_is_not_copied_and_what_is_odd_is_mended),
                DECODING(test_the_rest_is_an_object_whatever_is_left_out),
                DECODING(test_a_name_is_the_first_that_is_there),
                DECODING(test_a_name_has_as_many_bytes_as_a_name_may_have),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
