#include "gateway/memory/sensors.h"

#include <sys/queue.h>

#include "base/err.h"
#include "base/index.h"
#include "base/log.h"
#include "base/vec.h"

typedef struct SensorsItem SensorsItem;
typedef struct SensorsVehicle SensorsVehicle;

struct SensorsItem {
        uint64_t seq;
        int32_t sensor_id;
};

struct SensorsVehicle {
        int64_t id;
        SensorsItem *items; /* by sensor_id */
        size_t n_items, capacity;
        bool is_said;    /* that it has as many as it may */
        bool is_refused; /* one, and so is in the list */
        TAILQ_ENTRY(SensorsVehicle) entry;
};

struct Sensors {
        size_t n_max;
        size_t n_all;
        LogPace said;
        Index *vehicles; /* owned */
        TAILQ_HEAD(, SensorsVehicle) refused;
};

int sensors_new(Sensors **ret_sensors, size_t n_max) {
        CLEANUP(sensors_free) Sensors *sensors = calloc(1, sizeof(*sensors));
        int r;

        if (!sensors)
                return err_new(-ENOMEM);
        sensors->n_max = n_max;
        TAILQ_INIT(&sensors->refused);
        r = index_new(&sensors->vehicles);
        if (r != 0)
                return err_up(r);
        *ret_sensors = TAKE(&sensors);
        return 0;
}

static void sensors_free_vehicle(void *arg, void *value) {
        SensorsVehicle *vehicle = value;

        (void)arg;
        free(vehicle->items);
        free(vehicle);
}

Sensors *sensors_free(Sensors *sensors) {
        if (!sensors)
                return NULL;
        if (sensors->vehicles)
                index_each(sensors->vehicles, sensors_free_vehicle, NULL);
        index_free(sensors->vehicles);
        free(sensors);
        return NULL;
}

/* The first place whose sensor is not below this one. */
static size_t sensors_find(const SensorsVehicle *vehicle, int32_t sensor_id) {
        size_t low = 0, high = vehicle->n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (vehicle->items[middle].sensor_id < sensor_id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool sensors_has(const SensorsVehicle *vehicle, size_t at, int32_t sensor_id) {
        return at < vehicle->n_items && vehicle->items[at].sensor_id == sensor_id;
}

static void sensors_refuse(Sensors *sensors, SensorsVehicle *vehicle) {
        unsigned long long n_more;

        if (!vehicle->is_refused)
                TAILQ_INSERT_TAIL(&sensors->refused, vehicle, entry);
        vehicle->is_refused = true;
        if (vehicle->is_said || !log_may(&sensors->said, &n_more))
                return;
        vehicle->is_said = true;
        log_warning("sensors_full vehicle_id=%lld sensors=%zu more=%llu hint=\"messages of more "
                    "become dead letters: registry.max_sensors\"",
                    (long long)vehicle->id,
                    vehicle->n_items,
                    n_more);
}

bool sensors_may_have(Sensors *sensors, int64_t vehicle_id, int32_t sensor_id) {
        SensorsVehicle *vehicle = index_get_id(sensors->vehicles, vehicle_id);

        if (sensors->n_max == 0 || !vehicle ||
            sensors_has(vehicle, sensors_find(vehicle, sensor_id), sensor_id))
                return true;
        if (vehicle->n_items < sensors->n_max) {
                vehicle->is_said = false;
                return true;
        }
        sensors_refuse(sensors, vehicle);
        return false;
}

static int sensors_vehicle(Sensors *sensors, int64_t vehicle_id, SensorsVehicle **ret_vehicle) {
        SensorsVehicle *vehicle = index_get_id(sensors->vehicles, vehicle_id);
        int r;

        if (!vehicle) {
                vehicle = calloc(1, sizeof(*vehicle));
                if (!vehicle)
                        return err_new(-ENOMEM);
                vehicle->id = vehicle_id;
                r = index_put_id(sensors->vehicles, vehicle_id, vehicle);
                if (r != 0) {
                        free(vehicle);
                        return err_up(r);
                }
        }
        *ret_vehicle = vehicle;
        return 0;
}

int sensors_add(Sensors *sensors, int64_t vehicle_id, int32_t sensor_id, uint64_t seq) {
        SensorsVehicle *vehicle = NULL;
        size_t at;
        int r;

        r = sensors_vehicle(sensors, vehicle_id, &vehicle);
        if (r != 0)
                return err_up(r);
        at = sensors_find(vehicle, sensor_id);
        if (sensors_has(vehicle, at, sensor_id))
                return 0;
        if (!VEC_HAS_ROOM(vehicle->items, vehicle->n_items, vehicle->capacity, 4))
                return err_new(-ENOMEM);
        memmove(vehicle->items + at + 1,
                vehicle->items + at,
                (vehicle->n_items - at) * sizeof(vehicle->items[0]));
        vehicle->items[at] = (SensorsItem){ .seq = seq, .sensor_id = sensor_id };
        ++vehicle->n_items;
        ++sensors->n_all;
        return 0;
}

size_t sensors_take_refused(Sensors *sensors, int64_t ret_vehicle_ids[], size_t n_max) {
        SensorsVehicle *vehicle;
        size_t n = 0;

        while (n < n_max && (vehicle = TAILQ_FIRST(&sensors->refused))) {
                TAILQ_REMOVE(&sensors->refused, vehicle, entry);
                vehicle->is_refused = false;
                ret_vehicle_ids[n++] = vehicle->id;
        }
        return n;
}

void sensors_forget(Sensors *sensors, int64_t vehicle_id, uint64_t up_to_seq) {
        SensorsVehicle *vehicle = index_get_id(sensors->vehicles, vehicle_id);
        size_t n = 0;

        if (!vehicle)
                return;
        for (size_t i = 0; i < vehicle->n_items; ++i)
                if (vehicle->items[i].seq > up_to_seq)
                        vehicle->items[n++] = vehicle->items[i];
        sensors->n_all -= vehicle->n_items - n;
        vehicle->n_items = n;
}

size_t sensors_length(const Sensors *sensors) {
        return sensors->n_all;
}
