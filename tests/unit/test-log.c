/* Log: what somebody outside can bring about is said once a minute. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"

#define N_THREADS 4
#define N_TRIES   1000

static void test_the_first_line_is_written_and_the_next_are_counted(void **state) {
        LogPace pace = { 0 };
        unsigned long long n_held = 7;

        (void)state;
        assert_true(log_may(&pace, &n_held));
        assert_int_equal(n_held, 0);
        for (int i = 0; i < 3; ++i)
                assert_false(log_may(&pace, &n_held));
        pace.due_us = clock_mono_us(); /* the minute is over */
        assert_true(log_may(&pace, &n_held));
        assert_int_equal(n_held, 3);
        pace.due_us = clock_mono_us();
        assert_true(log_may(&pace, &n_held));
        assert_int_equal(n_held, 0);
}

static void *insist(void *arg) {
        unsigned long long n_held;
        size_t n = 0;

        for (int i = 0; i < N_TRIES; ++i)
                n += log_may(arg, &n_held);
        return (void *)n;
}

static void test_one_of_many_threads_writes(void **state) {
        LogPace pace = { 0 };
        pthread_t threads[N_THREADS];
        size_t n_written = 0;

        (void)state;
        for (size_t i = 0; i < N_THREADS; ++i)
                assert_int_equal(pthread_create(&threads[i], NULL, insist, &pace), 0);
        for (size_t i = 0; i < N_THREADS; ++i) {
                void *n;

                assert_int_equal(pthread_join(threads[i], &n), 0);
                n_written += (size_t)n;
        }
        assert_int_equal(n_written, 1);
        assert_int_equal(pace.n_held, N_THREADS * N_TRIES - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_first_line_is_written_and_the_next_are_counted),
                cmocka_unit_test(test_one_of_many_threads_writes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
