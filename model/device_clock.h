#pragma once

/*
 * DeviceClock: what is known of the clock of a device by the times that it says: docs/time.md.
 *
 * A message that was on its way for long shows a clock that is behind, and none shows one ahead. So
 * a reading nearer to its receipt counts at once, and one further behind only when others follow it
 * at the pace of the receipts, as those of a clock do and those out of a buffer do not. Pure.
 */

#include "base/base.h"
#include "base/clock.h"

typedef enum ClockVerdict {
        CLOCK_UNJUDGED, /* it has said no time yet */
        CLOCK_OK,
        CLOCK_AHEAD,
        CLOCK_BEHIND,
        CLOCK_NONE,       /* it counts from its start, or says what is no time */
        CLOCK_LOCAL_TIME, /* off by a zone, which it does not say */
        CLOCK_VERDICTS
} ClockVerdict;

const char *clock_verdict_name(ClockVerdict verdict); /* "ok", "no_clock", ...; NULL: unjudged */
ClockVerdict clock_verdict_of(const char *name);      /* unjudged, if there is none of that name */

typedef struct ClockReading ClockReading;
typedef struct ClockRun ClockRun;
typedef struct DeviceClock DeviceClock;

/* Messages in a row, of which the first said this. */
struct ClockRun {
        int64_t time_us, received_us;
        int32_t n; /* 0: there is none */
};

/* True: enough of them have come, in enough time, at the pace of a clock. */
bool clock_run_take(ClockRun *run, int64_t time_us, int64_t received_us);

struct DeviceClock {
        ClockVerdict verdict;
        bool has_zone;     /* it says where its time is */
        int64_t offset_us; /* of its clock from ours; only where it has one */
        ClockRun other;    /* those that show another clock; in memory alone */
};

/* What one message says. */
struct ClockReading {
        int64_t time_us; /* CLOCK_UNKNOWN: what is no time */
        int64_t received_us;
        bool has_zone;
        int64_t slack_us; /* what a clock may be off by */
};

/* Is it worth to be noted where @told was noted before: another verdict, or more than two seconds?
 */
bool device_clock_is_news(const DeviceClock *clock, const DeviceClock *told);
bool device_clock_has_offset(const DeviceClock *clock); /* has it an offset that may be told? */
void device_clock_read(DeviceClock *clock, const ClockReading *reading);
