/* Latest: what is older than the newest of its stream is late, and changes nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/latest.h"

static bool is_late(Latest *latest, Record record) {
        assert_int_equal(latest_note(latest, &record), 0);
        return record.late;
}

static void test_older_is_late_and_equal_is_not(void **state) {
        CLEANUP(latest_free) Latest *latest = NULL;
        Record record = { .kind = KIND_VEHICLE_LOG, .vehicle_id = 1, .time_us = 1000 };

        (void)state;
        assert_int_equal(latest_new(&latest), 0);
        assert_false(is_late(latest, record));
        assert_false(is_late(latest, record));
        record.time_us = 999;
        assert_true(is_late(latest, record));
        record.time_us = 1001;
        assert_false(is_late(latest, record));
        record.time_us = 1000;
        assert_true(is_late(latest, record));
}

static void test_streams_do_not_meet(void **state) {
        CLEANUP(latest_free) Latest *latest = NULL;
        Record sensor = { .kind = KIND_SENSOR_LOG, .vehicle_id = 1, .time_us = 1000 };
        Record other = { .kind = KIND_VEHICLE_LOG, .vehicle_id = 1, .time_us = 10 };

        (void)state;
        assert_int_equal(latest_new(&latest), 0);
        sensor.sensor.sensor_id = 1;
        assert_false(is_late(latest, sensor));
        assert_false(is_late(latest, other));
        sensor.sensor.sensor_id = 2;
        sensor.time_us = 10;
        assert_false(is_late(latest, sensor));
}

static void test_kinds_without_order_are_never_late(void **state) {
        CLEANUP(latest_free) Latest *latest = NULL;
        Record record = { .kind = KIND_RAW_LOG, .vehicle_id = 1, .time_us = 1000 };

        (void)state;
        assert_int_equal(latest_new(&latest), 0);
        assert_false(is_late(latest, record));
        record.time_us = 1;
        assert_false(is_late(latest, record));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_older_is_late_and_equal_is_not),
                cmocka_unit_test(test_streams_do_not_meet),
                cmocka_unit_test(test_kinds_without_order_are_never_late),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
