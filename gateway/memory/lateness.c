#include "gateway/memory/lateness.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/index.h"
#include "model/device_clock.h"

typedef struct LatestKey LatestKey;
typedef struct LatestTimes LatestTimes;

struct LatestKey {
        int64_t id; /* of the vehicle or device */
        int32_t kind;
        int32_t sensor_id;
};

struct LatestTimes {
        uint64_t thing;   /* key_hash; 0: as the database has it */
        int64_t clock_us; /* the newest of the device's own; CLOCK_UNKNOWN */
        int64_t first_us; /* when the newest came in */
        bool is_known;    /* something was there before */
        ClockRun back;    /* those that seem to be late: has the clock been set back? */
};

struct Lateness {
        Index *times; /* LatestKey -> LatestTimes, owned */
};

int lateness_new(Lateness **ret_latest) {
        CLEANUP(lateness_free) Lateness *latest = NULL;
        int r;

        latest = calloc(1, sizeof(*latest));
        if (!latest)
                return err_new(-ENOMEM);
        r = index_new(&latest->times);
        if (r != 0)
                return err_up(r);
        *ret_latest = TAKE(&latest);
        return 0;
}

static void latest_free_time(void *arg, void *time_us) {
        (void)arg;
        free(time_us);
}

Lateness *lateness_free(Lateness *latest) {
        if (!latest)
                return NULL;
        if (latest->times)
                index_each(latest->times, latest_free_time, NULL);
        index_free(latest->times);
        free(latest);
        return NULL;
}

static bool latest_key(const Record *record, LatestKey *ret_key) {
        *ret_key = (LatestKey){ .kind = (int32_t)record->kind };

        switch (record->kind) {
        case KIND_SENSOR_LOG:
                ret_key->sensor_id = record->sensor.sensor_id;
                ret_key->id = record->vehicle_id;
                return true;
        case KIND_VEHICLE_LOG:
                ret_key->id = record->vehicle_id;
                return true;
        case KIND_TELEMETRY:
                ret_key->id = record->device_id;
                return true;
        default:
                return false;
        }
}

/* Older than what its own clock has said before, unless that was set back since. */
static bool latest_is_behind(ClockRun *back, int64_t clock_us, const Record *record) {
        if (!record->has_clock)
                return false;
        if (clock_us == CLOCK_UNKNOWN || record_order_us(record) >= clock_us) {
                *back = (ClockRun){ 0 };
                return false;
        }
        if (record->retained || record->letter_id != 0 ||
            !clock_run_take(back, record->time_us, record->received_us))
                return true;
        *back = (ClockRun){ 0 };
        return false;
}

bool lateness_of_status(DeviceState *state, const Record *record) {
        bool is_older = record->has_clock && record_order_us(record) < state->time_us;

        if (latest_is_behind(&state->back, state->time_us, record))
                return true;
        if (is_older)
                state->clock_set_us = record->received_us;
        return false;
}

/* Not of what was kept back for us: how long that was on its way is no matter of the clock. */
void lateness_read_clock(DeviceClock *clock, const Record *record) {
        if (record->retained || record->letter_id != 0 ||
            (record->clock_us == CLOCK_UNKNOWN && !record->odd_time))
                return;
        device_clock_read(clock,
                          &(ClockReading){ .time_us = record->clock_us,
                                           .received_us = record->received_us,
                                           .has_zone = record->has_zone,
                                           .slack_us = record->slack_us });
}

/* What has no time of its own is news when it comes, unless it is a letter of long ago. */
static bool latest_is_late(LatestTimes *times, const Record *record) {
        int64_t order_us = record_order_us(record);

        if (record->letter_id != 0 && order_us < times->first_us)
                return true;
        if (record->retained && times->is_known)
                return !record->has_clock || order_us <= times->first_us;
        return latest_is_behind(&times->back, times->clock_us, record);
}

/* Another has the id by now, of which nothing is known. */
static void latest_begin(LatestTimes *times, const Record *record) {
        uint64_t thing = record->kind == KIND_TELEMETRY ? record->device_key : record->vehicle_key;

        if (!thing_is_same(times->thing, thing))
                *times = (LatestTimes){ .clock_us = CLOCK_UNKNOWN, .first_us = INT64_MIN };
        if (thing != 0)
                times->thing = thing;
}

int lateness_note(Lateness *latest, Record *record) {
        int64_t first_us = record_first_us(record);
        LatestTimes *times;
        LatestKey key;
        int r;

        if (!latest_key(record, &key))
                return 0;

        times = index_get(latest->times, &key, sizeof(key));
        if (!times) {
                times = malloc(sizeof(*times));
                if (!times)
                        return err_new(-ENOMEM);
                *times = (LatestTimes){ .clock_us = CLOCK_UNKNOWN, .first_us = INT64_MIN };
                r = index_put(latest->times, &key, sizeof(key), times);
                if (r != 0) {
                        free(times);
                        return err_up(r);
                }
        }
        latest_begin(times, record);
        if (clock_is_ahead(times->clock_us)) /* it was ours that was, and has been set right */
                times->clock_us = CLOCK_UNKNOWN;
        if (clock_is_ahead(times->first_us))
                times->first_us = INT64_MIN;
        record->late = latest_is_late(times, record);
        if (record->late)
                return 0;
        if (record->has_clock)
                times->clock_us = record_order_us(record);
        times->is_known = true;
        if (record->retained) /* it came long after it was sent */
                first_us = record->has_clock ? record_order_us(record) : INT64_MIN;
        if (times->first_us < first_us)
                times->first_us = first_us;
        return 0;
}
