/* ValueTemplate: a path is taken, a program is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/discover/value_template.h"

static ValueTemplate read_good(const char *text) {
        ValueTemplate template;
        const char *why = NULL;

        if (value_template_read(text_of(text), &template, &why) != 0)
                fail_msg("%s: %s", text, why);
        return template;
}

static void expect(const char *text, const char *source, bool is_json, bool is_number) {
        ValueTemplate template = read_good(text);

        assert_string_equal(template.source, source);
        assert_int_equal(template.is_json, is_json);
        assert_int_equal(template.is_number, is_number);
}

static void test_paths_are_taken(void **state) {
        (void)state;
        expect("{{ value }}", "/", false, false);
        expect("{{value}}", "/", false, false);
        expect("{{ value_json }}", "/", true, false);
        expect("{{ value_json.temperature }}", "/temperature", true, false);
        expect("{{- value_json.a.b -}}\n", "/a/b", true, false);
        expect("{{ value_json['Total in'].Power[0] }}", "/Total in/Power/0", true, false);
        expect("{{value_json[\"a/b\"]['c~d']}}", "/a~1b/c~0d", true, false);
        expect("{{ value|float }}", "/", false, true);
        expect("{{ value_json.tempc | is_defined }}", "/tempc", true, false);
        expect("{{ value_json.n | int }}", "/n", true, true);
}

static void test_numbers_say_their_decimals_and_what_stands_for_none(void **state) {
        ValueTemplate template;

        (void)state;
        template = read_good("{{ value_json.p | float(0) | round(1) }}");
        assert_true(template.is_number);
        assert_int_equal(template.decimals, 1);
        assert_string_equal(template.in_place, "0");
        template = read_good("{{ value_json.p | float(default=-1.5) | round }}");
        assert_int_equal(template.decimals, 0);
        assert_string_equal(template.in_place, "-1.5");
        template = read_good("{{ value_json.p | float(none) }}");
        assert_int_equal(template.decimals, -1);
        assert_string_equal(template.in_place, "");
}

static void test_programs_are_refused(void **state) {
        static const char *const programs[] = {
                "",
                "value_json.a",
                "on",
                "{{ value_json.a / 10 }}",
                "{{ value_json.a | multiply(10) }}",
                "{{ value_json.a | round(1) | float }}",
                "{{ value_json.a | round(1, 'floor') }}",
                "{{ value_json.a | round(12) }}",
                "{{ (value_json.a | float) }}",
                "{{ value_json.a if value_json.a is defined else 0 }}",
                "{{ value_json.a }}{{ value_json.b }}",
                "{{ value_json.a }} W",
                "{% if value == 'x' %}on{% endif %}",
                "{{ value.split(',')[0] }}",
                "{{ value[0] }}",
                "{{ value_json.get('a') }}",
                "{{ value_json[i] }}",
                "{{ value_json['a }}",
                "{{ value_json['*'] }}",
                "{{ value_json['a|b'] }}",
                "{{ value_json['a or b'] }}",
                "{{ value_json['a\\'b'] }}",
                "{{ value_json.a | float('x') }}",
                "{{ value_json.a | float(1) ",
                "{{ value_json.a | float(1 }}",
                "{{ states('sensor.x') }}",
                "{{ value_json. }}",
                "{{",
                "{{ value_jsonx }}",
        };
        ValueTemplate template;
        const char *why;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(programs); ++i) {
                why = NULL;
                if (value_template_read(text_of(programs[i]), &template, &why) !=
                    VALUE_TEMPLATE_E_REFUSED)
                        fail_msg("taken: %s", programs[i]);
                assert_non_null(why);
        }
}

static void test_a_path_is_bounded(void **state) {
        char text[1024] = "{{ value_json";
        ValueTemplate template;
        const char *why;

        (void)state;
        for (size_t i = 0; i < 40; ++i)
                strcat(text, ".eightyyy");
        strcat(text, " }}");
        assert_int_equal(value_template_read(text_of(text), &template, &why),
                         VALUE_TEMPLATE_E_REFUSED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_paths_are_taken),
                cmocka_unit_test(test_numbers_say_their_decimals_and_what_stands_for_none),
                cmocka_unit_test(test_programs_are_refused),
                cmocka_unit_test(test_a_path_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
