/* WsSubscriber: who polls gets one answer: what came, or why there is nothing; who listens to a
 * stream gets its head, and no other answer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "tests/fake/conn.h"
#include "ws/http/exchange.h"
#include "ws/http/subscriber.h"
#include "ws/hub/hub.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"

static Registry *registry;
static WsHub *hub;
static WsOptions options;
static WsWaiters waiters;
static WsConn conn;
static WsExchange exchange;
static WsRequest request;
static WsDialect dialect;

/* Whatever it has by now is the answer. */
static void flush(WsClient *client) {
        ws_viewer_finish(client);
}

static int set_up(void **state) {
        (void)state;
        metrics_reset();
        conn = (WsConn){ .user = &exchange };
        request = (WsRequest){ 0 };
        dialect = (WsDialect){
                .id = WS_DIALECT_POLL, .name = "poll", .door = WS_DOOR_POLL, .flush = flush
        };
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(ws_hub_new(&hub, registry), 0);
        options = *hub->loop.options;
        options.allowed_origins = "https://a.example";
        options.max_requests = 4;
        options.bodies_bytes = 1000;
        options.share = 50;
        options.ping_interval_ms = 20000;
        hub->loop.options = &options;
        waiters = (WsWaiters){ .options = &options, .questions = &hub->questions };
        assert_int_equal(ws_waiters_init(&waiters), 0);
        exchange = (WsExchange){ .conn = &conn, .waiters = &waiters, .party = 7 };
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        ws_exchange_reset(&exchange);
        for (size_t i = 0; i < waiters.n_all; ++i)
                assert_null(waiters.all[i].session); /* nothing is kept of it */
        ws_waiters_done(&waiters);
        assert_int_equal(hub->loop.n_clients, 0);
        hub = ws_hub_free(hub);
        registry = registry_free(registry);
        buf_done(&conn.out);
        return 0;
}

static WsClient *attach(void) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        WsCall call = { .request = &request, .response = &response };
        WsClient *client;

        assert_int_equal(ws_viewer_new(&client, &hub->loop, &dialect), 0);
        call.client = client;
        conn.deadline_ms = 5; /* of its request */
        ws_subscriber_attach(&exchange, &call);
        assert_null(call.client); /* it is the connection's */
        assert_ptr_equal(exchange.client, client);
        assert_int_equal(exchange.state, WS_EXCHANGE_EVENTS);
        assert_int_equal(conn.deadline_ms, 0); /* it may take as long as it likes */
        return client;
}

static void end_poll(WsClient *client) {
        ws_client_touch(client);
        ws_loop_settle(&hub->loop);
        assert_true(conn.wants_write);
        assert_int_equal(conn.out.n, 0); /* a list may be walked: it is written in another turn */
        assert_ptr_equal(exchange.client, client);
        ws_subscriber_answer(&exchange, &options);
        assert_null(exchange.client);
        assert_false(conn.is_paused); /* the next request may come */
        assert_int_equal(exchange.state, WS_EXCHANGE_IDLE);
}

static void assert_answered(const char *what) {
        buf_append_char(&conn.out, '\0');
        if (!strstr(conn.out.data, what))
                fail_msg("no '%s' in: %s", what, conn.out.data);
        --conn.out.n;
}

static void assert_not_answered(const char *what) {
        buf_append_char(&conn.out, '\0');
        if (strstr(conn.out.data, what))
                fail_msg("'%s' in: %s", what, conn.out.data);
        --conn.out.n;
}

static void test_a_poll_is_answered_with_what_came(void **state) {
        WsClient *client = attach();

        (void)state;
        assert_true(conn.is_paused); /* the next request stays unread */
        assert_int_equal(conn.out.n, 0);
        buf_append_string(&client->out, "{\"type\":\"x\"}");
        client->told = strdup("epoch:17");
        end_poll(client);
        assert_answered("HTTP/1.1 200 ");
        assert_answered("\r\nContent-Length: 12\r\n");
        assert_answered("\r\nCache-Control: no-store\r\n");
        assert_answered("\r\nTidegate-Cursor: epoch:17\r\n");
        assert_answered("\r\n\r\n{\"type\":\"x\"}");
}

static void test_a_poll_in_which_nothing_came_is_empty(void **state) {
        (void)state;
        end_poll(attach());
        assert_answered("HTTP/1.1 204 ");
        assert_not_answered("Tidegate-Cursor");
        assert_int_equal(memcmp(conn.out.data + conn.out.n - 4, "\r\n\r\n", 4), 0);
}

static void test_why_there_is_nothing_is_said_as_http_has_it(void **state) {
        static const struct {
                WsClose code;
                const char *status, *says;
        } cases[] = {
                { WS_CLOSE_REVOKED, "HTTP/1.1 401 ", "unauthorized" },
                { WS_CLOSE_EXPIRED, "HTTP/1.1 401 ", "unauthorized" },
                { WS_CLOSE_CAPACITY, "HTTP/1.1 503 ", "over_capacity" },
                { WS_CLOSE_CAPACITY, "HTTP/1.1 503 ", "\r\nRetry-After: 1\r\n" },
                { WS_CLOSE_STATE_LOST, "HTTP/1.1 503 ", "state_lost" },
                { WS_CLOSE_SLOW, "HTTP/1.1 503 ", "state_lost" },
                { WS_CLOSE_DRAINING, "HTTP/1.1 204 ", "\r\n\r\n" }, /* he comes again elsewhere */
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                WsClient *client = attach();

                ws_client_close(client, cases[i].code, "because", METRIC_COUNT);
                end_poll(client);
                assert_answered(cases[i].status);
                assert_answered(cases[i].says);
                buf_reset(&conn.out);
                conn.wants_write = false;
        }
}

/* What was gathered before it ended is not lost. */
static void test_what_came_before_the_end_comes_first(void **state) {
        WsClient *client = attach();

        (void)state;
        buf_append_string(&client->out, "{}");
        ws_client_close(client, WS_CLOSE_EXPIRED, "token expired", METRIC_COUNT);
        end_poll(client);
        assert_answered("HTTP/1.1 200 ");
}

static void test_only_an_origin_that_may_read_it_is_named(void **state) {
        (void)state;
        strcpy(request.origin, "https://a.example");
        end_poll(attach());
        assert_answered("\r\nAccess-Control-Allow-Origin: https://a.example\r\n");
        buf_reset(&conn.out);
        conn.wants_write = false;
        strcpy(request.origin, "https://evil.example");
        end_poll(attach());
        assert_not_answered("Access-Control-Allow-Origin");
        assert_answered("\r\nVary: Origin\r\n");
}

/* Of those that poll nobody may gather more than the bodies of all may have. */
static void test_an_answer_has_its_share_of_the_room(void **state) {
        WsClient *client = attach();

        (void)state;
        assert_true(client->hold(&conn, 400));
        assert_true(client->hold(&conn, 500)); /* in all: half of what the others leave */
        assert_false(client->hold(&conn, 501));
        assert_true(client->hold(&conn, 10));
        assert_non_null(exchange.waiter);
        end_poll(client);
        assert_null(exchange.waiter);
}

static void test_who_goes_while_he_waits_leaves_nothing(void **state) {
        WsClient *client = attach();

        (void)state;
        assert_true(client->hold(&conn, 400));
        buf_append_string(&client->out, "{}");
        ws_exchange_reset(&exchange); /* and what it leaves is looked at by tear_down() */
        exchange.client = ws_viewer_free(exchange.client);
}

static void test_a_stream_has_a_head_and_ends_with_its_connection(void **state) {
        WsClient *client;

        (void)state;
        dialect = (WsDialect){ .id = WS_DIALECT_EVENTS, .name = "s", .door = WS_DOOR_STREAM };
        client = attach();
        assert_false(conn.is_paused);
        assert_answered("HTTP/1.1 200 OK\r\n");
        assert_answered("\r\nContent-Type: text/event-stream\r\n");
        assert_answered("\r\nConnection: close\r\n");
        assert_not_answered("Content-Length");
        buf_reset(&conn.out);
        ws_client_close(client, WS_CLOSE_DRAINING, "draining", METRIC_COUNT);
        ws_loop_settle(&hub->loop);
        assert_answered("event: close\ndata: {\"type\":\"close\",\"code\":4200,");
        assert_not_answered("HTTP/1.1");
        assert_true(conn.is_ending);
        exchange.client = ws_viewer_free(exchange.client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_poll_is_answered_with_what_came),
                TEST(test_a_poll_in_which_nothing_came_is_empty),
                TEST(test_why_there_is_nothing_is_said_as_http_has_it),
                TEST(test_what_came_before_the_end_comes_first),
                TEST(test_only_an_origin_that_may_read_it_is_named),
                TEST(test_an_answer_has_its_share_of_the_room),
                TEST(test_who_goes_while_he_waits_leaves_nothing),
                TEST(test_a_stream_has_a_head_and_ends_with_its_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
