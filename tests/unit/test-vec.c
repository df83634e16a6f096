/* Vec: an array has room for one more as often as one is added, and keeps what it has. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/vec.h"

typedef struct Numbers Numbers;

struct Numbers {
        int *items;
        size_t n, capacity;
};

static void test_each_one_finds_room_and_stays(void **state) {
        Numbers numbers = { 0 };

        (void)state;
        for (int i = 0; i < 1000; ++i) {
                assert_true(VEC_HAS_ROOM(numbers.items, numbers.n, numbers.capacity, 4));
                numbers.items[numbers.n++] = i;
        }
        for (int i = 0; i < 1000; ++i)
                assert_int_equal(numbers.items[i], i);
        assert_int_equal(numbers.capacity, 1024);
        free(numbers.items);
}

static void test_it_grows_only_when_it_is_full(void **state) {
        Numbers numbers = { 0 };
        const int *before;

        (void)state;
        assert_true(VEC_HAS_ROOM(numbers.items, numbers.n, numbers.capacity, 3));
        assert_int_equal(numbers.capacity, 3);
        before = numbers.items;
        numbers.n = 2;
        assert_true(VEC_HAS_ROOM(numbers.items, numbers.n, numbers.capacity, 3));
        assert_ptr_equal(numbers.items, before);
        numbers.n = 3;
        assert_true(VEC_HAS_ROOM(numbers.items, numbers.n, numbers.capacity, 3));
        assert_int_equal(numbers.capacity, 6);
        free(numbers.items);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_one_finds_room_and_stays),
                cmocka_unit_test(test_it_grows_only_when_it_is_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
