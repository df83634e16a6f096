#include "base/timestamp.h"

#include <glib.h>
#include <math.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"

#define TIMESTAMP_MINUTE_US (60 * CLOCK_SECOND_US)
#define TIMESTAMP_HOUR_US   (60 * TIMESTAMP_MINUTE_US)

#define TIMESTAMP_MILLISECONDS 1e11 /* larger numbers are: as seconds, beyond year 5138 */
#define TIMESTAMP_MICROSECONDS 1e14
#define TIMESTAMP_NANOSECONDS  1e17
#define TIMESTAMP_MIN_S        (-62135596800.0) /* year 1 */
#define TIMESTAMP_MAX_S        253402300800.0   /* year 10000 */

typedef struct TimestampParts TimestampParts;

/* What a text says: its clock, and by how much that is ahead of UTC. */
struct TimestampParts {
        int64_t local_us, offset_us;
        bool has_zone, is_leap;
};

struct Zone {
        bool is_fixed;
        int64_t offset_us; /* if is_fixed */
        GTimeZone *zone;   /* else */
        char *name;
};

/* Takes exactly @n_digits digits off the front; false if they are not there. */
static bool timestamp_take(Text *text, size_t n_digits, int *ret_value) {
        int value = 0;

        if (text->n < n_digits)
                return false;
        for (size_t i = 0; i < n_digits; ++i) {
                if (text->data[i] < '0' || text->data[i] > '9')
                        return false;
                value = value * 10 + (text->data[i] - '0');
        }
        text->data += n_digits;
        text->n -= n_digits;
        *ret_value = value;
        return true;
}

static bool timestamp_take_one_of(Text *text, const char *characters) {
        if (text->n == 0 || text->data[0] == '\0' || !strchr(characters, text->data[0]))
                return false;
        ++text->data;
        --text->n;
        return true;
}

static int timestamp_days_in_month(int year, int month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return month == 2 && is_leap ? 29 : days[month - 1];
}

/* 2025-10-18 or, in ISO 8601's basic form, 20251018. */
static bool timestamp_take_date(Text *text, int64_t *ret_us, bool *ret_is_basic) {
        int year, month, day;

        if (!timestamp_take(text, 4, &year))
                return false;
        *ret_is_basic = !timestamp_take_one_of(text, "-");
        if (!timestamp_take(text, 2, &month) ||
            (!*ret_is_basic && !timestamp_take_one_of(text, "-")) || !timestamp_take(text, 2, &day))
                return false;
        if (year < 1 || month < 1 || month > 12 || day < 1 ||
            day > timestamp_days_in_month(year, month))
                return false;

        *ret_us = clock_days_from_civil(year, month, day) * CLOCK_DAY_US;
        return true;
}

/* A fraction of one to nine digits, cut to microseconds. */
static bool timestamp_take_fraction(Text *text, int64_t *ret_us) {
        int64_t unit = CLOCK_SECOND_US;
        int64_t us = 0;
        size_t n_digits = 0;
        int digit;

        while (timestamp_take(text, 1, &digit)) {
                unit /= 10;
                us += digit * unit;
                ++n_digits;
        }
        *ret_us = us;
        return n_digits >= 1 && n_digits <= 9;
}

/* 16:30:00 or 16:30; basic: 163000 or 1630. */
static bool timestamp_take_time(Text *text, bool is_basic, int64_t *ret_us, bool *ret_is_leap) {
        int hour, minute, second = 0;
        int64_t us = 0;
        bool has_seconds;

        if (!timestamp_take(text, 2, &hour) || (!is_basic && !timestamp_take_one_of(text, ":")) ||
            !timestamp_take(text, 2, &minute))
                return false;
        has_seconds = is_basic ? text->n > 0 && text->data[0] >= '0' && text->data[0] <= '9'
                               : timestamp_take_one_of(text, ":");
        if (has_seconds && !timestamp_take(text, 2, &second))
                return false;
        if (hour > 23 || minute > 59 || second > 60)
                return false;
        if (has_seconds && timestamp_take_one_of(text, ".,") && !timestamp_take_fraction(text, &us))
                return false;

        *ret_us = hour * TIMESTAMP_HOUR_US + minute * TIMESTAMP_MINUTE_US +
                  second * CLOCK_SECOND_US + us;
        *ret_is_leap = second == 60;
        return true;
}

static bool timestamp_is_utc(Text text) {
        return text.n == 3 &&
               (strncasecmp(text.data, "UTC", 3) == 0 || strncasecmp(text.data, "GMT", 3) == 0);
}

/* 'Z', UTC, GMT, +hh:mm, +hhmm or +hh, and nothing behind it. */
static bool timestamp_take_offset(Text *text, int64_t *ret_us) {
        int hours, minutes = 0;
        int sign;

        *ret_us = 0;
        if (timestamp_is_utc(*text))
                return true;
        if (timestamp_take_one_of(text, "Zz"))
                return text->n == 0;

        sign = text->n > 0 && text->data[0] == '-' ? -1 : 1;
        if (!timestamp_take_one_of(text, "+-") || !timestamp_take(text, 2, &hours))
                return false;
        if (text->n > 0) {
                timestamp_take_one_of(text, ":");
                if (!timestamp_take(text, 2, &minutes))
                        return false;
        }
        if (hours > 23 || minutes > 59)
                return false;

        *ret_us = sign * (hours * TIMESTAMP_HOUR_US + minutes * TIMESTAMP_MINUTE_US);
        return text->n == 0;
}

/* All of it; false: it is none. */
static bool timestamp_read(Text text, TimestampParts *ret_parts) {
        TimestampParts parts = { 0 };
        int64_t date_us, day_us;
        bool is_basic;

        if (!timestamp_take_date(&text, &date_us, &is_basic) ||
            !timestamp_take_one_of(&text, is_basic ? "Tt" : "Tt ") ||
            !timestamp_take_time(&text, is_basic, &day_us, &parts.is_leap))
                return false;
        parts.local_us = date_us + day_us;
        parts.has_zone = text.n > 0;
        if (parts.has_zone) {
                timestamp_take_one_of(&text, " ");
                if (!timestamp_take_offset(&text, &parts.offset_us))
                        return false;
        }
        *ret_parts = parts;
        return true;
}

int timestamp_parse(Text text, const Zone *zone, int64_t *ret_time_us) {
        return timestamp_parse_near(text, zone, CLOCK_UNKNOWN, 0, ret_time_us);
}

int timestamp_parse_near(Text text,
                         const Zone *zone,
                         int64_t near_us,
                         int64_t ahead_us,
                         int64_t *ret_time_us) {
        TimestampParts parts;
        int64_t time_us;

        if (!timestamp_read(text, &parts))
                return TIMESTAMP_E_INVALID;
        time_us = parts.has_zone ? parts.local_us - parts.offset_us
                                 : zone_to_utc(zone, parts.local_us, near_us, ahead_us);
        if (time_us < CLOCK_MIN || time_us > CLOCK_MAX)
                return TIMESTAMP_E_INVALID;
        /* Leap seconds are put in at the end of a day of UTC, nowhere else. */
        if (parts.is_leap && (time_us - CLOCK_MIN) % CLOCK_DAY_US >= CLOCK_SECOND_US)
                return TIMESTAMP_E_INVALID;

        *ret_time_us = time_us;
        return 0;
}

bool timestamp_has_offset(Text text) {
        TimestampParts parts;

        return timestamp_read(text, &parts) && parts.offset_us != 0;
}

bool timestamp_of_number(double number, int64_t *ret_time_us) {
        double size = fabs(number);

        if (size > TIMESTAMP_NANOSECONDS)
                number /= 1e9;
        else if (size > TIMESTAMP_MICROSECONDS)
                number /= 1e6;
        else if (size > TIMESTAMP_MILLISECONDS)
                number /= 1e3;
        if (!(number >= TIMESTAMP_MIN_S && number < TIMESTAMP_MAX_S))
                return false;
        *ret_time_us = llround(number * 1e6);
        return true;
}

int zone_new(Zone **ret_zone, const char *name) {
        CLEANUP(zone_free) Zone *zone = NULL;
        Text text = text_of(name);

        zone = calloc(1, sizeof(*zone));
        if (!zone)
                return err_new(-ENOMEM);

        zone->is_fixed = timestamp_take_offset(&text, &zone->offset_us);
        /* GLib reads more kinds of offsets than we promise, and an empty name as UTC. */
        if (!zone->is_fixed && name && name[0] != '\0' && !strchr("+-0123456789", name[0]))
                zone->zone = g_time_zone_new_identifier(name);
        if (!zone->is_fixed && !zone->zone)
                return TIMESTAMP_E_INVALID;

        zone->name = strdup(name);
        if (!zone->name)
                return err_new(-ENOMEM);
        *ret_zone = TAKE(&zone);
        return 0;
}

const char *zone_name(const Zone *zone) {
        return zone->name;
}

Zone *zone_free(Zone *zone) {
        if (!zone)
                return NULL;

        if (zone->zone)
                g_time_zone_unref(zone->zone);
        free(zone->name);
        free(zone);
        return NULL;
}

static int64_t zone_offset(const Zone *zone, int64_t utc_us) {
        int64_t s =
                utc_us >= 0 ? utc_us / CLOCK_SECOND_US : -((-utc_us + 999999) / CLOCK_SECOND_US);
        int interval;

        interval = g_time_zone_find_interval(zone->zone, G_TIME_TYPE_UNIVERSAL, s);
        return interval < 0 ? 0 : g_time_zone_get_offset(zone->zone, interval) * CLOCK_SECOND_US;
}

/* Both readings are right: a device means the one in which it sent. */
static int64_t zone_nearer(int64_t first_us, int64_t second_us, int64_t near_us, int64_t ahead_us) {
        if (near_us == CLOCK_UNKNOWN || second_us > near_us + ahead_us)
                return first_us;
        return near_us - first_us <= second_us - near_us ? first_us : second_us;
}

int64_t zone_to_utc(const Zone *zone, int64_t local_us, int64_t near_us, int64_t ahead_us) {
        int64_t before, after;

        if (!zone)
                return local_us;
        if (zone->is_fixed)
                return local_us - zone->offset_us;

        /* No offset is larger than a day, and none changes twice in two days. */
        before = zone_offset(zone, local_us - CLOCK_DAY_US);
        after = zone_offset(zone, local_us + CLOCK_DAY_US);
        if (before == after)
                return local_us - before;
        if (zone_offset(zone, local_us - before) == before) {
                if (zone_offset(zone, local_us - after) == after)
                        return zone_nearer(local_us - before, local_us - after, near_us, ahead_us);
                return local_us - before;
        }
        if (zone_offset(zone, local_us - after) == after)
                return local_us - after;
        return local_us - before; /* skipped: the hour before goes on */
}
