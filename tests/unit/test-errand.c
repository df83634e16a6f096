/* Errand: what blocks is somewhere else, and its result comes back once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/errand.h"

/* Waits for the descriptor, as for a server. */
static int wait_for(void *arg) {
        struct pollfd fd = { .fd = *(int *)arg, .events = POLLIN };

        return poll(&fd, 1, -1) == 1 ? 42 : -1;
}

static int nothing(void *arg) {
        (void)arg;
        return 7;
}

static int take(Errand *errand) {
        struct pollfd fd = { .fd = errand_fd(errand), .events = POLLIN };
        int result;

        while (!errand_take(errand, &result))
                assert_int_equal(poll(&fd, 1, -1), 1);
        return result;
}

static void test_the_owner_goes_on(void **state) {
        CLEANUP(errand_free) Errand *errand = NULL;
        int event_fd = eventfd(0, 0);
        int result;

        (void)state;
        assert_int_equal(errand_new(&errand, "test"), 0);
        assert_false(errand_is_out(errand));
        errand_begin(errand, wait_for, &event_fd);
        assert_true(errand_is_out(errand));
        assert_false(errand_take(errand, &result));
        assert_int_equal(eventfd_write(event_fd, 1), 0);
        assert_int_equal(take(errand), 42);
        assert_false(errand_is_out(errand));
        assert_false(errand_take(errand, &result));

        for (int i = 0; i < 100; ++i) {
                errand_begin(errand, nothing, NULL);
                assert_int_equal(take(errand), 7);
        }
}

static void test_the_end_calls_it_off(void **state) {
        Errand *errand;
        int stop_fd;

        (void)state;
        assert_int_equal(errand_new(&errand, "test"), 0);
        stop_fd = errand_stop_fd(errand);
        errand_begin(errand, wait_for, &stop_fd);
        errand_free(errand);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_owner_goes_on),
                cmocka_unit_test(test_the_end_calls_it_off),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
