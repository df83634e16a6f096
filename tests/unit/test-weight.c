/* Weight: what is in strings weighs nothing, what json-c makes much of is counted. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ws/wire/weight.h"

static bool is_light(const char *before, const char *each, size_t n, const char *behind) {
        CLEANUP_BUF Buf buf = { 0 };

        buf_append_string(&buf, before);
        for (size_t i = 0; i < n; ++i)
                buf_append_string(&buf, each);
        buf_append_string(&buf, behind);
        assert_false(buf_failed(&buf));
        return ws_weight_is_light(buf_text(&buf));
}

static void test_arrays_and_objects_are_counted(void **state) {
        (void)state;
        assert_true(is_light("[", "{}", WS_WEIGHT_CONTAINERS - 1, "]"));
        assert_false(is_light("[", "{}", WS_WEIGHT_CONTAINERS, "]"));
        assert_true(is_light("", "[", WS_WEIGHT_CONTAINERS, ""));
        assert_false(is_light("", "[", WS_WEIGHT_CONTAINERS + 1, ""));
}

static void test_members_and_elements_are_counted(void **state) {
        (void)state;
        assert_true(is_light("[", "1,", WS_WEIGHT_ITEMS, "1]"));
        assert_false(is_light("[", "1,", WS_WEIGHT_ITEMS + 1, "1]"));
        assert_false(is_light("{", "\"a\":\"b\",", WS_WEIGHT_ITEMS + 1, "}"));
}

static void test_strings_weigh_nothing(void **state) {
        (void)state;
        assert_true(is_light("\"", "{[,", WS_WEIGHT_ITEMS + 1, "\""));
        assert_true(is_light("\"", "\\\"{", WS_WEIGHT_CONTAINERS + 1, "\""));
        assert_false(is_light("\"\\\\\"", "{", WS_WEIGHT_CONTAINERS + 1, ""));
}

static void test_what_ends_too_early_is_not_read_beyond(void **state) {
        (void)state;
        assert_true(ws_weight_is_light((Text){ 0 }));
        assert_true(ws_weight_is_light(TEXT("\"")));
        assert_true(ws_weight_is_light(TEXT("\"\\")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_arrays_and_objects_are_counted),
                cmocka_unit_test(test_members_and_elements_are_counted),
                cmocka_unit_test(test_strings_weigh_nothing),
                cmocka_unit_test(test_what_ends_too_early_is_not_read_beyond),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
