#pragma once

/*
 * What DbMissed reads: of each log table the columns that a page has, in one order, and whose rows.
 *
 * Included by missed.c alone. Parameters: $5 the vehicles, $6 the devices; NULL is all of them.
 */

#include "db/read/vehicle_log_json.h"
#include "model/record.h"

/* The columns of every source. */
enum {
        COLUMN_KIND,
        COLUMN_SEQ,
        COLUMN_RECEIVED,
        COLUMN_TIME,
        COLUMN_SAID, /* in place of a time that is believed */
        COLUMN_VEHICLE,
        COLUMN_DEVICE,
        COLUMN_NUMBER, /* sensor id, or count of detections */
        COLUMN_DATA,
        COLUMN_TYPE, /* event type, alert type, state, status */
        COLUMN_SEVERITY,
        COLUMN_MESSAGE,
        COLUMN_COMMAND,
        COLUMN_LATITUDE,
        COLUMN_LONGITUDE,
        COLUMN_TEMPERATURE,
        COLUMN_HUMIDITY,
        COLUMN_LATE,
        COLUMN_JOURNAL,
};

typedef struct ReplaySource ReplaySource;

struct ReplaySource {
        Kind kind;
        const char *table;
        const char *columns; /* from COLUMN_VEHICLE on, to COLUMN_LATE */
        const char *filter;
        const char *group; /* or "" */
};

#define OF_VEHICLE " AND ($5::bigint[] IS NULL OR vehicle_id = ANY ($5::bigint[]))"
#define OF_DEVICE  " AND ($6::bigint[] IS NULL OR device_id = ANY ($6::bigint[]))"
#define NO_STATE   ", NULL::float8, NULL::float8, false"
#define NO_PLACE   ", NULL::float8, NULL::float8" NO_STATE
#define NO_TEXTS   ", NULL::text, NULL::text, NULL::text, NULL::text"

static const ReplaySource replay_sources[] = {
        { KIND_RAW_LOG,
          "raw_logs",
          "vehicle_id, NULL::bigint, 0::bigint, to_json(logs)::text" NO_TEXTS NO_PLACE,
          OF_VEHICLE,
          "" },
        { KIND_SENSOR_LOG,
          "sensor_logs",
          "vehicle_id, NULL::bigint, sensor_id::bigint, data::text" NO_TEXTS NO_PLACE,
          OF_VEHICLE,
          "" },
        { KIND_VEHICLE_LOG,
          "vehicle_logs",
          "vehicle_id, NULL::bigint, 0::bigint, " DB_VEHICLE_LOG_JSON NO_TEXTS
          ", latitude, longitude" NO_STATE,
          OF_VEHICLE,
          "" },
        { KIND_BLE_DETECTIONS,
          "ble_detections",
          "NULL::bigint, device_id, count(*), NULL::text" NO_TEXTS NO_PLACE,
          OF_DEVICE,
          " GROUP BY seq, journal_id, device_id" },
        { KIND_TELEMETRY,
          "telemetry",
          "NULL::bigint, device_id, 0::bigint, payload::text" NO_TEXTS NO_PLACE,
          OF_DEVICE,
          "" },
        { KIND_CAMERA_EVENT,
          "camera_events",
          "NULL::bigint, device_id, 0::bigint, data::text, event_type, NULL::text, NULL::text,"
          " NULL::text" NO_PLACE,
          OF_DEVICE,
          "" },
        { KIND_ALERT,
          "alerts",
          "vehicle_id, device_id, 0::bigint, extra::text, alert_type, severity, message,"
          " NULL::text" NO_PLACE,
          " AND (vehicle_id = ANY ($5::bigint[]) OR device_id = ANY ($6::bigint[])"
          " OR ($5::bigint[] IS NULL AND (vehicle_id IS NOT NULL OR $6::bigint[] IS NULL))"
          " OR ($6::bigint[] IS NULL AND device_id IS NOT NULL))",
          "" },
        { KIND_COMMAND_STATE,
          "command_events",
          "NULL::bigint, device_id, 0::bigint, NULL::text, state, NULL::text, message,"
          " command_id" NO_PLACE,
          OF_DEVICE,
          "" },
        { KIND_DEVICE_STATUS,
          "device_status_logs",
          "NULL::bigint, device_id, 0::bigint, extra::text, status, NULL::text, NULL::text,"
          " NULL::text, latitude, longitude, temperature, humidity, late",
          OF_DEVICE,
          "" },
};
