/* Multipart: a form as FormData is sent. What requests make of it: test-request.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "ws/wire/multipart.h"

#define FIELD(name, value) \
        "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n--x7"

static char value[16];

static bool finds(const char *body, const char *name) {
        memset(value, '#', sizeof(value));
        return ws_multipart_find(text_of(body), name, value, sizeof(value));
}

static void test_a_field_is_what_stands_between(void **state) {
        static const char body[] = "--x7\r\n" FIELD("grant_type", "password") "\r\n" FIELD(
                "username",
                "ana; name=\"b\"") "\r\n" FIELD("password",
                                                "") "\r\n" FIELD("b", "\r\n--x\r\n") "--\r\n";

        (void)state;
        assert_true(finds(body, "username"));
        assert_string_equal(value, "ana; name=\"b\"");
        assert_true(finds(body, "password"));
        assert_string_equal(value, "");
        assert_true(finds(body, "b"));
        assert_string_equal(value, "\r\n--x\r\n");
        assert_false(finds(body, "user"));
        assert_false(finds(body, "name"));
}

/* A field has more lines before it, as of curl and of Java, and a file has a name of its own. */
static void test_other_lines_before_a_field_are_passed_over(void **state) {
        (void)state;
        assert_true(finds("--x7\r\nContent-Type: text/plain; charset=utf-8\r\n"
                          "content-disposition: form-data; name=\"a\"\r\nContent-Length: 1\r\n\r\n1"
                          "\r\n--x7--",
                          "a"));
        assert_string_equal(value, "1");
        assert_true(
                finds("--x7\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n"
                      "of a file\r\n--x7\r\n" FIELD("a", "2") "--",
                      "a"));
        assert_string_equal(value, "2");
}

static void test_what_does_not_end_is_no_field(void **state) {
        static const char whole[] = "--x7\r\n" FIELD("a", "123");
        char cut[sizeof(whole)];

        (void)state;
        assert_true(finds(whole, "a"));
        for (size_t n = 0; n < sizeof(whole) - 1; ++n) {
                memcpy(cut, whole, n);
                cut[n] = '\0';
                assert_false(finds(cut, "a"));
        }
        assert_false(finds("--x7\r\n" FIELD("b", "1") "--\r\n" FIELD("a", "2") "--", "a"));
        assert_false(finds("--x7\r\n" FIELD("b", "1") "--\r\n" FIELD("a", "2"), "a"));
}

static void test_what_does_not_fit_and_what_is_no_text_is_none(void **state) {
        static const char with_nul[] = "--x7\r\n" FIELD("a", "1\0002");
        char body[256];

        (void)state;
        assert_true(finds("--x7\r\n" FIELD("a", "123456789012345"), "a"));
        assert_false(finds("--x7\r\n" FIELD("a", "1234567890123456"), "a"));
        assert_false(ws_multipart_find((Text){ with_nul, sizeof(with_nul) - 1 },
                                       "a",
                                       value,
                                       sizeof(value)));
        for (size_t n = 72; n <= 73; ++n) { /* the line between */
                memset(body, '-', n);
                strcpy(body + n, "\r\nA: b; name=\"a\"\r\n\r\n1\r\n");
                memset(body + strlen(body), '-', n);
                body[n + strlen("\r\nA: b; name=\"a\"\r\n\r\n1\r\n") + n] = '\0';
                assert_int_equal(finds(body, "a"), n == 72);
        }
}

static void test_another_form_is_none(void **state) {
        (void)state;
        assert_false(finds("username=ana\r\n", "username"));
        assert_false(finds("--a=1&username=ana", "username"));
        assert_false(finds("-", "username"));
        assert_false(finds("", "username"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_field_is_what_stands_between),
                cmocka_unit_test(test_other_lines_before_a_field_are_passed_over),
                cmocka_unit_test(test_what_does_not_end_is_no_field),
                cmocka_unit_test(test_what_does_not_fit_and_what_is_no_text_is_none),
                cmocka_unit_test(test_another_form_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
