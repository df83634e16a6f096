/* Asides: however many names messages have, a few are told apart and all are counted. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/asides.h"
#include "model/metrics_text.h"
#include "model/record.h"

static void check(size_t i, const char *name, Reason reason, int64_t n) {
        assert_true(i < asides_length());
        assert_string_equal(asides_member(i), name);
        assert_true(asides_get(i, reason) == n);
}

static void test_members_are_counted_by_reason(void **state) {
        (void)state;
        asides_reset();
        asides_add(TEXT("/latitude"), REASON_OUT_OF_RANGE);
        asides_add(TEXT("/data/speed"), REASON_WRONG_TYPE);
        asides_add(TEXT("/latitude"), REASON_OUT_OF_RANGE);
        asides_add(TEXT("/latitude"), REASON_WRONG_TYPE);
        assert_int_equal(asides_length(), 3);
        check(1, "/latitude", REASON_OUT_OF_RANGE, 2);
        check(1, "/latitude", REASON_WRONG_TYPE, 1);
        check(2, "/data/speed", REASON_WRONG_TYPE, 1);
}

static void test_places_in_an_array_are_one_name(void **state) {
        (void)state;
        asides_reset();
        asides_add(TEXT("/detections/0/rssi"), REASON_WRONG_TYPE);
        asides_add(TEXT("/detections/4095/rssi"), REASON_WRONG_TYPE);
        asides_add(TEXT("/a/17"), REASON_WRONG_TYPE);
        asides_add(TEXT("/x1/2b"), REASON_WRONG_TYPE);
        assert_int_equal(asides_length(), 4);
        check(1, "/detections/*/rssi", REASON_WRONG_TYPE, 2);
        check(2, "/a/*", REASON_WRONG_TYPE, 1);
        check(3, "/x1/2b", REASON_WRONG_TYPE, 1);
}

static void test_what_is_no_name_for_a_label_is_other(void **state) {
        static const Text odd[] = {
                TEXT(""),
                TEXT("/a\"b"),
                TEXT("/a\\b"),
                TEXT("/a\nb"),
                TEXT("/a b"),
                TEXT("/é"),
                TEXT("/a\0b"),
                { 0 },
                TEXT("/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
        };

        (void)state;
        asides_reset();
        for (size_t i = 0; i < N_ELEMENTS(odd); ++i)
                asides_add(odd[i], REASON_BAD_UTF8);
        assert_int_equal(asides_length(), 1);
        check(0, "other", REASON_BAD_UTF8, N_ELEMENTS(odd));
}

static void test_so_many_names_and_no_more(void **state) {
        char name[32];

        (void)state;
        asides_reset();
        for (int i = 0; i < 1000; ++i) {
                int n = snprintf(name, sizeof(name), "/member%d", i);

                asides_add((Text){ .data = name, .n = (size_t)n }, REASON_WRONG_TYPE);
        }
        assert_int_equal(asides_length(), ASIDES_MEMBERS);
        check(0, "other", REASON_WRONG_TYPE, 1000 - ASIDES_MEMBERS + 1);
        check(ASIDES_MEMBERS - 1, "/member62", REASON_WRONG_TYPE, 1);
}

static void test_prometheus_sees_those_that_there_were(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        asides_reset();
        asides_add(TEXT("/latitude"), REASON_OUT_OF_RANGE);
        metrics_text_write(&buf);
        assert_non_null(strstr(buf.data,
                               "# TYPE tidegate_members_set_aside_total counter\n"
                               "tidegate_members_set_aside_total{member=\"/latitude\",reason="
                               "\"out_of_range\"} 1\n#"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_members_are_counted_by_reason),
                cmocka_unit_test(test_places_in_an_array_are_one_name),
                cmocka_unit_test(test_what_is_no_name_for_a_label_is_other),
                cmocka_unit_test(test_so_many_names_and_no_more),
                cmocka_unit_test(test_prometheus_sees_those_that_there_were),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
