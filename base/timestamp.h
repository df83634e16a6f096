#pragma once

/* Timestamp: the times that devices write, and the zones that those without an offset are read in.
 * Pure. */

#include "base/base.h"

typedef struct Zone Zone;

enum {
        TIMESTAMP_E_INVALID = 1, /* not a time, or out of range */
};

/*
 * RFC 3339 and what devices send in its place: 'T' or a space, no seconds, no fraction or up to
 * nine digits of it behind a point or a comma, 'Z', 'UTC', 'GMT', '+07:00', '+0700' or '+07', also
 * behind a space, or no offset at all, which is read in @zone (NULL: UTC); and ISO 8601's basic
 * form, 20251018T163000Z. A leap second is read as the second after it.
 */
MUST_CHECK int timestamp_parse(Text text, const Zone *zone, int64_t *ret_time_us);
/* Of the two readings of a time in an hour that is repeated, the one nearer to @near_us, and the
 * first where the second is more than @ahead_us ahead of that; without one (CLOCK_UNKNOWN), too. */
MUST_CHECK int timestamp_parse_near(Text text,
                                    const Zone *zone,
                                    int64_t near_us,
                                    int64_t ahead_us,
                                    int64_t *ret_time_us);

/* Does it say where it is? 'Z' and an offset of nothing do not count: they are what is written in
 * front of local times, too. */
bool timestamp_has_offset(Text text);

/* Since 1970, in seconds, milliseconds, microseconds or nanoseconds: as its size says. False: it is
 * none, or beyond the years 1 to 9999. */
bool timestamp_of_number(double number, int64_t *ret_time_us);

/* An IANA name ("Asia/Jakarta") or an offset ("+07:00"). TIMESTAMP_E_INVALID if unknown. */
MUST_CHECK int zone_new(Zone **ret_zone, const char *name);
Zone *zone_free(Zone *zone);
const char *zone_name(const Zone *zone); /* as it was given to zone_new() */
/* A skipped hour moves forward; of a repeated one as above. */
int64_t zone_to_utc(const Zone *zone, int64_t local_us, int64_t near_us, int64_t ahead_us);

DEFINE_CLEANUP(Zone *, zone_free);
