/* Owners: one user's new devices leave room for another's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/memory/owners.h"

static void test_a_user_has_a_share_of_what_the_others_leave(void **state) {
        CLEANUP(owners_free) Owners *owners = NULL;
        const OwnersOptions options = { .max_devices = 100, .share = 50 };

        (void)state;
        assert_int_equal(owners_new(&owners, &options), 0);
        assert_int_equal(owners_room(owners, 7, 0, 0), 50);
        assert_int_equal(owners_room(owners, 7, 50, 50), 0);
        assert_int_equal(owners_room(owners, 8, 0, 50), 25);
        assert_int_equal(owners_room(owners, 9, 0, 99), 1);
        assert_int_equal(owners_room(owners, 9, 1, 100), 0);
        assert_int_equal(owners_room(owners, 9, 0, 300), 0); /* from when there was no limit */
        assert_true(owners_room(owners, 0, 0, 99) > 100);    /* nobody knows whose they are */
}

static void test_a_user_has_a_share_of_the_minute(void **state) {
        CLEANUP(owners_free) Owners *owners = NULL;
        const OwnersOptions options = { .per_minute = 100, .share = 50 };

        (void)state;
        assert_int_equal(owners_new(&owners, &options), 0);
        assert_int_equal(owners_room(owners, 7, 0, 0), 50);
        owners_pay(owners, 7, 3000); /* for an hour */
        owners_pay(owners, 0, 3000);
        assert_int_equal(owners_room(owners, 7, 30, 30), 0);
        assert_int_equal(owners_room(owners, 8, 0, 30), 50);
        for (int64_t user = 100; user < 1000; ++user) /* more than are remembered */
                owners_pay(owners, user, 3000);
        assert_int_equal(owners_room(owners, 999, 5, 5), 0);
}

static void test_without_limits_there_is_room(void **state) {
        CLEANUP(owners_free) Owners *owners = NULL;

        (void)state;
        assert_int_equal(owners_new(&owners, &(OwnersOptions){ .share = 50 }), 0);
        owners_pay(owners, 7, 1000000);
        assert_true(owners_room(owners, 7, 1000000, 1000000) > 1000000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_user_has_a_share_of_what_the_others_leave),
                cmocka_unit_test(test_a_user_has_a_share_of_the_minute),
                cmocka_unit_test(test_without_limits_there_is_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
