/* WsHandshake: the answer of RFC 6455, byte for byte, and what was agreed upon. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/http/handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* of RFC 6455 1.3, as is what follows from it */

static void test_the_key_is_answered_as_the_standard_says(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        assert_int_equal(ws_handshake_write(&buf, KEY, NULL, NULL, 0), 0);
        assert_string_equal(buf.data,
                            "HTTP/1.1 101 Switching Protocols\r\n"
                            "Upgrade: websocket\r\n"
                            "Connection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                            "\r\n");
}

static void test_what_was_agreed_upon_is_said(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        assert_int_equal(ws_handshake_write(&buf,
                                            KEY,
                                            "tidegate.v1",
                                            "; server_no_context_takeover",
                                            0),
                         0);
        assert_non_null(strstr(buf.data, "\r\nSec-WebSocket-Protocol: tidegate.v1\r\n"));
        assert_non_null(strstr(buf.data,
                               "\r\nSec-WebSocket-Extensions: permessage-deflate; "
                               "server_no_context_takeover\r\n"));
}

static void test_browsers_are_told_to_keep_to_tls_where_that_is_wanted(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        assert_int_equal(ws_handshake_write(&buf, KEY, NULL, NULL, 3600), 0);
        assert_non_null(strstr(buf.data, "\r\nStrict-Transport-Security: max-age=3600"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_key_is_answered_as_the_standard_says),
                cmocka_unit_test(test_what_was_agreed_upon_is_said),
                cmocka_unit_test(test_browsers_are_told_to_keep_to_tls_where_that_is_wanted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
