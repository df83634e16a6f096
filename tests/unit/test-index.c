/* Index: a key finds what was put under it last, byte for byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/index.h"

typedef struct Visit Visit;

struct Visit {
        Index *index;
        int *values;
        size_t n;
};

static void test_a_key_finds_what_was_put_last(void **state) {
        CLEANUP(index_free) Index *index = NULL;
        int a = 0, b = 0;

        (void)state;
        assert_int_equal(index_new(&index), 0);
        assert_null(index_get_id(index, 1));
        assert_int_equal(index_put_id(index, 1, &a), 0);
        assert_int_equal(index_put_id(index, 1, &b), 0);
        assert_ptr_equal(index_get_id(index, 1), &b);
        assert_int_equal(index_length(index), 1);
        index_remove_id(index, 1);
        index_remove_id(index, 1);
        assert_null(index_get_id(index, 1));
        assert_int_equal(index_length(index), 0);
}

static void test_keys_are_bytes_and_are_copied(void **state) {
        CLEANUP(index_free) Index *index = NULL;
        char key[] = "veh\0a";
        int a = 0, b = 0, c = 0;

        (void)state;
        assert_int_equal(index_new(&index), 0);
        assert_int_equal(index_put(index, key, 5, &a), 0);
        assert_int_equal(index_put(index, key, 3, &b), 0);
        assert_int_equal(index_put(index, "", 0, &c), 0);
        memset(key, 'x', sizeof(key));
        assert_ptr_equal(index_get(index, "veh\0a", 5), &a);
        assert_ptr_equal(index_get(index, "veh", 3), &b);
        assert_ptr_equal(index_get(index, "", 0), &c);
        assert_null(index_get(index, "veh\0b", 5));
        assert_null(index_get(index, "veh\0", 4));
}

static void visit(void *arg, void *value) {
        Visit *visit = arg;
        int *one = value;

        ++*one;
        ++visit->n;
        index_remove_id(visit->index, one - visit->values);
}

static void test_each_is_visited_once_and_may_be_removed(void **state) {
        CLEANUP(index_free) Index *index = NULL;
        int values[1000] = { 0 };
        Visit all;

        (void)state;
        assert_int_equal(index_new(&index), 0);
        for (int64_t id = 0; id < 1000; ++id)
                assert_int_equal(index_put_id(index, id, &values[id]), 0);
        all = (Visit){ .index = index, .values = values };
        index_each(index, visit, &all);
        assert_int_equal(all.n, 1000);
        assert_int_equal(index_length(index), 0);
        for (size_t i = 0; i < 1000; ++i)
                assert_int_equal(values[i], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_key_finds_what_was_put_last),
                cmocka_unit_test(test_keys_are_bytes_and_are_copied),
                cmocka_unit_test(test_each_is_visited_once_and_may_be_removed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
