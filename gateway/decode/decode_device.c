/* Decode: what devices and cameras send, alerts, and answers to commands. */

#include <float.h>
#include <json-c/json.h>
#include <math.h>

#include "base/text.h"
#include "gateway/decode/decoder.h"
#include "gateway/decode/json_check.h"

static const char *const device_members[] = { "device_code", "device_id", NULL };
static const char *const camera_members[] = { "camera_id", "device_code", "device_id", NULL };
static const char *const vehicle_members[] = { "vehicle_code", "vehicle_id", NULL };

static const Text status_choices[] = {
        TEXT("online"), TEXT("offline"), TEXT("warning"), TEXT("error"), { 0 },
};
static const Text severity_choices[] = { TEXT("critical"), TEXT("warning"), TEXT("info"), { 0 } };
static const Text ack_choices[] = { TEXT("ok"), TEXT("error"), TEXT("executing"), { 0 } };
static const Text ack_states[] = { TEXT("done"), TEXT("failed"), TEXT("executing") };
static const Text state_choices[] = {
        TEXT("accepted"),  TEXT("published"), TEXT("delivered"),
        TEXT("executing"), TEXT("done"),      TEXT("failed"),
        TEXT("expired"),   TEXT("cancelled"), { 0 },
};

/* A last will is bare text: `online` or `offline`. */
static bool status_of_text(Text text, Text *ret_status) {
        for (size_t i = 0; i < 2; ++i)
                if (text_equal(text, status_choices[i])) {
                        *ret_status = status_choices[i];
                        return true;
                }
        return false;
}

static int decode_status_members(Decoder *decoder, StatusRecord *status) {
        static const NumberRule temperature = { .name = "temperature",
                                                .min = -273.15,
                                                .max = 1000 };
        static const NumberRule humidity = { .name = "humidity", .min = 0, .max = 100 };
        int r;

        r = member_choice(decoder, "status", status_choices, &status->status);
        if (r == 0 && !status->status.data)
                r = member_missing(decoder, "status");
        if (r == 0)
                r = member_number(decoder, decoder->root, &temperature, &status->temperature);
        if (r == 0)
                r = member_number(decoder, decoder->root, &humidity, &status->humidity);
        if (r == 0)
                r = member_number(decoder, decoder->root, &number_latitude, &status->latitude);
        if (r == 0)
                r = member_number(decoder, decoder->root, &number_longitude, &status->longitude);
        if (r == 0)
                member_time(decoder, decoder->root, "timestamp", &decoder->record->time_us);
        return r;
}

int decode_device_status(Decoder *decoder) {
        Record *record = decoder->record;
        int r;

        record->status = (StatusRecord){ .temperature = (double)NAN,
                                         .humidity = (double)NAN,
                                         .latitude = (double)NAN,
                                         .longitude = (double)NAN };
        if (status_of_text(decoder_trim(record->payload), &record->status.status))
                return 0;

        r = decoder_parse(decoder);
        if (r == 0)
                r = decode_status_members(decoder, &record->status);
        if (r == 0)
                r = decoder_name(decoder, device_members, &record->device);
        return r;
}

/* Any object is welcome, whatever its members: a bad time or name only means that it has none. */
int decode_telemetry(Decoder *decoder) {
        Record *record = decoder->record;
        int r;

        r = decoder_parse(decoder);
        if (r != 0)
                return r;

        r = decoder_name(decoder, device_members, &record->device);
        if (r >= 0)
                member_time(decoder, decoder->root, "timestamp", &record->time_us);
        record->detail = (Text){ 0 };
        record->data = record->payload;
        return r < 0 ? r : 0;
}

/* The members by which the cameras of the route name somebody whom they know; the first that is
 * there counts. */
static int decode_camera_person(Decoder *decoder, struct json_object *data, CameraRecord *camera) {
        const char *person = decoder->route->person;
        Text rest = text_of(person ? person : ROUTE_PERSON), item;
        char name[ROUTE_PERSON_MAX + 1];
        int r = 0;

        while (r == 0 && !camera->person_name.data && text_next_item(&rest, ", ", &item)) {
                if (item.n > ROUTE_PERSON_MAX)
                        continue;
                memcpy(name, item.data, item.n);
                name[item.n] = '\0';
                r = member_text(decoder, data, name, DECODER_MAX_LABEL, &camera->person_name);
        }
        return r;
}

static int decode_camera_data(Decoder *decoder, CameraRecord *camera) {
        static const NumberRule confidence = { .name = "confidence",
                                               .min = -DBL_MAX,
                                               .max = DBL_MAX };
        struct json_object *data = NULL;
        int r;

        r = member_object(decoder, "data", &data);
        if (r != 0 || !data)
                return r;

        decoder->inside = "/data";
        r = decode_camera_person(decoder, data, camera);
        if (r == 0)
                r = member_number(decoder, data, &confidence, &camera->confidence);
        decoder->inside = NULL;
        if (r == 0)
                r = member_json(decoder, data, &decoder->record->data);
        return r;
}

int decode_camera_event(Decoder *decoder) {
        Record *record = decoder->record;
        CameraRecord *camera = &record->camera;
        int r;

        *camera = (CameraRecord){ .confidence = (double)NAN };
        record->data = TEXT("{}");

        r = decoder_parse(decoder);
        if (r == 0)
                r = decoder_name(decoder, camera_members, &record->device);
        if (r == 0)
                r = member_text(decoder,
                                decoder->root,
                                "event_type",
                                DECODER_MAX_NAME,
                                &camera->event_type);
        if (r == 0 && !camera->event_type.data)
                r = member_missing(decoder, "event_type");
        if (r == 0)
                member_time(decoder, decoder->root, "timestamp", &record->time_us);
        if (r == 0)
                r = decode_camera_data(decoder, camera);
        return r;
}

static int decode_alert_members(Decoder *decoder, AlertRecord *alert) {
        struct json_object *root = decoder->root;
        int r;

        r = member_choice(decoder, "severity", severity_choices, &alert->severity);
        if (r == 0)
                r = member_text(decoder, root, "alert_type", DECODER_MAX_NAME, &alert->alert_type);
        if (r == 0)
                r = member_text(decoder,
                                root,
                                "message",
                                decoder->route->max_bytes,
                                &alert->message);
        if (r == 0)
                r = member_text(decoder, root, "source", DECODER_MAX_LABEL, &alert->source);
        if (r == 0)
                r = member_number(decoder, root, &number_latitude, &alert->latitude);
        if (r == 0)
                r = member_number(decoder, root, &number_longitude, &alert->longitude);
        if (r == 0)
                member_time(decoder, root, "timestamp", &decoder->record->time_us);
        return r;
}

/* An alert is about the vehicle or device of its topic or payload, or about nobody in particular.
 */
static int decode_alert_object(Decoder *decoder, AlertRecord *alert) {
        Record *record = decoder->record;
        bool is_named = record->device.data || record->vehicle.data;
        int r;

        r = decoder_parse(decoder);
        if (r == 0)
                r = decode_alert_members(decoder, alert);
        if (r == 0 && !is_named)
                r = decoder_name(decoder, vehicle_members, &record->vehicle);
        if (r == 0 && !is_named)
                r = decoder_name(decoder, device_members, &record->device);
        if (r != 0)
                return r;

        if (!alert->message.data)
                alert->message = alert->alert_type;
        if (!alert->message.data)
                return member_missing(decoder, "message");

        json_object_object_del(decoder->root, "alert_type");
        json_object_object_del(decoder->root, "message");
        if (!record->odd_time)
                json_object_object_del(decoder->root, "timestamp");
        return member_json(decoder, decoder->root, &alert->extra);
}

/* Plain text is the message; so is the content of a JSON string. Who begins with a brace means
 * JSON. */
int decode_alert(Decoder *decoder) {
        AlertRecord *alert = &decoder->record->alert;
        Text text = decoder_trim(decoder->record->payload);

        *alert = (AlertRecord){ .severity = TEXT("info"),
                                .latitude = (double)NAN,
                                .longitude = (double)NAN,
                                .extra = TEXT("{}") };
        if (text.n > 0 && text.data[0] == '{')
                return decode_alert_object(decoder, alert);
        if (text.n == 0)
                return member_missing(decoder, "message");
        return decoder_plain_text(decoder, text, &alert->message);
}

/* What an answer and a state have in common. */
static int decode_command_members(Decoder *decoder, AckRecord *ack) {
        static const char *const members[] = { "command_id", NULL };
        int r;

        *ack = (AckRecord){ 0 };
        r = decoder_parse(decoder);
        if (r == 0)
                r = decoder_name(decoder, members, &ack->command_id);
        if (r == 0 && !ack->command_id.data)
                r = member_missing(decoder, "command_id");
        if (r == 0)
                r = member_text(decoder,
                                decoder->root,
                                "message",
                                decoder->route->max_bytes,
                                &ack->message);
        if (r == 0)
                member_time(decoder, decoder->root, "timestamp", &decoder->record->time_us);
        return r;
}

int decode_command_ack(Decoder *decoder) {
        Record *record = decoder->record;
        AckRecord *ack = &record->ack;
        int r;

        r = decode_command_members(decoder, ack);
        if (r == 0)
                r = decoder_name(decoder, device_members, &record->device);
        if (r == 0)
                r = member_choice(decoder, "status", ack_choices, &ack->status);
        if (r == 0 && !ack->status.data)
                r = member_missing(decoder, "status");
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(ack_states); ++i)
                if (text_equal(ack->status, ack_choices[i]))
                        ack->state = ack_states[i];
        return r;
}

int decode_command_state(Decoder *decoder) {
        AckRecord *ack = &decoder->record->ack;
        int r;

        r = decode_command_members(decoder, ack);
        if (r == 0)
                r = member_choice(decoder, "state", state_choices, &ack->state);
        if (r == 0 && !ack->state.data)
                r = member_missing(decoder, "state");
        return r;
}
