#include "model/vehicle_log.h"

#define MEMBER_NUMBER(separator, name) { #name, VEHICLE_LOG_NUMBER },
#define MEMBER_TEXT(separator, name)   { #name, VEHICLE_LOG_TEXT },
#define MEMBER_FLAG(separator, name)   { #name, VEHICLE_LOG_FLAG },

const VehicleLogMember vehicle_log_members[VEHICLE_LOG_MEMBERS] = {
        VEHICLE_LOG_EACH(MEMBER_NUMBER, MEMBER_TEXT, MEMBER_FLAG)
};
