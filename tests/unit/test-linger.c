/* MqttLinger: what was sent before a connection was closed is heard, whatever we have not read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "mqtt/linger.h"

typedef struct Pair Pair;

/* A connection, as its client and its server have it. */
struct Pair {
        int listener, client, server, port;
};

static int setup(void **state) {
        static Pair pair;
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof(address);

        pair.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(pair.listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(pair.listener, 1), 0);
        assert_int_equal(getsockname(pair.listener, (struct sockaddr *)&address, &n), 0);
        assert_int_equal(connect(pair.client, (struct sockaddr *)&address, sizeof(address)), 0);
        pair.server = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC);
        pair.port = ntohs(address.sin_port);
        *state = &pair;
        return 0;
}

static int teardown(void **state) {
        Pair *pair = *state;

        close(pair->listener);
        close(pair->server);
        return 0;
}

static void say(int fd, const char *text) {
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hear(int fd, const char *text) {
        char bytes[16] = "";

        assert_int_equal(recv(fd, bytes, sizeof(bytes) - 1, 0), strlen(text));
        assert_string_equal(bytes, text);
}

static int64_t soon(void) {
        return clock_mono_us() + 60 * INT64_C(1000000);
}

/* As Paho does it, which is not told how much there is to read. */
static void close_unread(Pair *pair) {
        say(pair->server, "unread");
        say(pair->client, "last");
        assert_int_equal(shutdown(pair->client, SHUT_WR), 0);
        close(pair->client);
}

static void test_the_peer_hears_what_was_said_and_may_go_on(void **state) {
        Pair *pair = *state;
        MqttLinger linger;
        char byte;

        mqtt_linger_begin(&linger, pair->port);
        close_unread(pair);
        say(pair->server, "more");
        hear(pair->server, "last");
        assert_int_equal(recv(pair->server, &byte, 1, 0), 0); /* an end, and no reset */
        shutdown(pair->server, SHUT_WR);
        mqtt_linger_end(&linger, soon());
        assert_int_equal(linger.n, 0);
}

static void test_a_peer_that_stays_is_waited_for_no_longer_than_said(void **state) {
        Pair *pair = *state;
        MqttLinger linger;

        mqtt_linger_begin(&linger, pair->port);
        close_unread(pair);
        mqtt_linger_end(&linger, clock_mono_us() + 1000);
        hear(pair->server, "last");
}

static void test_what_stays_open_is_not_read(void **state) {
        Pair *pair = *state;
        MqttLinger linger;

        say(pair->server, "news");
        mqtt_linger_begin(&linger, pair->port);
        mqtt_linger_end(&linger, soon());
        hear(pair->client, "news");
        say(pair->client, "reply");
        hear(pair->server, "reply");
        close(pair->client);
}

static void test_other_ports_are_left_alone(void **state) {
        Pair *pair = *state;
        MqttLinger linger;

        mqtt_linger_begin(&linger, pair->port + 1);
        assert_int_equal(linger.n, 0);
        mqtt_linger_end(&linger, soon());
        close(pair->client);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_the_peer_hears_what_was_said_and_may_go_on,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_peer_that_stays_is_waited_for_no_longer_than_said, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_stays_open_is_not_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_other_ports_are_left_alone, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
