/* Process: what the kernel says of us moves as we do. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/process.h"

static void test_it_began_before_now_and_has_used_time(void **state) {
        double began, used = process_cpu_seconds();

        (void)state;
        while (process_cpu_seconds() == used) /* it is used up by asking */
                continue;
        began = process_start_seconds();
        assert_true(began > 0 && began <= (double)clock_now_us() / 1e6 + 1);
        assert_true(began > (double)clock_now_us() / 1e6 - 3600);
}

/* Its name stands in the same line, and may hold anything. */
static void test_no_name_of_a_process_hides_a_number(void **state) {
        double began = process_start_seconds();

        (void)state;
        assert_int_equal(prctl(PR_SET_NAME, ") 1 2) (3 4", 0, 0, 0), 0);
        assert_true(process_start_seconds() - began < 1 && began - process_start_seconds() < 1);
        assert_true(process_resident_bytes() > (size_t)1 << 20);
}

static void test_memory_that_is_touched_is_resident(void **state) {
        const size_t n = (size_t)64 << 20;
        size_t before = process_resident_bytes();
        char *touched = malloc(n);

        (void)state;
        assert_non_null(touched);
        memset(touched, 'x', n);
        assert_true(process_resident_bytes() >= before + n / 2);
        free(touched);
        process_give_back();
}

static void test_files_are_counted_without_the_one_that_counts(void **state) {
        size_t n = process_n_fds();
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void)state;
        assert_true(n >= 3);
        assert_true(fd >= 0);
        assert_int_equal(process_n_fds(), n + 1);
        close(fd);
        assert_int_equal(process_n_fds(), n);
}

static void test_the_soft_limit_is_the_one_that_counts(void **state) {
        struct rlimit limit, was;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
        limit = (struct rlimit){ .rlim_cur = 77, .rlim_max = was.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(process_max_fds(), 77);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_began_before_now_and_has_used_time),
                cmocka_unit_test(test_no_name_of_a_process_hides_a_number),
                cmocka_unit_test(test_memory_that_is_touched_is_resident),
                cmocka_unit_test(test_files_are_counted_without_the_one_that_counts),
                cmocka_unit_test(test_the_soft_limit_is_the_one_that_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
