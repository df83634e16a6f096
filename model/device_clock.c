#include "model/device_clock.h"

#define CLOCK_MINUTE_US (60 * CLOCK_SECOND_US)
#define CLOCK_EPOCH_US  (INT64_C(1577836800) * CLOCK_SECOND_US) /* 2020: this is younger */
#define CLOCK_CLOSE_US \
        (2 * CLOCK_SECOND_US)          /* two readings of one clock: it may say no fractions */
#define CLOCK_PACE_US  CLOCK_SECOND_US /* two messages of one clock, beside an eighth */
#define CLOCK_RUN      3
#define CLOCK_RUN_US   (10 * CLOCK_SECOND_US)
#define CLOCK_ZONE_US  (15 * CLOCK_MINUTE_US) /* zones are so far apart */
#define CLOCK_ZONES_US (INT64_C(14) * 60 * CLOCK_MINUTE_US)
#define CLOCK_ZONE_OFF (2 * CLOCK_MINUTE_US)
#define CLOCK_SMOOTH   8 /* a reading moves the estimate by this part of the difference */

static const char *const clock_names[CLOCK_VERDICTS] = {
        [CLOCK_OK] = "ok",         [CLOCK_AHEAD] = "ahead",           [CLOCK_BEHIND] = "behind",
        [CLOCK_NONE] = "no_clock", [CLOCK_LOCAL_TIME] = "local_time",
};

const char *clock_verdict_name(ClockVerdict verdict) {
        return (unsigned)verdict < CLOCK_VERDICTS ? clock_names[verdict] : NULL;
}

ClockVerdict clock_verdict_of(const char *name) {
        for (size_t i = 0; name && i < CLOCK_VERDICTS; ++i)
                if (clock_names[i] && strcmp(clock_names[i], name) == 0)
                        return (ClockVerdict)i;
        return CLOCK_UNJUDGED;
}

static int64_t clock_distance(int64_t a, int64_t b) {
        return a > b ? a - b : b - a;
}

/* The next of @run, if it is one; else it begins another. */
static void clock_run_go_on(ClockRun *run, int64_t time_us, int64_t received_us) {
        int64_t passed_us = received_us - run->received_us;
        bool is_next = run->n > 0 && passed_us >= 0;

        if (is_next && (time_us == CLOCK_UNKNOWN || run->time_us == CLOCK_UNKNOWN))
                is_next = time_us == run->time_us;
        else if (is_next)
                is_next = clock_distance(time_us - run->time_us, passed_us) <=
                          CLOCK_PACE_US + passed_us / 8;
        if (is_next && run->n < INT32_MAX)
                ++run->n;
        else if (!is_next)
                *run = (ClockRun){ .time_us = time_us, .received_us = received_us, .n = 1 };
}

bool clock_run_take(ClockRun *run, int64_t time_us, int64_t received_us) {
        clock_run_go_on(run, time_us, received_us);
        return run->n >= CLOCK_RUN && received_us - run->received_us >= CLOCK_RUN_US;
}

/* Off by whole quarters of an hour, as zones are. */
static bool clock_is_local(int64_t offset_us) {
        int64_t off_us = clock_distance(offset_us, 0);
        int64_t rest_us = off_us % CLOCK_ZONE_US;

        return off_us <= CLOCK_ZONES_US + CLOCK_ZONE_OFF && off_us > CLOCK_ZONE_US / 2 &&
               (rest_us <= CLOCK_ZONE_OFF || rest_us >= CLOCK_ZONE_US - CLOCK_ZONE_OFF);
}

static void clock_judge(DeviceClock *clock, int64_t slack_us) {
        if (clock_distance(clock->offset_us, 0) <= slack_us)
                clock->verdict = CLOCK_OK;
        else if (!clock->has_zone && clock_is_local(clock->offset_us))
                clock->verdict = CLOCK_LOCAL_TIME;
        else
                clock->verdict = clock->offset_us > 0 ? CLOCK_AHEAD : CLOCK_BEHIND;
}

static void clock_set(DeviceClock *clock, const ClockReading *reading) {
        *clock = (DeviceClock){ .verdict = CLOCK_NONE };
        if (reading->time_us < CLOCK_EPOCH_US) /* CLOCK_UNKNOWN is below all */
                return;
        clock->offset_us = reading->time_us - reading->received_us;
        clock->has_zone = reading->has_zone;
        clock_judge(clock, reading->slack_us);
}

bool device_clock_has_offset(const DeviceClock *clock) {
        return clock->verdict != CLOCK_UNJUDGED && clock->verdict != CLOCK_NONE;
}

bool device_clock_is_news(const DeviceClock *clock, const DeviceClock *told) {
        return clock->verdict != told->verdict ||
               clock_distance(clock->offset_us, told->offset_us) > CLOCK_CLOSE_US;
}

/* Does it take no second one to believe that the clock is as this one shows it? */
static bool clock_is_certain(const DeviceClock *clock, const ClockReading *reading) {
        int64_t offset_us;

        if (clock->verdict == CLOCK_UNJUDGED)
                return true;
        if (reading->time_us < CLOCK_EPOCH_US)
                return false;
        offset_us = reading->time_us - reading->received_us;
        if (offset_us > reading->slack_us)
                return false;
        if (clock->verdict == CLOCK_NONE)
                return offset_us >= -reading->slack_us;
        return offset_us > clock->offset_us;
}

/* What no delay explains: nothing of a clock, one ahead, one that was ahead and is not. */
static bool clock_is_unlike_delay(const DeviceClock *clock, const ClockReading *reading) {
        return reading->time_us < CLOCK_EPOCH_US ||
               reading->time_us - reading->received_us > reading->slack_us ||
               (device_clock_has_offset(clock) && clock->offset_us > reading->slack_us);
}

void device_clock_read(DeviceClock *clock, const ClockReading *reading) {
        ClockReading read = *reading;
        bool is_none, is_over;

        is_none = read.time_us < CLOCK_EPOCH_US;
        if (is_none)
                read.time_us = CLOCK_UNKNOWN;
        if (device_clock_has_offset(clock) && !is_none &&
            clock_distance(read.time_us - read.received_us, clock->offset_us) <= CLOCK_CLOSE_US) {
                clock->offset_us +=
                        (read.time_us - read.received_us - clock->offset_us) / CLOCK_SMOOTH;
                clock->has_zone = read.has_zone;
                clock->other = (ClockRun){ 0 };
                clock_judge(clock, read.slack_us);
        } else if (is_none && clock->verdict == CLOCK_NONE) {
                clock->other = (ClockRun){ 0 };
        } else if (clock_is_certain(clock, &read)) {
                clock_set(clock, &read);
        } else {
                is_over = clock_run_take(&clock->other, read.time_us, read.received_us);
                if (is_over || (clock->other.n >= CLOCK_RUN && clock_is_unlike_delay(clock, &read)))
                        clock_set(clock, &read);
        }
}
