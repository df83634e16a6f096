/* WsPreface: who a proxy says that it speaks for, and what is no such header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ws/net/preface.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4      "\xc6\x33\x64\x07\x0a\x00\x00\x01\x30\x39\x1f\x40"
#define TCP6                                                           \
        "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\x01\x0d\xb8\0\0" \
        "\0\0\0\0\0\0\0\0\0\1\x30\x39\x1f\x40"

static WsPreface preface;

static int parse(char command, char family, Text rest, const char *behind) {
        CLEANUP_BUF Buf bytes = { 0 };
        char head[4] = { command, family, (char)(rest.n >> 8), (char)rest.n };

        buf_append(&bytes, SIGNATURE, 12);
        buf_append(&bytes, head, 4);
        buf_append_text(&bytes, rest);
        buf_append_string(&bytes, behind);
        assert_false(buf_failed(&bytes));
        return ws_preface_parse(&preface, buf_text(&bytes));
}

static void check_source(const char *expected) {
        char text[WS_ADDRESS_TEXT_SIZE];

        assert_true(preface.has_source);
        ws_address_text(&preface.source, text);
        assert_string_equal(text, expected);
}

static void test_a_proxy_names_its_client(void **state) {
        (void)state;
        assert_int_equal(parse(0x21, 0x11, TEXT(TCP4), "GET /"), 0);
        assert_int_equal(preface.n, 28);
        check_source("198.51.100.7");
        assert_int_equal(parse(0x21, 0x21, TEXT(TCP6), ""), 0);
        assert_int_equal(preface.n, 52);
        check_source("2001:db8::7");
}

static void test_what_follows_the_addresses_is_skipped(void **state) {
        (void)state;
        assert_int_equal(parse(0x21, 0x11, TEXT(TCP4 "\x04\0\3\0\0\0\xff\xff\xff"), "x"), 0);
        assert_int_equal(preface.n, 28 + 9);
        check_source("198.51.100.7");
}

static void test_what_a_proxy_cannot_name_is_the_proxys(void **state) {
        static const char local[216] = "/run/x";

        (void)state;
        assert_int_equal(parse(0x20, 0x00, TEXT(""), ""), 0);
        assert_false(preface.has_source);
        assert_int_equal(parse(0x20, 0x11, TEXT(TCP4), ""), 0);
        assert_false(preface.has_source);
        assert_int_equal(parse(0x20, 0x7f, TEXT("whatever"), ""), 0);
        assert_false(preface.has_source);
        assert_int_equal(parse(0x21, 0x00, TEXT("\x04\0\0"), ""), 0);
        assert_false(preface.has_source);
        assert_int_equal(parse(0x21, 0x31, (Text){ local, sizeof(local) }, ""), 0);
        assert_false(preface.has_source);
}

static void test_no_byte_more_is_read_than_it_has(void **state) {
        static const char whole[] = SIGNATURE "\x21\x11\0\x0f" TCP4 "\x04\0\0";

        (void)state;
        for (size_t n = 0; n < 31; ++n) {
                assert_int_equal(ws_preface_parse(&preface, (Text){ whole, n }), WS_PREFACE_E_MORE);
                assert_int_equal(preface.n, n < 16 ? 16 : 31);
        }
        assert_int_equal(ws_preface_parse(&preface, (Text){ whole, 31 }), 0);
}

static void test_what_is_no_preface_is_bad_at_its_first_byte(void **state) {
        static const char *const other[] = {
                "G", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "\x16", "\r\n\r\nG"
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(other); ++i)
                assert_int_equal(ws_preface_parse(&preface, text_of(other[i])), WS_PREFACE_E_BAD);
        assert_int_equal(parse(0x11, 0x11, TEXT(TCP4), ""), WS_PREFACE_E_BAD); /* version 1 */
        assert_int_equal(parse(0x22, 0x11, TEXT(TCP4), ""), WS_PREFACE_E_BAD); /* a command */
        assert_int_equal(parse(0x21, 0x12, TEXT(TCP4), ""), WS_PREFACE_E_BAD); /* UDP */
        assert_int_equal(parse(0x21, 0x41, TEXT(TCP4), ""), WS_PREFACE_E_BAD); /* a family */
}

static void test_an_address_that_is_cut_is_bad(void **state) {
        (void)state;
        assert_int_equal(parse(0x21, 0x11, TEXT("\1\2\3\4"), ""), WS_PREFACE_E_BAD);
        assert_int_equal(parse(0x21, 0x21, TEXT(TCP4), ""), WS_PREFACE_E_BAD);
        assert_int_equal(parse(0x21, 0x11, TEXT(""), "GET / HTTP/1.1"), WS_PREFACE_E_BAD);
}

static void test_it_has_an_end(void **state) {
        static const char many[WS_PREFACE_MAX] = "";
        Text most = { many, WS_PREFACE_MAX - WS_PREFACE_MIN };

        (void)state;
        assert_int_equal(parse(0x21, 0x11, most, ""), 0);
        ++most.n;
        assert_int_equal(parse(0x21, 0x11, most, ""), WS_PREFACE_E_BAD);
        assert_int_equal(parse(0x20, 0x00, most, ""), WS_PREFACE_E_BAD);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_proxy_names_its_client),
                cmocka_unit_test(test_what_follows_the_addresses_is_skipped),
                cmocka_unit_test(test_what_a_proxy_cannot_name_is_the_proxys),
                cmocka_unit_test(test_no_byte_more_is_read_than_it_has),
                cmocka_unit_test(test_what_is_no_preface_is_bad_at_its_first_byte),
                cmocka_unit_test(test_an_address_that_is_cut_is_bad),
                cmocka_unit_test(test_it_has_an_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
