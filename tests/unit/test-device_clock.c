/* DeviceClock: a wrong clock is found out by what it says, and a delay is no wrong clock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/device_clock.h"

#define S   CLOCK_SECOND_US
#define H   (3600 * S)
#define NOW (INT64_C(1792000000) * S)

/* @n messages, one each @every_us, of a clock that is off by @offset_us. */
static int64_t say(DeviceClock *clock, int64_t at_us, int n, int64_t every_us, int64_t offset_us) {
        for (int i = 0; i < n; ++i, at_us += every_us)
                device_clock_read(clock,
                                  &(ClockReading){ .time_us = at_us + offset_us,
                                                   .received_us = at_us,
                                                   .slack_us = 60 * S });
        return at_us;
}

static void check(const DeviceClock *clock, ClockVerdict verdict, int64_t offset_s) {
        if (clock->verdict != verdict)
                fail_msg("%s, not %s",
                         clock_verdict_name(clock->verdict),
                         clock_verdict_name(verdict));
        if (device_clock_has_offset(clock))
                assert_int_equal((clock->offset_us + (clock->offset_us < 0 ? -S : S) / 2) / S,
                                 offset_s);
}

static void test_each_fault_has_its_verdict(void **state) {
        static const struct {
                int64_t offset_us;
                bool has_zone;
                ClockVerdict verdict;
        } cases[] = {
                { 0, false, CLOCK_OK },
                { 60 * S, false, CLOCK_OK },
                { -60 * S, false, CLOCK_OK },
                { 61 * S, false, CLOCK_AHEAD },
                { -61 * S, false, CLOCK_BEHIND },
                { 7 * H, false, CLOCK_LOCAL_TIME },
                { -5 * H - 110 * S, false, CLOCK_LOCAL_TIME },
                { 5 * H + 45 * 60 * S, false, CLOCK_LOCAL_TIME }, /* Nepal */
                { 7 * H, true, CLOCK_AHEAD },                     /* and says +00:30, or so */
                { 7 * H + 200 * S, false, CLOCK_AHEAD },
                { -14 * H, false, CLOCK_LOCAL_TIME },
                { -15 * H, false, CLOCK_BEHIND },
                { -24 * H, false, CLOCK_BEHIND },
                { 1000 - NOW, false, CLOCK_NONE },
                { INT64_C(946684800) * S - NOW, false, CLOCK_NONE }, /* 2000 */
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                DeviceClock clock = { 0 };

                device_clock_read(&clock,
                                  &(ClockReading){ .time_us = NOW + cases[i].offset_us,
                                                   .received_us = NOW,
                                                   .has_zone = cases[i].has_zone,
                                                   .slack_us = 60 * S });
                check(&clock, cases[i].verdict, cases[i].offset_us / S);
        }
}

static void test_names_are_found_again(void **state) {
        (void)state;
        assert_null(clock_verdict_name(CLOCK_UNJUDGED));
        for (int i = CLOCK_OK; i < CLOCK_VERDICTS; ++i)
                assert_int_equal(clock_verdict_of(clock_verdict_name((ClockVerdict)i)), i);
        assert_int_equal(clock_verdict_of(NULL), CLOCK_UNJUDGED);
        assert_int_equal(clock_verdict_of("late"), CLOCK_UNJUDGED);
}

static void test_a_clock_that_is_set_right_is_right_after_a_few(void **state) {
        DeviceClock clock = { 0 };
        int64_t at_us = NOW;

        (void)state;
        at_us = say(&clock, at_us, 5, S, 2 * H + 300 * S);
        check(&clock, CLOCK_AHEAD, 7500);
        at_us = say(&clock, at_us, 2, S, 0); /* two may have been on their way */
        check(&clock, CLOCK_AHEAD, 7500);
        at_us = say(&clock, at_us, 1, S, 0);
        check(&clock, CLOCK_OK, 0);

        at_us = say(&clock, at_us, 11, S, -500 * S);
        check(&clock, CLOCK_BEHIND, -500);
        at_us = say(&clock, at_us, 1, S, -1 * S); /* no delay is shorter than there is none */
        check(&clock, CLOCK_OK, -1);

        at_us = say(&clock, at_us, 3, S, -at_us + 12 * S); /* it started anew */
        check(&clock, CLOCK_NONE, 0);
        say(&clock, at_us, 1, S, 0);
        check(&clock, CLOCK_OK, 0);
}

static void test_a_buffer_that_is_sent_is_no_clock_behind(void **state) {
        DeviceClock clock = { 0 };
        int64_t at_us = say(&clock, NOW, 5, S, 0) + H;

        (void)state;
        for (int i = 0; i < 3600; ++i) /* one a second, of an hour, in 36 s */
                device_clock_read(&clock,
                                  &(ClockReading){ .time_us = at_us - H + i * S,
                                                   .received_us = at_us + i * S / 100,
                                                   .slack_us = 60 * S });
        check(&clock, CLOCK_OK, 0);
        device_clock_read(&clock,
                          &(ClockReading){ .time_us = at_us - H,
                                           .received_us = at_us,
                                           .slack_us = 60 * S }); /* one that was late alone */
        check(&clock, CLOCK_OK, 0);
}

static void test_the_estimate_follows_a_clock_that_drifts(void **state) {
        DeviceClock clock = { 0 };
        int64_t at_us = NOW;

        (void)state;
        for (int i = 0; i <= 200; ++i)
                at_us = say(&clock, at_us, 1, 60 * S, i * S / 2);
        assert_in_range(clock.offset_us / S, 95, 100);
        assert_int_equal(clock.verdict, CLOCK_AHEAD);
}

static void test_what_is_no_time_is_no_clock_once_it_is_the_rule(void **state) {
        const ClockReading odd = { .time_us = CLOCK_UNKNOWN, .received_us = NOW };
        DeviceClock clock = { 0 };

        (void)state;
        say(&clock, NOW, 3, S, 0);
        device_clock_read(&clock, &odd);
        device_clock_read(&clock, &odd);
        check(&clock, CLOCK_OK, 0);
        device_clock_read(&clock, &odd);
        check(&clock, CLOCK_NONE, 0);
}

static void test_a_run_is_at_the_pace_of_a_clock(void **state) {
        ClockRun run = { 0 };

        (void)state;
        assert_false(clock_run_take(&run, 0, NOW));
        assert_false(clock_run_take(&run, 5 * S, NOW + 5 * S));
        assert_true(clock_run_take(&run, 10 * S, NOW + 10 * S));
        assert_false(clock_run_take(&run, 40 * S, NOW + 15 * S)); /* another one */
        assert_int_equal(run.n, 1);
        for (int i = 1; i < 100; ++i) /* in time, but in no time */
                assert_false(clock_run_take(&run, 40 * S + i, NOW + 15 * S + i));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_fault_has_its_verdict),
                cmocka_unit_test(test_names_are_found_again),
                cmocka_unit_test(test_a_clock_that_is_set_right_is_right_after_a_few),
                cmocka_unit_test(test_a_buffer_that_is_sent_is_no_clock_behind),
                cmocka_unit_test(test_the_estimate_follows_a_clock_that_drifts),
                cmocka_unit_test(test_what_is_no_time_is_no_clock_once_it_is_the_rule),
                cmocka_unit_test(test_a_run_is_at_the_pace_of_a_clock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
