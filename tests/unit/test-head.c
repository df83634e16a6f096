/* WsHead: what is a request, what is not yet one, and what never becomes one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "ws/wire/head.h"

static WsHead head;

static int parse(const char *text) {
        return ws_head_parse(&head, text_of(text));
}

static bool is(Text text, const char *expected) {
        return text_equal(text, text_of(expected));
}

static void test_request_is_taken_apart(void **state) {
        static const char text[] =
                "GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-Y:  z z\t\r\nx-y:\r\n\r\nrest";

        (void)state;
        assert_int_equal(parse(text), 0);
        assert_int_equal(head.n, strlen(text) - strlen("rest"));
        assert_true(is(head.method, "GET"));
        assert_true(is(head.target, "/a?b=c"));
        assert_false(head.is_http_1_0);
        assert_int_equal(head.n_fields, 3);
        assert_true(is(ws_head_find(&head, "x-Y"), "z z"));
        assert_int_equal(ws_head_count(&head, "X-Y"), 2);
        assert_null(ws_head_find(&head, "X").data);
        assert_int_equal(parse("\r\nBREW / HTTP/1.0\nA:b\n\n"), 0);
        assert_true(head.is_http_1_0);
        assert_int_equal(parse("GET / HTTP/1.2\r\n\r\n"), 0); /* read as 1.1 */
        assert_false(head.is_http_1_0);
}

static void test_no_part_of_a_request_is_one(void **state) {
        static const char text[] = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";

        (void)state;
        for (size_t n = 0; n < strlen(text); ++n) {
                char *part = strndup(text, n); /* so that a sanitizer sees who reads on */

                if (ws_head_parse(&head, (Text){ .data = part, .n = n }) != WS_HEAD_E_MORE)
                        fail_msg("%zu bytes", n);
                free(part);
        }
}

static void test_what_two_readers_could_read_differently_is_bad(void **state) {
        static const char *const cases[] = {
                "GET /\r\n", /* HTTP/0.9: and it is told so at once */
                "GET / HTTP/1.1 \r\n\r\n",
                "GET  / HTTP/1.1\r\n\r\n",
                " GET / HTTP/1.1\r\n\r\n",
                "GET /\x01 HTTP/1.1\r\n\r\n",
                "GET /\xc3\xa4 HTTP/1.1\r\n\r\n",
                "GET\t/ HTTP/1.1\r\n\r\n",
                "G(T / HTTP/1.1\r\n\r\n",
                "GET / http/1.1\r\n\r\n",
                "GET / HTTP/0.9\r\n\r\n",
                "GET / HTTP/11.1\r\n\r\n",
                "GET / HTTP/1.x\r\n\r\n",
                "GET / HTTP/2.x\r\n\r\n",
                "GET / HTTP/1.10\r\n\r\n",
                "GET / HTTP/1.1\rX: y\r\n\r\n",
                "GET / HTTP/1.1\r\nno colon\r\n\r\n",
                "GET / HTTP/1.1\r\n: no name\r\n\r\n",
                "GET / HTTP/1.1\r\nX : y\r\n\r\n",
                "GET / HTTP/1.1\r\nX: y\r\n folded\r\n\r\n",
                "GET / HTTP/1.1\r\nX: y\r\n\tfolded: z\r\n\r\n",
                "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
                "GET / HTTP/1.1\r\nX: a\x7f\r\n\r\n",
                "GET / HTTP/1.1\r\nX\x80: a\r\n\r\n",
                "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        };
        static const char nul[] = "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n";

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                if (parse(cases[i]) != WS_HEAD_E_BAD)
                        fail_msg("%s", cases[i]);
        assert_int_equal(ws_head_parse(&head, (Text){ .data = nul, .n = sizeof(nul) - 1 }),
                         WS_HEAD_E_BAD);
        assert_int_equal(parse("GET / HTTP/2.0\r\n\r\n"), WS_HEAD_E_VERSION);
        assert_int_equal(parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), WS_HEAD_E_VERSION);
}

static void test_a_head_has_limits(void **state) {
        static char text[2 * WS_HEAD_MAX];
        int n;

        (void)state;
        n = sprintf(text, "GET / HTTP/1.1\r\n");
        for (int i = 0; i <= WS_HEAD_FIELDS; ++i)
                n += sprintf(text + n, "X-%d: y\r\n", i);
        assert_int_equal(parse(text), WS_HEAD_E_TOO_LARGE);

        n = sprintf(text, "GET / HTTP/1.1\r\nX: ");
        memset(text + n, 'x', WS_HEAD_MAX);
        text[n + WS_HEAD_MAX] = '\0';
        assert_int_equal(parse(text), WS_HEAD_E_TOO_LARGE); /* which will never end */
        strcpy(text + n + WS_HEAD_MAX, "\r\n\r\n");
        assert_int_equal(parse(text), WS_HEAD_E_TOO_LARGE);

        memset(text, 'x', WS_HEAD_MAX);
        text[WS_HEAD_MAX] = '\0';
        assert_int_equal(parse(text), WS_HEAD_E_BAD); /* which is no method, nor becomes one */
        memcpy(text, "\r\nGET /", 7);
        assert_int_equal(parse(text), WS_HEAD_E_TOO_LONG);
        assert_true(is(head.method, "GET"));

        memset(text, 'x', WS_HEAD_TARGET + 64);
        memcpy(text, "GET /", 5);
        strcpy(text + WS_HEAD_TARGET + 16, " HTTP/1.1\r\n\r\n");
        assert_int_equal(parse(text), WS_HEAD_E_TOO_LONG);
}

static void test_fields_of_a_name_are_one_list(void **state) {
        char list[16];

        (void)state;
        assert_int_equal(parse("GET / HTTP/1.1\r\nA: b, c\r\na:\r\nA: d\r\nB: x\r\n\r\n"), 0);
        assert_true(ws_head_list(&head, "a", list, sizeof(list)));
        assert_string_equal(list, "b, c, d");
        assert_true(ws_head_list(&head, "none", list, sizeof(list)));
        assert_string_equal(list, "");
        assert_false(ws_head_list(&head, "a", list, 7));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request_is_taken_apart),
                cmocka_unit_test(test_no_part_of_a_request_is_one),
                cmocka_unit_test(test_what_two_readers_could_read_differently_is_bad),
                cmocka_unit_test(test_a_head_has_limits),
                cmocka_unit_test(test_fields_of_a_name_are_one_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
