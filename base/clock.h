#pragma once

/*
 * Clock: times as int64_t microseconds since 1970-01-01T00:00:00Z, and their text.
 *
 * Pure but for those that read the clock. The range is years 1 to 9999.
 */

#include "base/base.h"

#define CLOCK_TEXT_SIZE 25 /* 2025-10-18T16:30:00.123Z and NUL */
#define CLOCK_DAY_US    INT64_C(86400000000)
#define CLOCK_UNKNOWN   INT64_MIN         /* no time given */
#define CLOCK_SLACK_US  INT64_C(60000000) /* two good clocks are never further apart */

typedef struct Zone Zone;

int64_t clock_now_us(void);  /* CLOCK_REALTIME */
int64_t clock_mono_us(void); /* CLOCK_MONOTONIC, for time-outs */

/* A receipt that we noted while our own clock was ahead; it has been set right since. */
bool clock_is_ahead(int64_t time_us);

void clock_format(int64_t time_us, char ret_text[CLOCK_TEXT_SIZE]);

enum {
        CLOCK_E_INVALID = 1, /* not a time, or out of range */
};

/*
 * RFC 3339 and what devices send in its place: 'T' or a space, no fraction or up to
 * nine digits of it, 'Z', '+07:00', '+0700', '+07' or no offset at all, which is
 * read in @zone (NULL: UTC). A leap second is read as the second after it.
 */
MUST_CHECK int clock_parse(Text text, const Zone *zone, int64_t *ret_time_us);
/* Of the two readings of a time in an hour that is repeated, the one nearer to @near_us; without
 * one (CLOCK_UNKNOWN) the first. */
MUST_CHECK int clock_parse_near(Text text, const Zone *zone, int64_t near_us, int64_t *ret_time_us);

/* An IANA name ("Asia/Jakarta") or an offset ("+07:00"). CLOCK_E_INVALID if unknown. */
MUST_CHECK int zone_new(Zone **ret_zone, const char *name);
Zone *zone_free(Zone *zone);
const char *zone_name(const Zone *zone); /* as it was given to zone_new() */
/* A skipped hour moves forward; of a repeated one as above. */
int64_t zone_to_utc(const Zone *zone, int64_t local_us, int64_t near_us);

DEFINE_CLEANUP(Zone *, zone_free);
