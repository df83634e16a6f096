#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants those before it. */
#include <cmocka.h>
#include <stdio.h>

#include "model/metrics.h"
#include "ws/access/throttle.h"
#include "ws/dialects/client_message.h"
#include "ws/hub/statistics.h"
#include "ws/loop/lists.h"
#include "ws/loop/options.h"
#include "ws/loop/wheel.h"
#include "ws/wire/backlog.h"
#include "ws/wire/frame.h"

#define LIMIT 1000

static WsFrame *make_frame(const char *text, uint64_t key) {
        WsFrame *frame = NULL;

        assert_int_equal(ws_frame_new(&frame, text_of(text), key), 0);
        return frame;
}

/* A frame of 100 bytes that begins with @name. */
static WsFrame *make_long_frame(char name, uint64_t key) {
        char text[99];

        memset(text, '.', sizeof(text));
        text[0] = name;
        text[98] = '\0';
        return make_frame(text, key);
}

static int push(WsBacklog *backlog, WsFrame *frame) {
        int r = ws_backlog_push(backlog, frame, LIMIT, 7);

        ws_frame_unref(frame);
        return r;
}

static void expect_balance(const WsTally *tally) {
        assert_int_equal(tally->offered,
                         tally->sent + tally->conflated + tally->dropped + tally->queued);
}

/* What is waiting, by the first letters of its payloads. */
static void expect_waiting(WsBacklog *backlog, const char *names) {
        uint8_t scratch[4096];
        Text next = ws_backlog_next(backlog, scratch, sizeof(scratch));
        size_t at = 0;

        for (; *names; ++names) {
                assert_true(at + 2 < next.n);
                assert_int_equal(next.data[at + 2], *names);
                at += 2 + (uint8_t)next.data[at + 1];
        }
        assert_int_equal(at, next.n);
}

static void test_frame_is_what_rfc_6455_says(void **state) {
        CLEANUP(ws_frame_unref) WsFrame *small = make_frame("Hello", 0);
        CLEANUP(ws_frame_unref) WsFrame *middle = NULL;
        char text[301];

        (void)state;
        assert_int_equal(small->n, 7);
        assert_memory_equal(small->data, "\x81\x05Hello", 7);
        memset(text, 'x', 300);
        text[300] = '\0';
        middle = make_frame(text, 0);
        assert_int_equal(middle->n, 304);
        assert_memory_equal(middle->data, "\x81\x7e\x01\x2cx", 5);
}

static void test_large_frame_is_cut_between_fragments(void **state) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        size_t step = WS_FRAME_FRAGMENT + 4;
        char *text = malloc(100001);

        (void)state;
        memset(text, 'x', 100000);
        text[100000] = '\0';
        frame = make_frame(text, 0);
        free(text);
        assert_int_equal(frame->n, 100000 + 4 * 4);
        assert_int_equal(frame->data[0], 0x01);
        assert_int_equal(frame->data[step], 0x00);
        assert_int_equal(frame->data[3 * step], 0x80);
        assert_int_equal(ws_frame_cut(frame, 0, 65536), step);
        assert_int_equal(ws_frame_cut(frame, step, step + 65536), 2 * step);
        assert_int_equal(ws_frame_cut(frame, 0, 10), step);
        assert_int_equal(ws_frame_cut(frame, 3 * step, 3 * step + 65536), frame->n);
}

static void test_utf8_is_told_from_what_is_not(void **state) {
        (void)state;
        assert_true(ws_frame_is_utf8(TEXT("")));
        assert_true(ws_frame_is_utf8(TEXT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
        assert_false(ws_frame_is_utf8(TEXT("\xc0\x80")));
        assert_false(ws_frame_is_utf8(TEXT("\xed\xa0\x80")));
        assert_false(ws_frame_is_utf8(TEXT("\xf4\x90\x80\x80")));
        assert_false(ws_frame_is_utf8(TEXT("ab\xe2\x82")));
        assert_false(ws_frame_is_utf8(TEXT("\x80")));
}

static void test_backlog_puts_many_frames_in_one_write(void **state) {
        WsTally tally = { 0 };
        uint8_t scratch[512];
        WsBacklog backlog;
        Text next;

        (void)state;
        ws_backlog_init(&backlog, &tally);
        for (char name = 'a'; name < 'g'; ++name)
                assert_int_equal(push(&backlog, make_long_frame(name, 0)), 0);
        next = ws_backlog_next(&backlog, scratch, sizeof(scratch));
        assert_int_equal(next.n, 500);
        ws_backlog_sent(&backlog, next.n);
        assert_int_equal(tally.sent, 5);
        expect_waiting(&backlog, "f");
        ws_backlog_sent(&backlog, 100);
        assert_int_equal(ws_backlog_next(&backlog, scratch, sizeof(scratch)).n, 0);
        expect_balance(&tally);
        ws_backlog_done(&backlog);
}

static void test_backlog_conflates_above_half_and_keeps_what_has_no_key(void **state) {
        WsTally tally = { 0 };
        WsBacklog backlog;

        (void)state;
        ws_backlog_init(&backlog, &tally);
        assert_int_equal(push(&backlog, make_long_frame('a', 1)), 0);
        assert_int_equal(push(&backlog, make_long_frame('b', 0)), 0);
        assert_int_equal(push(&backlog, make_long_frame('c', 2)), 0);
        assert_int_equal(push(&backlog, make_long_frame('d', 1)), 0);
        assert_int_equal(push(&backlog, make_long_frame('e', 0)), 0);
        expect_waiting(&backlog, "abcde");
        assert_int_equal(backlog.conflating_since_ms, 0);
        assert_int_equal(push(&backlog, make_long_frame('f', 2)), 0);
        expect_waiting(&backlog, "bdef");
        assert_int_equal(backlog.conflating_since_ms, 7);
        assert_int_equal(push(&backlog, make_long_frame('g', 1)), 0);
        expect_waiting(&backlog, "befg"); /* behind what happened before it */
        assert_int_equal(push(&backlog, make_long_frame('h', 3)), 0);
        expect_waiting(&backlog, "befgh");
        assert_int_equal(tally.conflated, 3);
        expect_balance(&tally);
        ws_backlog_sent(&backlog, 300);
        assert_int_equal(backlog.conflating_since_ms, 0); /* below a quarter */
        ws_backlog_done(&backlog);
        assert_int_equal(tally.dropped, 2);
        expect_balance(&tally);
}

static void test_full_backlog_refuses_and_lists_are_not_charged(void **state) {
        WsFrame *list = make_long_frame('L', 0);
        WsTally tally = { 0 };
        WsBacklog backlog;

        (void)state;
        ws_backlog_init(&backlog, &tally);
        list->is_unmetered = true;
        assert_int_equal(push(&backlog, list), 0);
        for (int i = 0; i < 10; ++i)
                assert_int_equal(push(&backlog, make_long_frame('x', 0)), 0);
        assert_int_equal(push(&backlog, make_long_frame('y', 0)), WS_BACKLOG_E_FULL);
        assert_int_equal(tally.dropped, 1);
        expect_balance(&tally);
        ws_backlog_done(&backlog);
        expect_balance(&tally);
        assert_int_equal(tally.queued_bytes, 0);
}

static void test_frame_on_its_way_is_not_replaced(void **state) {
        WsTally tally = { 0 };
        WsBacklog backlog;

        (void)state;
        ws_backlog_init(&backlog, &tally);
        for (int i = 0; i < 4; ++i)
                assert_int_equal(push(&backlog, make_long_frame((char)('a' + i), i == 0)), 0);
        ws_backlog_sent(&backlog, 50);
        assert_int_equal(push(&backlog, make_long_frame('e', 0)), 0);
        assert_int_equal(push(&backlog, make_long_frame('f', 1)), 0); /* conflating from here */
        assert_int_equal(push(&backlog, make_long_frame('g', 1)), 0);
        assert_int_equal(tally.conflated, 1);
        assert_int_equal(backlog.n_frames, 6);
        ws_backlog_done(&backlog);
        expect_balance(&tally);
}

static void test_random_backlog_never_loses_count(void **state) {
        WsTally tally = { 0 };
        uint8_t scratch[333];
        WsBacklog backlog;
        unsigned seed = 1;

        (void)state;
        ws_backlog_init(&backlog, &tally);
        for (int i = 0; i < 20000; ++i) {
                char text[128];

                seed = seed * 1103515245 + 12345;
                memset(text, 'x', sizeof(text));
                text[(seed >> 16) % 127] = '\0';
                (void)push(&backlog, make_frame(text, (seed >> 8) % 7));
                expect_balance(&tally);
                if ((seed >> 24) % 3 == 0)
                        ws_backlog_sent(&backlog,
                                        ws_backlog_next(&backlog, scratch, sizeof(scratch)).n);
                assert_true(backlog.n_metered <= LIMIT);
        }
        ws_backlog_done(&backlog);
        expect_balance(&tally);
        assert_int_equal(tally.queued, 0);
        assert_int_equal(tally.queued_bytes, 0);
}

/* The number that the next waiting frame says, which is then sent; 0: nothing waits. */
static unsigned take_number(WsBacklog *backlog) {
        uint8_t scratch[256];
        Text next = ws_backlog_next(backlog, scratch, sizeof(scratch));
        char text[9] = "";

        if (next.n == 0)
                return 0;
        memcpy(text, next.data + 2, 8);
        ws_backlog_sent(backlog, 2 + 8);
        return (unsigned)strtoul(text, NULL, 10);
}

/* Numbers are like cursors: who has seen one must have seen all before it that counted. */
static void test_numbers_only_ascend_and_none_that_counts_is_passed(void **state) {
        enum { N = 20000, N_KEYS = 5 };
        unsigned newest[N_KEYS] = { 0 }, seen[N_KEYS] = { 0 };
        unsigned n_sent = 0, n_offered = 0, last = 0, number;
        static uint8_t keys[N + 1];
        WsTally tally = { 0 };
        WsBacklog backlog;
        unsigned seed = 1;

        (void)state;
        ws_backlog_init(&backlog, &tally);
        for (unsigned i = 1; i <= N || backlog.n_frames > 0; ++i) {
                char text[16];

                seed = seed * 1103515245 + 12345;
                if (i <= N) {
                        unsigned key = (seed >> 8) % 16 ? 1 + (seed >> 12) % (N_KEYS - 1) : 0;

                        snprintf(text, sizeof(text), "%08u", i);
                        if (push(&backlog, make_frame(text, key)) == 0) {
                                keys[i] = (uint8_t)key;
                                newest[key] = i;
                                n_offered += key == 0;
                        }
                }
                if (i <= N && (seed >> 24) % 3 > 0)
                        continue;
                number = take_number(&backlog);
                if (number == 0)
                        continue;
                assert_true(number > last);
                last = number;
                seen[keys[number]] = number;
                n_sent += keys[number] == 0;
        }
        assert_int_equal(n_sent, n_offered);
        assert_memory_equal(seen, newest, sizeof(newest));
        assert_true(tally.conflated > 0);
        ws_backlog_done(&backlog);
        expect_balance(&tally);
}

static void test_states_of_one_thing_cost_no_memory_while_nobody_reads(void **state) {
        WsTally tally = { 0 };
        WsBacklog backlog;

        (void)state;
        ws_backlog_init(&backlog, &tally);
        for (int i = 0; i < 100000; ++i)
                assert_int_equal(push(&backlog, make_long_frame('a', 1 + (unsigned)i % 7)), 0);
        assert_true(backlog.n_frames <= 7);
        assert_true(backlog.capacity <= 64);
        ws_backlog_done(&backlog);
        expect_balance(&tally);
}

static size_t n_looks;

static void look(WsWheelLink *link, int64_t now_ms) {
        (void)link;
        (void)now_ms;
        ++n_looks;
}

static void test_wheel_visits_what_is_due_and_nothing_else(void **state) {
        WsWheelLink links[3];
        WsWheel wheel;

        (void)state;
        n_looks = 0;
        ws_wheel_init(&wheel, 10, 1000);
        for (size_t i = 0; i < 3; ++i)
                ws_wheel_link_init(&links[i]);
        ws_wheel_put(&wheel, &links[0], 1025);
        ws_wheel_put(&wheel, &links[1], 1500);
        ws_wheel_put(&wheel, &links[2], 999999);
        ws_wheel_turn(&wheel, 1024, look);
        assert_int_equal(n_looks, 0);
        ws_wheel_turn(&wheel, 1030, look);
        assert_int_equal(n_looks, 1);
        ws_wheel_put(&wheel, &links[1], 2000); /* moved */
        ws_wheel_turn(&wheel, 1900, look);
        assert_int_equal(n_looks, 1);
        ws_wheel_turn(&wheel, 900000, look); /* asleep for long: each is visited once */
        assert_int_equal(n_looks, 3);
}

static void test_index_joins_and_leaves_in_any_order(void **state) {
        CLEANUP(ws_index_free) WsIndex *index = NULL;
        WsSpot spots[100] = { 0 };

        (void)state;
        assert_int_equal(ws_index_new(&index), 0);
        for (int i = 0; i < 100; ++i)
                assert_int_equal(ws_index_join(index, &spots[i], 1, WS_SCOPE_USER, i % 3), 0);
        assert_int_equal(ws_list_length(ws_index_find(index, 1, WS_SCOPE_USER, 0)), 34);
        assert_null(ws_index_find(index, 2, WS_SCOPE_USER, 0));
        for (int i = 99; i >= 0; i -= 2)
                ws_index_leave(index, &spots[i]);
        assert_int_equal(ws_list_length(ws_index_find(index, 1, WS_SCOPE_USER, 0)), 17);
        for (int i = 0; i < 100; i += 2)
                ws_index_leave(index, &spots[i]);
        assert_null(ws_index_next(index, NULL));
}

static void test_throttle_knows_each_source_and_forgets_when_full(void **state) {
        CLEANUP(ws_throttle_free) WsThrottle *throttle = NULL;
        char name[64];

        (void)state;
        assert_int_equal(ws_throttle_new(&throttle, 8), 0);
        for (int i = 0; i < 4; ++i)
                assert_true(ws_throttle_take(throttle, "10.0.0.1", 2, 1000));
        assert_false(ws_throttle_take(throttle, "10.0.0.1", 2, 1000));
        assert_true(ws_throttle_take(throttle, "10.0.0.2", 2, 1000));
        assert_true(ws_throttle_take(throttle, "10.0.0.1", 2, 1500));
        assert_true(ws_throttle_take(throttle, "10.0.0.1", 0, 1500));
        for (int i = 0; i < 4; ++i)
                assert_true(ws_throttle_take(throttle, "2001:db8::1", 2, 2000));
        assert_false(ws_throttle_take(throttle, "2001:db8::2", 2, 2000)); /* the same /64 */
        for (int i = 0; i < 100; ++i) {
                snprintf(name, sizeof(name), "10.0.1.%d", i);
                assert_true(ws_throttle_take(throttle, name, 2, 2000));
        }
}

static void test_digest_sees_everything_but_timestamps(void **state) {
        uint64_t one = ws_statistics_digest(TEXT("{\"timestamp\":\"1\",\"n\":1}"));

        (void)state;
        assert_true(one == ws_statistics_digest(TEXT("{\"timestamp\":\"22\",\"n\":1}")));
        assert_true(one != ws_statistics_digest(TEXT("{\"timestamp\":\"1\",\"n\":2}")));
        assert_true(ws_statistics_digest(TEXT("{\"timestamp\":\"")) != 0);
}

static void test_command_echoes_scalars_and_refuses_what_is_not_json(void **state) {
        static const char *const bad[] = { "", "{", "{} x", "[1,]", "'a'", "nul", "{\"a\":1}}" };
        CLEANUP_BUF Buf buf = { 0 };
        WsClientMessage command;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_int_equal(ws_client_message_parse(&command, text_of(bad[i])),
                                 WS_CLIENT_MESSAGE_E_INVALID);
        assert_int_equal(ws_client_message_parse(&command, TEXT("12")), 0);
        assert_int_equal(command.type.n, 0);
        ws_client_message_done(&command);
        assert_int_equal(ws_client_message_parse(&command,
                                                 TEXT("{\"a\":1.10,\"b\":\"x/"
                                                      "\\u0000\",\"c\":NaN,\"d\":[1],"
                                                      "\"e\":18446744073709551614,"
                                                      "\"f\":true,\"g\":18446744073709551617}")),
                         0);
        for (const char *name = "a\0b\0c\0d\0e\0f\0g\0"; *name; name += 2) {
                ws_client_message_echo(&(JsonOut){ .buf = &buf }, NULL, &command, name);
                buf_append_char(&buf, ' ');
        }
        assert_string_equal(buf.data,
                            "1.10 \"x/\\u0000\" null null 18446744073709551614 true null ");
        ws_client_message_done(&command);
}

static void test_listen_addresses_are_read(void **state) {
        WsListen address;

        (void)state;
        assert_int_equal(ws_options_listen("127.0.0.1:8000", &address), 0);
        assert_string_equal(address.host, "127.0.0.1");
        assert_int_equal(address.port, 8000);
        assert_false(address.is_ipv6);
        assert_int_equal(ws_options_listen("[::1]:0", &address), 0);
        assert_string_equal(address.host, "::1");
        assert_true(address.is_ipv6);
        assert_int_equal(ws_options_listen("*:80", &address), 0);
        assert_string_equal(address.host, "");
        assert_int_equal(ws_options_listen("127.0.0.1", &address), WS_OPTIONS_E_LISTEN);
        assert_int_equal(ws_options_listen("::1:80", &address), WS_OPTIONS_E_LISTEN);
        assert_int_equal(ws_options_listen("127.0.0.1:65536", &address), WS_OPTIONS_E_LISTEN);
        assert_int_equal(ws_options_listen(NULL, &address), WS_OPTIONS_E_LISTEN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_frame_is_what_rfc_6455_says),
                cmocka_unit_test(test_large_frame_is_cut_between_fragments),
                cmocka_unit_test(test_utf8_is_told_from_what_is_not),
                cmocka_unit_test(test_backlog_puts_many_frames_in_one_write),
                cmocka_unit_test(test_backlog_conflates_above_half_and_keeps_what_has_no_key),
                cmocka_unit_test(test_full_backlog_refuses_and_lists_are_not_charged),
                cmocka_unit_test(test_frame_on_its_way_is_not_replaced),
                cmocka_unit_test(test_random_backlog_never_loses_count),
                cmocka_unit_test(test_numbers_only_ascend_and_none_that_counts_is_passed),
                cmocka_unit_test(test_states_of_one_thing_cost_no_memory_while_nobody_reads),
                cmocka_unit_test(test_wheel_visits_what_is_due_and_nothing_else),
                cmocka_unit_test(test_index_joins_and_leaves_in_any_order),
                cmocka_unit_test(test_throttle_knows_each_source_and_forgets_when_full),
                cmocka_unit_test(test_digest_sees_everything_but_timestamps),
                cmocka_unit_test(test_command_echoes_scalars_and_refuses_what_is_not_json),
                cmocka_unit_test(test_listen_addresses_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
