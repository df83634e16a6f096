#include "db/read/missed_source.h"

#include "db/read/vehicle_log_json.h"

#define OF_VEHICLE " AND ($5::bigint[] IS NULL OR vehicle_id = ANY ($5::bigint[]))"
#define OF_DEVICE  " AND ($6::bigint[] IS NULL OR device_id = ANY ($6::bigint[]))"
#define NO_STATE   ", NULL::float8, NULL::float8, false"
#define NO_PLACE   ", NULL::float8, NULL::float8" NO_STATE
#define NO_TEXTS   ", NULL::text, NULL::text, NULL::text, NULL::text"

const ReplaySource replay_sources[REPLAY_SOURCES] = {
        { KIND_RAW_LOG,
          OF_VEHICLES,
          "raw_logs",
          "vehicle_id, NULL::bigint, 0::bigint, to_json(logs)::text" NO_TEXTS NO_PLACE,
          OF_VEHICLE,
          "" },
        { KIND_SENSOR_LOG,
          OF_VEHICLES,
          "sensor_logs",
          "vehicle_id, NULL::bigint, sensor_id::bigint, data::text" NO_TEXTS NO_PLACE,
          OF_VEHICLE,
          "" },
        { KIND_VEHICLE_LOG,
          OF_VEHICLES,
          "vehicle_logs",
          "vehicle_id, NULL::bigint, 0::bigint, " DB_VEHICLE_LOG_JSON NO_TEXTS
          ", latitude, longitude" NO_STATE,
          OF_VEHICLE,
          "" },
        { KIND_BLE_DETECTIONS,
          OF_DEVICES,
          "ble_detections",
          "NULL::bigint, device_id, count(*), NULL::text" NO_TEXTS NO_PLACE,
          OF_DEVICE,
          " GROUP BY seq, journal_id, device_id" },
        { KIND_TELEMETRY,
          OF_DEVICES,
          "telemetry",
          "NULL::bigint, device_id, 0::bigint, payload::text" NO_TEXTS NO_PLACE,
          OF_DEVICE,
          "" },
        { KIND_CAMERA_EVENT,
          OF_DEVICES,
          "camera_events",
          "NULL::bigint, device_id, 0::bigint, data::text, event_type, NULL::text, NULL::text,"
          " NULL::text" NO_PLACE,
          OF_DEVICE,
          "" },
        { KIND_ALERT,
          OF_VEHICLES | OF_DEVICES,
          "alerts",
          "vehicle_id, device_id, 0::bigint, extra::text, alert_type, severity, message,"
          " NULL::text" NO_PLACE,
          " AND (vehicle_id = ANY ($5::bigint[]) OR device_id = ANY ($6::bigint[])"
          " OR ($5::bigint[] IS NULL AND (vehicle_id IS NOT NULL OR $6::bigint[] IS NULL))"
          " OR ($6::bigint[] IS NULL AND device_id IS NOT NULL))",
          "" },
        { KIND_COMMAND_STATE,
          OF_DEVICES,
          "command_events",
          "NULL::bigint, device_id, 0::bigint, NULL::text, state, NULL::text, message,"
          " command_id" NO_PLACE,
          OF_DEVICE,
          "" },
        { KIND_DEVICE_STATUS,
          OF_DEVICES,
          "device_status_logs",
          "NULL::bigint, device_id, 0::bigint, extra::text, status, NULL::text, NULL::text,"
          " NULL::text, latitude, longitude, temperature, humidity, late",
          OF_DEVICE,
          "" },
};

bool replay_wants(const QueryReplay *replay, const ReplaySource *source) {
        uint32_t kinds = UINT32_C(1) << source->kind;
        unsigned of = 0;

        if (source->kind == KIND_COMMAND_STATE)
                kinds |= UINT32_C(1) << KIND_COMMAND_ACK;
        if (replay->all_vehicles || replay->n_vehicle_ids > 0)
                of |= OF_VEHICLES;
        if (replay->all_devices || replay->n_device_ids > 0)
                of |= OF_DEVICES;
        return (replay->kinds & kinds) != 0 && (source->of & of) != 0;
}

bool replay_wants_any(const QueryReplay *replay) {
        for (size_t i = 0; i < N_ELEMENTS(replay_sources); ++i)
                if (replay_wants(replay, &replay_sources[i]))
                        return true;
        return false;
}
