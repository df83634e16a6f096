/* Ids: in order, each once, and found. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/ids.h"

static void test_ids_are_sorted_whatever_their_sign(void **state) {
        int64_t ids[] = { 5, INT64_MAX, -1, 0, INT64_MIN, 5 };
        const int64_t sorted[] = { INT64_MIN, -1, 0, 5, 5, INT64_MAX };

        (void)state;
        ids_sort(ids, N_ELEMENTS(ids));
        assert_memory_equal(ids, sorted, sizeof(sorted));
}

static void test_each_is_left_once(void **state) {
        int64_t ids[] = { 7, 3, 7, 7, 3, 1 };
        const int64_t left[] = { 1, 3, 7 };

        (void)state;
        assert_int_equal(ids_sort_once(ids, N_ELEMENTS(ids)), 3);
        assert_memory_equal(ids, left, sizeof(left));
        assert_int_equal(ids_sort_once(ids, 1), 1);
        assert_int_equal(ids_sort_once(NULL, 0), 0);
}

static void test_what_is_there_is_found_and_nothing_else(void **state) {
        int64_t ids[100];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(ids); ++i)
                ids[i] = (int64_t)i * 2;
        for (size_t n = 0; n <= N_ELEMENTS(ids); ++n)
                for (int64_t id = -1; id < 201; ++id)
                        assert_int_equal(ids_have(ids, n, id),
                                         id >= 0 && id % 2 == 0 && id / 2 < (int64_t)n);
        assert_false(ids_have(NULL, 0, 1));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ids_are_sorted_whatever_their_sign),
                cmocka_unit_test(test_each_is_left_once),
                cmocka_unit_test(test_what_is_there_is_found_and_nothing_else),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
