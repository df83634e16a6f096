/* FillLevel: closes at the high mark, opens below it, and a disk that fails is for good. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "gateway/journal/fill_level.h"
#include "model/metrics.h"

enum {
        HIGH = 1000,
        LOW = 900, /* ten percent below */
};

static FillLevel level;

static int setup(void **state) {
        int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)state;
        metrics_reset();
        fill_level_init(&level, fd, HIGH, 0);
        return fd < 0 ? -1 : 0;
}

static int teardown(void **state) {
        (void)state;
        return close(level.dir_fd);
}

static void test_it_closes_at_the_high_mark_and_opens_below_the_low_one(void **state) {
        (void)state;
        assert_false(fill_level_is_high(&level, HIGH - 1, 1));
        assert_true(fill_level_is_high(&level, HIGH, 2));
        assert_int_equal(metric_get(METRIC_JOURNAL_FULL), 1);
        assert_true(fill_level_is_high(&level, HIGH - 1, 3)); /* no flutter at the mark */
        assert_true(fill_level_is_high(&level, LOW, 4));
        assert_false(fill_level_is_high(&level, LOW - 1, 5));
        assert_int_equal(metric_get(METRIC_JOURNAL_FULL), 0);
}

static void test_too_little_disk_closes_as_well(void **state) {
        FillLevel greedy;

        (void)state;
        fill_level_init(&greedy, level.dir_fd, HIGH, UINT64_MAX / 2);
        assert_true(fill_level_is_high(&greedy, 0, 1));
        assert_false(fill_level_allows(&greedy, 1));
        assert_true(fill_level_wants_room(&greedy));
        assert_true(fill_level_allows(&level, 1));
        assert_false(fill_level_wants_room(&level));
}

static void test_a_disk_that_failed_is_not_trusted_again(void **state) {
        (void)state;
        assert_false(fill_level_is_broken(&level));
        fill_level_break(&level, "fsync", EIO);
        assert_true(fill_level_is_broken(&level));
        assert_true(fill_level_is_high(&level, 0, 1));
        assert_int_equal(metric_get(METRIC_JOURNAL_FULL), 0); /* it is not that */
}

static void test_no_room_is_no_failure(void **state) {
        (void)state;
        assert_true(fill_level_passes(ENOSPC));
        assert_true(fill_level_passes(EDQUOT));
        assert_false(fill_level_passes(EIO));
        assert_false(fill_level_passes(EROFS));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_it_closes_at_the_high_mark_and_opens_below_the_low_one,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(test_too_little_disk_closes_as_well,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_disk_that_failed_is_not_trusted_again,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_no_room_is_no_failure, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
