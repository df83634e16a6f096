/* WsGzip and WsMedia: files as browsers want them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ws/wire/gzip.h"
#include "ws/wire/media.h"

static void test_a_packed_file_is_known_by_what_is_in_it(void **state) {
        CLEANUP_BUF Buf plain = { 0 }, packed = { 0 };

        (void)state;
        for (int i = 0; i < 10000; ++i)
                buf_printf(&plain, "const a%d = %d;\n", i, i);
        ws_gzip(buf_text(&plain), &packed);
        assert_false(buf_failed(&packed));
        assert_true(packed.n < plain.n / 3);
        assert_true(ws_gzip_is_of(buf_text(&packed), buf_text(&plain)));
        plain.data[3] = 'X';
        assert_false(ws_gzip_is_of(buf_text(&packed), buf_text(&plain)));
        plain.data[3] = 's';
        assert_false(ws_gzip_is_of(buf_text(&packed), (Text){ plain.data, plain.n - 1 }));
}

static void test_what_is_no_gzip_is_of_nothing(void **state) {
        CLEANUP_BUF Buf packed = { 0 };

        (void)state;
        assert_false(ws_gzip_is_of(TEXT(""), TEXT("")));
        assert_false(ws_gzip_is_of(TEXT("no gzip, but long enough for one"), TEXT("x")));
        ws_gzip(TEXT(""), &packed);
        assert_true(ws_gzip_is_of(buf_text(&packed), TEXT("")));
        assert_false(ws_gzip_is_of((Text){ packed.data, 17 }, TEXT("")));
}

static void test_the_end_of_a_name_says_what_it_is(void **state) {
        (void)state;
        assert_string_equal(ws_media_of("/a.b/map.pmtiles")->type, "application/vnd.pmtiles");
        assert_string_equal(ws_media_of("/x.woff2")->type, "font/woff2");
        assert_string_equal(ws_media_of("/x.JS")->type, "application/octet-stream");
        assert_string_equal(ws_media_of("/none")->type, "application/octet-stream");
        assert_true(ws_media_of("/x.svg")->packs);
        assert_false(ws_media_of("/x.png")->packs);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_packed_file_is_known_by_what_is_in_it),
                cmocka_unit_test(test_what_is_no_gzip_is_of_nothing),
                cmocka_unit_test(test_the_end_of_a_name_says_what_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
