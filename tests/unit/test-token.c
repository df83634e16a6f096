/* WsToken: three parts of base64url and not a byte else, of which two are objects. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "ws/access/token.h"

static void test_three_parts_are_taken_as_they_are_written(void **state) {
        WsToken token;

        (void)state;
        assert_true(ws_token_split(&token, TEXT("e30.eyJhIjoxfQ.-_8")));
        assert_true(text_equal(token.header, TEXT("e30")));
        assert_true(text_equal(token.payload, TEXT("eyJhIjoxfQ")));
        assert_true(text_equal(token.signature, TEXT("-_8")));
        assert_true(text_equal(ws_token_signed(&token), TEXT("e30.eyJhIjoxfQ")));
}

static void test_anything_else_is_no_token(void **state) {
        static const char *const others[] = {
                "",
                "e30",
                "e30.e30",
                "e30..e30",
                ".e30.e30",
                "e30.e30.",
                "a.b.",
                "e30.e30=.e30",
                "e30.e30.e30.e30",
                "e30.e+0.e30",
                "e30.e/0.e30",
                "e30 .e30.e30",
                "e3030.e30.e30",
        };
        char large[WS_TOKEN_MAX + 2];
        WsToken token;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(others); ++i)
                assert_false(ws_token_split(&token, text_of(others[i])));
        memset(large, 'a', sizeof(large));
        large[4] = large[9] = '.';
        assert_false(ws_token_split(&token, (Text){ large, WS_TOKEN_MAX + 1 }));
        assert_false(ws_token_split(&token, (Text){ "e30.e\0.e30", 11 }));
}

static void test_a_part_is_read_with_the_letters_of_base64url(void **state) {
        char data[WS_TOKEN_MAX];
        size_t n = 0;

        (void)state;
        assert_true(ws_token_decode(TEXT("-_-_"), data, &n));
        assert_int_equal(n, 3);
        assert_memory_equal(data, "\xfb\xff\xbf", 3);
        assert_true(ws_token_decode(TEXT("YQ"), data, &n));
        assert_int_equal(n, 1);
        assert_int_equal(data[0], 'a');
}

static void test_only_an_object_and_nothing_behind_it_is_read(void **state) {
        static const char *const others[] = {
                "W10",          /* [] */
                "MQ",           /* 1 */
                "e30geA",       /* {} x */
                "eyJhIjoxLH0",  /* {"a":1,} */
                "eyJhIjoi_yJ9", /* {"a":"\xff"} */
                "e30A",         /* {} and a NUL */
        };
        json_object *object;

        (void)state;
        object = ws_token_parse(TEXT("eyJhIjoxfQ")); /* {"a":1} */
        assert_non_null(object);
        assert_int_equal(json_object_get_int(json_object_object_get(object, "a")), 1);
        json_object_put(object);
        for (size_t i = 0; i < N_ELEMENTS(others); ++i)
                assert_null(ws_token_parse(text_of(others[i])));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_three_parts_are_taken_as_they_are_written),
                cmocka_unit_test(test_anything_else_is_no_token),
                cmocka_unit_test(test_a_part_is_read_with_the_letters_of_base64url),
                cmocka_unit_test(test_only_an_object_and_nothing_behind_it_is_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
