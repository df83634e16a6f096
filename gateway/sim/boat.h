#pragma once

/*
 * Boat: one vehicle of the invented fleet, at sea off its home port (the Bay of Jakarta).
 *
 * It sails its round of way-points, comes home when the battery is low, lies at its berth while it
 * charges, and leaves again. Time moves by boat_advance() alone. Pure but for its dice.
 */

#include "base/base.h"
#include "gateway/sim/dice.h"

#define BOAT_WAYPOINTS 5

typedef struct Boat Boat;
typedef struct Buf Buf;

typedef enum BoatTask {
        BOAT_ON_ROUND,
        BOAT_GOING_HOME,
        BOAT_CHARGING,
} BoatTask;

struct Boat {
        BoatTask task;
        double latitude, longitude; /* degrees */
        double course, speed;       /* degrees, m/s */
        double cruise;              /* m/s */
        double charge;              /* of the battery, 0 to 1 */
        struct {
                double latitude, longitude;
        } round[BOAT_WAYPOINTS];
        unsigned waypoint;
        int64_t time_us;
        bool has_alert; /* the battery has become low, and nobody was told yet */
};

void boat_init(Boat *boat, Dice *dice, int64_t now_us);
void boat_advance(Boat *boat, Dice *dice, int64_t now_us);

/* Payloads of section 1 of PROTOCOL. */
void boat_write_vehicle_log(const Boat *boat, Dice *dice, Buf *payload);
void boat_write_sensor_log(const Boat *boat, Dice *dice, unsigned sensor_id, Buf *payload);
void boat_write_raw_log(const Boat *boat, Dice *dice, Buf *payload);
void boat_write_alert(const Boat *boat, Buf *payload);
