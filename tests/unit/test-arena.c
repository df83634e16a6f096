/* Arena: alignment, reuse, and what is larger than a block. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_every_allocation_is_aligned_and_its_own(void **state) {
        CLEANUP(arena_free) Arena *arena = NULL;
        unsigned char *memory[200];

        (void)state;
        assert_int_equal(arena_new(&arena, 256), 0);
        for (size_t i = 0; i < N_ELEMENTS(memory); ++i) {
                memory[i] = arena_alloc(arena, i + 1);
                assert_non_null(memory[i]);
                assert_int_equal((uintptr_t)memory[i] % _Alignof(max_align_t), 0);
                memset(memory[i], (int)i, i + 1);
        }
        for (size_t i = 0; i < N_ELEMENTS(memory); ++i)
                for (size_t k = 0; k <= i; ++k)
                        assert_int_equal(memory[i][k], i);
}

static void test_reset_hands_the_same_blocks_out_again(void **state) {
        CLEANUP(arena_free) Arena *arena = NULL;
        void *first[8], *again;

        (void)state;
        assert_int_equal(arena_new(&arena, 64), 0);
        for (size_t i = 0; i < N_ELEMENTS(first); ++i)
                first[i] = arena_alloc(arena, 64);
        arena_reset(arena);
        for (size_t i = 0; i < N_ELEMENTS(first); ++i) {
                again = arena_alloc(arena, 64);
                assert_ptr_equal(again, first[i]);
        }
}

static void test_larger_than_a_block_works_and_is_not_kept(void **state) {
        CLEANUP(arena_free) Arena *arena = NULL;
        void *small, *again;
        char *large;

        (void)state;
        assert_int_equal(arena_new(&arena, 32), 0);
        small = arena_alloc(arena, 8);
        large = arena_alloc(arena, 100000);
        assert_non_null(large);
        memset(large, 'x', 100000);
        arena_reset(arena);
        again = arena_alloc(arena, 8);
        assert_ptr_equal(again, small);
}

static void test_copy_ends_with_nul_even_when_empty(void **state) {
        CLEANUP(arena_free) Arena *arena = NULL;
        Text copy;

        (void)state;
        assert_int_equal(arena_new(&arena, 64), 0);
        copy = arena_copy(arena, "hello world", 5);
        assert_string_equal(copy.data, "hello");
        assert_int_equal(copy.n, 5);
        copy = arena_copy(arena, NULL, 0);
        assert_string_equal(copy.data, "");
}

static void test_an_impossible_size_is_refused(void **state) {
        CLEANUP(arena_free) Arena *arena = NULL;

        (void)state;
        assert_int_equal(arena_new(&arena, 64), 0);
        assert_null(arena_alloc(arena, SIZE_MAX - 3));
        assert_null(arena_copy(arena, "x", SIZE_MAX).data);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_allocation_is_aligned_and_its_own),
                cmocka_unit_test(test_reset_hands_the_same_blocks_out_again),
                cmocka_unit_test(test_larger_than_a_block_works_and_is_not_kept),
                cmocka_unit_test(test_copy_ends_with_nul_even_when_empty),
                cmocka_unit_test(test_an_impossible_size_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
