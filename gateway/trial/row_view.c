#include "gateway/trial/row_view.h"

#include "base/json_out.h"

/* A switch that is absent is neither. */
static void row_flag(View *view, const char *name, int8_t value) {
        Text text = { 0 };

        if (value >= 0)
                text = value > 0 ? TEXT("true") : TEXT("false");
        view_json(view, name, text);
}

static void row_place(View *view, double latitude, double longitude) {
        view_number(view, "latitude", latitude);
        view_number(view, "longitude", longitude);
}

static void row_status(View *view, const StatusRecord *status) {
        view_text(view, "status", status->status);
        view_number(view, "temperature", status->temperature);
        view_number(view, "humidity", status->humidity);
        row_place(view, status->latitude, status->longitude);
        view_json(view, "extra", status->extra);
}

static void row_vehicle_log(View *view, const VehicleRecord *log) {
#define ROW_NUMBER(separator, name) view_number(view, #name, log->name);
#define ROW_TEXT(separator, name)   view_text(view, #name, log->name);
#define ROW_FLAG(separator, name)   row_flag(view, #name, log->name);
        VEHICLE_LOG_EACH(ROW_NUMBER, ROW_TEXT, ROW_FLAG)
        view_json(view, "extra", log->extra);
}

static void row_detections(View *view, const Record *record) {
        const DetectionsRecord *detections = &record->detections;

        view_text(view, "name", record->said_name);
        view_text(view, "location", record->said_location);
        view_text(view, "manufacturer", record->said_maker);
        view_text(view, "model", record->said_model);
        view_text(view, "firmware", record->said_firmware);
        view_array(view, "detections");
        for (size_t i = 0; i < detections->n_items; ++i) {
                const Detection *item = &detections->items[i];

                view_object(view, NULL);
                view_string(view, "device_hash", item->device_hash);
                view_number(view, "rssi", item->rssi);
                view_string(view, "zone", item->zone);
                view_time(view, "time", item->time_us);
                view_text(view, "said_time", item->said_time);
                view_object_end(view);
        }
        view_array_end(view);
}

static void row_alert(View *view, const AlertRecord *alert) {
        view_text(view, "severity", alert->severity);
        view_text(view, "alert_type", alert->alert_type);
        view_text(view, "message", alert->message);
        view_text(view, "source", alert->source);
        row_place(view, alert->latitude, alert->longitude);
        view_json(view, "extra", alert->extra);
}

static void row_camera(View *view, const Record *record) {
        view_text(view, "event_type", record->camera.event_type);
        view_text(view, "person_name", record->camera.person_name);
        view_number(view, "confidence", record->camera.confidence);
        view_json(view, "data", record->data);
}

static void row_ack(View *view, const AckRecord *ack) {
        view_text(view, "command_id", ack->command_id);
        view_text(view, "status", ack->status);
        view_text(view, "message", ack->message);
}

static void row_members(View *view, const Record *record) {
        switch (record->kind) {
        case KIND_DEVICE_STATUS:
                row_status(view, &record->status);
                break;
        case KIND_RAW_LOG:
                view_text(view, "text", record->text);
                break;
        case KIND_SENSOR_LOG:
                view_int(view, "sensor_id", record->sensor.sensor_id);
                view_json(view, "data", record->data);
                break;
        case KIND_VEHICLE_LOG:
                row_vehicle_log(view, &record->vehicle_log);
                break;
        case KIND_BLE_DETECTIONS:
                row_detections(view, record);
                break;
        case KIND_TELEMETRY:
                view_json(view, "data", record->data);
                break;
        case KIND_CAMERA_EVENT:
                row_camera(view, record);
                break;
        case KIND_ALERT:
                row_alert(view, &record->alert);
                break;
        case KIND_COMMAND_ACK:
                row_ack(view, &record->ack);
                break;
        default:
                break;
        }
}

static void row_aside(View *view, const char *member, Text value, Reason reason, Text detail) {
        view_object(view, NULL);
        view_text(view, member, value);
        view_string(view, "reason", reason_name(reason));
        view_text(view, "detail", detail);
        view_object_end(view);
}

static void row_asides(View *view, const Record *record) {
        const DetectionsRecord *detections = &record->detections;

        view_array(view, "set_aside");
        for (size_t i = 0; i < record->n_notes; ++i)
                row_aside(view,
                          "member",
                          record->notes[i].member,
                          record->notes[i].reason,
                          record->notes[i].detail);
        for (size_t i = 0; record->kind == KIND_BLE_DETECTIONS && i < detections->n_set_aside; ++i)
                row_aside(view,
                          "detection",
                          detections->set_aside[i].bytes,
                          detections->set_aside[i].reason,
                          detections->set_aside[i].detail);
        view_array_end(view);
}

void row_view(View *view, const Record *record) {
        view_object(view, "row");
        view_string(view, "kind", kind_name(record->kind));
        view_text(view, "user", record->user);
        view_text(view, "vehicle", record->vehicle);
        view_text(view, "device", record->device);
        view_bool(view, "may_register", record->may_register);
        view_time(view, "time", record->time_us);
        view_string(view, "time_is", record->has_clock ? "its own" : "the receipt");
        view_text(view, "said_time", record->said_time);
        row_members(view, record);
        view_object_end(view);
        row_asides(view, record);
}
