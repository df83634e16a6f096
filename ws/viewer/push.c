#include "ws/viewer/push.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/device_json.h"
#include "ws/wire/frame.h"

/* In the order of Kind. The second name is the one that section 1 knows it by. */
static const char *const ws_push_types[KIND_COUNT] = {
        [KIND_NONE] = "none",
        [KIND_DEVICE_STATUS] = "device_update",
        [KIND_RAW_LOG] = "raw_log",
        [KIND_SENSOR_LOG] = "sensor_log",
        [KIND_VEHICLE_LOG] = "vehicle_log",
        [KIND_BLE_DETECTIONS] = "detection_event",
        [KIND_TELEMETRY] = "telemetry",
        [KIND_CAMERA_EVENT] = "camera_event",
        [KIND_ALERT] = "alert",
        [KIND_COMMAND_ACK] = "command_update",
        [KIND_COMMAND_STATE] = "command_update",
};

void ws_cursor_json(JsonOut *out, const char *name, const WsLoop *loop, WsMark mark) {
        char text[CURSOR_TEXT_SIZE];

        json_out_string(out, name, ws_numbers_cursor(&loop->numbers, mark, text));
}

/* Of several journals the event's own place is a number beside its cursor, and its cursor where it
 * has no place in the loop's order. */
static void ws_push_place(const WsLoop *loop, const Event *event, WsMark mark, JsonOut *out) {
        bool is_several = ws_numbers_are_several(&loop->numbers);
        char text[CURSOR_TEXT_SIZE];

        if (is_several && !mark.seen && mark.place == event->seq) {
                json_out_string(out, "cursor", ws_numbers_number(&loop->numbers, event, text));
                return;
        }
        ws_cursor_json(out, "cursor", loop, mark);
        if (is_several || mark.place != event->place)
                json_out_string(out, "number", ws_numbers_number(&loop->numbers, event, text));
}

const char *ws_push_type(const Event *event) {
        if (event->type == EVENT_ACKNOWLEDGED)
                return "alert_update";
        return (unsigned)event->kind < KIND_COUNT ? ws_push_types[event->kind]
                                                  : ws_push_types[KIND_NONE];
}

uint32_t ws_push_kinds(Text type) {
        uint32_t kinds = 0;

        for (unsigned kind = KIND_NONE + 1; kind < KIND_COUNT; ++kind)
                if (text_equal(type, text_of(ws_push_types[kind])) ||
                    text_equal(type, text_of(kind_name((Kind)kind))))
                        kinds |= WS_DIALECT_KIND(kind);
        return kinds;
}

bool ws_push_is_shown(const Event *event) {
        return event->kind != KIND_BLE_DETECTIONS || event->n_items > 0;
}

uint64_t ws_push_key(const Event *event) {
        switch (event->kind) {
        case KIND_DEVICE_STATUS:
                return ws_frame_key(event->kind, event->device_id, 0);
        case KIND_TELEMETRY: /* a whole is in the place of one alone, and of nothing else */
                return ws_frame_key(event->kind, event->device_id, event->is_whole ? 1 : 0);
        case KIND_VEHICLE_LOG:
                return ws_frame_key(event->kind, event->vehicle_id, 0);
        case KIND_SENSOR_LOG:
                return ws_frame_key(event->kind, event->vehicle_id, event->sensor_id);
        default:
                return 0;
        }
}

static void ws_push_id(JsonOut *out, const char *name, int64_t id) {
        if (id != 0)
                json_out_int(out, name, id);
}

static double ws_push_known(double value, double otherwise) {
        return isnan(value) ? otherwise : value;
}

/* The device with the state that the event tells of. What a row of long ago did not say is as it is
 * now. */
static void ws_push_status(const WsLoop *loop, const Event *event, JsonOut *out) {
        const Device *device = registry_device(loop->registry, event->device_id);
        Device then;

        if (!device) {
                json_out_null(out, "device");
                return;
        }

        then = *device;
        then.state = event->state;
        then.state.temperature = ws_push_known(then.state.temperature, device->state.temperature);
        then.state.humidity = ws_push_known(then.state.humidity, device->state.humidity);
        then.state.latitude = ws_push_known(then.state.latitude, device->state.latitude);
        then.state.longitude = ws_push_known(then.state.longitude, device->state.longitude);
        if (then.state.clock.verdict == CLOCK_UNJUDGED)
                then.state.clock = device->state.clock;
        ws_device_clock_json(out, "device", &then);
        if (event->data.data)
                json_out_raw(out, "data", event->data);
}

static Text ws_push_code(const WsLoop *loop, int64_t device_id) {
        const Device *device = registry_device(loop->registry, device_id);

        return device ? text_of(device->code) : (Text){ 0 };
}

static void ws_push_alert(const Event *event, JsonOut *out) {
        json_out_text(out, "severity", event->severity);
        json_out_text(out, "alert_type", event->event_type);
        json_out_text(out, "message", event->message);
        json_out_raw(out, "data", event->data);
}

static void ws_push_command(const Event *event, JsonOut *out) {
        json_out_text(out, "command_id", event->command_id);
        json_out_text(out, "state", event->event_type);
        json_out_text(out, "message", event->message);
}

static void ws_push_members(const WsLoop *loop, const Event *event, JsonOut *out) {
        switch (event->kind) {
        case KIND_DEVICE_STATUS:
                ws_push_status(loop, event, out);
                break;
        case KIND_BLE_DETECTIONS:
                json_out_text(out, "device_code", ws_push_code(loop, event->device_id));
                json_out_int(out, "count", event->n_items);
                break;
        case KIND_CAMERA_EVENT:
                json_out_text(out, "camera_id", ws_push_code(loop, event->device_id));
                json_out_text(out, "event_type", event->event_type);
                json_out_raw(out, "data", event->data);
                break;
        case KIND_ALERT:
                ws_push_alert(event, out);
                break;
        case KIND_COMMAND_ACK:
        case KIND_COMMAND_STATE:
                ws_push_command(event, out);
                break;
        case KIND_SENSOR_LOG:
                json_out_int(out, "sensor_id", event->sensor_id);
                json_out_raw(out, "data", event->data);
                break;
        default:
                json_out_raw(out, "data", event->data);
        }
}

/* It has no place in the order of messages: what it says holds whenever it comes. */
static void ws_push_acknowledged(const Event *event, JsonOut *out) {
        json_out_object(out, NULL);
        json_out_string(out, "type", ws_push_type(event));
        ws_push_id(out, "vehicle_id", event->vehicle_id);
        ws_push_id(out, "device_id", event->device_id);
        json_out_text(out, "alert", event->alert);
        json_out_bool(out, "acknowledged", true);
        json_out_time(out, "acknowledged_at", event->time_us);
        json_out_text(out, "acknowledged_by", event->message);
        json_out_time(out, "timestamp", event->time_us);
        json_out_object_end(out);
}

void ws_push_event(const WsLoop *loop, const Event *event, JsonOut *out) {
        if (event->type == EVENT_ACKNOWLEDGED) {
                ws_push_acknowledged(event, out);
                return;
        }
        ws_push_event_at(loop, event, ws_mark(event->place), (Text){ 0 }, out);
}

/* All but its end. */
static void ws_push_open(const WsLoop *loop, const Event *event, WsMark mark, JsonOut *out) {
        json_out_object(out, NULL);
        json_out_string(out, "type", ws_push_type(event));
        ws_push_id(out, "vehicle_id", event->vehicle_id);
        ws_push_id(out, "device_id", event->device_id);
        ws_push_members(loop, event, out);
        json_out_time(out, "timestamp", event->time_us);
        if (event->said_time.data)
                json_out_text(out, "device_time", event->said_time);
        ws_push_place(loop, event, mark, out);
        json_out_bool(out, "persisted", event->persisted);
        if (event->late)
                json_out_bool(out, "late", true);
}

void ws_push_event_at(const WsLoop *loop,
                      const Event *event,
                      WsMark mark,
                      Text names,
                      JsonOut *out) {
        ws_push_open(loop, event, mark, out);
        if (names.n > 0)
                json_out_raw(out, "subscriptions", names);
        json_out_object_end(out);
}

void ws_push_replay(const WsLoop *loop,
                    const Event *event,
                    WsMark mark,
                    const char *name,
                    JsonOut *out) {
        ws_push_open(loop, event, mark, out);
        json_out_string(out, "subscription", name);
        json_out_bool(out, "replay", true);
        json_out_object_end(out);
}

void ws_push_device(const Device *device, JsonOut *out) {
        json_out_object(out, NULL);
        json_out_string(out, "type", "device_update");
        ws_push_id(out, "device_id", device->id);
        ws_device_clock_json(out, "device", device);
        json_out_time(out, "timestamp", device->state.status_us);
        json_out_object_end(out);
}
