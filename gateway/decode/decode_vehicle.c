/* Decode: the logs of vehicles: raw, sensor and vehicle. */

#include <float.h>
#include <json-c/json.h>
#include <math.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/decode/decoder.h"
#include "gateway/decode/json_check.h"

static const char *const vehicle_members[] = { "vehicle_code", "vehicle_id", NULL };

/* The members of a vehicle log that have columns, and so no place in extra. */
static const char *const log_members[] = {
        "battery_voltage", "battery_current", "rssi",          "latitude",
        "longitude",       "heading",         "speed",         "mode",
        "armed",           "guided",          "system_status",
};

/* The content of a JSON string; any other text, JSON or not, as it is. */
int decoder_plain_text(Decoder *decoder, Text text, Text *ret_text) {
        size_t at;
        Reason reason = json_check_at(text, &at);
        Text trimmed = decoder_trim(text);
        int r;

        if (reason == REASON_NUL_CHARACTER)
                return decoder_refuse_at(decoder, reason, text.data + at);
        if (reason != REASON_NONE || trimmed.data[0] != '"') {
                *ret_text = text;
                return 0;
        }

        r = decoder_parse_value(decoder, trimmed);
        if (r != 0)
                return err_up(r);
        return decoder_copy(decoder,
                            (Text){ .data = json_object_get_string(decoder->root),
                                    .n = (size_t)json_object_get_string_len(decoder->root) },
                            ret_text);
}

int decode_raw_log(Decoder *decoder) {
        Record *record = decoder->record;
        CLEANUP_BUF Buf data = { 0 };
        int r;

        r = decoder_plain_text(decoder, record->payload, &record->text);
        if (r != 0)
                return r;

        buf_json_string(&data, record->text);
        if (buf_failed(&data))
                return err_new(-ENOMEM);
        return decoder_copy(decoder, buf_text(&data), &record->data);
}

/* An integer, also as text: 5, 5.0, "5". */
static int decode_sensor_id(Decoder *decoder, int32_t *ret_sensor_id) {
        static const NumberRule rule = { .name = "sensor_id", .min = 0, .max = INT32_MAX };
        double value = (double)NAN;
        int r;

        r = member_number(decoder, decoder->root, &rule, &value);
        if (r != 0)
                return r;
        if (isnan(value))
                return member_missing(decoder, rule.name);
        if (value > floor(value))
                return member_refuse(decoder,
                                     REASON_WRONG_TYPE,
                                     rule.name,
                                     member_get(decoder->root, rule.name),
                                     "not an integer");
        *ret_sensor_id = (int32_t)value;
        return 0;
}

int decode_sensor_log(Decoder *decoder) {
        Record *record = decoder->record;
        struct json_object *data = NULL;
        int r;

        record->sensor = (SensorRecord){ 0 };
        r = decoder_parse(decoder);
        if (r == 0)
                r = decoder_name(decoder, vehicle_members, &record->vehicle);
        if (r == 0)
                r = decode_sensor_id(decoder, &record->sensor.sensor_id);
        if (r == 0)
                r = member_object(decoder, "data", &data);
        if (r == 0 && !data)
                r = member_missing(decoder, "data");
        if (r == 0)
                member_time(decoder,
                            member_get(data, "timestamp") ? data : decoder->root,
                            "timestamp",
                            &record->time_us);
        if (r == 0)
                r = member_json(decoder, data, &record->data);
        return r;
}

static int decode_vehicle_numbers(Decoder *decoder, VehicleRecord *log) {
        const struct {
                NumberRule rule;
                double *value;
        } numbers[] = {
                { { "battery_voltage", -DBL_MAX, DBL_MAX }, &log->battery_voltage },
                { { "battery_current", -DBL_MAX, DBL_MAX }, &log->battery_current },
                { number_rssi, &log->rssi },
                { number_latitude, &log->latitude },
                { number_longitude, &log->longitude },
                { { "heading", 0, 360 }, &log->heading },
                { { "speed", -DBL_MAX, DBL_MAX }, &log->speed },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(numbers); ++i) {
                *numbers[i].value = (double)NAN;
                r = member_number(decoder, decoder->root, &numbers[i].rule, numbers[i].value);
        }
        return r;
}

/* A boolean, also as 0, 1, "true", "false". */
static int decode_flag(Decoder *decoder, const char *name, int8_t *ret_flag) {
        struct json_object *value = member_get(decoder->root, name);
        const char *text = json_object_get_string(value);

        if (!value)
                return 0;
        if (json_object_is_type(value, json_type_double) || !text)
                return member_refuse(decoder, REASON_WRONG_TYPE, name, value, "not a boolean");

        if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
                *ret_flag = 1;
        else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
                *ret_flag = 0;
        else
                return member_refuse(decoder, REASON_WRONG_TYPE, name, value, "not a boolean");
        return 0;
}

static int decode_vehicle_members(Decoder *decoder, VehicleRecord *log) {
        struct json_object *root = decoder->root;
        int r;

        r = decode_vehicle_numbers(decoder, log);
        if (r == 0)
                r = member_text(decoder, root, "mode", DECODER_MAX_NAME, &log->mode);
        if (r == 0)
                r = member_text(decoder,
                                root,
                                "system_status",
                                DECODER_MAX_NAME,
                                &log->system_status);
        if (r == 0)
                r = decode_flag(decoder, "armed", &log->armed);
        if (r == 0)
                r = decode_flag(decoder, "guided", &log->guided);
        if (r == 0)
                member_time(decoder, root, "timestamp", &decoder->record->time_us);
        return r;
}

static int replace_member(struct json_object *root, const char *name, struct json_object *value) {
        if (!value)
                return err_new(-ENOMEM);
        if (json_object_object_add(root, name, value) != 0) {
                json_object_put(value);
                return err_new(-ENOMEM);
        }
        return 0;
}

/* Viewers get numbers as numbers, with the digits that were sent. */
static int normalise_number(struct json_object *root, const char *name, bool *changed) {
        struct json_object *value = member_get(root, name);
        char text[DECODER_MAX_NAME + 1] = "";
        Text digits;

        if (!value || !json_object_is_type(value, json_type_string))
                return 0;
        if (!member_digits(value, &digits))
                return 0;
        memcpy(text, digits.data, digits.n);
        *changed = true;
        return replace_member(root, name, json_object_new_double_s(strtod(text, NULL), text));
}

static int normalise_flag(struct json_object *root, const char *name, int8_t flag, bool *changed) {
        struct json_object *value = member_get(root, name);

        if (!value || json_object_is_type(value, json_type_boolean))
                return 0;
        *changed = true;
        return replace_member(root, name, json_object_new_boolean(flag));
}

/* The payload as it came, unless a number or boolean in it was written as something else. */
static int normalise(Decoder *decoder, const VehicleRecord *log) {
        static const char *const numbers[] = {
                "battery_voltage", "battery_current", "rssi", "latitude",
                "longitude",       "heading",         "speed"
        };
        bool changed = false;
        int r = 0;

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(numbers); ++i)
                r = normalise_number(decoder->root, numbers[i], &changed);
        if (r == 0)
                r = normalise_flag(decoder->root, "armed", log->armed, &changed);
        if (r == 0)
                r = normalise_flag(decoder->root, "guided", log->guided, &changed);
        if (r != 0)
                return err_up(r);

        if (changed)
                return member_json(decoder, decoder->root, &decoder->record->data);
        decoder->record->data = decoder_trim(decoder->record->payload);
        return 0;
}

int decode_vehicle_log(Decoder *decoder) {
        Record *record = decoder->record;
        VehicleRecord *log = &record->vehicle_log;
        int r;

        *log = (VehicleRecord){ .armed = -1, .guided = -1 };
        r = decoder_parse(decoder);
        if (r == 0)
                r = decoder_name(decoder, vehicle_members, &record->vehicle);
        if (r == 0)
                r = decode_vehicle_members(decoder, log);
        if (r == 0)
                r = normalise(decoder, log);
        if (r != 0)
                return r;

        for (size_t i = 0; i < N_ELEMENTS(log_members); ++i)
                json_object_object_del(decoder->root, log_members[i]);
        if (!record->odd_time)
                json_object_object_del(decoder->root, "timestamp");
        if (json_object_object_length(decoder->root) == 0)
                return 0;
        return member_json(decoder, decoder->root, &log->extra);
}
