#pragma once

/*
 * Clock: times as int64_t microseconds since 1970-01-01T00:00:00Z, and their text.
 *
 * Pure but for those that read the clock. The range is years 1 to 9999.
 */

#include "base/base.h"

#define CLOCK_TEXT_SIZE 25 /* 2025-10-18T16:30:00.123Z and NUL */
#define CLOCK_SECOND_US INT64_C(1000000)
#define CLOCK_DAY_US    INT64_C(86400000000)
#define CLOCK_MIN       INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define CLOCK_MAX       INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */
#define CLOCK_UNKNOWN   INT64_MIN                   /* no time given */
#define CLOCK_SLACK_US  INT64_C(60000000)           /* two good clocks are never further apart */

int64_t clock_now_us(void);  /* CLOCK_REALTIME */
int64_t clock_mono_us(void); /* CLOCK_MONOTONIC, for time-outs */

/* A receipt that we noted while our own clock was ahead; it has been set right since. */
bool clock_is_ahead(int64_t time_us);

void clock_format(int64_t time_us, char ret_text[CLOCK_TEXT_SIZE]);

/* Days since 1970-01-01 in the proleptic Gregorian calendar; any month and day that exist. */
int64_t clock_days_from_civil(int year, int month, int day);
