/* Clock: what devices send as a time, and what we send. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/timestamp.h"

#define SECOND INT64_C(1000000)
#define AHEAD  (60 * SECOND)

/* 2025-10-18T16:30:00Z */
#define SAMPLE INT64_C(1760805000000000)

static int64_t parsed(const char *text, const Zone *zone) {
        int64_t time_us = CLOCK_UNKNOWN;

        if (timestamp_parse(text_of(text), zone, &time_us) != 0)
                return CLOCK_UNKNOWN;
        return time_us;
}

static void test_every_usual_spelling_is_read(void **state) {
        static const struct {
                const char *text;
                int64_t time_us;
        } cases[] = {
                { "2025-10-18T16:30:00Z", SAMPLE },
                { "2025-10-18t16:30:00z", SAMPLE },
                { "2025-10-18 16:30:00", SAMPLE },
                { "2025-10-18T16:30:00", SAMPLE },
                { "2025-10-18T16:30:00.5Z", SAMPLE + SECOND / 2 },
                { "2025-10-18T16:30:00.123Z", SAMPLE + 123000 },
                { "2025-10-18T16:30:00.123456", SAMPLE + 123456 },
                { "2025-10-18T16:30:00.123456789Z", SAMPLE + 123456 },
                { "2025-10-18T23:30:00+07:00", SAMPLE },
                { "2025-10-18T23:30:00+0700", SAMPLE },
                { "2025-10-18T23:30:00+07", SAMPLE },
                { "2025-10-18T16:30:00-00:00", SAMPLE },
                { "2025-10-18 16:30", SAMPLE },
                { "2025-10-18T16:30Z", SAMPLE },
                { "2025-10-18T23:30+07:00", SAMPLE },
                { "2025-10-18 16:30:00,5", SAMPLE + SECOND / 2 },
                { "2025-10-18T16:30:00,123456789Z", SAMPLE + 123456 },
                { "20251018T163000Z", SAMPLE },
                { "20251018T1630Z", SAMPLE },
                { "20251018T163000.5", SAMPLE + SECOND / 2 },
                { "20251018T233000+0700", SAMPLE },
                { "2025-10-18 16:30:00 UTC", SAMPLE },
                { "2025-10-18 16:30:00.5 gmt", SAMPLE + SECOND / 2 },
                { "2025-10-18T16:30:00UTC", SAMPLE },
                { "2025-10-18 23:30:00 +0700", SAMPLE },
                { "2025-10-18 16:30:00 Z", SAMPLE },
                { "2025-10-18T13:00:00-03:30", SAMPLE },
                { "1970-01-01T00:00:00Z", 0 },
                { "1969-12-31T23:59:59.999999Z", -1 },
                { "2024-02-29T00:00:00Z", INT64_C(1709164800000000) },
                { "2016-12-31T23:59:60Z", INT64_C(1483228800000000) },
                { "2017-01-01T06:59:60.25+07:00", INT64_C(1483228800250000) },
                { "0001-01-01T00:00:00Z", INT64_C(-62135596800000000) },
                { "9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999) },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                assert_int_equal(parsed(cases[i].text, NULL), cases[i].time_us);
}

static void test_what_is_no_time_is_refused(void **state) {
        static const char *const cases[] = {
                "",
                "2025",
                "2025-10-18",
                "2025-10-18T16",
                "2025-10-18T16:30:",
                "2025-10-18T16:30.5",
                "2025-10-18X16:30:00Z",
                "2025-10-18T16:30:00.Z",
                "2025-10-18T16:30:00.1234567890Z",
                "2025-10-18T16:30:00Zx",
                "2025-10-18T16:30:00  Z",
                "2025-10-18T16:30:00 ",
                "2025-10-18T16:30:00 CET",
                "2025-10-18T16:30:00,Z",
                "2025-10-18T16:30:00+7",
                "2025-10-18T16:30:00+07:",
                "2025-10-18T16:30:00+07:0",
                "2025-10-18T16:30:00+24:00",
                "2025-10-18T16:30:00+07:60",
                "2025-10-18T24:00:00Z",
                "2025-10-18T16:60:00Z",
                "2025-10-18T16:30:61Z",
                "2025-10-18T16:30:60Z", /* no leap second is put in there */
                "2025-02-29T00:00:00Z",
                "1900-02-29T00:00:00Z",
                "2025-00-01T00:00:00Z",
                "2025-13-01T00:00:00Z",
                "2025-04-31T00:00:00Z",
                "2025-10-00T00:00:00Z",
                "0000-01-01T00:00:00Z",
                "0001-01-01T00:00:00+01:00",
                "9999-12-31T23:59:59-01:00",
                "-2025-10-18T16:30:00Z",
                "+2025-10-18T16:30:00Z",
                " 2025-10-18T16:30:00Z",
                "20251018T16:30:00Z",
                "2025-10-18T163000Z",
                "20251018 163000",
                "202510-18T16:30:00Z",
                "20251018163000",
                "2025-1-8T16:30:00Z",
                "1760805000",
                "tomorrow",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                assert_int_equal(parsed(cases[i], NULL), CLOCK_UNKNOWN);
}

static void test_no_prefix_of_a_time_reads_beyond_its_end(void **state) {
        static const char text[] = "2025-10-18T16:30:00.123456789+07:00";

        (void)state;
        for (size_t n = 0; n < sizeof(text); ++n) {
                char *copy = malloc(n + 1); /* so that ASan sees a read behind it */
                int64_t time_us;

                assert_non_null(copy);
                memcpy(copy, text, n);
                if (timestamp_parse((Text){ .data = copy, .n = n }, NULL, &time_us) != 0)
                        time_us = 0;
                free(copy);
        }
}

static void test_format_agrees_with_libc_on_every_day(void **state) {
        char text[CLOCK_TEXT_SIZE], expected[64];
        struct tm tm;

        (void)state;
        for (int64_t day = -719162; day < 2932896; day += 13) {
                time_t s = day * 86400 + (day * 7919 % 86400 + 86400) % 86400;
                int64_t again;

                gmtime_r(&s, &tm);
                (void)snprintf(expected,
                               sizeof(expected),
                               "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                               tm.tm_year + 1900,
                               tm.tm_mon + 1,
                               tm.tm_mday,
                               tm.tm_hour,
                               tm.tm_min,
                               tm.tm_sec,
                               42);
                clock_format(s * SECOND + 42999, text);
                assert_string_equal(text, expected);
                assert_int_equal(timestamp_parse(text_of(text), NULL, &again), 0);
                assert_int_equal(again, s * SECOND + 42000);
        }
}

static void test_format_stays_in_its_range(void **state) {
        char text[CLOCK_TEXT_SIZE];

        (void)state;
        clock_format(CLOCK_UNKNOWN, text);
        assert_string_equal(text, "0001-01-01T00:00:00.000Z");
        clock_format(INT64_MAX, text);
        assert_string_equal(text, "9999-12-31T23:59:59.999Z");
        clock_format(-1, text);
        assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void test_zone_is_used_only_without_an_offset(void **state) {
        CLEANUP(zone_free) Zone *jakarta = NULL;
        CLEANUP(zone_free) Zone *fixed = NULL;

        (void)state;
        assert_int_equal(zone_new(&jakarta, "Asia/Jakarta"), 0);
        assert_int_equal(zone_new(&fixed, "+07:00"), 0);
        assert_int_equal(parsed("2025-10-18 23:30:00", jakarta), SAMPLE);
        assert_int_equal(parsed("2025-10-18 23:30:00", fixed), SAMPLE);
        assert_int_equal(parsed("2025-10-18 16:30:00Z", jakarta), SAMPLE);
        assert_int_equal(zone_to_utc(NULL, SAMPLE, CLOCK_UNKNOWN, 0), SAMPLE);
}

static void test_skipped_hour_moves_forward_and_repeated_hour_is_its_first(void **state) {
        CLEANUP(zone_free) Zone *berlin = NULL;
        CLEANUP(zone_free) Zone *new_york = NULL;

        (void)state;
        assert_int_equal(zone_new(&berlin, "Europe/Berlin"), 0);
        assert_int_equal(zone_new(&new_york, "America/New_York"), 0);

        assert_int_equal(parsed("2025-03-30T01:59:59", berlin),
                         parsed("2025-03-30T00:59:59Z", NULL));
        assert_int_equal(parsed("2025-03-30T02:30:00", berlin),
                         parsed("2025-03-30T01:30:00Z", NULL));
        assert_int_equal(parsed("2025-03-30T03:00:00", berlin),
                         parsed("2025-03-30T01:00:00Z", NULL));
        assert_int_equal(parsed("2025-10-26T02:30:00", berlin),
                         parsed("2025-10-26T00:30:00Z", NULL));
        assert_int_equal(parsed("2025-10-26T03:00:00", berlin),
                         parsed("2025-10-26T02:00:00Z", NULL));
        assert_int_equal(parsed("2025-11-02T01:30:00", new_york),
                         parsed("2025-11-02T05:30:00Z", NULL));
        assert_int_equal(parsed("2040-07-01T12:00:00", new_york),
                         parsed("2040-07-01T16:00:00Z", NULL));
        assert_int_equal(parsed("1969-07-20T20:17:40.5", new_york),
                         parsed("1969-07-21T00:17:40.5Z", NULL));
}

static void test_unknown_zone_is_refused(void **state) {
        static const char *const names[] = { "", "Mars/Olympus", "+25:00", "../etc/passwd", "+7" };
        Zone *zone = NULL;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(names); ++i) {
                assert_int_equal(zone_new(&zone, names[i]), TIMESTAMP_E_INVALID);
                assert_null(zone);
        }
}

static void test_clocks_tell_now(void **state) {
        int64_t mono = clock_mono_us();

        (void)state;
        assert_true(clock_now_us() > INT64_C(1600000000) * SECOND);
        assert_true(clock_mono_us() >= mono);
}

static void test_of_a_repeated_hour_the_reading_near_to_now_counts(void **state) {
        static const Text local = TEXT("2025-10-26 02:30:00"); /* twice: 00:30 and 01:30 UTC */
        CLEANUP(zone_free) Zone *zone = NULL;
        int64_t first_us, second_us, near_us;

        (void)state;
        assert_int_equal(zone_new(&zone, "Europe/Berlin"), 0);
        assert_int_equal(timestamp_parse(TEXT("2025-10-26T00:30:00Z"), NULL, &first_us), 0);
        assert_int_equal(timestamp_parse(TEXT("2025-10-26T01:30:00Z"), NULL, &second_us), 0);
        assert_int_equal(timestamp_parse(local, zone, &near_us), 0);
        assert_true(near_us == first_us);
        assert_int_equal(timestamp_parse_near(local, zone, first_us + SECOND, AHEAD, &near_us), 0);
        assert_true(near_us == first_us);
        assert_int_equal(timestamp_parse_near(local, zone, second_us + SECOND, AHEAD, &near_us), 0);
        assert_true(near_us == second_us);
        assert_int_equal(timestamp_parse_near(local,
                                              zone,
                                              second_us + 7 * CLOCK_DAY_US,
                                              AHEAD,
                                              &near_us),
                         0);
        assert_true(near_us == second_us);
        assert_int_equal(timestamp_parse_near(TEXT("2025-10-26 03:30:00"),
                                              zone,
                                              first_us,
                                              AHEAD,
                                              &near_us),
                         0);
        assert_true(near_us == second_us + INT64_C(3600000000));
        /* The nearer one is still to come. */
        assert_int_equal(timestamp_parse_near(local,
                                              zone,
                                              second_us - 600 * SECOND,
                                              AHEAD,
                                              &near_us),
                         0);
        assert_true(near_us == first_us);
        assert_int_equal(timestamp_parse_near(local,
                                              zone,
                                              second_us - 30 * SECOND,
                                              AHEAD,
                                              &near_us),
                         0);
        assert_true(near_us == second_us);
}

/* An hour back, half an hour back, none at all; and the same forward, which is skipped. */
static void test_hours_that_are_twice_or_never_in_other_places(void **state) {
        static const struct {
                const char *zone;
                Text local;
                const char *near, *utc;
        } cases[] = {
                { "Europe/Madrid",
                  TEXT("2026-10-25T02:30:00"),
                  "2026-10-25T00:31:00Z",
                  "2026-10-25T00:30:00Z" },
                { "Europe/Madrid",
                  TEXT("2026-10-25T02:30:00"),
                  "2026-10-25T01:31:00Z",
                  "2026-10-25T01:30:00Z" },
                { "Europe/Madrid",
                  TEXT("2026-03-29T02:30:00"),
                  "2026-03-29T01:31:00Z",
                  "2026-03-29T01:30:00Z" },
                { "America/New_York",
                  TEXT("2026-11-01T01:59:59"),
                  "2026-11-01T05:59:00Z",
                  "2026-11-01T05:59:59Z" },
                { "America/New_York",
                  TEXT("2026-11-01T01:59:59"),
                  "2026-11-01T07:00:00Z",
                  "2026-11-01T06:59:59Z" },
                { "America/New_York",
                  TEXT("2026-03-08T02:30:00"),
                  "2026-03-08T07:30:00Z",
                  "2026-03-08T07:30:00Z" },
                { "Australia/Lord_Howe",
                  TEXT("2026-04-05T01:45:00"),
                  "2026-04-04T14:46:00Z",
                  "2026-04-04T14:45:00Z" },
                { "Australia/Lord_Howe",
                  TEXT("2026-04-05T01:45:00"),
                  "2026-04-04T15:16:00Z",
                  "2026-04-04T15:15:00Z" },
                { "Australia/Lord_Howe",
                  TEXT("2026-10-04T02:15:00"),
                  "2026-10-03T15:46:00Z",
                  "2026-10-03T15:45:00Z" },
                { "Asia/Jakarta",
                  TEXT("2026-10-25T02:30:00"),
                  "2026-10-24T23:00:00Z",
                  "2026-10-24T19:30:00Z" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP(zone_free) Zone *zone = NULL;
                int64_t time_us;

                assert_int_equal(zone_new(&zone, cases[i].zone), 0);
                assert_int_equal(timestamp_parse_near(cases[i].local,
                                                      zone,
                                                      parsed(cases[i].near, NULL),
                                                      AHEAD,
                                                      &time_us),
                                 0);
                if (time_us != parsed(cases[i].utc, NULL))
                        fail_msg("%s %zu: %lld", cases[i].zone, i, (long long)time_us);
        }
}

static void test_only_an_offset_says_where_a_time_is(void **state) {
        (void)state;
        assert_true(timestamp_has_offset(TEXT("2025-10-18T23:30:00+07:00")));
        assert_true(timestamp_has_offset(TEXT("2025-10-18 09:30:00.5-0700")));
        assert_false(timestamp_has_offset(TEXT("2025-10-18T23:30:00")));
        assert_false(timestamp_has_offset(TEXT("2025-10-18T23:30:00Z")));
        assert_false(timestamp_has_offset(TEXT("2025-10-18T23:30:00+00:00")));
        assert_false(timestamp_has_offset(TEXT("2025-10-18 23:30:00 UTC")));
        assert_true(timestamp_has_offset(TEXT("20251018T233000 +0700")));
        assert_false(timestamp_has_offset(TEXT("soon-07:00")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_of_a_repeated_hour_the_reading_near_to_now_counts),
                cmocka_unit_test(test_hours_that_are_twice_or_never_in_other_places),
                cmocka_unit_test(test_only_an_offset_says_where_a_time_is),
                cmocka_unit_test(test_every_usual_spelling_is_read),
                cmocka_unit_test(test_what_is_no_time_is_refused),
                cmocka_unit_test(test_no_prefix_of_a_time_reads_beyond_its_end),
                cmocka_unit_test(test_format_agrees_with_libc_on_every_day),
                cmocka_unit_test(test_format_stays_in_its_range),
                cmocka_unit_test(test_zone_is_used_only_without_an_offset),
                cmocka_unit_test(test_skipped_hour_moves_forward_and_repeated_hour_is_its_first),
                cmocka_unit_test(test_unknown_zone_is_refused),
                cmocka_unit_test(test_clocks_tell_now),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
