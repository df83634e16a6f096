/* Sensors: as many as a vehicle may have, each vehicle for itself. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/memory/sensors.h"

static void test_a_vehicle_gets_no_more_than_it_may_have(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;

        (void)state;
        assert_int_equal(sensors_new(&sensors, 3), 0);
        for (int32_t id = 30; id >= 10; id -= 10) { /* in any order */
                assert_true(sensors_may_have(sensors, 1, id));
                assert_int_equal(sensors_add(sensors, 1, id, 1), 0);
                assert_int_equal(sensors_add(sensors, 1, id, 2), 0);
        }
        assert_int_equal(sensors_length(sensors), 3);
        assert_false(sensors_may_have(sensors, 1, 40));
        assert_false(sensors_may_have(sensors, 1, 0));
        for (int32_t id = 10; id <= 30; id += 10)
                assert_true(sensors_may_have(sensors, 1, id));
        assert_true(sensors_may_have(sensors, 2, 40));
}

static void test_what_is_in_the_table_stays(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;

        (void)state;
        assert_int_equal(sensors_new(&sensors, 2), 0);
        for (int32_t id = 0; id < 100; ++id) /* from when there was no limit */
                assert_int_equal(sensors_add(sensors, 1, id, 0), 0);
        for (int32_t id = 0; id < 100; ++id)
                assert_true(sensors_may_have(sensors, 1, id));
        assert_false(sensors_may_have(sensors, 1, 100));
}

static void test_without_a_limit_there_is_room(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;

        (void)state;
        assert_int_equal(sensors_new(&sensors, 0), 0);
        for (int32_t id = 0; id < 1000; ++id) {
                assert_true(sensors_may_have(sensors, 1, id));
                assert_int_equal(sensors_add(sensors, 1, id, 1), 0);
        }
}

static void test_who_was_refused_is_looked_at_again_once(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;
        int64_t ids[4];

        (void)state;
        assert_int_equal(sensors_new(&sensors, 1), 0);
        for (int64_t vehicle = 1; vehicle <= 3; ++vehicle) {
                assert_int_equal(sensors_add(sensors, vehicle, 1, 1), 0);
                assert_false(sensors_may_have(sensors, vehicle, 2));
                assert_false(sensors_may_have(sensors, vehicle, 3));
        }
        assert_int_equal(sensors_take_refused(sensors, ids, 2), 2);
        assert_int_equal(ids[0], 1);
        assert_int_equal(ids[1], 2);
        assert_int_equal(sensors_take_refused(sensors, ids, 4), 1);
        assert_int_equal(ids[0], 3);
        assert_int_equal(sensors_take_refused(sensors, ids, 4), 0);
        assert_false(sensors_may_have(sensors, 2, 2));
        assert_int_equal(sensors_take_refused(sensors, ids, 4), 1);
}

static void test_what_is_on_its_way_to_the_table_is_not_forgotten(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;

        (void)state;
        assert_int_equal(sensors_new(&sensors, 2), 0);
        assert_int_equal(sensors_add(sensors, 1, 1, 0), 0);
        assert_int_equal(sensors_add(sensors, 1, 2, 7), 0);
        sensors_forget(sensors, 1, 6); /* the table was read, and has none: one was deleted */
        sensors_forget(sensors, 2, 6); /* nobody */
        assert_int_equal(sensors_length(sensors), 1);
        assert_true(sensors_may_have(sensors, 1, 3));
        assert_int_equal(sensors_add(sensors, 1, 3, 8), 0);
        assert_false(sensors_may_have(sensors, 1, 1));
        assert_true(sensors_may_have(sensors, 1, 2));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_vehicle_gets_no_more_than_it_may_have),
                cmocka_unit_test(test_what_is_in_the_table_stays),
                cmocka_unit_test(test_without_a_limit_there_is_room),
                cmocka_unit_test(test_who_was_refused_is_looked_at_again_once),
                cmocka_unit_test(test_what_is_on_its_way_to_the_table_is_not_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
