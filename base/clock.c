#include "base/clock.h"

#include <time.h>

static int64_t clock_read_us(clockid_t clock) {
        struct timespec ts = { 0 };

        clock_gettime(clock, &ts);
        return (int64_t)ts.tv_sec * CLOCK_SECOND_US + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void) {
        return clock_read_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void) {
        return clock_read_us(CLOCK_MONOTONIC);
}

bool clock_is_ahead(int64_t time_us) {
        return time_us > clock_now_us() + CLOCK_SLACK_US;
}

/*
 * Days since 1970-01-01 and the proleptic Gregorian calendar, after Howard Hinnant, "chrono-
 * Compatible Low-Level Date Algorithms": years begin in March, so that the leap day is their last.
 */
int64_t clock_days_from_civil(int year, int month, int day) {
        int64_t y = month <= 2 ? year - 1 : year;
        int64_t era = y / 400; /* years are positive here */
        int64_t year_of_era = y - era * 400;
        int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

        return era * 146097 + day_of_era - 719468;
}

static void clock_civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day) {
        int64_t z = days + 719468; /* not negative from year 1 on */
        int64_t era = z / 146097;
        int64_t day_of_era = z - era * 146097;
        int64_t year_of_era =
                (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        int64_t day_of_year =
                day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        int64_t month = (5 * day_of_year + 2) / 153;

        *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
        *ret_month = (int)(month < 10 ? month + 3 : month - 9);
        *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static const char clock_pairs[] = "00010203040506070809101112131415161718192021222324252627282930"
                                  "31323334353637383940414243444546474849505152535455565758596061"
                                  "62636465666768697071727374757677787980818283848586878889909192"
                                  "93949596979899";

/* Two digits, and what follows them. */
static char *clock_put(char *at, unsigned value, char behind) {
        memcpy(at, &clock_pairs[2 * (size_t)value], 2);
        at[2] = behind;
        return at + 3;
}

void clock_format(int64_t time_us, char ret_text[CLOCK_TEXT_SIZE]) {
        int year, month, day;
        int64_t days;
        unsigned ms;
        char *at = ret_text;

        if (time_us < CLOCK_MIN)
                time_us = CLOCK_MIN;
        if (time_us > CLOCK_MAX)
                time_us = CLOCK_MAX;
        days = (time_us - CLOCK_MIN) / CLOCK_DAY_US + CLOCK_MIN / CLOCK_DAY_US;
        ms = (unsigned)((time_us - days * CLOCK_DAY_US) / 1000);

        clock_civil_from_days(days, &year, &month, &day);
        memcpy(at, &clock_pairs[2 * ((size_t)year / 100)], 2);
        at = clock_put(at + 2, (unsigned)year % 100, '-');
        at = clock_put(at, (unsigned)month, '-');
        at = clock_put(at, (unsigned)day, 'T');
        at = clock_put(at, ms / 3600000, ':');
        at = clock_put(at, ms / 60000 % 60, ':');
        at = clock_put(at, ms / 1000 % 60, '.');
        at = clock_put(at, ms % 1000 / 10, (char)('0' + ms % 10));
        *at++ = 'Z';
        *at = '\0';
}
