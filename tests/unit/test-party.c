/* WsParty: what counts as one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/access/party.h"

static void test_an_ipv6_network_is_one_party(void **state) {
        (void)state;
        assert_int_equal(ws_party_address("2001:db8:1:2::1"),
                         ws_party_address("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_int_not_equal(ws_party_address("2001:db8:1:2::1"),
                             ws_party_address("2001:db8:1:3::1"));
        assert_int_not_equal(ws_party_address("fe80::1"), ws_party_address("::1"));
}

static void test_an_ipv4_address_is_one_party_however_it_is_written(void **state) {
        (void)state;
        assert_int_equal(ws_party_address("192.0.2.7"), ws_party_address("::ffff:192.0.2.7"));
        assert_int_not_equal(ws_party_address("192.0.2.7"), ws_party_address("192.0.2.8"));
        assert_int_not_equal(ws_party_address("0.0.0.1"), ws_party_address("::1:0:0:1"));
}

static void test_what_is_no_address_is_a_party_too(void **state) {
        (void)state;
        assert_int_equal(ws_party_address(""), ws_party_address("unix"));
        assert_int_not_equal(ws_party_address(""), 0);
}

static void test_users_devices_and_addresses_never_share(void **state) {
        uint64_t by_user = ws_party_of(7, 7, "0.0.0.7");
        uint64_t by_device = ws_party_of(0, 7, "0.0.0.7");
        uint64_t by_address = ws_party_of(0, 0, "0.0.0.7");

        (void)state;
        assert_int_equal(by_user, ws_party_user(7));
        assert_int_equal(by_device, ws_party_device(7));
        assert_int_equal(by_address, ws_party_address("0.0.0.7"));
        assert_int_not_equal(by_user, by_device);
        assert_int_not_equal(by_user, by_address);
        assert_int_not_equal(by_device, by_address);
}

static void test_a_party_has_a_name_of_its_own(void **state) {
        char one[WS_PARTY_TEXT_SIZE], other[WS_PARTY_TEXT_SIZE];

        (void)state;
        ws_party_text(ws_party_address("2001:db8::1"), one);
        ws_party_text(ws_party_address("2001:db8:0:1::1"), other);
        assert_string_not_equal(one, other);
}

static void test_a_network_is_what_a_provider_has(void **state) {
        uint64_t v4 = ws_party_network(ws_party_address("203.0.113.7"));
        uint64_t v6 = ws_party_network(ws_party_address("2001:db8:1:2::7"));

        (void)state;
        assert_true(v4 == ws_party_network(ws_party_address("::ffff:203.0.200.9")));
        assert_true(v4 != ws_party_network(ws_party_address("203.1.113.7")));
        assert_true(v6 == ws_party_network(ws_party_address("2001:db8:ffff::1")));
        assert_true(v6 != ws_party_network(ws_party_address("2001:db9:1:2::7")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_ipv6_network_is_one_party),
                cmocka_unit_test(test_a_network_is_what_a_provider_has),
                cmocka_unit_test(test_an_ipv4_address_is_one_party_however_it_is_written),
                cmocka_unit_test(test_what_is_no_address_is_a_party_too),
                cmocka_unit_test(test_users_devices_and_addresses_never_share),
                cmocka_unit_test(test_a_party_has_a_name_of_its_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
