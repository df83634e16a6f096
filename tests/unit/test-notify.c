/* Notify: the manager hears what it needs in the words that it knows; without one, or with one that
 * does not listen, nothing happens. */

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/notify.h"

static int manager = -1;
static char heard[256];

static int set_up(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int n;

        (void)state;
        manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(manager >= 0);
        /* Abstract: it leaves no file. */
        n = snprintf(address.sun_path + 1,
                     sizeof(address.sun_path) - 1,
                     "tidegate-notify-%d",
                     (int)getpid());
        assert_int_equal(bind(manager,
                              (struct sockaddr *)&address,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                         0);
        address.sun_path[0] = '@';
        assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        if (manager >= 0)
                close(manager);
        manager = -1;
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        return 0;
}

static const char *hear(void) {
        ssize_t n = recv(manager, heard, sizeof(heard) - 1, 0);

        heard[n < 0 ? 0 : n] = '\0';
        return heard;
}

static void test_each_is_one_message_in_the_manager_s_words(void **state) {
        (void)state;
        notify_ready();
        assert_string_equal(hear(), "READY=1");
        notify_watchdog();
        notify_watchdog();
        assert_string_equal(hear(), "WATCHDOG=1");
        assert_string_equal(hear(), "WATCHDOG=1");
        notify_stopping();
        assert_string_equal(hear(), "STOPPING=1");
        assert_string_equal(hear(), "");
}

/* Type=notify-reload waits for a READY=1 that came after this, by the clock of the system. */
static void test_a_reload_says_when_it_began(void **state) {
        int64_t before_us = clock_mono_us(), said_us = 0;

        (void)state;
        notify_reloading();
        assert_int_equal(sscanf(hear(), "RELOADING=1\nMONOTONIC_USEC=%" SCNd64, &said_us), 1);
        assert_true(said_us >= before_us && said_us <= clock_mono_us());
}

static void test_who_does_not_listen_is_not_waited_for(void **state) {
        (void)state;
        while (*hear())
                continue;
        for (int i = 0; i < 1000; ++i) /* the socket takes no more long before */
                notify_watchdog();
        notify_ready();
        assert_string_equal(hear(), "WATCHDOG=1");
        close(manager);
        manager = -1;
        notify_ready(); /* it went */
        unsetenv("NOTIFY_SOCKET");
        notify_ready();
        setenv("NOTIFY_SOCKET", "no path", 1);
        notify_ready();
        notify_reloading();
}

static void test_an_interval_is_what_was_asked_of_this_process(void **state) {
        char pid[32];

        (void)state;
        assert_int_equal(notify_watchdog_us(), 0);
        setenv("WATCHDOG_USEC", "30000000", 1);
        assert_int_equal(notify_watchdog_us(), 30000000);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("WATCHDOG_PID", pid, 1);
        assert_int_equal(notify_watchdog_us(), 30000000);
        assert_int_equal(notify_watchdog_us(), 30000000); /* who asks twice hears it twice */
        snprintf(pid, sizeof(pid), "%d", (int)getppid());
        setenv("WATCHDOG_PID", pid, 1);
        assert_int_equal(notify_watchdog_us(), 0);
}

static void test_what_is_no_interval_is_none(void **state) {
        static const char *const values[] = {
                "",    "0", "-1", "soon", "1e6", "18446744073709551615", "99999999999999999999999",
                "12x",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(values); ++i) {
                setenv("WATCHDOG_USEC", values[i], 1);
                if (notify_watchdog_us() != 0)
                        fail_msg("'%s' is an interval of %" PRId64,
                                 values[i],
                                 notify_watchdog_us());
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_each_is_one_message_in_the_manager_s_words),
                TEST(test_a_reload_says_when_it_began),
                TEST(test_who_does_not_listen_is_not_waited_for),
                TEST(test_an_interval_is_what_was_asked_of_this_process),
                TEST(test_what_is_no_interval_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
