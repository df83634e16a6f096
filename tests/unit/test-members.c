/* WsMembers: what was added and not removed is there, once, and its text says which it is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/viewer/members.h"

static const WsThing nothing;

static WsThing vehicle(int64_t id) {
        return (WsThing){ .vehicle_id = id };
}

static WsThing device(int64_t id) {
        return (WsThing){ .device_id = id };
}

static void test_what_was_added_is_there_until_it_is_removed(void **state) {
        WsMembers members = { 0 };

        (void)state;
        assert_false(ws_members_have(&members, vehicle(7)));
        assert_int_equal(ws_members_add(&members, vehicle(7)), 0);
        assert_int_equal(ws_members_add(&members, vehicle(7)), 0);
        assert_true(ws_members_have(&members, vehicle(7)));
        assert_false(ws_members_have(&members, device(7)));
        ws_members_remove(&members, device(7));
        assert_int_equal(members.n, 1);
        ws_members_remove(&members, vehicle(7));
        assert_false(ws_members_have(&members, vehicle(7)));
        ws_members_done(&members);
}

static void test_they_are_walked_each_once_also_while_they_go(void **state) {
        WsMembers members = { 0 };
        WsThing at = { 0 };

        (void)state;
        for (int64_t id = 100; id > 0; --id) {
                assert_int_equal(ws_members_add(&members, vehicle(id)), 0);
                assert_int_equal(ws_members_add(&members, device(id)), 0);
        }
        for (int64_t id = 1; id <= 100; ++id) {
                at = ws_members_next(&members, at);
                assert_int_equal(at.device_id, id);
                ws_members_remove(&members, at);
        }
        for (int64_t id = 1; id <= 100; ++id) {
                at = ws_members_next(&members, at);
                assert_int_equal(at.vehicle_id, id);
        }
        at = ws_members_next(&members, at);
        assert_memory_equal(&at, &nothing, sizeof(at));
        assert_int_equal(members.n, 100);
        ws_members_done(&members);
}

static void test_the_text_is_of_the_things_and_not_of_their_order(void **state) {
        char one[WS_MEMBERS_TEXT_SIZE], other[WS_MEMBERS_TEXT_SIZE];
        WsMembers up = { 0 }, down = { 0 };

        (void)state;
        for (int64_t id = 1; id <= 50; ++id) {
                assert_int_equal(ws_members_add(&up, vehicle(id)), 0);
                assert_int_equal(ws_members_add(&down, vehicle(51 - id)), 0);
        }
        assert_string_equal(ws_members_text(&up, one), ws_members_text(&down, other));
        ws_members_remove(&up, vehicle(3));
        ws_members_remove(&down, vehicle(4));
        assert_string_not_equal(ws_members_text(&up, one), ws_members_text(&down, other));
        assert_int_equal(ws_members_add(&up, vehicle(3)), 0);
        ws_members_remove(&up, vehicle(4));
        assert_string_equal(ws_members_text(&up, one), ws_members_text(&down, other));
        assert_int_equal(ws_members_add(&up, device(4)), 0);
        assert_int_equal(ws_members_add(&down, vehicle(4)), 0);
        assert_string_not_equal(ws_members_text(&up, one), ws_members_text(&down, other));
        ws_members_done(&up);
        ws_members_done(&down);
}

static void test_all_sets_of_a_socket_are_counted_together(void **state) {
        size_t n_all = 0;
        WsMembers one = { .n_all = &n_all }, other = { .n_all = &n_all };

        (void)state;
        assert_int_equal(ws_members_add(&one, vehicle(1)), 0);
        assert_int_equal(ws_members_add(&other, vehicle(1)), 0);
        assert_int_equal(ws_members_add(&other, device(1)), 0);
        assert_int_equal(n_all, 3);
        ws_members_remove(&other, device(1));
        ws_members_clear(&one);
        assert_int_equal(n_all, 1);
        ws_members_done(&one);
        ws_members_done(&other);
        assert_int_equal(n_all, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_added_is_there_until_it_is_removed),
                cmocka_unit_test(test_they_are_walked_each_once_also_while_they_go),
                cmocka_unit_test(test_the_text_is_of_the_things_and_not_of_their_order),
                cmocka_unit_test(test_all_sets_of_a_socket_are_counted_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
