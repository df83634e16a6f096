/* JsonOut: a comma between two values, and none anywhere else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "base/clock.h"
#include "base/json_out.h"

static void test_commas_stand_between_values_alone(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        JsonOut out = { .buf = &buf };

        (void)state;
        json_out_object(&out, NULL);
        json_out_object(&out, "none");
        json_out_object_end(&out);
        json_out_array(&out, "some");
        json_out_int(&out, NULL, 1);
        json_out_array(&out, NULL);
        json_out_array_end(&out);
        json_out_object(&out, NULL);
        json_out_bool(&out, "yes", true);
        json_out_null(&out, "no");
        json_out_object_end(&out);
        json_out_array_end(&out);
        json_out_raw(&out, "raw", TEXT("{\"a\":1}"));
        json_out_object_end(&out);
        assert_string_equal(buf_text(&buf).data,
                            "{\"none\":{},\"some\":[1,[],{\"yes\":true,\"no\":null}],"
                            "\"raw\":{\"a\":1}}");
}

static void test_each_value_is_written_as_json(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        JsonOut out = { .buf = &buf };

        (void)state;
        json_out_array(&out, NULL);
        json_out_string(&out, NULL, "a\"b");
        json_out_text(&out, NULL, (Text){ 0 });
        json_out_id(&out, NULL, 0);
        json_out_id(&out, NULL, 7);
        json_out_double(&out, NULL, 0.5);
        json_out_double(&out, NULL, (double)NAN);
        json_out_fixed(&out, NULL, 1, 2.0);
        json_out_fixed(&out, NULL, 1, (double)INFINITY);
        json_out_time(&out, NULL, 1000000);
        json_out_time(&out, NULL, CLOCK_UNKNOWN);
        json_out_raw(&out, NULL, (Text){ 0 });
        json_out_array_end(&out);
        assert_string_equal(buf_text(&buf).data,
                            "[\"a\\\"b\",null,null,7,0.5,null,2.0,null,"
                            "\"1970-01-01T00:00:01.000Z\",null,null]");
}

static void test_a_name_is_a_string_like_others(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        JsonOut out = { .buf = &buf };

        (void)state;
        json_out_object(&out, NULL);
        json_out_int(&out, "\"", 1);
        json_out_object_end(&out);
        assert_string_equal(buf_text(&buf).data, "{\"\\\"\":1}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commas_stand_between_values_alone),
                cmocka_unit_test(test_each_value_is_written_as_json),
                cmocka_unit_test(test_a_name_is_a_string_like_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
