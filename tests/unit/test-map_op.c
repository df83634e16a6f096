/* MapOp: each operation, on what it is for and on what it is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/decode/map_run.h"

/* A value as it is written here: 1.5 a number, "x" text, true, [] JSON, nothing. */
static MapValue value_of(const char *text) {
        size_t n = strlen(text);

        if (n == 0)
                return (MapValue){ .type = MAP_NOTHING };
        if (*text == '"')
                return (MapValue){ .type = MAP_TEXT, .text = { text + 1, n - 2 } };
        if (*text == '[' || *text == '{')
                return (MapValue){ .type = MAP_JSON, .text = { text, n } };
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
                return (MapValue){ .type = MAP_BOOL, .is_true = *text == 't' };
        return (MapValue){ .type = MAP_NUMBER, .text = { text, n } };
}

static void written(const MapValue *value, char ret[64]) {
        char time[CLOCK_TEXT_SIZE];

        switch (value->type) {
        case MAP_TEXT:
                snprintf(ret, 64, "\"%.*s\"", (int)value->text.n, value->text.data);
                break;
        case MAP_BOOL:
                snprintf(ret, 64, "%s", value->is_true ? "true" : "false");
                break;
        case MAP_TIME:
                clock_format(value->time_us, time);
                snprintf(ret, 64, "%s", time);
                break;
        default:
                snprintf(ret,
                         64,
                         "%.*s",
                         (int)value->text.n,
                         value->text.data ? value->text.data : "");
                break;
        }
}

typedef struct Case Case;

struct Case {
        const char *op, *value, *expected, *why;
};

static void check_cases(const Case cases[], size_t n) {
        CLEANUP(arena_free) Arena *arena = NULL;
        MapSetting setting = { .near_us = INT64_C(1760805000000000) };

        assert_int_equal(arena_new(&arena, 4096), 0);
        setting.arena = arena;
        for (size_t i = 0; i < n; ++i) {
                MapValue value = value_of(cases[i].value);
                const char *why = NULL;
                char said[64];
                MapOp op;

                assert_int_equal(map_op_parse(&op, text_of(cases[i].op), arena, &why), 0);
                assert_int_equal(map_op_run(&op, &setting, &value, &why), 0);
                written(&value, said);
                if (strcmp(said, cases[i].expected) != 0)
                        fail_msg("%s | %s: %s", cases[i].value, cases[i].op, said);
                if (cases[i].why)
                        assert_string_equal(why, cases[i].why);
                else
                        assert_null(why);
        }
}

static void test_numbers_keep_their_digits(void **state) {
        static const Case cases[] = {
                { "number", "12345678901234567890.10", "12345678901234567890.10", NULL },
                { "number", "\" +012.60 \"", "12.60", NULL },
                { "number", "\"-007\"", "-7", NULL },
                { "number", "true", "1", NULL },
                { "number", "\"12,6\"", "", "not a number" },
                { "number", "[1]", "", "not a number" },
                { "number", "", "", NULL },
                { "int", "5.0", "5", NULL },
                { "int", "\"89490200001234567890\"", "89490200001234567890", NULL },
                { "int", "89490200001234567890.0", "89490200001234567890.0", NULL },
                { "int", "1e23", "1e23", NULL },
                { "int", "5.5", "", "not a whole number" },
                { "clamp 0 100", "99.90", "99.90", NULL },
                { "clamp 0 100", "100.1", "100", NULL },
                { "clamp -5 100", "-7", "-5", NULL },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_arithmetic_is_that_of_decimals(void **state) {
        static const Case cases[] = {
                { "scale 0.001", "3712", "3.712", NULL },
                { "scale 1e-7", "-62088000", "-6.2088", NULL },
                { "scale 0.1", "3", "0.3", NULL },
                { "scale 3.6", "\"10\"", "36", NULL },
                { "offset -273.15", "294.65", "21.5", NULL },
                { "round 1", "21.26", "21.3", NULL },
                { "round 0", "-0.4", "-0", NULL },
                { "round 2", "21", "21.00", NULL },
                { "round 2", "89490200001234567890", "89490200001234567890", NULL },
                { "scale 1e308", "1e308", "", "too large a number" },
                { "scale 2", "\"x\"", "", "not a number" },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_words_and_switches_have_any_case(void **state) {
        static const Case cases[] = {
                { "bool", "\"On\"", "true", NULL },
                { "bool", "0", "false", NULL },
                { "bool", "\"no\"", "false", NULL },
                { "bool", "2", "", "not a switch" },
                { "bool", "\" on \"", "true", NULL },
                { "word online=online offline=off", "\"Online \"", "\"online\"", NULL },
                { "word \"here= x \" away=y", "\" x \"", "\"here\"", NULL },
                { "null - nan", "\" nan \"", "", NULL },
                { "word online=online,true,1 offline=off,false,0", "true", "\"online\"", NULL },
                { "word online=online,true,1 offline=off,false,0", "\"OFF\"", "\"offline\"", NULL },
                { "word online=online,true,1 offline=off,false,0", "0", "\"offline\"", NULL },
                { "word a=b", "\"c\"", "", "none of the words" },
                { "word a=3 b=4", "3.0", "\"a\"", NULL },
                { "word a=\"x y\",z 'b c'='p,q'", "\"x y\"", "\"a\"", NULL },
                { "word a=\"x y\",z 'b c'='p,q'", "\"p,q\"", "\"b c\"", NULL },
                { "word a=\"x y\",z 'b c'='p,q'", "\"z\"", "\"a\"", NULL },
                { "word inch=5\" it's=y", "\"5\"\"", "\"inch\"", NULL },
                { "word unknown=,- a=b", "\"\"", "\"unknown\"", NULL },
                { "text", "1.50", "\"1.50\"", NULL },
                { "text", "false", "\"false\"", NULL },
                { "text", "[1]", "", "not text" },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_parts_are_counted_from_either_end(void **state) {
        static const Case cases[] = {
                { "part 1 \",\"", "\"54.7, 25.2\"", "\"54.7\"", NULL },
                { "part 2 \",\"", "\"54.7, 25.2\"", "\"25.2\"", NULL },
                { "part -1 /", "\"a/b/c\"", "\"c\"", NULL },
                { "part -3 /", "\"a/b/c\"", "\"a\"", NULL },
                { "part 4 /", "\"a/b/c\"", "", "has no such part" },
                { "part 2 \" - \"", "\"a - b\"", "\"b\"", NULL },
                { "part 1 :", "\"\"", "\"\"", NULL },
                { "hex", "\"0x1F\"", "31", NULL },
                { "hex", "\"ffffffffffffffff\"", "18446744073709551615", NULL },
                { "hex", "10", "16", NULL },
                { "hex", "\"xyz\"", "", "not hexadecimal" },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_slices_are_whole_or_nothing(void **state) {
        static const Case cases[] = {
                { "slice 0 4", "\"0a1bff\"", "\"0a1b\"", NULL },
                { "slice 4", "\"0a1bff\"", "\"ff\"", NULL },
                { "slice -2", "\"0a1bff\"", "\"ff\"", NULL },
                { "slice -4 -2", "\"0a1bff\"", "\"1b\"", NULL },
                { "slice 1 -1", "\"gr\xc3\xbc\xc3\x9f\"", "\"r\xc3\xbc\"", NULL },
                { "slice 2 3", "\"gr\xc3\xbc\xc3\x9f\"", "\"\xc3\xbc\"", NULL },
                { "slice 0 2", "1234", "\"12\"", NULL },
                { "slice 0 6", "\"0a1bff\"", "\"0a1bff\"", NULL },
                { "slice 6", "\"0a1bff\"", "\"\"", NULL },
                { "slice 0 7", "\"0a1bff\"", "", "is shorter" },
                { "slice -7", "\"0a1bff\"", "", "is shorter" },
                { "slice 4 -4", "\"0a1bff\"", "", "is shorter" },
                { "slice 0 1", "[1]", "", "not text" },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_bytes_may_be_signed_and_the_last_one_first(void **state) {
        static const Case cases[] = {
                { "hex", "\"ff38\"", "65336", NULL },
                { "hex signed", "\"ff38\"", "-200", NULL },
                { "hex signed", "\"7f38\"", "32568", NULL },
                { "hex signed", "\"8000\"", "-32768", NULL },
                { "hex signed", "\"8000000000000000\"", "-9223372036854775808", NULL },
                { "hex signed", "\"f\"", "-1", NULL },
                { "hex le", "\"38ff\"", "65336", NULL },
                { "hex signed le", "\"38ff\"", "-200", NULL },
                { "hex be", "\"0102030405060708\"", "72623859790382856", NULL },
                { "hex le", "\"0807060504030201\"", "72623859790382856", NULL },
                { "hex le", "\"abc\"", "", "not hexadecimal" },
                { "bit 0", "5", "true", NULL },
                { "bit 1", "5", "false", NULL },
                { "bit 63", "9223372036854775808", "true", NULL },
                { "bit 2", "\"4.0\"", "true", NULL },
                { "bit 0", "-1", "", "no whole number from 0 to 2^64 - 1" },
                { "bit 0", "5.5", "", "not a whole number" },
                { "bit 0", "\"on\"", "", "not a number" },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_elements_are_joined(void **state) {
        static const Case cases[] = {
                { "join \",\"",
                  "[1,\"b\\u00e9\",true,null,2.50]",
                  "\"1,b\xc3\xa9,true,,2.50\"",
                  NULL },
                { "join \"\"", "[\"a\",\"b\"]", "\"ab\"", NULL },
                { "join -", "[]", "\"\"", NULL },
                { "join -", "7", "\"7\"", NULL },
                { "join -", "[1,[2]]", "", "not an array of values" },
                { "join -", "{\"a\":1}", "", "not an array of values" },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_numbers_that_make_no_sense_are_refused(void **state) {
        static const struct {
                const char *op, *why;
        } cases[] = {
                { "slice", "a number is missing" },
                { "slice 4 4", "wants where it begins, from 0, and where it ends" },
                { "slice -2 -4", "wants where it begins, from 0, and where it ends" },
                { "slice 0.5", "wants where it begins, from 0, and where it ends" },
                { "slice 0 1 2", "has more behind it than it takes" },
                { "hex unsigned", "wants signed, le or be" },
                { "bit", "a number is missing" },
                { "bit 64", "wants 0 to 63" },
                { "join", "wants one word, or text in quotes" },
                { "word a=x b=x", "a word stands twice" },
                { "word a=x,y,X", "a word stands twice" },
                { "word a=1 b=1.0", "a word stands twice" },
                { "null - n/a -", "a word stands twice" },
                { "word a=\"x y b=z", "a quote is not closed" },
                { "word a=\"x\"y", "more follows the quotes" },
                { "word =x", "wants MEANING=word,word" },
                { "part 1 \"", "a quote is not closed" },
                { "part 1 \",\"x", "more follows the quotes" },
                { "default 'x", "a quote is not closed" },
        };
        CLEANUP(arena_free) Arena *arena = NULL;

        (void)state;
        assert_int_equal(arena_new(&arena, 4096), 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const char *why = NULL;
                MapOp op;

                assert_int_equal(map_op_parse(&op, text_of(cases[i].op), arena, &why),
                                 MAP_E_INVALID);
                assert_string_equal(why, cases[i].why);
        }
}

static void test_nothing_is_nothing_unless_there_is_a_default(void **state) {
        static const Case cases[] = {
                { "null 255 nan \"\" unavailable", "255", "", NULL },
                { "null 255 nan \"\" unavailable", "\"NaN\"", "", NULL },
                { "null 255 nan \"\" unavailable", "\"\"", "", NULL },
                { "null 255", "25", "25", NULL },
                { "null false", "false", "", NULL },
                { "null 255", "255.0", "", NULL },
                { "null 255", "2.550e2", "", NULL },
                { "null 255", "\"255.00\"", "", NULL },
                { "null 255", "\"0255\"", "\"0255\"", NULL },
                { "null -0.5", "-5e-1", "", NULL },
                { "null 0", "-0.0", "", NULL },
                { "null 255", "-255.0", "-255.0", NULL },
                { "null 18446744073709551615",
                  "18446744073709551616",
                  "18446744073709551616",
                  NULL },
                { "default 0", "", "0", NULL },
                { "default none", "", "\"none\"", NULL },
                { "default 0", "7", "7", NULL },
                { "scale 2", "", "", NULL },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

/* docs/mapping.md */
static void test_the_examples_of_the_reference_are_so(void **state) {
        static const Case cases[] = {
                { "number", "\" +012.60\"", "12.60", NULL },
                { "int", "\"5.0\"", "5", NULL },
                { "bool", "\"ON\"", "true", NULL },
                { "text", "7", "\"7\"", NULL },
                { "scale 1e-7", "481234567", "48.1234567", NULL },
                { "offset -273.15", "300", "26.85", NULL },
                { "round 1", "21.47", "21.5", NULL },
                { "clamp 0 100", "104", "100", NULL },
                { "word online=ON,1 offline=OFF,0", "\"on\"", "\"online\"", NULL },
                { "part 2 \",\"", "\"54.7, 25.2\"", "\"25.2\"", NULL },
                { "slice 0 4", "\"ff380b\"", "\"ff38\"", NULL },
                { "join \",\"", "[1,\"b\"]", "\"1,b\"", NULL },
                { "hex", "\"0x1F\"", "31", NULL },
                { "hex signed", "\"ff38\"", "-200", NULL },
                { "bit 3", "8", "true", NULL },
                { "time unix_s", "1795853420", "2026-11-28T08:10:20.000Z", NULL },
                { "null nan - 255", "255", "", NULL },
                { "default 0", "", "0", NULL },
                { "default \"\"", "", "\"\"", NULL },
                { "scale 0.001", "3050", "3.05", NULL },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

static void test_times_are_text_or_numbers_of_any_unit(void **state) {
        static const Case cases[] = {
                { "time", "\"2025-10-18T16:29:00+02:00\"", "2025-10-18T14:29:00.000Z", NULL },
                { "time", "1760805000", "2025-10-18T16:30:00.000Z", NULL },
                { "time", "1760805000123", "2025-10-18T16:30:00.123Z", NULL },
                { "time", "\"1760805000123456\"", "2025-10-18T16:30:00.123Z", NULL },
                { "time", "1760805000123456789", "2025-10-18T16:30:00.123Z", NULL },
                { "time unix_ms", "1000", "1970-01-01T00:00:01.000Z", NULL },
                { "time unix_s", "1760805000.5", "2025-10-18T16:30:00.500Z", NULL },
                { "time unix_s", "1760805000123", "", "not a time" },
                { "time iso", "1760805000", "", "not a time" },
                { "time iso", "\"2025-10-18 16:30\"", "2025-10-18T16:30:00.000Z", NULL },
                { "time iso", "\"20251018T163000Z\"", "2025-10-18T16:30:00.000Z", NULL },
                { "time", "true", "", "not a time" },
                { "time", "\"noon\"", "", "not a time" },
        };

        (void)state;
        check_cases(cases, N_ELEMENTS(cases));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers_keep_their_digits),
                cmocka_unit_test(test_arithmetic_is_that_of_decimals),
                cmocka_unit_test(test_words_and_switches_have_any_case),
                cmocka_unit_test(test_parts_are_counted_from_either_end),
                cmocka_unit_test(test_slices_are_whole_or_nothing),
                cmocka_unit_test(test_bytes_may_be_signed_and_the_last_one_first),
                cmocka_unit_test(test_elements_are_joined),
                cmocka_unit_test(test_numbers_that_make_no_sense_are_refused),
                cmocka_unit_test(test_nothing_is_nothing_unless_there_is_a_default),
                cmocka_unit_test(test_the_examples_of_the_reference_are_so),
                cmocka_unit_test(test_times_are_text_or_numbers_of_any_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
