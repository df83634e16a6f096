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
        if (*text == '[')
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
                { "word online=online,true,1 offline=off,false,0", "true", "\"online\"", NULL },
                { "word online=online,true,1 offline=off,false,0", "\"OFF\"", "\"offline\"", NULL },
                { "word online=online,true,1 offline=off,false,0", "0", "\"offline\"", NULL },
                { "word a=b", "\"c\"", "", "none of the words" },
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

static void test_nothing_is_nothing_unless_there_is_a_default(void **state) {
        static const Case cases[] = {
                { "null 255 nan \"\" unavailable", "255", "", NULL },
                { "null 255 nan \"\" unavailable", "\"NaN\"", "", NULL },
                { "null 255 nan \"\" unavailable", "\"\"", "", NULL },
                { "null 255", "25", "25", NULL },
                { "null false", "false", "", NULL },
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
                { "hex", "\"0x1F\"", "31", NULL },
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
                cmocka_unit_test(test_nothing_is_nothing_unless_there_is_a_default),
                cmocka_unit_test(test_the_examples_of_the_reference_are_so),
                cmocka_unit_test(test_times_are_text_or_numbers_of_any_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
