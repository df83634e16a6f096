/* DbArray: a column is written as PostgreSQL's binary array, with its nulls. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#include "base/clock.h"
#include "db/array.h"

#define HEADER_BYTES 20 /* dimensions, has nulls, type, length, lower bound */

static void assert_bytes(DbArray *array, const char *bytes, size_t n) {
        assert_int_equal(db_array_finish(array), 0);
        assert_int_equal(array->n, n);
        assert_memory_equal(array->data, bytes, n);
}

static void test_numbers_are_written_in_network_order(void **state) {
        DbArray array;

        (void)state;
        db_array_init(&array, DB_TYPE_INT4);
        db_array_int(&array, 1);
        db_array_int(&array, -2);
        assert_bytes(&array,
                     "\0\0\0\1"
                     "\0\0\0\0"
                     "\0\0\0\x17"
                     "\0\0\0\2"
                     "\0\0\0\1"
                     "\0\0\0\4"
                     "\0\0\0\1"
                     "\0\0\0\4"
                     "\xff\xff\xff\xfe",
                     HEADER_BYTES + 16);
        db_array_done(&array);
}

static void test_what_is_not_known_is_null(void **state) {
        DbArray array;

        (void)state;
        db_array_init(&array, DB_TYPE_FLOAT8);
        db_array_double(&array, (double)NAN);
        db_array_double(&array, 1.0);
        assert_bytes(&array,
                     "\0\0\0\1"
                     "\0\0\0\1"
                     "\0\0\2\xbd"
                     "\0\0\0\2"
                     "\0\0\0\1"
                     "\xff\xff\xff\xff"
                     "\0\0\0\x8"
                     "\x3f\xf0\0\0\0\0\0\0",
                     HEADER_BYTES + 16);
        db_array_done(&array);

        db_array_init(&array, DB_TYPE_TIMESTAMPTZ);
        db_array_time(&array, CLOCK_UNKNOWN);
        assert_int_equal(db_array_finish(&array), 0);
        assert_int_equal(array.n, HEADER_BYTES + 4);
        db_array_done(&array);
}

static void test_an_array_that_was_used_begins_anew(void **state) {
        DbArray array;

        (void)state;
        db_array_init(&array, DB_TYPE_TEXT);
        db_array_bytes(&array, TEXT("abc"));
        db_array_null(&array);
        db_array_reset(&array);
        db_array_bytes(&array, TEXT("x"));
        assert_bytes(&array,
                     "\0\0\0\1"
                     "\0\0\0\0"
                     "\0\0\0\x19"
                     "\0\0\0\1"
                     "\0\0\0\1"
                     "\0\0\0\1"
                     "x",
                     HEADER_BYTES + 5);
        db_array_done(&array);
}

static void test_bytes_that_are_no_text_become_some(void **state) {
        DbArray array;

        (void)state;
        db_array_init(&array, DB_TYPE_TEXT);
        db_array_lossy(&array, TEXT("a\xff\0b"));
        assert_int_equal(db_array_finish(&array), 0);
        assert_memory_equal(array.data + HEADER_BYTES,
                            "\0\0\0\4"
                            "a??b",
                            8);
        db_array_done(&array);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers_are_written_in_network_order),
                cmocka_unit_test(test_what_is_not_known_is_null),
                cmocka_unit_test(test_an_array_that_was_used_begins_anew),
                cmocka_unit_test(test_bytes_that_are_no_text_become_some),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
