/* WsProven: who was good from where, for a day. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/access/proven.h"

#define NOW_US INT64_C(1760800000000000)
#define DAY_US INT64_C(86400000000)

static void test_a_name_is_proven_from_its_address_alone_and_for_a_day(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 1024), 0);
        assert_false(ws_proven_has(proven, TEXT("ana"), 7, NOW_US));
        ws_proven_add(proven, TEXT("ana"), 7, NOW_US);
        assert_true(ws_proven_has(proven, TEXT("ana"), 7, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("ana"), 8, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("ben"), 7, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("an"), 7, NOW_US));
        assert_true(ws_proven_has(proven, TEXT("ana"), 7, NOW_US + DAY_US - 1));
        assert_false(ws_proven_has(proven, TEXT("ana"), 7, NOW_US + DAY_US));
}

static void test_a_table_that_is_full_takes_the_newest(void **state) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;

        (void)state;
        assert_int_equal(ws_proven_new(&proven, 1), 0);
        ws_proven_add(proven, TEXT("ana"), 7, NOW_US);
        ws_proven_add(proven, TEXT("ben"), 7, NOW_US);
        assert_true(ws_proven_has(proven, TEXT("ben"), 7, NOW_US));
        assert_false(ws_proven_has(proven, TEXT("ana"), 7, NOW_US));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_name_is_proven_from_its_address_alone_and_for_a_day),
                cmocka_unit_test(test_a_table_that_is_full_takes_the_newest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
