#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants those before it. */
#include <cmocka.h>
#include <stdio.h>

#include "model/metrics.h"
#include "tests/fake/stage.h"

#define HEAD                                         \
        "Host: 127.0.0.1\r\nConnection: Upgrade\r\n" \
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WEBSOCKET "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

static void test_handshake_is_checked_to_the_letter(void **state) {
        static const struct {
                const char *request;
                int status;
        } cases[] = {
                { "GET /open HTTP/1.1\r\n" WEBSOCKET HEAD "\r\n", 404 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET HEAD "\r\n", 101 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET HEAD "Sec-WebSocket-Protocol: mqtt, x\r\n\r\n",
                  101 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET HEAD "Sec-WebSocket-Protocol: a b\r\n\r\n",
                  101 },
                { "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n" HEAD
                  "\r\n",
                  426 },
                { "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n" HEAD "\r\n", 426 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET HEAD "Sec-WebSocket-Version: 8\r\n\r\n", 400 },
                { "GET /ws HTTP/1.0\r\n" WEBSOCKET HEAD "\r\n", 400 },
                { "GET / HTTP/1.0\r\n" WEBSOCKET HEAD "\r\n", 302 }, /* the page is at live */
                { "GET / HTTP/1.1\r\n" WEBSOCKET "Host: h\r\n\r\n", 302 },
                { "GET /live HTTP/1.1\r\n" WEBSOCKET "Host: h\r\n\r\n", 200 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET "Host: h\r\n\r\n", 400 },
                { "POST /ws HTTP/1.1\r\nContent-Length: 0\r\n" WEBSOCKET HEAD "\r\n", 400 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET "Host: h\r\nConnection: Upgrade\r\n\r\n", 400 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET
                  "Host: h\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\n\r\n",
                  400 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET
                  "Host: h\r\nConnection: close\r\nSec-WebSocket-Key: "
                  "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                  400 },
                { "GET /ws HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n" HEAD "\r\n",
                  426 },
                { "GET /ws HTTP/1.1\r\n" WEBSOCKET HEAD "Origin: http://evil.example\r\n\r\n",
                  403 },
                { "GET /api/ws HTTP/1.1\r\n" WEBSOCKET HEAD "Authorization: Bearer x\r\n\r\n",
                  401 },
        };
        Stage stage;

        (void)state;
        stage_init(&stage, NULL, "/ws");
        stage_world(&stage);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                Viewer viewer;

                if (viewer_open_with(&viewer, &stage, cases[i].request) != cases[i].status)
                        fail_msg("%d for %s", viewer.status, cases[i].request);
                if (viewer.status == 426) {
                        assert_non_null(strstr(viewer.head, "\r\nUpgrade: websocket\r\n"));
                        assert_non_null(strstr(viewer.head, "\r\nConnection: Upgrade\r\n"));
                        assert_non_null(strstr(viewer.head, "\r\nSec-WebSocket-Version: 13\r\n"));
                }
                assert_null(strcasestr(viewer.head, "Sec-WebSocket-Protocol"));
                viewer_done(&viewer);
        }
        stage_done(&stage);
}

/* It may be ignored (RFC 9110 7.8), and on a connection that was used before as well. */
static void test_unknown_upgrade_on_a_used_connection_does_no_harm(void **state) {
        static const char unknown[] = "GET /ws HTTP/1.1\r\nUpgrade: foo\r\n" HEAD "\r\n";
        Stage stage;
        Viewer viewer;

        (void)state;
        stage_init(&stage, NULL, "/ws");
        stage_world(&stage);
        viewer_open_with(&viewer, &stage, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(viewer.status, 200);
        viewer_send_bytes(&viewer, unknown, strlen(unknown));
        assert_int_equal(viewer_read_head(&viewer), 426);
        viewer_done(&viewer);
        assert_int_equal(viewer_open(&viewer, &stage, "/ws", NULL), 101);
        viewer_done(&viewer);
        stage_done(&stage);
}

static void test_upgrade_waits_for_the_registry(void **state) {
        Stage stage;
        Viewer viewer;

        (void)state;
        stage_init(&stage, NULL, "/ws");
        assert_int_equal(viewer_open(&viewer, &stage, "/ws", NULL), 503);
        assert_non_null(strcasestr(viewer.head, "Retry-After"));
        viewer_done(&viewer);
        viewer_open_with(&viewer,
                         &stage,
                         "POST /api/ws/ticket HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                         "Authorization: Bearer x\r\n\r\n");
        assert_int_equal(viewer.status, 503); /* not 401: nobody can tell yet */
        assert_non_null(strcasestr(viewer.head, "Retry-After"));
        viewer_done(&viewer);
        stage_done(&stage);
}

static void test_too_many_sockets_and_too_fast_are_429(void **state) {
        WsOptions options = stage_options();
        Stage stage;
        Viewer viewers[3];

        (void)state;
        options.max_connections = 2;
        stage_init(&stage, &options, "/ws");
        stage_world(&stage);
        assert_int_equal(viewer_open(&viewers[0], &stage, "/ws", NULL), 101);
        assert_int_equal(viewer_open(&viewers[1], &stage, "/ws", NULL), 101);
        assert_int_equal(viewer_open(&viewers[2], &stage, "/ws", NULL), 429);
        assert_non_null(strcasestr(viewers[2].head, "Retry-After"));
        for (int i = 0; i < 3; ++i)
                viewer_done(&viewers[i]);
        stage_done(&stage);

        options = stage_options();
        options.connects_per_s = 1;
        stage_init(&stage, &options, "/ws");
        stage_world(&stage);
        for (int i = 0; i < 3; ++i)
                viewer_open(&viewers[i], &stage, "/ws", NULL);
        assert_int_equal(viewers[0].status, 101);
        assert_int_equal(viewers[2].status, 429);
        assert_int_equal(metric_get(METRIC_WS_REFUSED_RATE), 1);
        for (int i = 0; i < 3; ++i)
                viewer_done(&viewers[i]);
        stage_done(&stage);
}

/* Opens a viewer of its own, does what breaks a rule, and reads the close code. */
static int close_code_after(Stage *stage, int first, const void *data, size_t n, int times) {
        Viewer viewer;
        int code;

        assert_int_equal(viewer_open(&viewer, stage, "/ws", NULL), 101);
        for (int i = 0; i < times; ++i)
                viewer_send_frame(&viewer, first, data, n);
        code = viewer_read_close(&viewer);
        viewer_done(&viewer);
        return code;
}

static void test_rules_have_their_close_codes(void **state) {
        WsOptions options = stage_options();
        char *big = calloc(1, 2001);
        Stage stage;
        Viewer viewer;

        (void)state;
        options.max_message_bytes = 1000;
        options.messages_per_s = 5;
        stage_init(&stage, &options, "/ws");
        stage_world(&stage);
        memset(big, 'x', 2000);
        assert_int_equal(close_code_after(&stage, 0x81, big, 2000, 1), 1009);
        assert_int_equal(close_code_after(&stage, 0x82, big, 2000, 1), 1009);
        assert_int_equal(close_code_after(&stage, 0x81, "ping", 4, 11), 4102);
        assert_int_equal(close_code_after(&stage, 0x81, "\xff\xfe", 2, 1), 1007);
        assert_int_equal(close_code_after(&stage, 0x83, "", 0, 1), 1002);
        assert_int_equal(close_code_after(&stage, 0x88, "\x13\x88", 2, 1), 1002);
        assert_int_equal(close_code_after(&stage, 0x88, "\x03\xe8", 2, 1), 1000);
        free(big);

        assert_int_equal(viewer_open(&viewer, &stage, "/ws", NULL), 101);
        for (int i = 0; i < 4; ++i) /* fragments count together */
                viewer_send_frame(&viewer,
                                  i == 0 ? 0x01 : 0x00,
                                  "0123456789012345678901234567890123456789012345678901234567890123"
                                  "0123456789012345678901234567890123456789012345678901234567890123"
                                  "0123456789012345678901234567890123456789012345678901234567890123"
                                  "0123456789012345678901234567890123456789012345678901234567890123"
                                  "01234567890123456789",
                                  276);
        assert_int_equal(viewer_read_close(&viewer), 1009);
        viewer_done(&viewer);

        assert_int_equal(viewer_open(&viewer, &stage, "/ws", NULL), 101);
        viewer_send_frame(&viewer, 0x01, "pi", 2);
        viewer_send_frame(&viewer, 0x89, "x", 1);
        viewer_send_frame(&viewer, 0x80, "ng", 2);
        viewer_expect(&viewer, "pong"); /* of the ping frame, then of the message */
        viewer_expect(&viewer, "pong");
        viewer_done(&viewer);
        stage_done(&stage);
}

static void test_silent_peer_is_pinged_and_then_dropped(void **state) {
        WsOptions options = stage_options();
        Stage stage;
        Viewer silent, alive;

        (void)state;
        options.ping_interval_ms = 40;
        options.silence_ms = 1000;
        options.messages_per_s = 0; /* this one pings as fast as it can */
        stage_init(&stage, &options, "/ws");
        stage_world(&stage);
        assert_int_equal(viewer_open(&silent, &stage, "/ws", NULL), 101);
        assert_int_equal(viewer_open(&alive, &stage, "/ws", NULL), 101);
        while (metric_get(METRIC_WS_CLOSED_SILENT) == 0)
                viewer_expect_silence(&alive); /* and answers what pings come */
        assert_true(alive.n_pings > 5);
        assert_int_equal(alive.close_code, 0);
        assert_int_equal(viewer_read_close(&silent), 4201);
        viewer_done(&silent);
        viewer_done(&alive);
        stage_done(&stage);
}

static void test_drain_says_4200_to_everybody(void **state) {
        enum { N = 50 };
        Stage stage;
        Viewer viewers[N];

        (void)state;
        stage_init(&stage, NULL, "/ws");
        stage_world(&stage);
        for (int i = 0; i < N; ++i)
                assert_int_equal(viewer_open(&viewers[i], &stage, "/ws", NULL), 101);
        ws_server_drain(stage.server, 1000);
        for (int i = 0; i < N; ++i) {
                assert_int_equal(viewer_read_close(&viewers[i]), 4200);
                viewer_done(&viewers[i]);
        }
        assert_int_equal(viewer_open(&viewers[0], &stage, "/ws", NULL), 503);
        viewer_done(&viewers[0]);
        stage_done(&stage);
}

static void test_open_sockets_are_told_when_the_server_ends(void **state) {
        Stage stage;
        Viewer viewer;

        (void)state;
        stage_init(&stage, NULL, "/ws");
        stage_world(&stage);
        assert_int_equal(viewer_open(&viewer, &stage, "/ws", NULL), 101);
        stage_done(&stage);
        assert_int_equal(viewer_read_close(&viewer), 1001);
        viewer_done(&viewer);
}

static void test_reload_changes_the_limits(void **state) {
        WsOptions options = stage_options();
        Stage stage;
        Viewer viewer;

        (void)state;
        stage_init(&stage, &options, "/ws");
        stage_world(&stage);
        options.max_message_bytes = 10;
        assert_int_equal(ws_server_reload(stage.server, &options), 0);
        assert_int_equal(ws_server_reload(stage.server, &options), 0);
        assert_int_equal(viewer_open(&viewer, &stage, "/ws", NULL), 101);
        viewer_send(&viewer, "more than ten bytes");
        assert_int_equal(viewer_read_close(&viewer), 1009);
        viewer_done(&viewer);
        stage_done(&stage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_handshake_is_checked_to_the_letter),
                cmocka_unit_test(test_unknown_upgrade_on_a_used_connection_does_no_harm),
                cmocka_unit_test(test_upgrade_waits_for_the_registry),
                cmocka_unit_test(test_too_many_sockets_and_too_fast_are_429),
                cmocka_unit_test(test_rules_have_their_close_codes),
                cmocka_unit_test(test_silent_peer_is_pinged_and_then_dropped),
                cmocka_unit_test(test_drain_says_4200_to_everybody),
                cmocka_unit_test(test_open_sockets_are_told_when_the_server_ends),
                cmocka_unit_test(test_reload_changes_the_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
