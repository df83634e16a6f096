/* Lateness: what is older than the newest of its stream is late, and changes nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/memory/lateness.h"

static bool is_late(Lateness *latest, Record record) {
        assert_int_equal(lateness_note(latest, &record), 0);
        return record.late;
}

static void test_older_is_late_and_equal_is_not(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        Record record = { .kind = KIND_VEHICLE_LOG,
                          .vehicle_id = 1,
                          .received_us = 5000,
                          .time_us = 1000,
                          .has_clock = true };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        assert_false(is_late(latest, record));
        assert_false(is_late(latest, record));
        record.time_us = 999;
        assert_true(is_late(latest, record));
        record.time_us = 1001;
        assert_false(is_late(latest, record));
        record.time_us = 1000;
        assert_true(is_late(latest, record));
}

/* A database that was put back has given it the id; what it had of the one before has no key. */
static void test_what_another_said_makes_nothing_late(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        Record record = { .kind = KIND_TELEMETRY,
                          .device_id = 1,
                          .received_us = 5000,
                          .time_us = 1000,
                          .has_clock = true };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        assert_false(is_late(latest, record));
        record.device_key = 7;
        record.time_us = 999;
        assert_true(is_late(latest, record));
        record.device_key = 8;
        assert_false(is_late(latest, record));
        record.time_us = 998;
        assert_true(is_late(latest, record));
}

static void test_streams_do_not_meet(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        Record sensor = { .kind = KIND_SENSOR_LOG,
                          .vehicle_id = 1,
                          .received_us = 5000,
                          .time_us = 1000,
                          .has_clock = true };
        Record other = { .kind = KIND_VEHICLE_LOG, .vehicle_id = 1, .time_us = 10 };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        sensor.sensor.sensor_id = 1;
        assert_false(is_late(latest, sensor));
        assert_false(is_late(latest, other));
        sensor.sensor.sensor_id = 2;
        sensor.time_us = 10;
        assert_false(is_late(latest, sensor));
}

static void test_kinds_without_order_are_never_late(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        Record record = { .kind = KIND_RAW_LOG,
                          .vehicle_id = 1,
                          .received_us = 5000,
                          .time_us = 1000,
                          .has_clock = true };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        assert_false(is_late(latest, record));
        record.time_us = 1;
        assert_false(is_late(latest, record));
}

static void test_only_a_clock_of_its_own_can_be_older(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        Record bare = { .kind = KIND_TELEMETRY, .device_id = 1, .received_us = 50, .time_us = 50 };
        Record ahead = { .kind = KIND_TELEMETRY,
                         .device_id = 1,
                         .received_us = 60,
                         .time_us = 69,
                         .has_clock = true };
        Record behind = { .kind = KIND_TELEMETRY,
                          .device_id = 2,
                          .received_us = 90,
                          .time_us = 10,
                          .has_clock = true };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        assert_false(is_late(latest, bare));
        assert_false(is_late(latest, ahead));
        bare.received_us = bare.time_us = 61; /* not older than what was ahead */
        assert_false(is_late(latest, bare));
        ahead.received_us = ahead.time_us = 62; /* set right meanwhile */
        assert_false(is_late(latest, ahead));

        assert_false(is_late(latest, behind));
        bare.device_id = 2;
        assert_false(is_late(latest, bare)); /* a last will of one whose clock is behind */
        behind.received_us = 95;
        behind.time_us = 15;
        assert_false(is_late(latest, behind));
        behind.time_us = 14;
        assert_true(is_late(latest, behind));
}

static void test_a_letter_of_long_ago_is_late(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        Record bare = { .kind = KIND_TELEMETRY, .device_id = 1, .received_us = 50, .time_us = 50 };
        Record letter = { .kind = KIND_TELEMETRY,
                          .device_id = 1,
                          .received_us = 60,
                          .letter_id = 7,
                          .first_us = 40,
                          .time_us = 40 };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        assert_false(is_late(latest, letter)); /* nothing newer is known */
        assert_false(is_late(latest, bare));
        assert_true(is_late(latest, letter));
}

/* As a clock of ours that was ahead noted it: once that is right again, all is news. */
static void test_what_is_ahead_of_now_makes_nothing_late(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        int64_t now_us = clock_now_us();
        Record record = { .kind = KIND_TELEMETRY,
                          .device_id = 1,
                          .received_us = now_us + CLOCK_DAY_US,
                          .time_us = now_us + CLOCK_DAY_US,
                          .has_clock = true };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        assert_false(is_late(latest, record));
        record.received_us = record.time_us = now_us;
        assert_false(is_late(latest, record));
        record.time_us = now_us - 1;
        assert_true(is_late(latest, record));

        record.received_us = now_us + CLOCK_DAY_US; /* a bare one */
        record.has_clock = false;
        assert_false(is_late(latest, record));
        record.received_us = now_us;
        record.has_clock = record.retained = true;
        record.time_us = now_us + 1;
        assert_false(is_late(latest, record));
}

/* Started anew it counts from where it did before: it is not late until it has come as far. */
static void test_a_clock_that_was_set_back_is_late_for_a_moment(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        int64_t boot_us = clock_now_us() - 30 * CLOCK_DAY_US;
        Record record = { .kind = KIND_TELEMETRY, .device_id = 1, .has_clock = true };
        int n_late = 0;

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        for (int i = 0; i < 100; ++i) {
                record.received_us = boot_us + 5 * CLOCK_DAY_US + i * 5 * CLOCK_SECOND_US;
                record.time_us = boot_us + CLOCK_DAY_US + i * 5 * CLOCK_SECOND_US;
                assert_false(is_late(latest, record));
        }
        for (int i = 0; i < 100; ++i) {
                record.received_us += 5 * CLOCK_SECOND_US;
                record.time_us = boot_us + i * 5 * CLOCK_SECOND_US;
                n_late += is_late(latest, record);
        }
        assert_int_equal(n_late, 2);
}

static void test_a_buffer_that_is_sent_behind_what_is_new_is_late(void **state) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        int64_t now_us = clock_now_us() - CLOCK_DAY_US;
        Record record = { .kind = KIND_TELEMETRY,
                          .device_id = 1,
                          .received_us = now_us,
                          .time_us = now_us,
                          .has_clock = true };

        (void)state;
        assert_int_equal(lateness_new(&latest), 0);
        assert_false(is_late(latest, record));
        for (int i = 0; i < 3600; ++i) { /* one a second, of an hour, in a minute */
                record.received_us = now_us + i * CLOCK_SECOND_US / 60;
                record.time_us = now_us - (3600 - i) * CLOCK_SECOND_US;
                assert_true(is_late(latest, record));
        }
        for (int i = 0; i < 60; ++i) { /* at the pace of a clock, but what is new comes between */
                record.received_us = now_us + (i + 60) * CLOCK_SECOND_US;
                record.time_us = record.received_us;
                assert_false(is_late(latest, record));
                record.time_us = now_us - (3600 - i) * CLOCK_SECOND_US;
                assert_true(is_late(latest, record));
        }
}

static void test_a_status_is_late_by_its_own_clock_alone(void **state) {
        int64_t now_us = clock_now_us() - CLOCK_DAY_US;
        DeviceState device = device_state_unknown();
        Record record = { .kind = KIND_DEVICE_STATUS,
                          .received_us = now_us,
                          .time_us = now_us,
                          .has_clock = true };
        int n_late = 0;

        (void)state;
        assert_false(lateness_of_status(&device, &record)); /* nothing is known */
        device.time_us = now_us;
        record.time_us = now_us - 1;
        assert_true(lateness_of_status(&device, &record));
        record.has_clock = false; /* a last will */
        assert_false(lateness_of_status(&device, &record));
        record.has_clock = true;
        record.time_us = now_us + 50 * CLOCK_SECOND_US; /* ahead: as its receipt */
        record.received_us = now_us - 1;
        assert_true(lateness_of_status(&device, &record));
        assert_true(device.clock_set_us == CLOCK_UNKNOWN);

        for (int i = 0; i < 10; ++i) { /* set back by an hour */
                record.received_us = now_us + i * 5 * CLOCK_SECOND_US;
                record.time_us = record.received_us - 3600 * CLOCK_SECOND_US;
                if (lateness_of_status(&device, &record))
                        ++n_late;
                else
                        device.time_us = record.time_us;
        }
        assert_int_equal(n_late, 2);
        assert_true(device.clock_set_us == now_us + 10 * CLOCK_SECOND_US);
}

static void test_what_was_kept_for_us_shows_no_clock(void **state) {
        int64_t now_us = clock_now_us();
        DeviceState device = device_state_unknown();
        Record record = { .received_us = now_us,
                          .clock_us = now_us - 7000 * CLOCK_SECOND_US,
                          .slack_us = 60 * CLOCK_SECOND_US };

        (void)state;
        record.retained = true;
        lateness_read_clock(&device.clock, &record);
        record.retained = false;
        record.letter_id = 5;
        lateness_read_clock(&device.clock, &record);
        record.letter_id = 0;
        record.clock_us = CLOCK_UNKNOWN; /* says none */
        lateness_read_clock(&device.clock, &record);
        assert_int_equal(device.clock.verdict, CLOCK_UNJUDGED);

        record.odd_time = true; /* says what is none */
        lateness_read_clock(&device.clock, &record);
        assert_int_equal(device.clock.verdict, CLOCK_NONE);
        record.clock_us = now_us;
        lateness_read_clock(&device.clock, &record);
        assert_int_equal(device.clock.verdict, CLOCK_OK);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_older_is_late_and_equal_is_not),
                cmocka_unit_test(test_what_another_said_makes_nothing_late),
                cmocka_unit_test(test_streams_do_not_meet),
                cmocka_unit_test(test_a_status_is_late_by_its_own_clock_alone),
                cmocka_unit_test(test_what_was_kept_for_us_shows_no_clock),
                cmocka_unit_test(test_a_clock_that_was_set_back_is_late_for_a_moment),
                cmocka_unit_test(test_a_buffer_that_is_sent_behind_what_is_new_is_late),
                cmocka_unit_test(test_only_a_clock_of_its_own_can_be_older),
                cmocka_unit_test(test_a_letter_of_long_ago_is_late),
                cmocka_unit_test(test_kinds_without_order_are_never_late),
                cmocka_unit_test(test_what_is_ahead_of_now_makes_nothing_late),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
