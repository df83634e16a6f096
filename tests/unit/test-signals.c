/* Signals: what is taken waits for a descriptor, what means nothing ends nothing. */

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/clock.h"
#include "gateway/signals.h"

#define A_SECOND_US 1000000

/* What a process of its own came to: a process that was blocked or ended by signals is of no use to
 * the next test. */
static int outcome_of(void (*child)(void)) {
        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                child();
                _exit(3);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static void take_what_came(void) {
        struct pollfd one = { .events = POLLIN };

        if (signals_open(&one.fd) != 0 || signals_next(one.fd) != 0)
                _exit(1);
        (void)raise(SIGHUP);
        (void)raise(SIGTERM);
        if (poll(&one, 1, 0) != 1 || signals_next(one.fd) != SIGHUP ||
            signals_next(one.fd) != SIGTERM || signals_next(one.fd) != 0)
                _exit(2);
        _exit(0);
}

static void test_what_is_taken_waits_for_the_descriptor(void **state) {
        (void)state;
        assert_int_equal(outcome_of(take_what_came), 0);
}

static void be_told_of_nothing(void) {
        signals_expect();
        (void)raise(SIGPIPE);
        (void)raise(SIGUSR1);
        (void)raise(SIGUSR2);
        (void)raise(SIGXFSZ);
        (void)raise(SIGHUP); /* waits */
        _exit(0);
}

static void test_what_means_nothing_ends_nothing(void **state) {
        (void)state;
        assert_int_equal(outcome_of(be_told_of_nothing), 0);
}

static void be_ended_while_nobody_takes_it(void) {
        signals_expect();
        (void)raise(SIGTERM);
}

static void test_before_it_is_taken_a_signal_ends_the_process(void **state) {
        int status = outcome_of(be_ended_while_nobody_takes_it);

        (void)state;
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void be_told_twice(void) {
        int64_t until_us;
        int fd;

        if (signals_open(&fd) != 0)
                _exit(4);
        signals_arm_second();
        (void)raise(SIGINT); /* the first once more, as Ctrl-C sends it to a group */
        for (until_us = clock_mono_us() + A_SECOND_US; clock_mono_us() <= until_us;)
                (void)poll(NULL, 0, 50);
        (void)raise(SIGINT);
}

static void test_a_second_one_ends_it_at_once(void **state) {
        int status = outcome_of(be_told_twice);

        (void)state;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_taken_waits_for_the_descriptor),
                cmocka_unit_test(test_what_means_nothing_ends_nothing),
                cmocka_unit_test(test_before_it_is_taken_a_signal_ends_the_process),
                cmocka_unit_test(test_a_second_one_ends_it_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
