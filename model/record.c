#include "model/record.h"

static const char *const kind_names[KIND_COUNT] = {
        [KIND_NONE] = "none",
        [KIND_DEVICE_STATUS] = "device_status",
        [KIND_RAW_LOG] = "raw_log",
        [KIND_SENSOR_LOG] = "sensor_log",
        [KIND_VEHICLE_LOG] = "vehicle_log",
        [KIND_BLE_DETECTIONS] = "ble_detections",
        [KIND_TELEMETRY] = "telemetry",
        [KIND_CAMERA_EVENT] = "camera_event",
        [KIND_ALERT] = "alert",
        [KIND_COMMAND_ACK] = "command_ack",
        [KIND_COMMAND_STATE] = "command_state",
};

static const char *const reason_names[REASON_COUNT] = {
        [REASON_NONE] = "none",
        [REASON_BAD_JSON] = "bad_json",
        [REASON_BAD_UTF8] = "bad_utf8",
        [REASON_NUL_CHARACTER] = "nul_character",
        [REASON_TOO_LARGE] = "too_large",
        [REASON_TOO_DEEP] = "too_deep",
        [REASON_MISSING_MEMBER] = "missing_member",
        [REASON_WRONG_TYPE] = "wrong_type",
        [REASON_OUT_OF_RANGE] = "out_of_range",
        [REASON_BAD_TIME] = "bad_time",
        [REASON_UNKNOWN_DEVICE] = "unknown_device",
        [REASON_UNKNOWN_VEHICLE] = "unknown_vehicle",
        [REASON_UNKNOWN_USER] = "unknown_user",
        [REASON_WRONG_OWNER] = "wrong_owner",
        [REASON_UNKNOWN_COMMAND] = "unknown_command",
        [REASON_UNKNOWN_SENSOR] = "unknown_sensor",
        [REASON_UNKNOWN_ALIAS] = "unknown_alias",
        [REASON_NO_ROUTE] = "no_route",
        [REASON_DB_REJECTED] = "db_rejected",
};

const char *kind_name(Kind kind) {
        return (unsigned)kind < KIND_COUNT ? kind_names[kind] : kind_names[KIND_NONE];
}

Kind kind_from_name(Text name) {
        for (Kind kind = KIND_NONE + 1; kind < KIND_COUNT; ++kind)
                if (text_equal(name, text_of(kind_names[kind])))
                        return kind;
        return KIND_NONE;
}

const char *reason_name(Reason reason) {
        return (unsigned)reason < REASON_COUNT ? reason_names[reason] : reason_names[REASON_NONE];
}
