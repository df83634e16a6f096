/* JournalSpace: what is kept or not used yet is no part of what is full. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/journal/journal_space.h"
#include "model/metrics.h"

static void test_files_are_counted_as_they_come_and_go(void **state) {
        JournalSpace space = { 0 };
        JournalKeep keep = { 0 };

        (void)state;
        journal_space_add(&space, 3000, 3);
        journal_space_add(&space, -1000, -1);
        assert_int_equal(journal_space_allocated(&space, &keep), 2000);
        assert_int_equal(metric_get(METRIC_JOURNAL_BYTES), 2000);
        assert_int_equal(metric_get(METRIC_JOURNAL_SEGMENTS), 2);
}

static void test_what_is_kept_or_unused_is_room(void **state) {
        JournalSpace space = { .n_allocated = 10000, .n_unused = 500 };
        JournalKeep keep = { .n_bytes = 2000, .n_excess = 1000 };

        (void)state;
        assert_int_equal(journal_space_used(&space, &keep), 6500);
        assert_int_equal(journal_space_allocated(&space, &keep), 9000);
}

/* Each of them is read for itself, while the others go on. */
static void test_numbers_that_do_not_fit_together_are_no_room_below_none(void **state) {
        JournalSpace space = { .n_allocated = 100, .n_unused = 500 };
        JournalKeep keep = { .n_excess = 1000 };

        (void)state;
        assert_int_equal(journal_space_used(&space, &keep), 0);
        assert_int_equal(journal_space_allocated(&space, &keep), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_files_are_counted_as_they_come_and_go),
                cmocka_unit_test(test_what_is_kept_or_unused_is_room),
                cmocka_unit_test(test_numbers_that_do_not_fit_together_are_no_room_below_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
