#include "gateway/sim/fleet.h"

#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/sim/boat.h"
#include "gateway/sim/crowd.h"
#include "gateway/sim/dice.h"

#define SENSORS_PER_BOAT 3
#define SCANNER          "sim-ble-01"
#define ENERGY_DEVICE    "sim-ems-01"
#define CAMERA           "sim-cam-01"
#define HOT              35.0 /* °C: a device that is hotter warns */
#define DAY_S            86400.0
#define NOON_UTC_S       18000.0 /* 12:00 in Jakarta */

typedef struct Mote Mote;

/* A device on the quay that measures the weather around it. */
struct Mote {
        double latitude, longitude;
        double temperature, humidity;
};

struct Fleet {
        Dice dice;
        Boat *boats;
        Mote *motes;
        unsigned n_boats, n_motes;
        unsigned next_boat[KIND_COUNT], next_mote; /* each kind asks them in turn */
        unsigned alerting;           /* 1 + the boat that has something to tell; 0 = none */
        unsigned shares[KIND_COUNT]; /* how often each kind speaks, compared with the others */
        unsigned n_shares;
        Crowd crowd;
        double soc; /* of the energy device's battery, % */
        int64_t soc_us;
};

/* Of a hundred messages or so. Alerts come when something happens, and a few for nothing. */
static const unsigned fleet_shares[KIND_COUNT] = {
        [KIND_VEHICLE_LOG] = 400,   [KIND_SENSOR_LOG] = 200, [KIND_DEVICE_STATUS] = 200,
        [KIND_BLE_DETECTIONS] = 40, [KIND_TELEMETRY] = 80,   [KIND_RAW_LOG] = 40,
        [KIND_CAMERA_EVENT] = 30,   [KIND_ALERT] = 2,
};

static bool is_of_boats(Kind kind) {
        return kind == KIND_VEHICLE_LOG || kind == KIND_SENSOR_LOG || kind == KIND_RAW_LOG ||
               kind == KIND_ALERT;
}

static void fleet_share(Fleet *fleet, const Routes *routes) {
        for (Kind kind = KIND_NONE; kind < KIND_COUNT; ++kind) {
                bool is_silent = !routes_by_kind(routes, kind) ||
                                 (is_of_boats(kind) && fleet->n_boats == 0) ||
                                 (kind == KIND_DEVICE_STATUS && fleet->n_motes == 0);

                fleet->shares[kind] = is_silent ? 0 : fleet_shares[kind];
                fleet->n_shares += fleet->shares[kind];
        }
}

static void mote_init(Mote *mote, Dice *dice) {
        *mote = (Mote){
                .latitude = dice_between(dice, -6.1150, -6.1050),
                .longitude = dice_between(dice, 106.8750, 106.9050),
                .temperature = dice_between(dice, 27, 33),
                .humidity = dice_between(dice, 60, 85),
        };
}

int fleet_new(Fleet **ret_fleet, const SimulateOptions *options, int64_t now_us) {
        CLEANUP(fleet_free) Fleet *fleet = calloc(1, sizeof(*fleet));

        if (!fleet)
                return err_new(-ENOMEM);
        fleet->dice.state = options->seed;
        fleet->n_boats = options->n_vehicles > 0 ? (unsigned)options->n_vehicles : 0;
        fleet->n_motes = options->n_devices > 0 ? (unsigned)options->n_devices : 0;
        fleet->boats = calloc((size_t)fleet->n_boats + 1, sizeof(*fleet->boats));
        fleet->motes = calloc((size_t)fleet->n_motes + 1, sizeof(*fleet->motes));
        if (!fleet->boats || !fleet->motes)
                return err_new(-ENOMEM);

        for (unsigned i = 0; i < fleet->n_boats; ++i)
                boat_init(&fleet->boats[i], &fleet->dice, now_us);
        for (unsigned i = 0; i < fleet->n_motes; ++i)
                mote_init(&fleet->motes[i], &fleet->dice);
        fleet->soc = dice_between(&fleet->dice, 40, 80);
        fleet->soc_us = now_us;

        fleet_share(fleet, options->routes);
        if (fleet->n_shares == 0)
                return FLEET_E_SILENT;
        *ret_fleet = TAKE(&fleet);
        return 0;
}

Fleet *fleet_free(Fleet *fleet) {
        if (!fleet)
                return NULL;

        free(fleet->boats);
        free(fleet->motes);
        free(fleet);
        return NULL;
}

static Kind fleet_choose(Fleet *fleet) {
        unsigned ticket = dice_below(&fleet->dice, fleet->n_shares);
        Kind kind = KIND_NONE;

        while (ticket >= fleet->shares[kind])
                ticket -= fleet->shares[kind++];
        return kind;
}

static void write_status(Fleet *fleet, int64_t now_us, Buf *payload, SimulatedMessage *message) {
        unsigned i = fleet->next_mote++ % fleet->n_motes;
        Mote *mote = &fleet->motes[i];
        const char *status;

        mote->temperature += dice_between(&fleet->dice, -0.3, 0.3) + (30 - mote->temperature) / 200;
        mote->humidity += dice_between(&fleet->dice, -0.6, 0.6) + (72 - mote->humidity) / 200;
        mote->humidity = fmax(5, fmin(99, mote->humidity));
        status = mote->temperature > HOT              ? "warning"
                 : dice_below(&fleet->dice, 500) == 0 ? "error"
                                                      : "online";

        message->nth = i;
        snprintf(message->device, sizeof(message->device), "sim-device-%03u", i + 1);
        buf_printf(payload, "{\"status\":\"%s\",\"timestamp\":", status);
        buf_json_time(payload, now_us);
        buf_printf(payload,
                   ",\"temperature\":%.1f,\"humidity\":%.1f,\"latitude\":%.6f,\"longitude\":%.6f}",
                   mote->temperature,
                   mote->humidity,
                   mote->latitude,
                   mote->longitude);
}

/* Sun on the roof by day, a load all day, a battery between them and the grid. */
static void write_energy(Fleet *fleet, int64_t now_us, Buf *payload) {
        double hours = fmod((double)now_us / 1e6 - NOON_UTC_S + DAY_S, DAY_S) / 3600;
        double solar =
                fmax(0, cos(hours / 24 * 2 * M_PI)) * 4200 * dice_between(&fleet->dice, 0.92, 1.0);
        double load = 900 + dice_between(&fleet->dice, 0, 700);
        double battery = fmax(-2500, fmin(2500, solar - load)); /* W into it */
        double seconds = fmin(60, (double)(now_us - fleet->soc_us) / 1e6);

        if ((battery > 0 && fleet->soc >= 98) || (battery < 0 && fleet->soc <= 12))
                battery = 0;
        fleet->soc += battery * seconds / 3600 / 100; /* of 10 kWh */
        fleet->soc_us = now_us;

        buf_append_string(payload, "{\"timestamp\":");
        buf_json_time(payload, now_us);
        buf_printf(payload,
                   ",\"mode\":\"SELF_CONSUMPTION\",\"solar\":{\"power\":%.1f},"
                   "\"load\":{\"power\":%.1f}",
                   solar,
                   load);
        buf_printf(payload,
                   ",\"battery\":{\"soc\":%.2f,\"power\":%.1f},"
                   "\"grid\":{\"power\":%.1f,\"voltage\":%.1f,\"frequency\":%.2f}}",
                   fleet->soc,
                   battery,
                   load + battery - solar,
                   dice_between(&fleet->dice, 219, 229),
                   dice_between(&fleet->dice, 49.95, 50.05));
}

static void write_camera_event(Fleet *fleet, int64_t now_us, Buf *payload) {
        static const char *const people[] = {
                "John Doe", "Siti Rahayu", "Nguyen Van An", "Maria Santos", "Budi Hartono",
        };
        unsigned what = dice_below(&fleet->dice, 10);
        const char *event_type = what < 8 ? "face_detected" : "motion_detected";

        buf_printf(payload,
                   "{\"camera_id\":\"" CAMERA "\",\"event_type\":\"%s\",\"timestamp\":",
                   event_type);
        buf_json_time(payload, now_us);
        buf_printf(payload, ",\"data\":{\"confidence\":%.2f", dice_between(&fleet->dice, 0.6, 1));
        if (what < 6)
                buf_printf(payload,
                           ",\"person_name\":\"%s\"",
                           people[dice_below(&fleet->dice, N_ELEMENTS(people))]);
        else if (what < 8)
                buf_append_string(payload, ",\"person_name\":\"Unknown\"");
        buf_append_string(payload, "}}");
}

static void write_of_boat(Fleet *fleet,
                          unsigned i,
                          int64_t now_us,
                          Buf *payload,
                          SimulatedMessage *message) {
        Boat *boat = &fleet->boats[i];
        unsigned round; /* of all boats: each time another sensor of theirs */

        snprintf(message->vehicle, sizeof(message->vehicle), "sim-vehicle-%03u", i + 1);
        boat_advance(boat, &fleet->dice, now_us);
        if (boat->has_alert && fleet->shares[KIND_ALERT] > 0)
                fleet->alerting = i + 1;
        switch (message->kind) {
        case KIND_VEHICLE_LOG:
                boat_write_vehicle_log(boat, &fleet->dice, payload);
                return;
        case KIND_SENSOR_LOG:
                round = (fleet->next_boat[KIND_SENSOR_LOG] - 1) / fleet->n_boats;
                boat_write_sensor_log(boat, &fleet->dice, 1 + round % SENSORS_PER_BOAT, payload);
                return;
        case KIND_RAW_LOG:
                boat_write_raw_log(boat, &fleet->dice, payload);
                return;
        default:
                boat_write_alert(boat, payload);
                boat->has_alert = false;
                fleet->alerting = 0;
        }
}

int fleet_next(Fleet *fleet, int64_t now_us, Buf *payload, SimulatedMessage *ret_message) {
        SimulatedMessage message = { .time_us = now_us };
        unsigned boat = fleet->alerting - 1;
        int r = 0;

        message.kind = fleet->alerting > 0 ? KIND_ALERT : fleet_choose(fleet);
        if (is_of_boats(message.kind)) {
                if (fleet->alerting == 0)
                        boat = fleet->next_boat[message.kind]++ % fleet->n_boats;
                write_of_boat(fleet, boat, now_us, payload, &message);
        } else if (message.kind == KIND_DEVICE_STATUS) {
                write_status(fleet, now_us, payload, &message);
        } else if (message.kind == KIND_BLE_DETECTIONS) {
                snprintf(message.device, sizeof(message.device), SCANNER);
                r = crowd_write_scan(&fleet->crowd, &fleet->dice, now_us, SCANNER, payload);
        } else if (message.kind == KIND_TELEMETRY) {
                snprintf(message.device, sizeof(message.device), ENERGY_DEVICE);
                write_energy(fleet, now_us, payload);
        } else {
                snprintf(message.device, sizeof(message.device), CAMERA);
                write_camera_event(fleet, now_us, payload);
        }
        if (r == 0 && buf_failed(payload))
                return err_new(-ENOMEM);
        if (r != 0)
                return err_up(r);
        *ret_message = message;
        return 0;
}
