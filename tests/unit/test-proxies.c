/* WsProxies and WsAddress: whose address counts, whatever was written before it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "ws/access/proxies.h"
#include "ws/wire/head.h"

static WsHead head;
static char text[2048];

/* What a request from @peer with these header lines is taken for, where @trusted are trusted. */
static WsOrigin follow(const char *trusted, const char *peer, const char *lines) {
        WsProxies proxies;
        WsOrigin origin;

        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", lines);
        assert_int_equal(ws_head_parse(&head, text_of(text)), 0);
        assert_int_equal(ws_proxies_read(&proxies, trusted), 0);
        ws_proxies_follow(&proxies, &head, peer, &origin);
        return origin;
}

static void check(const char *peer, const char *lines, const char *expected) {
        assert_string_equal(follow("10.0.0.0/8, 2001:db8:a::/48", peer, lines).source, expected);
}

static bool trusts(const char *trusted, const char *source) {
        WsProxies proxies;

        assert_int_equal(ws_proxies_read(&proxies, trusted), 0);
        return ws_proxies_trust(&proxies, source);
}

static void test_who_is_no_proxy_of_ours_speaks_for_nobody(void **state) {
        (void)state;
        check("192.0.2.9", "X-Forwarded-For: 198.51.100.1\r\n", "192.0.2.9");
        check("192.0.2.9", "X-Forwarded-For: 10.0.0.1\r\n", "192.0.2.9");
        check("", "X-Forwarded-For: 198.51.100.1\r\n", "");
        assert_string_equal(follow(NULL, "127.0.0.1", "X-Forwarded-For: 198.51.100.1\r\n").source,
                            "127.0.0.1");
        assert_false(follow("10.0.0.1", "10.0.0.2", "X-Forwarded-Proto: https\r\n").is_told);
}

static void test_the_last_address_that_is_no_proxy_is_the_client(void **state) {
        (void)state;
        check("10.0.0.1", "", "10.0.0.1");
        check("10.0.0.1", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1");
        check("10.0.0.1", "X-Forwarded-For: 203.0.113.5, 198.51.100.1\r\n", "198.51.100.1");
        check("10.0.0.1",
              "X-Forwarded-For: 203.0.113.5, 198.51.100.1,10.9.9.9\r\n",
              "198.51.100.1");
        check("10.0.0.1", "X-Forwarded-For: 10.1.1.1, 10.2.2.2\r\n", "10.1.1.1");
}

static void test_several_header_lines_are_one_list(void **state) {
        (void)state;
        check("10.0.0.1",
              "X-Forwarded-For: 203.0.113.5\r\nX-FORWARDED-FOR: 198.51.100.1\r\n"
              "x-forwarded-for: , 10.3.3.3 ,, \r\n",
              "198.51.100.1");
        check("10.0.0.1", "X-Forwarded-For:\r\nX-Forwarded-For: ,\r\n", "10.0.0.1");
}

static void test_addresses_are_read_as_proxies_write_them(void **state) {
        (void)state;
        check("10.0.0.1", "X-Forwarded-For: 198.51.100.1:4711\r\n", "198.51.100.1");
        check("10.0.0.1", "X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7");
        check("10.0.0.1", "X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7");
        check("10.0.0.1", "X-Forwarded-For: 2001:DB8:0::7\r\n", "2001:db8::7");
        check("10.0.0.1", "X-Forwarded-For: ::ffff:198.51.100.1\r\n", "198.51.100.1");
        check("2001:db8:a:1::2",
              "X-Forwarded-For: 198.51.100.1, ::ffff:10.0.0.5\r\n",
              "198.51.100.1");
        check("::ffff:10.0.0.1", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1");
}

static void test_what_is_no_address_ends_the_walk_at_the_last_one(void **state) {
        static const char *const garbage[] = {
                "unknown",          "_hidden",          "198.51.100",       "198.51.100.1:port",
                "198.51.100.1:",    "[2001:db8::7",     "[198.51.100.1]",   "[2001:db8::7]x",
                "2001:db8::7%eth0", "198.51.100.1 x",   "\"198.51.100.1\"", "198.51.100.1:999999",
                "999.1.1.1",        "for=198.51.100.1", "0x7f.1",           "host.example",
        };
        char lines[256];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(garbage); ++i) {
                snprintf(lines, sizeof(lines), "X-Forwarded-For: 203.0.113.5, %s\r\n", garbage[i]);
                check("10.0.0.1", lines, "10.0.0.1");
                snprintf(lines,
                         sizeof(lines),
                         "X-Forwarded-For: 203.0.113.5, %s, 10.7.7.7\r\n",
                         garbage[i]);
                check("10.0.0.1", lines, "10.7.7.7");
        }
}

static void test_other_headers_say_nothing(void **state) {
        (void)state;
        check("10.0.0.1",
              "Forwarded: for=198.51.100.1;proto=https\r\nX-Real-IP: 198.51.100.1\r\n"
              "X-Forwarded-Host: evil\r\nX-Forwarded-Fo: 198.51.100.1\r\n",
              "10.0.0.1");
        assert_false(follow("10.0.0.1", "10.0.0.1", "Forwarded: proto=https\r\n").is_told);
}

static void check_scheme(const char *lines, bool is_told, bool is_secure) {
        WsOrigin origin = follow("10.0.0.0/8", "10.0.0.1", lines);

        assert_int_equal(origin.is_told, is_told);
        assert_int_equal(origin.is_secure, is_secure);
}

static void test_the_scheme_is_that_of_the_same_step(void **state) {
        (void)state;
        check_scheme("", false, false);
        check_scheme("X-Forwarded-Proto: HTTPS\r\n", true, true);
        check_scheme("X-Forwarded-Proto: wss\r\n", true, true);
        check_scheme("X-Forwarded-Proto: http\r\n", true, false);
        check_scheme("X-Forwarded-Proto: on\r\n", true, false);
        /* what the client wrote, and what our proxy added to it */
        check_scheme("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https, http\r\n",
                     true,
                     false);
        /* TLS ended at the first of our two proxies, of which each added to it, or one said it */
        check_scheme("X-Forwarded-For: 198.51.100.1, 10.0.0.2\r\nX-Forwarded-Proto: https, "
                     "http\r\n",
                     true,
                     true);
        check_scheme("X-Forwarded-For: 198.51.100.1, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n",
                     true,
                     true);
}

static void test_networks_are_compared_by_their_bits(void **state) {
        (void)state;
        assert_true(trusts("192.0.2.128/25", "192.0.2.200"));
        assert_false(trusts("192.0.2.128/25", "192.0.2.100"));
        assert_true(trusts("128.0.0.0/1", "203.0.113.1"));
        assert_false(trusts("128.0.0.0/1", "2001:db8::1"));
        assert_true(trusts("::/1", "2001:db8::1"));
        assert_true(trusts(" 10.0.0.0/8 ,\t::1 ", "10.1.2.3"));
        assert_true(trusts("2001:db8::/33", "2001:db8:7fff::1"));
        assert_false(trusts("2001:db8::/33", "2001:db8:8000::1"));
        assert_true(trusts("::1,\t127.0.0.1", "127.0.0.1"));
        assert_true(trusts("::1 127.0.0.1", "::1"));
        assert_false(trusts("127.0.0.1", "127.0.0.2"));
        assert_false(trusts("", "127.0.0.1"));
        assert_false(trusts("127.0.0.1", "unix"));
}

static void test_what_is_no_list_of_networks_is_said(void **state) {
        static const char *const bad[] = { "proxy.example",
                                           "10.0.0.0/33",
                                           "10.0.0.0/",
                                           "10.0.0/8",
                                           "::1/129",
                                           "10.0.0.0/8/8",
                                           "10.0.0.0/+8",
                                           "127.0.0.1:80",
                                           "10.0.0.1, x",
                                           "10.0.0.0/0008",
                                           "[::1]",
                                           /* nobody between two commas, or all that there are */
                                           ",",
                                           "10.0.0.1,,::1",
                                           ",::1",
                                           "::1,",
                                           "::1 , ,::1",
                                           "0.0.0.0/0",
                                           "::/0",
                                           /* which network is meant? */
                                           "10.0.0.1/8",
                                           "192.0.2.129/25",
                                           "2001:db8::1/64",
                                           "0.0.0.1/1" };
        WsProxies proxies = { .n = 7 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_int_equal(ws_proxies_read(&proxies, bad[i]), WS_PROXIES_E_BAD);
        assert_int_equal(proxies.n, 7);
}

static void test_a_list_has_an_end(void **state) {
        char many[(WS_PROXIES_MAX + 1) * sizeof("10.0.0.1")];
        WsProxies proxies;

        (void)state;
        for (size_t i = 0; i <= WS_PROXIES_MAX; ++i)
                memcpy(many + i * sizeof("10.0.0.1"), "10.0.0.1,", sizeof("10.0.0.1"));
        many[sizeof(many) - 1] = '\0';
        assert_int_equal(ws_proxies_read(&proxies, many), WS_PROXIES_E_BAD);
        many[sizeof(many) - 1 - sizeof("10.0.0.1")] = '\0';
        assert_int_equal(ws_proxies_read(&proxies, many), 0);
        assert_int_equal(proxies.n, WS_PROXIES_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_is_no_proxy_of_ours_speaks_for_nobody),
                cmocka_unit_test(test_the_last_address_that_is_no_proxy_is_the_client),
                cmocka_unit_test(test_several_header_lines_are_one_list),
                cmocka_unit_test(test_addresses_are_read_as_proxies_write_them),
                cmocka_unit_test(test_what_is_no_address_ends_the_walk_at_the_last_one),
                cmocka_unit_test(test_other_headers_say_nothing),
                cmocka_unit_test(test_the_scheme_is_that_of_the_same_step),
                cmocka_unit_test(test_networks_are_compared_by_their_bits),
                cmocka_unit_test(test_what_is_no_list_of_networks_is_said),
                cmocka_unit_test(test_a_list_has_an_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
