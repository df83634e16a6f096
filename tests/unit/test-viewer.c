/* WsViewer and what it hears: messages come whole and in order, whatever pieces they came in; who
 * sends what he may not is told why, once, and heard no more; who reads nothing costs a bound. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/metrics.h"
#include "tests/fake/conn.h"
#include "ws/hub/hub.h"
#include "ws/hub/incoming.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"
#include "ws/viewer/places.h"
#include "ws/wire/frame.h"
#include "ws/wire/packer.h"

enum { TEXT_FRAME = 0x81, BINARY = 0x82, PACKED = 0xc1, PING = 0x89, PONG = 0x8a, BYE = 0x88 };
enum { BEGIN = 0x01, GO_ON = 0x00, END = 0x80, MESSAGE_MAX = 4000 };

static Registry *registry;
static WsHub *hub;
static WsOptions options;
static WsConn conn;
static WsClient *client;
static WsDialect dialect;
static Buf sent;                /* by the client, not read yet */
static char heard[8192];        /* messages, each behind a '|' */
static int64_t now_us, work_us; /* that each message takes */
static int fault;               /* that the next one brings */
static bool pauses;             /* after the next one */

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

int64_t __wrap_clock_now_us(void);
int64_t __wrap_clock_now_us(void) {
        return now_us;
}

static int receive(WsClient *of, Text message) {
        snprintf(heard + strlen(heard),
                 sizeof(heard) - strlen(heard),
                 "|%.*s",
                 (int)message.n,
                 message.data);
        now_us += work_us;
        if (pauses)
                ws_conn_pause(of->conn, true);
        return fault;
}

static int set_up(void **state) {
        (void)state;
        now_us = INT64_C(1000000000);
        work_us = fault = 0;
        pauses = false;
        heard[0] = '\0';
        buf_done(&sent);
        metrics_reset();
        conn = (WsConn){ 0 };
        dialect = (WsDialect){ .id = WS_DIALECT_VEHICLES, .name = "x", .receive = receive };
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(ws_hub_new(&hub, registry), 0);
        options = *hub->loop.options;
        options.max_message_bytes = MESSAGE_MAX;
        options.messages_per_s = 0;
        options.ping_interval_ms = 20000;
        options.silence_ms = 60000;
        options.handshake_timeout_ms = 10000;
        hub->loop.options = &options;
        assert_int_equal(ws_viewer_new(&client, &hub->loop, &dialect), 0);
        assert_int_equal(ws_viewer_open(client, &conn), 0);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        client = ws_viewer_free(client);
        assert_int_equal(hub->loop.n_open[WS_DIALECT_VEHICLES], 0);
        assert_int_equal(hub->loop.n_clients, 0);
        hub = ws_hub_free(hub);
        registry = registry_free(registry);
        buf_done(&conn.out);
        return 0;
}

/* ---- what it is sent, and what it says ---- */

static void frame(int first, const char *payload, size_t n) {
        static const uint8_t mask[4] = { 1, 2, 3, 4 };

        buf_append_char(&sent, (char)first);
        if (n < 126) {
                buf_append_char(&sent, (char)(0x80 | n));
        } else {
                buf_append_char(&sent, (char)(0x80 | 126));
                buf_append_char(&sent, (char)(n >> 8));
                buf_append_char(&sent, (char)n);
        }
        buf_append(&sent, mask, sizeof(mask));
        for (size_t i = 0; i < n; ++i)
                buf_append_char(&sent, (char)(payload[i] ^ mask[i % 4]));
}

static void text(const char *payload) {
        frame(TEXT_FRAME, payload, strlen(payload));
}

/* In pieces of at most @n bytes; how much was left unread. */
static size_t deliver(size_t n) {
        size_t at = 0, used = 1;

        while (at < sent.n && used > 0) {
                size_t n_now = sent.n - at < n ? sent.n - at : n;

                used = ws_incoming_take(client, sent.data + at, n_now);
                assert_true(used <= n_now);
                at += used;
        }
        memmove(sent.data, sent.data + at, sent.n - at);
        n = sent.n - at;
        if (n == 0)
                buf_done(&sent);
        else
                sent.n = n;
        return n;
}

static void forget_sent(void) {
        buf_done(&sent);
}

static void assert_said(const char *bytes, size_t n) {
        assert_int_equal(conn.out.n, n);
        assert_memory_equal(conn.out.data, bytes, n);
}

/* The close that was written last, and how many were. */
static void assert_closed_with(int code) {
        size_t n_closes = 0, at = 0;
        const uint8_t *bytes = (const uint8_t *)conn.out.data;
        int last = 0;

        for (; at + 2 <= conn.out.n; at += 2 + (size_t)bytes[at + 1]) {
                assert_true(bytes[at + 1] < 126);
                if (bytes[at] == BYE) {
                        ++n_closes;
                        last = bytes[at + 1] >= 2 ? bytes[at + 2] << 8 | bytes[at + 3] : 0;
                }
        }
        assert_int_equal(at, conn.out.n);
        assert_int_equal(n_closes, 1);
        assert_int_equal(last, code);
}

static void pass(int64_t ms) {
        for (; ms > 0; ms -= 500) {
                now_us += (ms < 500 ? ms : 500) * 1000;
                ws_hub_tick(hub);
        }
}

/* ---- messages ---- */

static void test_messages_come_whole_and_in_order_in_whatever_pieces(void **state) {
        (void)state;
        for (size_t n = 1; n < 64; n = n * 2 + 1) {
                heard[0] = '\0';
                buf_reset(&conn.out);
                text("a");
                frame(BEGIN, "b", 1);
                frame(PING, "p", 1);
                frame(GO_ON, "c", 1);
                frame(END, "d", 1);
                text("");
                assert_int_equal(deliver(n), 0);
                assert_string_equal(heard, "|a|bcd|");
                assert_said("\x8a\x01p", 3);
        }
}

static void test_a_message_has_its_limit_however_it_comes(void **state) {
        static char payload[MESSAGE_MAX + 1];

        (void)state;
        memset(payload, 'x', sizeof(payload));
        frame(TEXT_FRAME, payload, MESSAGE_MAX);
        frame(BEGIN, payload, MESSAGE_MAX / 2);
        frame(END, payload, MESSAGE_MAX / 2);
        assert_int_equal(deliver(700), 0);
        assert_int_equal(strlen(heard), 2 * (MESSAGE_MAX + 1));
        assert_true(client->in.capacity <= 4096); /* it is given back */
        heard[0] = '\0';
        frame(BEGIN, payload, MESSAGE_MAX);
        frame(END, payload, 1);
        (void)deliver(SIZE_MAX);
        forget_sent();
        assert_string_equal(heard, "");
        assert_closed_with(WS_CLOSE_TOO_BIG);
        assert_int_equal(metric_get(METRIC_WS_CLOSED_TOO_BIG), 1);
}

/* Nobody waits for what would not be taken. */
static void test_what_is_announced_and_too_big_is_not_waited_for(void **state) {
        static char payload[MESSAGE_MAX + 1];

        (void)state;
        frame(TEXT_FRAME, payload, MESSAGE_MAX + 1);
        sent.n = 8; /* its header alone */
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_closed_with(WS_CLOSE_TOO_BIG);
}

static void test_after_a_close_nothing_is_heard(void **state) {
        (void)state;
        dialect.has_feed = true;
        text("a");
        frame(BINARY, "b", 1);
        text("c");
        frame(PING, "p", 1);
        (void)deliver(SIZE_MAX);
        assert_string_equal(heard, "|a");
        assert_closed_with(WS_CLOSE_MISUSE);
        frame(BYE, "\x03\xe8", 2);
        text("d");
        (void)deliver(SIZE_MAX);
        forget_sent();
        assert_string_equal(heard, "|a");
        assert_closed_with(WS_CLOSE_MISUSE); /* one is enough */
        assert_true(conn.is_ending);
}

static void test_binary_is_for_who_hears_it(void **state) {
        (void)state;
        frame(BINARY, "b", 1);
        frame(0x02, "c", 1); /* and in pieces */
        frame(END, "d", 1);
        text("e");
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_string_equal(heard, "|e");
        dialect.hears_binary = true;
        frame(0x02, "f", 1);
        frame(END, "g", 1);
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_string_equal(heard, "|e|fg");
}

static void test_what_breaks_the_protocol_ends_it(void **state) {
        (void)state;
        text("a");
        buf_append(&sent, "\x81\x01x", 3); /* without a mask */
        text("b");
        (void)deliver(SIZE_MAX);
        forget_sent();
        assert_string_equal(heard, "|a");
        assert_closed_with(WS_CLOSE_PROTOCOL);
        assert_true(conn.is_ending);
}

static void test_a_close_is_answered_with_its_code(void **state) {
        (void)state;
        frame(BYE, "\x03\xe9", 2);
        text("a");
        (void)deliver(SIZE_MAX);
        forget_sent();
        assert_string_equal(heard, "");
        assert_closed_with(1001);
        assert_true(conn.is_ending);
        assert_int_equal(hub->loop.n_open[WS_DIALECT_VEHICLES], 0);
}

/* Behind what paused it, and behind what took long, the rest is read later: the very same bytes. */
static void test_who_is_paused_or_makes_work_is_read_on_later(void **state) {
        (void)state;
        text("a");
        text("b");
        pauses = true;
        assert_true(deliver(SIZE_MAX) > 0);
        assert_string_equal(heard, "|a");
        conn.is_paused = pauses = false;
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_string_equal(heard, "|a|b");

        work_us = 1000;
        for (int i = 0; i < 5; ++i)
                text("c");
        {
                size_t n = ws_incoming_take(client, sent.data, sent.n);

                assert_string_equal(heard, "|a|b|c");
                assert_int_equal(n, sent.n / 5);
                memmove(sent.data, sent.data + n, sent.n - n);
                sent.n -= n;
        }
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_string_equal(heard, "|a|b|c|c|c|c|c");
}

static void test_out_of_memory_costs_this_one_alone(void **state) {
        (void)state;
        fault = -ENOMEM;
        text("a");
        text("b");
        (void)deliver(SIZE_MAX);
        forget_sent();
        assert_string_equal(heard, "|a");
        assert_true(conn.is_closing);
}

/* ---- how often ---- */

static void test_who_sends_too_often_is_told_so(void **state) {
        (void)state;
        options.messages_per_s = 10;
        for (int i = 0; i < 20; ++i)
                text("a");
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_int_equal(strlen(heard), 40);
        now_us += 100000;
        text("b");
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_int_equal(strlen(heard), 42);
        text("c");
        (void)deliver(SIZE_MAX);
        forget_sent();
        assert_int_equal(strlen(heard), 42);
        assert_closed_with(WS_CLOSE_RATE);
        assert_int_equal(metric_get(METRIC_WS_CLOSED_RATE), 1);
}

/* A message without end of nothing is work as well. */
static void test_empty_pieces_are_counted_as_messages(void **state) {
        size_t n = 0;

        (void)state;
        options.messages_per_s = 10;
        frame(BEGIN, "", 0);
        for (; conn.out.n == 0 && n < 100; ++n) {
                frame(GO_ON, "", 0);
                (void)deliver(SIZE_MAX);
        }
        assert_in_range(n, 18, 22);
        assert_closed_with(WS_CLOSE_RATE);
}

static void test_pings_are_cheaper_and_not_free(void **state) {
        (void)state;
        options.messages_per_s = 10;
        for (int i = 0; i < 2000; ++i)
                frame(PING, "", 0);
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_int_equal(conn.out.n, 4000);
        frame(PING, "", 0);
        (void)deliver(SIZE_MAX);
        assert_closed_with(WS_CLOSE_RATE);
}

/* ---- compressed ---- */

static void packed(const char *payload, size_t n) {
        Text message;

        ws_packer_begin(hub->loop.packer);
        ws_packer_feed(hub->loop.packer, (Text){ payload, n });
        message = ws_packer_end(hub->loop.packer);
        assert_non_null(message.data);
        frame(PACKED, message.data, message.n);
}

static void test_a_compressed_message_is_what_it_says_and_no_bomb(void **state) {
        static char zeros[400000];

        (void)state;
        client->decoder.takes_packed = true;
        packed("abc", 3);
        assert_int_equal(deliver(SIZE_MAX), 0);
        assert_string_equal(heard, "|abc");
        packed(zeros, sizeof(zeros));
        assert_true(sent.n < MESSAGE_MAX);
        (void)deliver(SIZE_MAX);
        assert_string_equal(heard, "|abc");
        assert_closed_with(WS_CLOSE_TOO_BIG);
}

static void test_what_is_no_deflate_or_no_text_is_bad_data(void **state) {
        (void)state;
        for (int i = 0; i < 2; ++i) {
                client->decoder.takes_packed = true;
                if (i == 0)
                        frame(PACKED, "\xff\xff\xff\xff", 4);
                else
                        packed("\xc3(", 2);
                (void)deliver(SIZE_MAX);
                assert_string_equal(heard, "");
                assert_closed_with(WS_CLOSE_BAD_DATA);
                if (i == 0) {
                        (void)tear_down(state);
                        (void)set_up(state);
                }
        }
}

/* ---- who reads nothing ---- */

static void offer(const char *payload) {
        WsFrame *said = NULL;

        assert_int_equal(ws_frame_new(&said, text_of(payload), 0), 0);
        assert_int_equal(ws_client_offer(client, said), 0);
        ws_frame_unref(said);
        ws_loop_settle(&hub->loop);
}

static void test_what_finds_no_room_goes_out_in_order_when_there_is(void **state) {
        (void)state;
        conn.is_slow = true;
        offer("a");
        offer("b");
        frame(PING, "1", 1);
        frame(PING, "2", 1);
        assert_int_equal(deliver(SIZE_MAX), 0);
        offer("c");
        assert_said("\x81\x01"
                    "a",
                    3);
        assert_true(fake_conn_drain(&conn));
        conn.is_slow = false;
        ws_viewer_writeable(client);
        assert_said("\x81\x01"
                    "a\x8a\x01"
                    "2\x81\x01"
                    "b\x81\x01"
                    "c",
                    12); /* of the pings the last one is answered */
}

static void test_who_reads_nothing_is_told_why_he_goes_or_cut(void **state) {
        (void)state;
        conn.is_slow = true;
        offer("a");
        ws_client_close(client, WS_CLOSE_REVOKED, "revoked", METRIC_COUNT);
        ws_loop_settle(&hub->loop);
        offer("b"); /* nothing is offered to him any more */
        assert_int_equal(hub->loop.n_open[WS_DIALECT_VEHICLES], 0);
        assert_said("\x81\x01"
                    "a",
                    3);
        pass(29000);
        assert_false(conn.is_closing);
        pass(2000);
        assert_true(conn.is_closing);
        assert_int_equal(metric_get(METRIC_WS_CLOSED), 1);
}

static void test_the_close_waits_for_room_and_then_for_an_answer(void **state) {
        (void)state;
        conn.is_slow = true;
        offer("a");
        ws_client_close(client, WS_CLOSE_REVOKED, "revoked", METRIC_COUNT);
        ws_loop_settle(&hub->loop);
        assert_true(fake_conn_drain(&conn));
        buf_reset(&conn.out);
        ws_viewer_writeable(client);
        assert_closed_with(WS_CLOSE_REVOKED);
        pass(4000);
        assert_false(conn.is_closing);
        pass(2000); /* and none came */
        assert_true(conn.is_closing);
        ws_viewer_closed(client);
        ws_viewer_closed(client); /* whoever says so, and how often */
        assert_int_equal(metric_get(METRIC_WS_CLOSED), 1);
}

/* ---- time ---- */

static void test_who_says_nothing_is_asked_and_then_closed(void **state) {
        (void)state;
        pass(59000);
        assert_true(conn.out.n >= 2);
        assert_memory_equal(conn.out.data, ws_frame_ping, WS_FRAME_PING_SIZE);
        frame(PONG, "", 0);
        assert_int_equal(deliver(SIZE_MAX), 0);
        pass(59000);
        assert_int_equal(client->close_code, 0);
        pass(2000);
        assert_closed_with(WS_CLOSE_SILENT);
        pass(6000); /* he was told, and does not answer that either */
        assert_true(conn.is_closing);
}

/* Bytes are a sign of life, and no excuse for a message that never ends. */
static void test_a_message_that_is_never_finished_ends_the_socket(void **state) {
        (void)state;
        frame(BEGIN, "a", 1);
        for (int i = 0; i < 62 && client->close_code == 0; ++i) {
                assert_int_equal(deliver(SIZE_MAX), 0);
                frame(GO_ON, "b", 1);
                pass(1000);
        }
        forget_sent();
        assert_closed_with(WS_CLOSE_POLICY);
}

static void test_who_does_not_say_who_he_is_goes(void **state) {
        (void)state;
        assert_true(ws_places_take_strange(client));
        ws_client_schedule(client);
        pass(9500);
        assert_int_equal(client->close_code, 0);
        pass(1000);
        assert_closed_with(WS_CLOSE_NO_AUTH);
        assert_false(client->is_unknown); /* its place among those is free again */
}

static void test_a_token_that_is_over_has_its_grace(void **state) {
        const User user = { .id = 2 };

        (void)state;
        assert_int_equal(ws_viewer_become(client, &user, now_us + 1000000), 0);
        pass(25000);
        assert_int_equal(client->close_code, 0);
        assert_true(ws_client_is_in_grace(client));
        pass(2000);
        assert_closed_with(WS_CLOSE_EXPIRED);
}

static void test_a_farewell_is_for_who_has_room(void **state) {
        (void)state;
        conn.is_slow = true;
        offer("a");
        ws_viewer_farewell(client);
        assert_int_equal(conn.out.n, 3);
        (void)fake_conn_drain(&conn);
        ws_viewer_farewell(client);
        assert_closed_with(WS_CLOSE_GOING_AWAY);
}

#define VIEWER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                VIEWER(test_messages_come_whole_and_in_order_in_whatever_pieces),
                VIEWER(test_a_message_has_its_limit_however_it_comes),
                VIEWER(test_what_is_announced_and_too_big_is_not_waited_for),
                VIEWER(test_after_a_close_nothing_is_heard),
                VIEWER(test_binary_is_for_who_hears_it),
                VIEWER(test_what_breaks_the_protocol_ends_it),
                VIEWER(test_a_close_is_answered_with_its_code),
                VIEWER(test_who_is_paused_or_makes_work_is_read_on_later),
                VIEWER(test_out_of_memory_costs_this_one_alone),
                VIEWER(test_who_sends_too_often_is_told_so),
                VIEWER(test_empty_pieces_are_counted_as_messages),
                VIEWER(test_pings_are_cheaper_and_not_free),
                VIEWER(test_a_compressed_message_is_what_it_says_and_no_bomb),
                VIEWER(test_what_is_no_deflate_or_no_text_is_bad_data),
                VIEWER(test_what_finds_no_room_goes_out_in_order_when_there_is),
                VIEWER(test_who_reads_nothing_is_told_why_he_goes_or_cut),
                VIEWER(test_the_close_waits_for_room_and_then_for_an_answer),
                VIEWER(test_who_says_nothing_is_asked_and_then_closed),
                VIEWER(test_a_message_that_is_never_finished_ends_the_socket),
                VIEWER(test_who_does_not_say_who_he_is_goes),
                VIEWER(test_a_token_that_is_over_has_its_grace),
                VIEWER(test_a_farewell_is_for_who_has_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
