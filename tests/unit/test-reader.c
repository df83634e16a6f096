/* Reader: it connects when there is something to ask, tries once a second, and says so once. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/queue.h"
#include "gateway/read/reader.h"
#include "model/event.h"
#include "model/metrics.h"

/* A server that lets everybody in, and then does as it is told with what it is asked. */
typedef struct Server {
        int fd;
        pthread_t thread;
        atomic_int n_came; /* connections that were let in */
        bool cuts;         /* at the first question; else it says that it is done */
} Server;

typedef struct Fixture {
        Server server;
        char url[128];
        Queue *outbox;
        LogPace said;
        Reader reader;
} Fixture;

static void server_say(int fd, const void *bytes, size_t n) {
        (void)!write(fd, bytes, n);
}

/* Until the link is cut, or the peer has gone. */
static void server_serve(const Server *server, int fd) {
        static const char welcome[] = "R\0\0\0\x08\0\0\0\0"
                                      "S\0\0\0\x17"
                                      "DateStyle\0ISO, YMD\0"
                                      "Z\0\0\0\x05I";
        static const char done[] = "C\0\0\0\x08SET\0Z\0\0\0\x05I";
        char asked[4096];

        if (read(fd, asked, sizeof(asked)) <= 0) /* who it is */
                return;
        server_say(fd, welcome, sizeof(welcome) - 1);
        while (read(fd, asked, sizeof(asked)) > 0 && *asked != 'X' && !server->cuts)
                server_say(fd, done, sizeof(done) - 1);
}

static void *server_run(void *arg) {
        Server *server = arg;
        int fd;

        while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
                atomic_fetch_add(&server->n_came, 1);
                server_serve(server, fd);
                close(fd);
        }
        return NULL;
}

static int server_start(Server *server) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof(address);

        server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server->fd, (struct sockaddr *)&address, n), 0);
        assert_int_equal(listen(server->fd, 8), 0);
        assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &n), 0);
        assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
        return ntohs(address.sin_port);
}

static void drop(void *event) {
        event_unref(event);
}

static void open_reader(Fixture *f, const char *greeting) {
        const ReaderOptions options = { .name = "test",
                                        .database_url = f->url,
                                        .statement_timeout_ms = 60000,
                                        .greeting = greeting,
                                        .outbox = f->outbox,
                                        .said = &f->said };

        assert_int_equal(reader_init(&f->reader, &options), 0);
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        snprintf(f->url,
                 sizeof(f->url),
                 "host=127.0.0.1 port=%d user=u dbname=d sslmode=disable gssencmode=disable",
                 server_start(&f->server));
        assert_int_equal(queue_new(&f->outbox, 1, drop), 0);
        metrics_reset();
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        reader_done(&f->reader);
        shutdown(f->server.fd, SHUT_RDWR);
        pthread_join(f->server.thread, NULL);
        close(f->server.fd);
        queue_free(f->outbox);
        free(f);
        return 0;
}

static void test_it_connects_once_and_when_it_is_asked_to(void **state) {
        Fixture *f = *state;

        open_reader(f, NULL);
        assert_int_equal(atomic_load(&f->server.n_came), 0);
        assert_int_equal(reader_connect(&f->reader), 0);
        assert_int_equal(reader_connect(&f->reader), 0);
        assert_int_equal(atomic_load(&f->server.n_came), 1);
        assert_false(f->reader.is_reported);
}

/* A pooler without a server behind it lets everybody in, and cuts the first question. */
static void test_who_is_cut_at_the_greeting_does_not_try_again_at_once(void **state) {
        Fixture *f = *state;

        f->server.cuts = true;
        open_reader(f, "SET client_connection_check_interval = 500");
        for (int i = 0; i < 5; ++i)
                assert_int_equal(reader_connect(&f->reader), READER_E_AWAY);
        assert_int_equal(atomic_load(&f->server.n_came), 1);
        assert_true(f->reader.is_reported);
}

static void test_who_is_called_off_says_nothing_about_the_database(void **state) {
        Fixture *f = *state;

        open_reader(f, NULL);
        reader_end(&f->reader);
        reader_calm(&f->reader); /* the end is for good, and is not calmed */
        assert_int_equal(reader_connect(&f->reader), READER_E_AWAY);
        assert_false(f->reader.is_reported);
}

static Answer *new_answer(void) {
        CLEANUP(query_free) Query *query = NULL;
        Answer *answer = NULL;

        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        assert_int_equal(answer_new(&answer, query), 0);
        return answer;
}

/* And whoever asked is told by the time that his question has. */
static void test_an_outbox_that_stays_full_loses_the_answer_and_counts_it(void **state) {
        Fixture *f = *state;
        Answer *first = new_answer(), *second = new_answer(), *third = new_answer();

        open_reader(f, NULL);
        assert_int_equal(reader_send(&f->reader, &first), 0);
        assert_null(first);
        assert_int_equal(reader_send(&f->reader, &second), READER_E_LOST);
        assert_int_equal(metric_get(METRIC_OUTBOX_DROPPED), 1);
        queue_close(f->outbox);
        assert_int_equal(reader_send(&f->reader, &third), READER_E_LOST);
        assert_int_equal(metric_get(METRIC_OUTBOX_DROPPED), 1);
        answer_free(second);
        answer_free(third);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_it_connects_once_and_when_it_is_asked_to,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        test_who_is_cut_at_the_greeting_does_not_try_again_at_once,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_who_is_called_off_says_nothing_about_the_database, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_an_outbox_that_stays_full_loses_the_answer_and_counts_it,
                        set_up,
                        tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
