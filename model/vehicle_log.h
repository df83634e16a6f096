#pragma once

/*
 * VehicleLog: the members of a vehicle log that have a column of their own, once.
 *
 * The record, its rows, and what is read of them are made of this list, in its order. A new one is
 * a line here, a column (schema/) and its rule in gateway/decode/decode_vehicle.c; all other
 * members of a log are its `extra`.
 */

#include "base/base.h"

typedef struct VehicleLogMember VehicleLogMember;

/* As X(separator, name): "" before the first, a comma before the others. */
#define VEHICLE_LOG_EACH(number, text, flag)                                                       \
        number("", battery_voltage) number(",", battery_current) number(",", rssi) text(",", mode) \
                number(",", latitude) number(",", longitude) number(",", heading) flag(",", armed) \
                        flag(",", guided) text(",", system_status) number(",", speed)

typedef enum VehicleLogType {
        VEHICLE_LOG_NUMBER,
        VEHICLE_LOG_TEXT,
        VEHICLE_LOG_FLAG,
} VehicleLogType;

struct VehicleLogMember {
        const char *name;
        VehicleLogType type;
};

#define VEHICLE_LOG_ONE(separator, name) +1
enum { VEHICLE_LOG_MEMBERS = VEHICLE_LOG_EACH(VEHICLE_LOG_ONE, VEHICLE_LOG_ONE, VEHICLE_LOG_ONE) };

extern const VehicleLogMember vehicle_log_members[VEHICLE_LOG_MEMBERS];

/* For SQL: the columns, and them as the members of an object. */
#define VEHICLE_LOG_COLUMN(separator, name) separator " " #name
#define VEHICLE_LOG_COLUMNS \
        VEHICLE_LOG_EACH(VEHICLE_LOG_COLUMN, VEHICLE_LOG_COLUMN, VEHICLE_LOG_COLUMN)
#define VEHICLE_LOG_PAIR(separator, name) separator " '" #name "', " #name
#define VEHICLE_LOG_PAIRS                 VEHICLE_LOG_EACH(VEHICLE_LOG_PAIR, VEHICLE_LOG_PAIR, VEHICLE_LOG_PAIR)
