#include "ws/viewer/device_json.h"

#include "base/clock.h"

static void ws_device_text(Buf *buf, const char *name, const char *value) {
        buf_printf(buf, ",\"%s\":", name);
        buf_json_string(buf, text_of(value)); /* NULL: null */
}

static void ws_device_number(Buf *buf, const char *name, double value) {
        buf_printf(buf, ",\"%s\":", name);
        buf_json_double(buf, value); /* NAN: null */
}

static void ws_device_groups(Buf *buf, const Device *device) {
        buf_append_string(buf, ",\"groups\":[");
        for (size_t i = 0; i < device->n_groups; ++i) {
                buf_printf(buf,
                           "%s{\"id\":%lld,\"name\":",
                           i > 0 ? "," : "",
                           (long long)device->groups[i].id);
                buf_json_string(buf, text_of(device->groups[i].name));
                buf_append_char(buf, '}');
        }
        buf_append_char(buf, ']');
}

static void ws_device_members(Buf *buf, const Device *device) {
        const DeviceState *state = &device->state;

        buf_printf(buf, "{\"id\":%lld", (long long)device->id);
        ws_device_text(buf, "key", device->key);
        ws_device_text(buf, "device_code", device->code);
        ws_device_text(buf, "product_type", device->product_type);
        ws_device_text(buf, "name", device->name);
        ws_device_text(buf, "status", device_status_name(state, clock_now_us()));
        buf_append_string(buf, ",\"last_seen\":");
        if (state->last_seen_us == CLOCK_UNKNOWN)
                buf_append_string(buf, "null");
        else
                buf_json_time(buf, state->last_seen_us);
        buf_append_string(buf, ",\"is_active\":");
        buf_json_bool(buf, device->is_active);
        ws_device_text(buf, "device_type", device->device_type);
        ws_device_text(buf, "firmware_version", device->firmware_version);
        ws_device_number(buf, "temperature", state->temperature);
        ws_device_number(buf, "humidity", state->humidity);
        ws_device_number(buf, "latitude", state->latitude);
        ws_device_number(buf, "longitude", state->longitude);
        ws_device_groups(buf, device);
}

void ws_device_json(Buf *buf, const Device *device) {
        ws_device_members(buf, device);
        buf_append_char(buf, '}');
}

static void ws_device_clock(Buf *buf, const DeviceClock *clock) {
        const char *verdict = clock_verdict_name(clock->verdict);

        buf_append_string(buf, ",\"clock\":");
        if (!verdict) {
                buf_append_string(buf, "null");
                return;
        }
        buf_printf(buf, "{\"verdict\":\"%s\",\"offset_ms\":", verdict);
        if (device_clock_has_offset(clock))
                buf_json_int(buf, clock->offset_us / 1000);
        else
                buf_append_string(buf, "null");
        buf_append_char(buf, '}');
}

void ws_device_clock_json(Buf *buf, const Device *device) {
        ws_device_members(buf, device);
        ws_device_clock(buf, &device->state.clock);
        buf_append_char(buf, '}');
}

void ws_device_update_json(Buf *buf, const Device *device) {
        buf_append_string(buf, "{\"type\":\"device_update\",\"device\":");
        ws_device_json(buf, device);
        buf_append_char(buf, '}');
}
