/* ReplaySource: a resume names the tables that may have something of it, and no other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/read/missed_source.h"

static int64_t one = 1;

/* The kinds whose tables are read. */
static uint32_t wanted(const QueryReplay *replay) {
        uint32_t kinds = 0;

        for (size_t i = 0; i < N_ELEMENTS(replay_sources); ++i)
                if (replay_wants(replay, &replay_sources[i]))
                        kinds |= UINT32_C(1) << replay_sources[i].kind;
        assert_int_equal(replay_wants_any(replay), kinds != 0);
        return kinds;
}

static void test_things_of_one_sort_need_no_table_of_the_other(void **state) {
        const uint32_t of_vehicles =
                1U << KIND_RAW_LOG | 1U << KIND_SENSOR_LOG | 1U << KIND_VEHICLE_LOG;
        const uint32_t of_devices = 1U << KIND_BLE_DETECTIONS | 1U << KIND_TELEMETRY |
                                    1U << KIND_CAMERA_EVENT | 1U << KIND_COMMAND_STATE |
                                    1U << KIND_DEVICE_STATUS;
        const uint32_t of_both = 1U << KIND_ALERT;
        QueryReplay vehicle = { .kinds = UINT32_MAX, .vehicle_ids = &one, .n_vehicle_ids = 1 };
        QueryReplay device = { .kinds = UINT32_MAX, .device_ids = &one, .n_device_ids = 1 };
        QueryReplay vehicles = { .kinds = UINT32_MAX, .all_vehicles = true };
        QueryReplay all = { .kinds = UINT32_MAX, .all_vehicles = true, .all_devices = true };
        QueryReplay nothing = { .kinds = UINT32_MAX };

        (void)state;
        assert_int_equal(wanted(&vehicle), of_vehicles | of_both);
        assert_int_equal(wanted(&vehicles), of_vehicles | of_both);
        assert_int_equal(wanted(&device), of_devices | of_both);
        assert_int_equal(wanted(&all), of_vehicles | of_devices | of_both);
        assert_int_equal(wanted(&nothing), 0);
}

static void test_kinds_that_are_not_asked_for_need_no_table(void **state) {
        QueryReplay replay = { .kinds = 1U << KIND_SENSOR_LOG,
                               .all_vehicles = true,
                               .all_devices = true };

        (void)state;
        assert_int_equal(wanted(&replay), 1U << KIND_SENSOR_LOG);
        replay.kinds = 1U << KIND_COMMAND_ACK; /* has no table of its own */
        assert_int_equal(wanted(&replay), 1U << KIND_COMMAND_STATE);
        replay.kinds = 0;
        assert_int_equal(wanted(&replay), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_things_of_one_sort_need_no_table_of_the_other),
                cmocka_unit_test(test_kinds_that_are_not_asked_for_need_no_table),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
