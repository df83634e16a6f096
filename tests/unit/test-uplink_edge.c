/* The edge's side of an uplink: which URLs can be opened, what a frame is, and what goes when
 * nobody takes it. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "gateway/journal/journal.h"
#include "gateway/uplink/edge.h"
#include "gateway/uplink/hello.h"
#include "gateway/uplink/link.h"
#include "gateway/uplink/losses.h"
#include "gateway/uplink/orders.h"
#include "gateway/uplink/sender.h"
#include "model/metrics.h"

static char root[] = "/tmp/test-uplink-XXXXXX";

static void test_urls_are_of_websockets_with_a_path(void **state) {
        static const char *const good[] = { "ws://a/",
                                            "wss://a.example/ws/uplink/boat",
                                            "ws://127.0.0.1:8000/x",
                                            "wss://[2001:db8::1]:443/x",
                                            "ws://[::1]/x" };
        static const char *const bad[] = { "",
                                           "http://a/x",
                                           "ws://a",
                                           "ws:///x",
                                           "ws://a:/x",
                                           "ws://a:b/x",
                                           "ws://a b/x",
                                           "ws://u@a/x",
                                           "ws://[::1/x",
                                           "ws://[::1]a/x",
                                           "ws://a/x?token=b",
                                           "ws://a:12345678/x" };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(good); ++i)
                assert_true(uplink_link_is_url(good[i]));
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_false(uplink_link_is_url(bad[i]));
}

typedef struct Other Other;

/* Who answers on one connection, with the same bytes to whatever is asked. */
struct Other {
        int listener;
        uint16_t port;
        const char *answer;
        pthread_t thread;
};

static void *other_main(void *arg) {
        Other *other = arg;
        int fd = accept(other->listener, NULL, NULL);
        char text[1024];

        if (fd < 0)
                return NULL;
        (void)!read(fd, text, sizeof(text));
        (void)!write(fd, other->answer, strlen(other->answer));
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, text, sizeof(text)) > 0)
                ;
        (void)close(fd);
        return NULL;
}

static void other_start(Other *other, const char *answer) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t n = sizeof(address);

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        other->answer = answer;
        other->listener = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(other->listener, (const struct sockaddr *)&address, n), 0);
        assert_int_equal(listen(other->listener, 1), 0);
        assert_int_equal(getsockname(other->listener, (struct sockaddr *)&address, &n), 0);
        other->port = ntohs(address.sin_port);
        assert_int_equal(pthread_create(&other->thread, NULL, other_main, other), 0);
}

static void other_stop(Other *other) {
        assert_int_equal(pthread_join(other->thread, NULL), 0);
        (void)close(other->listener);
}

static void test_who_does_not_answer_as_a_websocket_is_told_why(void **state) {
        static const struct {
                const char *answer, *why;
        } all[] = {
                { "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
                  "refused: HTTP/1.1 403 Forbidden" },
                { "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n",
                  "the answer is none of a WebSocket" },
                { "HTTP/1.1 101 Switching Protocols\r\n\r\n", "the answer is none of a WebSocket" },
                { "", "the connection broke" },
                { "\r\n\r\n", "refused" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(all); ++i) {
                CLEANUP(uplink_link_free) UplinkLink *link = NULL;
                char url[64], why[UPLINK_LINK_WHY];
                Other other;

                other_start(&other, all[i].answer);
                snprintf(url, sizeof(url), "ws://127.0.0.1:%d/ws/uplink/boat", other.port);
                assert_int_equal(uplink_link_open(&link,
                                                  &(UplinkLinkOptions){ .url = url,
                                                                        .token = "t",
                                                                        .timeout_ms = 20000,
                                                                        .wake_fd = -1 },
                                                  why),
                                 UPLINK_LINK_E_DOWN);
                assert_string_equal(why, all[i].why);
                other_stop(&other);
        }
}

/* How opening ends with whoever is at that port. */
static void open_in_vain(const char *scheme, uint16_t port, int timeout_ms, char *ret_why) {
        CLEANUP(uplink_link_free) UplinkLink *link = NULL;
        char url[64];

        snprintf(url, sizeof(url), "%s://127.0.0.1:%d/ws/uplink/boat", scheme, port);
        assert_int_equal(uplink_link_open(&link,
                                          &(UplinkLinkOptions){ .url = url,
                                                                .token = "t",
                                                                .verify = true,
                                                                .timeout_ms = timeout_ms,
                                                                .wake_fd = -1 },
                                          ret_why),
                         UPLINK_LINK_E_DOWN);
}

static void test_who_has_no_tls_is_told_so(void **state) {
        char why[UPLINK_LINK_WHY];
        Other other;

        (void)state;
        other_start(&other, "HTTP/1.1 400 Bad Request\r\n\r\n");
        open_in_vain("wss", other.port, 20000, why);
        assert_memory_equal(why, "TLS failed: error:", 18);
        other_stop(&other);
}

/* The system accepts the connection; nobody else ever does. */
static void test_who_says_nothing_is_not_waited_for_beyond_the_time(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t n = sizeof(address);
        char why[UPLINK_LINK_WHY];
        int listener = socket(AF_INET, SOCK_STREAM, 0);

        (void)state;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(listener, (const struct sockaddr *)&address, n), 0);
        assert_int_equal(listen(listener, 4), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
        open_in_vain("ws", ntohs(address.sin_port), 50, why);
        assert_string_equal(why, "it took too long");
        open_in_vain("wss", ntohs(address.sin_port), 50, why);
        assert_string_equal(why, "it took too long");
        (void)close(listener);
}

static void append(Journal *journal, size_t n) {
        static char payload[1000];
        uint64_t seq;

        for (size_t i = 0; i < n; ++i) {
                int r = journal_append(journal,
                                       &(Inbound){ .topic = TEXT("a/b"),
                                                   .payload = { payload, sizeof(payload) } },
                                       &seq);

                if (r == 0)
                        metric_add(METRIC_IN_JOURNAL, 1);
        }
}

/* Nobody is there. With @drops the oldest goes, and what is left and what went are all that came.
 */
static void run_full(bool drops) {
        CLEANUP(uplink_sender_free) UplinkSender *sender = NULL;
        CLEANUP(journal_close) Journal *journal = NULL;
        char dir[128], token[128];
        FILE *file;

        snprintf(dir, sizeof(dir), "%s/journal-%d", root, drops);
        snprintf(token, sizeof(token), "%s/token", root);
        file = fopen(token, "we");
        assert_non_null(file);
        assert_true(fputs("tgd_x\n", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(token, 0600), 0);
        assert_int_equal(journal_open(&journal,
                                      &(JournalOptions){ .dir = dir,
                                                         .max_bytes = 1024 * 1024,
                                                         .segment_bytes = 64 * 1024,
                                                         .reserve_bytes = 256 * 1024,
                                                         .fsync = JOURNAL_FSYNC_NEVER }),
                         0);
        metric_set(METRIC_IN_JOURNAL, 0);
        metric_set(METRIC_UPLINK_DROPPED, 0);
        append(journal, 850);
        assert_true(journal_is_high(journal));
        metric_set(METRIC_IN_JOURNAL, 0); /* the start counts what is there */
        assert_int_equal(uplink_sender_new(&sender,
                                           &(UplinkSenderOptions){
                                                   .url = "ws://127.0.0.1:1/ws/uplink/a",
                                                   .token_file = token,
                                                   .drops = drops,
                                                   .backoff_min_ms = 10,
                                                   .backoff_max_ms = 20,
                                                   .timeout_ms = 1000 },
                                           journal),
                         0);
        assert_int_equal(uplink_sender_start(sender), 0);
        while (drops && journal_is_high(journal))
                assert_int_equal(poll(NULL, 0, 1), 0);
        uplink_sender_stop(sender, 1000);
        assert_int_equal(uplink_sender_result(sender), 0);
        assert_int_equal(journal_is_high(journal), !drops);
        assert_int_equal(metric_get(METRIC_UPLINK_DROPPED) > 0, drops);
        assert_int_equal(metric_get(METRIC_UPLINK_DROPPED) + metric_get(METRIC_IN_JOURNAL), 850);
}

static void test_a_full_journal_stays_full_unless_the_oldest_may_go(void **state) {
        (void)state;
        run_full(false);
        run_full(true);
}

static void test_commands_that_cannot_be_read_cost_nobody_else(void **state) {
        static const char *const said[] = {
                "",
                "{}",
                "{\"type\":\"command\",\"command\":{}}",
                "{\"type\":\"command\",\"left_ms\":0,\"command_id\":\"a\",\"device\":\"d\","
                "\"command\":{}}",
                "{\"type\":\"command\",\"left_ms\":9,\"command_id\":7,\"device\":\"d\",\"command\":"
                "{}}",
                "{\"type\":\"command\",\"left_ms\":9,\"command_id\":\"a\",\"command\":{}}",
                "{\"type\":\"command\",\"left_ms\":9,\"command_id\":\"a\",\"device\":\"d\","
                "\"command\":{}",
                "{\"type\":\"command\",\"left_ms\":9,\"command_id\":\"a\",\"device\":\"d\","
                "\"command\":{}} ",
                "{\"type\":\"command\",\"left_ms\":99999,\"command_id\":\"a\",\"device\":\"d\","
                "\"command\":{}}",
        };
        CLEANUP(uplink_orders_free) UplinkOrders *orders = NULL;

        (void)state;
        assert_int_equal(uplink_orders_new(&orders,
                                           &(CommandPublisherOptions){ .topics = "no device" }),
                         COMMAND_PUBLISHER_E_TOPIC);
        assert_int_equal(uplink_orders_new(&orders,
                                           &(CommandPublisherOptions){ .topics = "d/{device}/c" }),
                         0);
        for (size_t i = 0; i < N_ELEMENTS(said); ++i)
                assert_int_equal(uplink_orders_put(orders, text_of(said[i])), 0);
        assert_int_equal(uplink_orders_start(orders), 0);
}

static void test_an_edge_without_a_broker_does_not_start(void **state) {
        CLEANUP(config_free) Config *config = NULL;
        char dir[128], token[128];
        const char *const sets[] = {
                dir, token, "uplink.url=ws://127.0.0.1:1/ws/uplink/a", "http.listen=127.0.0.1:0"
        };
        ConfigSource source = { .sets = sets, .n_sets = N_ELEMENTS(sets) };
        UplinkEdge *edge = NULL;

        (void)state;
        snprintf(dir, sizeof(dir), "journal.dir=%s/edge", root);
        snprintf(token, sizeof(token), "uplink.token_file=%s/token", root);
        assert_int_equal(config_load(&config, &source), 0);
        assert_int_equal(uplink_edge_new(&edge, config), UPLINK_EDGE_E_START);
}

/* A start that says its hello, and takes in so many. */
static void say_hello(size_t n, Buf *ret_said, char ret_run[17]) {
        CLEANUP(journal_close) Journal *journal = NULL;
        const JournalOptions options = { .dir = "hello",
                                         .max_bytes = 1024 * 1024,
                                         .segment_bytes = 64 * 1024,
                                         .fsync = JOURNAL_FSYNC_NEVER };

        assert_int_equal(chdir(root), 0);
        assert_int_equal(journal_open(&journal, &options), 0);
        assert_int_equal(uplink_hello_begin(journal), 0);
        buf_reset(ret_said);
        uplink_hello_write(journal, ret_said);
        buf_append(ret_said, "", 1);
        snprintf(ret_run, 17, "%s", strstr(ret_said->data, "\"runs\":[\"") + 9);
        append(journal, n);
}

static void test_a_hello_names_each_start_that_has_numbered_anything(void **state) {
        CLEANUP_BUF Buf said = { 0 };
        char first[17], second[17], third[17], fourth[17];

        (void)state;
        say_hello(1, &said, first);
        assert_int_equal(strlen(first), 16);
        say_hello(0, &said, second);
        assert_non_null(strstr(said.data, first));
        assert_string_not_equal(first, second);
        say_hello(2, &said, third);
        assert_non_null(strstr(said.data, first));
        assert_null(strstr(said.data, second)); /* it has none */
        say_hello(0, &said, fourth);
        assert_non_null(strstr(said.data, first));
        assert_non_null(strstr(said.data, third));
}

static const char *losses(UplinkLosses *losses, Buf *buf) {
        buf_reset(buf);
        if (!uplink_losses_write(losses, buf))
                return "";
        buf_append(buf, "", 1);
        return buf->data;
}

/* All of it on each connection; as news until it was heard. */
static void test_what_went_is_said_once_a_connection_and_news_until_it_is_heard(void **state) {
        const Text welcome = TEXT("{\"type\":\"welcome\",\"hears\":[\"lost\"]}");
        UplinkLosses told = { 0 };
        CLEANUP_BUF Buf buf = { 0 };
        int64_t n_before = metric_get_dead_letters();

        (void)state;
        metric_set(METRIC_UPLINK_DROPPED, -n_before);
        metric_set(METRIC_JOURNAL_GAP, 0);
        uplink_losses_welcome(&told, welcome);
        assert_string_equal(losses(&told, &buf), "");
        metric_add(METRIC_UPLINK_DROPPED, 5);
        assert_string_equal(losses(&told, &buf),
                            "{\"type\":\"lost\",\"dropped\":5,\"gaps\":0,"
                            "\"new_dropped\":5,\"new_gaps\":0}");
        metric_add(METRIC_JOURNAL_GAP, 2);
        assert_string_equal(losses(&told, &buf), ""); /* first the other is to be heard */
        uplink_losses_welcome(&told, welcome);
        assert_string_equal(losses(&told, &buf),
                            "{\"type\":\"lost\",\"dropped\":5,\"gaps\":2,"
                            "\"new_dropped\":5,\"new_gaps\":2}");
        uplink_losses_heard(&told);
        metric_add_dead_letter(REASON_TOO_LARGE, 1);
        assert_string_equal(losses(&told, &buf),
                            "{\"type\":\"lost\",\"dropped\":6,\"gaps\":2,"
                            "\"new_dropped\":1,\"new_gaps\":0}");
        uplink_losses_heard(&told);
        uplink_losses_welcome(&told, TEXT("{\"type\":\"welcome\"}"));
        assert_string_equal(losses(&told, &buf), ""); /* it would not understand */
        uplink_losses_welcome(&told, welcome);
        assert_string_equal(losses(&told, &buf),
                            "{\"type\":\"lost\",\"dropped\":6,\"gaps\":2,"
                            "\"new_dropped\":0,\"new_gaps\":0}");
}

static int make_root(void **state) {
        (void)state;
        return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
        char command[64];

        (void)state;
        snprintf(command, sizeof(command), "rm -r %s", root);
        return system(command); /* NOLINT(cert-env33-c): a test's own folder */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_urls_are_of_websockets_with_a_path),
                cmocka_unit_test(test_who_does_not_answer_as_a_websocket_is_told_why),
                cmocka_unit_test(test_who_has_no_tls_is_told_so),
                cmocka_unit_test(test_who_says_nothing_is_not_waited_for_beyond_the_time),
                cmocka_unit_test(test_a_full_journal_stays_full_unless_the_oldest_may_go),
                cmocka_unit_test(test_commands_that_cannot_be_read_cost_nobody_else),
                cmocka_unit_test(test_an_edge_without_a_broker_does_not_start),
                cmocka_unit_test(test_a_hello_names_each_start_that_has_numbered_anything),
                cmocka_unit_test(
                        test_what_went_is_said_once_a_connection_and_news_until_it_is_heard),
        };

        return cmocka_run_group_tests(tests, make_root, remove_root);
}
