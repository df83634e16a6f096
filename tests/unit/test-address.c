/* WsAddress: the same address is the same, however it came. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/access/address.h"

static void assert_read(const char *text, const char *wanted) {
        char again[WS_ADDRESS_TEXT_SIZE];
        WsAddress address;

        assert_true(ws_address_read_with_port(text_of(text), &address));
        ws_address_text(&address, again);
        assert_string_equal(again, wanted);
}

static void test_forms_of_one_address_are_one(void **state) {
        WsAddress a, b;

        (void)state;
        assert_true(ws_address_read(TEXT("192.0.2.1"), &a));
        assert_true(ws_address_read(TEXT("::ffff:192.0.2.1"), &b));
        assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
        assert_true(ws_address_is_v4(&b));
        assert_true(ws_address_read(TEXT("2001:DB8::1"), &a));
        assert_true(ws_address_read(TEXT("2001:db8:0:0:0:0:0:1"), &b));
        assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
        assert_false(ws_address_is_v4(&b));
}

static void test_a_port_is_left_out(void **state) {
        (void)state;
        assert_read("192.0.2.1", "192.0.2.1");
        assert_read("192.0.2.1:8080", "192.0.2.1");
        assert_read("[2001:db8::1]", "2001:db8::1");
        assert_read("[2001:db8::1]:443", "2001:db8::1");
        assert_read("2001:db8::1", "2001:db8::1");
}

static void test_what_is_no_address_is_refused(void **state) {
        static const char *const others[] = {
                "",         "unknown",        "192.0.2",     "192.0.2.1:",  "192.0.2.1:x",
                "[::1",     "[::1]x",         "[192.0.2.1]", "192.0.2.256", "192.0.2.1:123456",
                "::1%eth0", "192.0.2.1, ::1", " 192.0.2.1",
        };
        WsAddress address;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(others); ++i)
                assert_false(ws_address_read_with_port(text_of(others[i]), &address));
        assert_false(ws_address_read(TEXT("::1\0"), &address));
        assert_false(ws_address_read(TEXT("192.0.2.1:80"), &address));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms_of_one_address_are_one),
                cmocka_unit_test(test_a_port_is_left_out),
                cmocka_unit_test(test_what_is_no_address_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
