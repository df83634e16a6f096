/* IdList and Index: against a model, whatever the order of what is put in and taken out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/idlist.h"
#include "base/index.h"

enum {
        IDS = 200,
        STEPS = 20000,
};

static char things[IDS];

static unsigned dice(unsigned n) {
        static uint32_t seed = 1;

        seed = seed * 1664525u + 1013904223u; /* Numerical Recipes, 7.1 */
        return (seed >> 8) % n;
}

static void assert_walk(const IdList *list, const bool *is_in) {
        const char *thing = idlist_next(list, -1);

        for (int64_t id = 0; id < IDS; ++id) {
                if (!is_in[id])
                        continue;
                assert_ptr_equal(thing, &things[id]);
                thing = idlist_next(list, id);
        }
        assert_null(thing);
}

static void test_a_list_is_walked_in_order_of_its_ids(void **state) {
        bool is_in[IDS] = { 0 };
        IdList list = { 0 };

        (void)state;
        assert_null(idlist_next(&list, -1));
        for (int step = 0; step < STEPS; ++step) {
                unsigned id = dice(IDS);

                if (is_in[id])
                        idlist_remove(&list, id);
                else
                        assert_int_equal(idlist_add(&list, id, &things[id]), 0);
                is_in[id] = !is_in[id];
                if (dice(50) == 0) {
                        idlist_settle(&list);
                        assert_walk(&list, is_in);
                }
        }
        idlist_done(&list);
}

/* From a place that is no member, too: that is where a walk in pieces goes on. */
static void test_a_walk_goes_on_behind_any_id(void **state) {
        IdList list = { 0 };

        (void)state;
        for (int64_t id = 10; id <= 30; id += 10)
                assert_int_equal(idlist_add(&list, id, &things[id]), 0);
        idlist_settle(&list);
        assert_ptr_equal(idlist_next(&list, 14), &things[20]);
        assert_ptr_equal(idlist_next(&list, 20), &things[30]);
        assert_null(idlist_next(&list, 30));
        idlist_done(&list);
}

static void count(void *arg, void *value) {
        (void)value;
        ++*(size_t *)arg;
}

static void test_an_index_finds_what_was_put_there_last(void **state) {
        CLEANUP(index_free) Index *index = NULL;
        char *model[IDS] = { 0 };
        size_t n_in = 0, n_seen = 0;

        (void)state;
        assert_int_equal(index_new(&index), 0);
        for (int step = 0; step < STEPS; ++step) {
                unsigned id = dice(IDS);
                char *thing = dice(3) == 0 ? NULL : &things[dice(IDS)];

                assert_ptr_equal(index_get_id(index, id), model[id]);
                n_in += thing != NULL;
                n_in -= model[id] != NULL;
                if (thing)
                        assert_int_equal(index_put_id(index, id, thing), 0);
                else
                        index_remove_id(index, id);
                model[id] = thing;
                assert_int_equal(index_length(index), n_in);
        }
        index_each(index, count, &n_seen);
        assert_int_equal(n_seen, n_in);
}

/* A key is its bytes and their number. */
static void test_a_key_is_no_other_that_begins_like_it(void **state) {
        CLEANUP(index_free) Index *index = NULL;
        char key[] = "dev-1";

        (void)state;
        assert_int_equal(index_new(&index), 0);
        assert_int_equal(index_put(index, key, 5, &things[0]), 0);
        key[4] = '2'; /* it was copied */
        assert_null(index_get(index, "dev-", 4));
        assert_null(index_get(index, "dev-1\0", 6));
        assert_ptr_equal(index_get(index, "dev-1", 5), &things[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_list_is_walked_in_order_of_its_ids),
                cmocka_unit_test(test_a_walk_goes_on_behind_any_id),
                cmocka_unit_test(test_an_index_finds_what_was_put_there_last),
                cmocka_unit_test(test_a_key_is_no_other_that_begins_like_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
