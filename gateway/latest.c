#include "gateway/latest.h"

#include "gateway/base/err.h"
#include "gateway/base/index.h"

typedef struct LatestKey LatestKey;

struct LatestKey {
        int64_t id; /* of the vehicle or device */
        int32_t kind;
        int32_t sensor_id;
};

struct Latest {
        Index *times; /* LatestKey -> int64_t, owned */
};

int latest_new(Latest **ret_latest) {
        CLEANUP(latest_free) Latest *latest = NULL;
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

Latest *latest_free(Latest *latest) {
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

int latest_note(Latest *latest, Record *record) {
        int64_t *time_us;
        LatestKey key;
        int r;

        if (!latest_key(record, &key))
                return 0;

        time_us = index_get(latest->times, &key, sizeof(key));
        if (time_us) {
                record->late = record->time_us < *time_us;
                if (!record->late)
                        *time_us = record->time_us;
                return 0;
        }

        time_us = malloc(sizeof(*time_us));
        if (!time_us)
                return err_new(-ENOMEM);
        *time_us = record->time_us;
        r = index_put(latest->times, &key, sizeof(key), time_us);
        if (r != 0)
                free(time_us);
        return r == 0 ? 0 : err_up(r);
}
