#include "ws/viewer/device_json.h"

#include "base/clock.h"

static void ws_device_groups(JsonOut *out, const Device *device) {
        json_out_array(out, "groups");
        for (size_t i = 0; i < device->n_groups; ++i) {
                json_out_object(out, NULL);
                json_out_int(out, "id", device->groups[i].id);
                json_out_string(out, "name", device->groups[i].name);
                json_out_object_end(out);
        }
        json_out_array_end(out);
}

/* Strings that are NULL, and numbers that are NAN, are null. */
static void ws_device_members(JsonOut *out, const Device *device) {
        const DeviceState *state = &device->state;

        json_out_int(out, "id", device->id);
        json_out_string(out, "key", device->key);
        json_out_string(out, "device_code", device->code);
        json_out_string(out, "product_type", device->product_type);
        json_out_string(out, "name", device->name);
        json_out_string(out, "location", device->location);
        json_out_string(out, "status", device_status_name(state, clock_now_us()));
        json_out_time(out, "last_seen", state->last_seen_us);
        json_out_bool(out, "is_active", device->is_active);
        json_out_string(out, "device_type", device->device_type);
        json_out_string(out, "firmware_version", device->firmware_version);
        json_out_double(out, "temperature", state->temperature);
        json_out_double(out, "humidity", state->humidity);
        json_out_double(out, "latitude", state->latitude);
        json_out_double(out, "longitude", state->longitude);
        ws_device_groups(out, device);
}

void ws_device_json(JsonOut *out, const char *name, const Device *device) {
        json_out_object(out, name);
        ws_device_members(out, device);
        json_out_object_end(out);
}

void ws_clock_json(JsonOut *out, const DeviceClock *clock) {
        const char *verdict = clock_verdict_name(clock->verdict);

        if (!verdict) {
                json_out_null(out, "clock");
                return;
        }
        json_out_object(out, "clock");
        json_out_string(out, "verdict", verdict);
        if (device_clock_has_offset(clock))
                json_out_int(out, "offset_ms", clock->offset_us / 1000);
        else
                json_out_null(out, "offset_ms");
        json_out_object_end(out);
}

void ws_device_clock_json(JsonOut *out, const char *name, const Device *device) {
        json_out_object(out, name);
        ws_device_members(out, device);
        json_out_string(out, "manufacturer", device->manufacturer);
        json_out_string(out, "model", device->model);
        ws_clock_json(out, &device->state.clock);
        json_out_object_end(out);
}

void ws_device_update_json(Buf *buf, const Device *device) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        json_out_string(&out, "type", "device_update");
        ws_device_json(&out, "device", device);
        json_out_object_end(&out);
}
