/* Latest: a status moves what is known of its device, unless it is older; all else says it lives.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "base/clock.h"
#include "gateway/memory/latest.h"

#define NOW  INT64_C(1700000000000000)
#define UNIT INT64_C(1000000)

/* Received at NOW and so many seconds. */
static Record status(const char *word, int64_t at_s) {
        return (Record){
                .kind = KIND_DEVICE_STATUS,
                .received_us = NOW + at_s * UNIT,
                .time_us = NOW + at_s * UNIT,
                .clock_us = CLOCK_UNKNOWN,
                .status = { .status = text_of(word),
                            .temperature = (double)NAN,
                            .humidity = (double)NAN,
                            .latitude = (double)NAN,
                            .longitude = (double)NAN },
        };
}

/* The same with a time of the device's own. */
static Record status_said(const char *word, int64_t at_s, int64_t said_s) {
        Record record = status(word, at_s);

        record.time_us = NOW + said_s * UNIT;
        record.has_clock = true;
        return record;
}

static void move(DeviceState *state, Record record, bool is_late, const char *word) {
        latest_move(state, &record);
        assert_int_equal(record.late, is_late);
        assert_string_equal(state->status, word);
}

static void test_what_a_device_sends_later_is_news(void **state) {
        DeviceState known = device_state_unknown();

        (void)state;
        move(&known, status("online", 1), false, "online");
        move(&known, status("warning", 2), false, "warning");
        assert_int_equal(known.last_seen_us, NOW + 2 * UNIT);
}

static void test_the_devices_own_clock_says_what_is_older(void **state) {
        DeviceState known = device_state_unknown();

        (void)state;
        move(&known, status_said("online", 10, 8), false, "online");
        move(&known, status_said("warning", 11, 5), true, "online");
        assert_int_equal(known.last_seen_us, NOW + 11 * UNIT); /* it lives */
        move(&known, status("offline", 12), false, "offline"); /* its last will has no time */
}

static void test_a_status_leaves_what_it_does_not_say(void **state) {
        DeviceState known = device_state_unknown();
        Record warm = status("online", 1), damp = status("online", 2);

        (void)state;
        warm.status.temperature = 21.5;
        damp.status.humidity = 40;
        latest_move(&known, &warm);
        latest_move(&known, &damp);
        assert_true(known.temperature == 21.5 && known.humidity == 40);
}

static void test_another_kind_only_says_that_it_lives(void **state) {
        DeviceState known = device_state_unknown();
        Record telemetry = status("", 5);

        (void)state;
        move(&known, status("online", 1), false, "online");
        telemetry.kind = KIND_TELEMETRY;
        latest_move(&known, &telemetry);
        assert_string_equal(known.status, "online");
        assert_int_equal(known.last_seen_us, NOW + 5 * UNIT);
}

static void test_who_was_away_is_back_with_whatever_comes_later(void **state) {
        DeviceState known = device_state_unknown();
        Record telemetry = status("", 5);

        (void)state;
        telemetry.kind = KIND_TELEMETRY;
        move(&known, status("offline", 6), false, "offline");
        move(&known, telemetry, false, "offline"); /* on its way when it was said */
        telemetry.received_us = telemetry.time_us = NOW + 7 * UNIT;
        telemetry.retained = true;
        move(&known, telemetry, false, "offline"); /* who knows when it was sent */
        telemetry.retained = false;
        telemetry.time_us = NOW; /* what it had kept while it was away: it sends that now */
        move(&known, telemetry, false, "");
        assert_int_equal(known.status_us, NOW + 7 * UNIT);
        assert_string_equal(device_status_name(&known, NOW + 8 * UNIT), "online");
        move(&known, status("warning", 8), false, "warning");
        telemetry.received_us = NOW + 9 * UNIT;
        move(&known, telemetry, false, "warning");
}

static void test_a_letter_of_long_ago_moves_nothing_that_came_since(void **state) {
        DeviceState known = device_state_unknown();
        Record letter = status("error", 20);

        (void)state;
        letter.letter_id = 1;
        letter.first_us = letter.time_us = NOW + 3 * UNIT;
        move(&known, status("online", 10), false, "online");
        move(&known, letter, true, "online");
        assert_int_equal(known.last_seen_us, NOW + 10 * UNIT);
        known = device_state_unknown();
        move(&known, letter, false, "error");
}

static void test_what_says_itself_that_it_was_moves_nothing(void **state) {
        DeviceState known = device_state_unknown();
        Record past = status("online", 20);

        (void)state;
        past.is_history = true;
        move(&known, past, false, "online"); /* nobody knows better */
        move(&known, status("offline", 10), false, "offline");
        move(&known, past, true, "offline");
}

static void test_what_a_broker_kept_fills_a_gap_alone(void **state) {
        DeviceState known = device_state_unknown();
        Record kept = status("offline", 20);

        (void)state;
        kept.retained = true;
        move(&known, kept, false, "offline");
        assert_int_equal(known.last_seen_us, CLOCK_UNKNOWN); /* nobody knows when that was */
        move(&known, status("online", 21), false, "online");
        move(&known, kept, true, "online");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_device_sends_later_is_news),
                cmocka_unit_test(test_the_devices_own_clock_says_what_is_older),
                cmocka_unit_test(test_a_status_leaves_what_it_does_not_say),
                cmocka_unit_test(test_another_kind_only_says_that_it_lives),
                cmocka_unit_test(test_who_was_away_is_back_with_whatever_comes_later),
                cmocka_unit_test(test_a_letter_of_long_ago_moves_nothing_that_came_since),
                cmocka_unit_test(test_what_says_itself_that_it_was_moves_nothing),
                cmocka_unit_test(test_what_a_broker_kept_fills_a_gap_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
