/* WsAuthority: whom a request is for; no two readers may take it for another. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/http/authority.h"

static void test_what_is_one_and_what_is_none(void **state) {
        static const char *const good[] = { "",          "a",       "a.example:8000",  "a:",
                                            "127.0.0.1", "[::1]:8", "[fe80::1%25eth0]" };
        static const char *const bad[] = { "a b",  "a/b",   "user@a",  "a:b",     "a:80:80",
                                           "[::1", "[]",    "[::1]x",  "a\tb",    "%zz",
                                           "a%2",  "a:80a", "[::1]:x", "\xc3\xa4" };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(good); ++i)
                if (!ws_authority_is_one(text_of(good[i])))
                        fail_msg("'%s' is one", good[i]);
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                if (ws_authority_is_one(text_of(bad[i])))
                        fail_msg("'%s' is none", bad[i]);
        assert_false(ws_authority_is_one((Text){ .data = "a\0b", .n = 3 }));
}

static bool equal(const char *a, const char *b) {
        return ws_authority_equal(text_of(a), text_of(b), TEXT("80"));
}

static void test_hosts_are_the_same_whatever_their_case(void **state) {
        (void)state;
        assert_true(equal("App.Example", "app.example"));
        assert_true(equal("a:80", "a"));
        assert_true(equal("[::1]", "[::1]:80"));
        assert_false(equal("a:8080", "a"));
        assert_false(equal("a", "b"));
        assert_false(equal("a", "a.example"));
        assert_false(equal("[::1]", "[::2]"));
        assert_false(equal("", ""));
        assert_false(equal("a:", "a"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_one_and_what_is_none),
                cmocka_unit_test(test_hosts_are_the_same_whatever_their_case),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
