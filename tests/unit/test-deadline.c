/* Deadline: who waits for what has happened waits for nothing, and nobody waits for ever. */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/deadline.h"

static void test_a_deadline_of_the_past_is_no_wait(void **state) {
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        struct timespec past = deadline_in(0);
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

        (void)state;
        assert_int_equal(pthread_mutex_lock(&lock), 0);
        while (deadline_wait(&cond, &lock, &past)) /* it may wake for nothing */
                continue;
        assert_int_equal(pthread_mutex_unlock(&lock), 0);
        pthread_cond_destroy(&cond);
}

static void test_a_wait_ends_with_its_deadline_and_not_before(void **state) {
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER; /* which knows of no monotonic clock */
        int64_t begun_us = clock_mono_us();
        struct timespec until = deadline_in(30);

        (void)state;
        assert_int_equal(pthread_mutex_lock(&lock), 0);
        while (deadline_wait(&cond, &lock, &until))
                continue;
        assert_int_equal(pthread_mutex_unlock(&lock), 0);
        assert_true(clock_mono_us() - begun_us >= 30000);
        pthread_cond_destroy(&cond);
}

static void *wait_for_word(void *arg) {
        while (!atomic_load((atomic_bool *)arg))
                (void)sched_yield();
        return NULL;
}

static void test_a_thread_is_joined_once_it_has_ended(void **state) {
        struct timespec until = deadline_in(20);
        atomic_bool word = false;
        pthread_t thread;

        (void)state;
        assert_int_equal(pthread_create(&thread, NULL, wait_for_word, &word), 0);
        assert_false(deadline_join(thread, &until));
        atomic_store(&word, true);
        until = deadline_in(20000);
        assert_true(deadline_join(thread, &until));
}

static void test_seconds_are_carried_over(void **state) {
        struct timespec now = deadline_in(0), later = deadline_in(2999);

        (void)state;
        assert_in_range(later.tv_nsec, 0, 999999999);
        assert_true(later.tv_sec - now.tv_sec >= 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_deadline_of_the_past_is_no_wait),
                cmocka_unit_test(test_a_wait_ends_with_its_deadline_and_not_before),
                cmocka_unit_test(test_a_thread_is_joined_once_it_has_ended),
                cmocka_unit_test(test_seconds_are_carried_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
