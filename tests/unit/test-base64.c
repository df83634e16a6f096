/* Base64: the vectors of RFC 4648, both alphabets, and what is neither. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base64.h"

static const struct {
        const char *bytes, *text;
} vectors[] = {
        { "", "" },           { "f", "Zg" },          { "fo", "Zm8" },          { "foo", "Zm9v" },
        { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" },
};

static void test_bytes_are_written_as_the_standard_says(void **state) {
        char text[BASE64_SIZE(6)];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(vectors); ++i) {
                base64_write(BASE64_PLAIN, vectors[i].bytes, strlen(vectors[i].bytes), text);
                assert_string_equal(text, vectors[i].text);
                assert_true(base64_is(BASE64_PLAIN, text_of(text)));
        }
        base64_write(BASE64_PLAIN, "\xfb\xff\xbf", 3, text);
        assert_string_equal(text, "+/+/");
        base64_write(BASE64_URL, "\xfb\xff\xbf", 3, text);
        assert_string_equal(text, "-_-_");
}

static void test_what_was_written_is_read(void **state) {
        uint8_t bytes[64], back[64];
        char text[BASE64_SIZE(64)];
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < sizeof(bytes); ++i)
                bytes[i] = (uint8_t)(i * 37 + 200);
        for (size_t i = 0; i <= sizeof(bytes); ++i) {
                base64_write(BASE64_URL, bytes, i, text);
                assert_int_equal(strlen(text) + 1, BASE64_SIZE(i));
                assert_true(base64_read(BASE64_URL, text_of(text), back, sizeof(back), &n));
                assert_int_equal(n, i);
                assert_memory_equal(back, bytes, n);
        }
}

static void test_anything_else_is_refused(void **state) {
        static const char *const others[] = { "Z",     "Zm9vY", "Zg==", "Zm 8",
                                              "Zm8\n", "Zm9-",  "Zm9_", "Zm9\x80" };
        uint8_t back[8];
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(others); ++i) {
                assert_false(base64_is(BASE64_PLAIN, text_of(others[i])));
                assert_false(base64_read(BASE64_PLAIN, text_of(others[i]), back, sizeof(back), &n));
        }
        assert_false(base64_read(BASE64_URL, TEXT("Zm9+"), back, sizeof(back), &n));
        assert_false(base64_read(BASE64_URL, TEXT("Zm9/"), back, sizeof(back), &n));
        assert_false(base64_read(BASE64_URL, TEXT("Zm\0v"), back, sizeof(back), &n));
        assert_false(base64_read(BASE64_URL, TEXT("Zm9v"), back, 2, &n)); /* no room for it */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes_are_written_as_the_standard_says),
                cmocka_unit_test(test_what_was_written_is_read),
                cmocka_unit_test(test_anything_else_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
