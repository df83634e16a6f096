/* WsSocket: what the kernel does not take is kept and goes in order; the end is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ws/net/socket.h"

#define N_BYTES 4000000 /* more than the kernel takes of somebody who is not read */

typedef struct Fixture Fixture;

struct Fixture {
        WsSocket socket;
        int peer;
};

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        int fds[2];

        assert_non_null(f);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
        f->socket.fd = fds[0];
        f->peer = fds[1];
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        ws_socket_done(&f->socket);
        if (f->peer >= 0)
                close(f->peer);
        free(f);
        return 0;
}

static void test_what_the_kernel_takes_is_gone(void **state) {
        Fixture *f = *state;
        char text[8] = "";

        assert_true(ws_socket_write(&f->socket, "hello", 5));
        assert_false(ws_socket_has_unsent(&f->socket));
        assert_int_equal(read(f->peer, text, sizeof(text)), 5);
        assert_memory_equal(text, "hello", 5);
}

static void test_what_it_does_not_take_follows_in_order(void **state) {
        Fixture *f = *state;
        uint8_t *sent = malloc(N_BYTES), *got = malloc(N_BYTES);
        size_t n = 0;

        assert_non_null(sent);
        assert_non_null(got);
        for (size_t i = 0; i < N_BYTES; ++i)
                sent[i] = (uint8_t)(i * 7 + i / 251);
        assert_true(ws_socket_write(&f->socket, sent, N_BYTES / 2));
        assert_true(ws_socket_has_unsent(&f->socket));
        assert_true(ws_socket_write(&f->socket, sent + N_BYTES / 2, N_BYTES - N_BYTES / 2));
        while (n < N_BYTES) {
                ssize_t r = read(f->peer, got + n, N_BYTES - n);

                assert_true(r > 0);
                n += (size_t)r;
                assert_true(ws_socket_flush(&f->socket));
        }
        assert_false(ws_socket_has_unsent(&f->socket));
        assert_int_equal(ws_socket_n_unsent(&f->socket), 0);
        assert_memory_equal(got, sent, N_BYTES);
        free(sent);
        free(got);
}

static void test_nothing_there_is_told_from_the_end(void **state) {
        Fixture *f = *state;
        char text[8];

        assert_int_equal(ws_socket_read(&f->socket, text, sizeof(text)), -EAGAIN);
        assert_int_equal(write(f->peer, "a", 1), 1);
        assert_int_equal(ws_socket_read(&f->socket, text, sizeof(text)), 1);
        assert_int_equal(shutdown(f->peer, SHUT_WR), 0);
        assert_int_equal(ws_socket_read(&f->socket, text, sizeof(text)), 0);
        assert_true(ws_socket_write(&f->socket, "b", 1)); /* it may still listen */
}

static void test_who_is_gone_is_no_signal(void **state) {
        Fixture *f = *state;

        close(f->peer);
        f->peer = -1;
        assert_false(ws_socket_write(&f->socket, "a", 1));
        assert_false(f->socket.is_given_up); /* the peer has cut it */
}

static void test_after_the_goodbye_the_peer_reads_the_end(void **state) {
        Fixture *f = *state;
        char text[8];

        assert_true(ws_socket_write(&f->socket, "a", 1));
        ws_socket_say_bye(&f->socket);
        assert_int_equal(read(f->peer, text, sizeof(text)), 1);
        assert_int_equal(read(f->peer, text, sizeof(text)), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_what_the_kernel_takes_is_gone,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_it_does_not_take_follows_in_order,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_nothing_there_is_told_from_the_end,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_is_gone_is_no_signal, setup, teardown),
                cmocka_unit_test_setup_teardown(test_after_the_goodbye_the_peer_reads_the_end,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
