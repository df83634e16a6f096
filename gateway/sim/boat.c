#include "gateway/sim/boat.h"

#include <math.h>

#include "base/buf.h"

#define HOME_LATITUDE       (-6.0755) /* behind the breakwater of Tanjung Priok */
#define HOME_LONGITUDE      106.8850
#define SEA_SOUTH           (-6.0500) /* open water all over this box */
#define SEA_NORTH           (-5.9000)
#define SEA_WEST            106.7700
#define SEA_EAST            106.9300
#define METRES_PER_DEGREE   111320.0
#define RADIANS(degrees)    ((degrees) * (M_PI / 180))
#define DEGREES(radians)    ((radians) * (180 / M_PI))
#define BERTH_SPREAD        0.0015
#define MAX_STEP_S          30.0 /* after a long silence a boat does not leap */
#define TURN_DEGREES_PER_S  12.0
#define ARRIVED_M           120.0 /* more than a turning circle */
#define CHARGE_LOW          0.20
#define CHARGE_FULL         0.97
#define DRAIN_IDLE_PER_S    0.00008
#define DRAIN_SPEED_PER_S   0.000012 /* times the square of the speed */
#define GAIN_PER_S          0.0012
#define VOLTS_EMPTY         10.9
#define VOLTS_RANGE         1.7
#define CHARGING_AMPERES    (-8.5)
#define PRESSURE_MEAN       1010.5
#define SEA_TEMPERATURE     29.4
#define SECONDS_PER_DAY     86400.0
#define LOCAL_HOURS_TO_NOON 5.0 /* noon is at 05:00 UTC there */

/* 1 at the local noon, -1 at midnight. */
static double sun_of(int64_t time_us) {
        double hours = fmod((double)time_us / 1e6, SECONDS_PER_DAY) / 3600;

        return cos((hours - LOCAL_HOURS_TO_NOON) / 24 * 2 * M_PI);
}

static double turn_between(double from, double to) {
        return remainder(to - from, 360);
}

void boat_init(Boat *boat, Dice *dice, int64_t now_us) {
        bool is_home = dice_below(dice, 6) == 0;

        *boat = (Boat){
                .task = is_home ? BOAT_CHARGING : BOAT_ON_ROUND,
                .course = dice_between(dice, 0, 360),
                .cruise = dice_between(dice, 3, 9),
                .charge = dice_between(dice, 0.3, 0.95),
                .waypoint = dice_below(dice, BOAT_WAYPOINTS),
                .time_us = now_us,
        };
        for (size_t i = 0; i < BOAT_WAYPOINTS; ++i) {
                boat->round[i].latitude = dice_between(dice, SEA_SOUTH, SEA_NORTH);
                boat->round[i].longitude = dice_between(dice, SEA_WEST, SEA_EAST);
        }

        boat->latitude = HOME_LATITUDE + dice_between(dice, 0, BERTH_SPREAD);
        boat->longitude = HOME_LONGITUDE + dice_between(dice, 0, BERTH_SPREAD);
        if (!is_home) {
                boat->latitude = dice_between(dice, SEA_SOUTH, SEA_NORTH);
                boat->longitude = dice_between(dice, SEA_WEST, SEA_EAST);
                boat->speed = boat->cruise;
        }
}

static void boat_target(const Boat *boat, double *ret_north_m, double *ret_east_m) {
        double latitude = HOME_LATITUDE, longitude = HOME_LONGITUDE;

        if (boat->task == BOAT_ON_ROUND) {
                latitude = boat->round[boat->waypoint].latitude;
                longitude = boat->round[boat->waypoint].longitude;
        }
        *ret_north_m = (latitude - boat->latitude) * METRES_PER_DEGREE;
        *ret_east_m =
                (longitude - boat->longitude) * METRES_PER_DEGREE * cos(RADIANS(boat->latitude));
}

static void boat_arrive(Boat *boat) {
        if (boat->task == BOAT_ON_ROUND) {
                boat->waypoint = (boat->waypoint + 1) % BOAT_WAYPOINTS;
                return;
        }
        boat->task = BOAT_CHARGING;
        boat->speed = 0;
}

static void boat_sail(Boat *boat, Dice *dice, double seconds) {
        double north, east, turn, distance, way;

        boat_target(boat, &north, &east);
        turn = turn_between(boat->course, DEGREES(atan2(east, north)));
        turn = fmax(-TURN_DEGREES_PER_S * seconds, fmin(TURN_DEGREES_PER_S * seconds, turn));
        boat->course = fmod(boat->course + turn + dice_between(dice, -1, 1) + 360, 360);
        boat->speed += (boat->cruise - boat->speed) * fmin(1, seconds / 8);
        boat->speed = fmax(0.5, boat->speed + dice_between(dice, -0.15, 0.15));

        distance = hypot(north, east);
        way = fmin(boat->speed * seconds, distance);
        boat->latitude += way * cos(RADIANS(boat->course)) / METRES_PER_DEGREE;
        boat->longitude += way * sin(RADIANS(boat->course)) /
                           (METRES_PER_DEGREE * cos(RADIANS(boat->latitude)));
        if (distance - way < ARRIVED_M)
                boat_arrive(boat);
}

void boat_advance(Boat *boat, Dice *dice, int64_t now_us) {
        double seconds = fmax(0, fmin(MAX_STEP_S, (double)(now_us - boat->time_us) / 1e6));

        boat->time_us = now_us;
        if (boat->task == BOAT_CHARGING) {
                boat->charge = fmin(1, boat->charge + GAIN_PER_S * seconds);
                if (boat->charge >= CHARGE_FULL)
                        boat->task = BOAT_ON_ROUND;
                return;
        }

        boat_sail(boat, dice, seconds);
        boat->charge -=
                seconds * (DRAIN_IDLE_PER_S + DRAIN_SPEED_PER_S * boat->speed * boat->speed);
        boat->charge = fmax(0.02, boat->charge); /* the reserve gets everybody home */
        if (boat->charge < CHARGE_LOW && boat->task == BOAT_ON_ROUND) {
                boat->task = BOAT_GOING_HOME;
                boat->has_alert = true;
        }
}

static double boat_rssi(const Boat *boat, Dice *dice) {
        double north = (HOME_LATITUDE - boat->latitude) * METRES_PER_DEGREE;
        double east = (HOME_LONGITUDE - boat->longitude) * METRES_PER_DEGREE;
        double kilometres = hypot(north, east) / 1000;

        return floor(-42 - 28 * log10(1 + kilometres) + dice_between(dice, -2, 2));
}

void boat_write_vehicle_log(const Boat *boat, Dice *dice, Buf *payload) {
        static const char *const modes[] = { "AUTO", "RTL", "HOLD" };
        bool charging = boat->task == BOAT_CHARGING;
        double amperes = 0.9 + 0.22 * boat->speed * boat->speed + dice_between(dice, -0.1, 0.1);

        buf_append_string(payload, "{\"timestamp\":");
        buf_json_time(payload, boat->time_us);
        buf_printf(payload,
                   ",\"battery_voltage\":%.2f,\"battery_current\":%.2f,\"rssi\":%.0f",
                   VOLTS_EMPTY + VOLTS_RANGE * boat->charge,
                   charging ? CHARGING_AMPERES : amperes,
                   boat_rssi(boat, dice));
        buf_printf(payload,
                   ",\"mode\":\"%s\",\"latitude\":%.6f,\"longitude\":%.6f,\"heading\":%.1f",
                   modes[boat->task],
                   boat->latitude,
                   boat->longitude,
                   boat->course);
        buf_printf(payload,
                   ",\"armed\":%s,\"guided\":%s,\"system_status\":\"%s\",\"speed\":%.2f}",
                   charging ? "false" : "true",
                   boat->task == BOAT_ON_ROUND ? "true" : "false",
                   charging ? "STANDBY" : "ACTIVE",
                   boat->speed);
}

/* Sensor 1 is in the air, 2 in the water, 3 looks down. */
void boat_write_sensor_log(const Boat *boat, Dice *dice, unsigned sensor_id, Buf *payload) {
        double sun = sun_of(boat->time_us);

        buf_printf(payload, "{\"sensor_id\":%u,\"data\":{", sensor_id);
        if (sensor_id == 1)
                buf_printf(payload,
                           "\"temperature\":%.1f,\"humidity\":%.1f,\"pressure\":%.2f",
                           28.5 + 2.8 * sun + dice_between(dice, -0.2, 0.2),
                           78 - 9 * sun + dice_between(dice, -1, 1),
                           PRESSURE_MEAN + 1.2 * sun + dice_between(dice, -0.1, 0.1));
        else if (sensor_id == 2)
                buf_printf(payload,
                           "\"temperature\":%.2f,\"salinity\":%.2f,\"turbidity\":%.1f,\"ph\":%.2f",
                           SEA_TEMPERATURE + 0.4 * sun + dice_between(dice, -0.05, 0.05),
                           31.6 + dice_between(dice, -0.2, 0.2),
                           6 + dice_between(dice, 0, 3),
                           8.05 + dice_between(dice, -0.03, 0.03));
        else
                buf_printf(payload,
                           "\"depth\":%.1f,\"obstacle\":%s",
                           4 + (HOME_LATITUDE - boat->latitude) * -130 +
                                   dice_between(dice, -0.3, 0.3),
                           dice_below(dice, 60) == 0 ? "true" : "false");
        buf_append_string(payload, ",\"timestamp\":");
        buf_json_time(payload, boat->time_us);
        buf_append_string(payload, "}}");
}

void boat_write_raw_log(const Boat *boat, Dice *dice, Buf *payload) {
        switch (dice_below(dice, 4)) {
        case 0:
                buf_printf(payload,
                           "GPS fix 3D, %u satellites, HDOP %.1f",
                           9 + dice_below(dice, 8),
                           dice_between(dice, 0.6, 1.4));
                return;
        case 1:
                buf_printf(payload,
                           "NAV waypoint %u of %d, course %.0f, %.1f m/s",
                           boat->waypoint + 1,
                           BOAT_WAYPOINTS,
                           boat->course,
                           boat->speed);
                return;
        case 2:
                buf_printf(payload, "PWR battery at %.0f %%", boat->charge * 100);
                return;
        default:
                buf_printf(payload,
                           "{\"level\":\"debug\",\"loop_hz\":%u,\"cpu\":%.2f}",
                           390 + dice_below(dice, 20),
                           dice_between(dice, 0.15, 0.4));
        }
}

void boat_write_alert(const Boat *boat, Buf *payload) {
        bool is_battery = boat->charge < CHARGE_LOW;

        buf_printf(payload,
                   "{\"severity\":\"%s\",\"alert_type\":\"%s\",\"message\":",
                   is_battery ? "warning" : "info",
                   is_battery ? "BATTERY" : "GPS");
        if (is_battery)
                buf_printf(payload, "\"Battery at %.0f %%: returning home\"", boat->charge * 100);
        else
                buf_append_string(payload, "\"Position from fewer than 6 satellites\"");
        buf_printf(payload,
                   ",\"source\":\"autopilot\",\"latitude\":%.6f,\"longitude\":%.6f,\"timestamp\":",
                   boat->latitude,
                   boat->longitude);
        buf_json_time(payload, boat->time_us);
        buf_append_char(payload, '}');
}
