/* Decode: what devices and cameras send, alerts, and answers to commands. */

#include <float.h>
#include <math.h>

#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/decoder.h"

static const char *const device_members[] = { "device_code", "device_id", NULL };
static const char *const camera_members[] = { "camera_id", "device_code", "device_id", NULL };
static const char *const vehicle_members[] = { "vehicle_code", "vehicle_id", NULL };

/* The words of a column, and what devices and brokers say in place of them. */
static const MemberWord status_words[] = {
        { "online", TEXT("online") },    { "offline", TEXT("offline") },
        { "warning", TEXT("warning") },  { "error", TEXT("error") },
        { "true", TEXT("online") },      { "false", TEXT("offline") },
        { "1", TEXT("online") },         { "0", TEXT("offline") },
        { "on", TEXT("online") },        { "off", TEXT("offline") },
        { "up", TEXT("online") },        { "down", TEXT("offline") },
        { "connected", TEXT("online") }, { "disconnected", TEXT("offline") },
        { "available", TEXT("online") }, { "unavailable", TEXT("offline") },
        { "warn", TEXT("warning") },     { 0 },
};
static const MemberWord severity_words[] = {
        { "critical", TEXT("critical") },
        { "warning", TEXT("warning") },
        { "info", TEXT("info") },
        { "warn", TEXT("warning") },
        { 0 },
};
static const MemberWord ack_words[] = {
        { "ok", TEXT("done") },
        { "error", TEXT("failed") },
        { "executing", TEXT("executing") },
        { 0 },
};
static const MemberWord state_words[] = {
        { "accepted", TEXT("accepted") },
        { "published", TEXT("published") },
        { "delivered", TEXT("delivered") },
        { "executing", TEXT("executing") },
        { "done", TEXT("done") },
        { "failed", TEXT("failed") },
        { "expired", TEXT("expired") },
        { "cancelled", TEXT("cancelled") },
        { 0 },
};

static bool status_leaves_out(const Decoder *decoder, const JsonNode *name) {
        static const Text members[] = { TEXT("status"),   TEXT("temperature"), TEXT("humidity"),
                                        TEXT("latitude"), TEXT("longitude"),   TEXT("device_code"),
                                        TEXT("device_id") };

        for (size_t i = 0; i < N_ELEMENTS(members); ++i)
                if (json_is(&decoder->tree, name, members[i]))
                        return true;
        return !decoder->record->odd_time && json_is(&decoder->tree, name, TEXT("timestamp"));
}

static int decode_status_rest(Decoder *decoder, StatusRecord *status) {
        int r = decoder_rest(decoder, decoder->root, status_leaves_out, &status->extra);

        if (r == 0 && status->extra.n == 2)
                status->extra = (Text){ 0 };
        decoder->record->data = status->extra;
        return r;
}

static int decode_status_members(Decoder *decoder, StatusRecord *status) {
        static const NumberRule temperature = { .name = "temperature",
                                                .min = -273.15,
                                                .max = 1000 };
        static const NumberRule humidity = { .name = "humidity", .min = 0, .max = 100 };
        int r;

        r = member_word(decoder, "status", status_words, &status->status);
        if (r == 0 && !status->status.data)
                r = decoder_refuse_without(decoder, decoder->root, "status");
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

/* A last will is often a bare word, also as a JSON string. */
static int decode_status_text(Decoder *decoder) {
        StatusRecord *status = &decoder->record->status;
        Text word = json_text(&decoder->tree, decoder->root);
        int r = 0;

        if (decoder->root->type == JSON_STRING)
                r = json_content(&decoder->tree, decoder->root, decoder->arena, &word);
        if (r != 0)
                return err_up(r);
        status->status = member_meaning(decoder_trim(word), status_words);
        if (status->status.data)
                return 0;
        return decoder_refuse_piece(decoder,
                                    REASON_BAD_JSON,
                                    "payload: neither an object nor a status",
                                    json_text(&decoder->tree, decoder->root));
}

int decode_device_status(Decoder *decoder) {
        Record *record = decoder->record;
        int r;

        record->status = (StatusRecord){ .temperature = (double)NAN,
                                         .humidity = (double)NAN,
                                         .latitude = (double)NAN,
                                         .longitude = (double)NAN };
        record->status.status = member_meaning(decoder_trim(decoder->body), status_words);
        if (record->status.status.data)
                return 0;

        r = decoder_parse_value(decoder);
        if (r == 0 && decoder->root->type != JSON_OBJECT)
                return decode_status_text(decoder);
        if (r == 0)
                r = decode_status_members(decoder, &record->status);
        if (r == 0)
                r = decoder_name(decoder, device_members, &record->device);
        if (r == 0)
                r = member_said(decoder);
        if (r == 0)
                r = decode_status_rest(decoder, &record->status);
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
        if (r == 0)
                r = member_said_of_device(decoder);
        if (r != 0)
                return err_up(r);
        member_time(decoder, decoder->root, "timestamp", &record->time_us);
        record->data = decoder->body;
        return decoder->root->has_odd ? decoder_json(decoder, decoder->root, &record->data) : 0;
}

/* The members by which the cameras of the route name somebody whom they know; the first that is
 * there counts. */
static int decode_camera_person(Decoder *decoder, const JsonNode *data, CameraRecord *camera) {
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
        const JsonNode *data = NULL;
        int r;

        r = member_object(decoder, "data", &data);
        if (r != 0 || !data)
                return r;

        r = decode_camera_person(decoder, data, camera);
        if (r == 0)
                r = member_number(decoder, data, &confidence, &camera->confidence);
        if (r == 0)
                r = decoder_json(decoder, data, &decoder->record->data);
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
                r = member_said(decoder);
        if (r == 0)
                r = member_text(decoder,
                                decoder->root,
                                "event_type",
                                DECODER_MAX_NAME,
                                &camera->event_type);
        if (r == 0 && !camera->event_type.data)
                r = decoder_refuse_without(decoder, decoder->root, "event_type");
        if (r == 0)
                member_time(decoder, decoder->root, "timestamp", &record->time_us);
        if (r == 0)
                r = decode_camera_data(decoder, camera);
        return r;
}

static int decode_alert_members(Decoder *decoder, AlertRecord *alert) {
        const JsonNode *root = decoder->root;
        int r;

        r = member_word(decoder, "severity", severity_words, &alert->severity);
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

static bool alert_leaves_out(const Decoder *decoder, const JsonNode *name) {
        const JsonTree *tree = &decoder->tree;

        return json_is(tree, name, TEXT("alert_type")) || json_is(tree, name, TEXT("message")) ||
               (!decoder->record->odd_time && json_is(tree, name, TEXT("timestamp")));
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

        if (alert->message.n == 0)
                alert->message = alert->alert_type;
        if (alert->message.n == 0)
                return decoder_refuse_without(decoder, decoder->root, "message");
        return decoder_rest(decoder, decoder->root, alert_leaves_out, &alert->extra);
}

/* Plain text is the message; so is the content of a JSON string. Who begins with a brace means
 * JSON. */
int decode_alert(Decoder *decoder) {
        AlertRecord *alert = &decoder->record->alert;
        Text text = decoder_trim(decoder->body);
        int r;

        *alert = (AlertRecord){ .severity = TEXT("info"),
                                .latitude = (double)NAN,
                                .longitude = (double)NAN,
                                .extra = TEXT("{}") };
        if (text.n > 0 && text.data[0] == '{')
                return decode_alert_object(decoder, alert);
        decoder->body = text;
        r = decoder_plain_text(decoder, &alert->message);
        if (r == 0 && alert->message.n == 0)
                return decoder_refuse(decoder, REASON_MISSING_MEMBER, "message: empty");
        return r;
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
                r = decoder_refuse_without(decoder, decoder->root, "command_id");
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
                r = member_word(decoder, "status", ack_words, &ack->state);
        if (r == 0 && !ack->state.data)
                r = decoder_refuse_without(decoder, decoder->root, "status");
        for (const MemberWord *at = ack_words; r == 0 && at->word; ++at)
                if (text_equal(at->meaning, ack->state))
                        ack->status = text_of(at->word);
        return r;
}

int decode_command_state(Decoder *decoder) {
        AckRecord *ack = &decoder->record->ack;
        int r;

        r = decode_command_members(decoder, ack);
        if (r == 0)
                r = member_word(decoder, "state", state_words, &ack->state);
        if (r == 0 && !ack->state.data)
                r = decoder_refuse_without(decoder, decoder->root, "state");
        return r;
}
