/* Decode: what all kinds have in common: size, UTF-8, and names in the topic. */

#include "gateway/decode/decode.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/decode/decoder.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/json_scan.h"

#define DECODE_COUNT_BLOCK ((size_t)16 * 1024)
#define DECODE_TRIAL_BYTES 65536

static int (*const decode_kind[KIND_COUNT])(Decoder *) = {
        [KIND_DEVICE_STATUS] = decode_device_status,   [KIND_RAW_LOG] = decode_raw_log,
        [KIND_SENSOR_LOG] = decode_sensor_log,         [KIND_VEHICLE_LOG] = decode_vehicle_log,
        [KIND_BLE_DETECTIONS] = decode_ble_detections, [KIND_TELEMETRY] = decode_telemetry,
        [KIND_CAMERA_EVENT] = decode_camera_event,     [KIND_ALERT] = decode_alert,
        [KIND_COMMAND_ACK] = decode_command_ack,       [KIND_COMMAND_STATE] = decode_command_state,
};

static void record_begin(Record *record,
                         const Route *route,
                         const TopicMatch *match,
                         const Record *envelope) {
        *record = (Record){
                .seq = envelope->seq,
                .received_us = envelope->received_us,
                .retained = envelope->retained,
                .time_us = record_first_us(envelope),
                .clock_us = CLOCK_UNKNOWN,
                .slack_us = route_ahead_us(route),
                .kind = route->kind,
                .topic = envelope->topic,
                .payload = envelope->payload,
                .route = route->name,
                .may_register = route->auto_register,
                .said_name = text_of(route->said_name),
                .said_location = text_of(route->said_location),
                .said_maker = text_of(route->said_maker),
                .said_model = text_of(route->said_model),
                .said_firmware = text_of(route->said_firmware),
                .user_id = envelope->user_id,
                .vehicle_id = envelope->vehicle_id,
                .device_id = envelope->device_id,
                .letter_id = envelope->letter_id,
                .terms = envelope->terms,
                .may_ask = route->rebirth,
                .merges = route->merges,
                .node_seq = -1,
                .bd_seq = -1,
                .first_us = envelope->first_us,
                .origin = envelope->origin,
                .element = envelope->element,
        };
        if (match) {
                record->user = match->user;
                record->vehicle = match->vehicle;
                record->device = match->device;
        }
}

/* A capture cannot be empty, so data == NULL is one that the template does not have. */
static int check_topic_name(Decoder *decoder, const char *what, Text name) {
        if (!name.data)
                return 0;
        if (json_check_text(name) != REASON_NONE)
                return decoder_refuse(decoder,
                                      REASON_BAD_UTF8,
                                      "topic: the %s's name is not UTF-8",
                                      what);
        if (!decoder_is_name(name))
                return decoder_refuse(decoder,
                                      REASON_OUT_OF_RANGE,
                                      "topic: the %s's name is too long or has control characters",
                                      what);
        return 0;
}

static int check_topic(Decoder *decoder) {
        Record *record = decoder->record;
        int r;

        r = check_topic_name(decoder, "user", record->user);
        if (r == 0)
                r = check_topic_name(decoder, "vehicle", record->vehicle);
        if (r == 0)
                r = check_topic_name(decoder, "device", record->device);
        return r;
}

/* NULs alone are a text without characters, where text is what a route takes: so it can be said. */
static bool may_be_empty(Format format, Text payload) {
        return payload.n > 0 && !format.is_base64 &&
               (format.kind == FORMAT_TEXT || format.kind == FORMAT_NUMBER_OR_TEXT);
}

static int check_payload(Decoder *decoder) {
        Text payload = decoder->record->payload;
        bool is_json = decoder->record->element != 0; /* an element that is taken in again */
        size_t most = decoder->route->max_bytes * (is_json ? DECODER_MAX_GROWTH : 1);

        if (payload.n > most)
                return decoder_refuse(decoder,
                                      REASON_TOO_LARGE,
                                      "payload: %zu bytes, allowed are %zu",
                                      payload.n,
                                      most);
        decoder->body = format_is_binary(decoder->route->format) && !is_json
                                ? payload
                                : format_strip(payload);
        if (decoder->body.n == 0 && !may_be_empty(decoder->route->format, payload))
                return decoder_refuse(decoder, REASON_BAD_JSON, "empty payload");
        return 0;
}

/* What the bytes are, before they are JSON. */
static int read_format(Decoder *decoder) {
        const char *why = NULL;
        Text payload = decoder->body;
        int r;

        if (decoder->record->element != 0)
                return 0;
        r = format_read(decoder->route->format, decoder->arena, payload, &decoder->body, &why);

        if (r < 0)
                return err_up(r);
        if (r == 0)
                return decoder->route->format.kind == FORMAT_SPARKPLUG_B ? decode_sparkplug(decoder)
                                                                         : 0;
        decoder->body = payload;
        return decoder_refuse_piece(decoder, (Reason)r, why, payload);
}

/* Control characters as escapes, small numbers in CBOR or a map that repeats may become many times
 * as long: one message is not to fill the queue of each viewer. */
static int check_growth(Decoder *decoder) {
        size_t most = DECODER_MAX_GROWTH * decoder->route->max_bytes;

        if (decoder->body.n <= most)
                return 0;
        return decoder_refuse(decoder,
                              REASON_TOO_LARGE,
                              "payload: %zu bytes as JSON, allowed are %zu",
                              decoder->body.n,
                              most);
}

/* Formats and bounds say what is read, and whether. */
static bool parsed_is_by(const Parsed *parsed, const Route *route) {
        return parsed->route && parsed->route->format.kind == route->format.kind &&
               parsed->route->format.is_base64 == route->format.is_base64 &&
               parsed->route->max_bytes == route->max_bytes;
}

static void take_parsed(Decoder *decoder) {
        Record *record = decoder->record;
        const Parsed *parsed = decoder->parsed;

        decoder->body = parsed->body;
        record->is_history = parsed->record.is_history;
        record->node_seq = parsed->record.node_seq;
        record->bd_seq = parsed->record.bd_seq;
        record->notes = parsed->record.notes;
        record->n_notes = parsed->record.n_notes;
}

int decoder_head(Decoder *decoder,
                 const TopicMatch *match,
                 const Record *envelope,
                 Record *record) {
        int r;

        decoder->record = record;
        record_begin(record, decoder->route, match, envelope);
        r = check_topic(decoder);
        if (r != 0)
                return r;
        if (decoder->parsed && parsed_is_by(decoder->parsed, decoder->route) &&
            decoder->parsed->reason == REASON_NONE) {
                take_parsed(decoder);
                return 0;
        }
        decoder->parsed = NULL;
        r = check_payload(decoder);
        return r == 0 ? read_format(decoder) : r;
}

/* @r: what has become of it so far. */
static int decode_end(Decoder *decoder, int r) {
        Record *record = decoder->record;

        decoder_done(decoder);
        if (r >= 0 && decoder->fault < 0)
                r = decoder->fault;
        if (r < 0)
                return err_up(r);
        record->reason = (Reason)r;
        if (r > 0)
                record->n_notes = 0; /* it is a letter, with its own detail */
        return 0;
}

int decoder_tail(Decoder *decoder, const TopicMatch *match) {
        const Route *route = decoder->route;
        int r = 0;

        if (route->map)
                r = decode_map(decoder, match);
        if (r == 0)
                r = check_growth(decoder);
        if (r == 0 && !decode_kind[route->kind])
                r = decoder_refuse(decoder, REASON_NO_ROUTE, "route without a kind");
        if (r == 0)
                r = decode_kind[route->kind](decoder);
        return decode_end(decoder, r);
}

/* Several cannot be one: whoever knows how many they are asks for each. */
static int decode_as_one(Arena *arena,
                         const Route *route,
                         const TopicMatch *match,
                         const Record *envelope,
                         Parsed *parsed,
                         Record *ret_record) {
        Elements elements = { 0 };
        Decoder decoder = { .arena = arena, .route = route, .record = ret_record };
        int r = elements_open(&elements, arena, route, match, envelope, parsed);

        if (r == 0)
                r = elements_decode(&elements, arena, 0, envelope, ret_record);
        if (r == 0 && elements_count(&elements) > 1) {
                ret_record->payload = envelope->payload;
                ret_record->element = envelope->element;
                r = decode_end(&decoder,
                               decoder_refuse(&decoder,
                                              REASON_WRONG_TYPE,
                                              "%s: %u elements, and it was accepted as one message",
                                              json_path_text(route->each),
                                              elements_count(&elements)));
        }
        elements_done(&elements);
        return r == 0 ? 0 : err_up(r);
}

int decode(Arena *arena,
           const Route *route,
           const TopicMatch *match,
           const Record *envelope,
           Record *ret_record) {
        int r = decode_parsed(arena, route, match, envelope, NULL, ret_record);

        return r == 0 ? 0 : err_up(r);
}

int decode_parsed(Arena *arena,
                  const Route *route,
                  const TopicMatch *match,
                  const Record *envelope,
                  Parsed *parsed,
                  Record *ret_record) {
        Decoder decoder = { .arena = arena, .route = route, .parsed = parsed };
        int r;

        if (route->each)
                return decode_as_one(arena, route, match, envelope, parsed, ret_record);
        r = decoder_head(&decoder, match, envelope, ret_record);
        r = r == 0 ? decoder_tail(&decoder, match) : decode_end(&decoder, r);
        return r == 0 ? 0 : err_up(r);
}

static int parse(Arena *arena, const Route *route, const Record *envelope, Parsed *parsed) {
        Record record;
        Decoder decoder = { .arena = arena, .route = route, .record = &record };
        int r;

        parsed_done(parsed);
        record_begin(&record, route, NULL, envelope);
        r = check_payload(&decoder);
        if (r == 0)
                r = read_format(&decoder);
        parsed->record = record;
        if (r == 0)
                r = decoder_parse_value(&decoder);
        parsed->tree = decoder.tree;
        parsed->body = decoder.body;
        if (r < 0)
                return err_up(r);
        parsed->route = route;
        parsed->reason = (Reason)r; /* is for who takes it */
        return 0;
}

int decode_holds(Arena *arena,
                 const Route *route,
                 const Record *envelope,
                 Parsed *parsed,
                 bool *ret_holds) {
        int r = 0;

        *ret_holds = true;
        if (!route->when)
                return 0;
        if (!parsed_is_by(parsed, route))
                r = parse(arena, route, envelope, parsed);
        if (r != 0)
                return err_up(r);
        *ret_holds = parsed->reason == REASON_NONE && condition_holds(route->when, &parsed->tree);
        return 0;
}

int decode_choose(Arena *arena,
                  const Route *const routes[],
                  size_t n_routes,
                  const Record *envelope,
                  Parsed *parsed,
                  const Route **ret_route) {
        *ret_route = NULL;
        for (size_t i = 0; i < n_routes && !*ret_route; ++i) {
                bool is_held = false;
                int r = decode_holds(arena, routes[i], envelope, parsed, &is_held);

                if (r < 0)
                        return err_up(r);
                if (is_held)
                        *ret_route = routes[i];
        }
        return 0;
}

int decode_count_detections(Text body, size_t max_bytes, size_t *ret_n_good, Buf *why) {
        CLEANUP(arena_free) Arena *arena = NULL;
        static char name[] = "door";
        const Route route = { .name = name, .kind = KIND_BLE_DETECTIONS, .max_bytes = max_bytes };
        const Record envelope = { .topic = TEXT("api/v1/detections"), .payload = body };
        Record record;
        int r;

        r = arena_new(&arena, DECODE_COUNT_BLOCK);
        if (r == 0)
                r = decode(arena, &route, NULL, &envelope, &record);
        if (r != 0)
                return err_up(r);
        if (record.reason != REASON_NONE) {
                buf_append_text(why, record.detail);
                return (int)record.reason;
        }
        *ret_n_good = record.detections.n_items;
        if (record.detections.n_items > 0 || record.detections.n_set_aside == 0)
                return 0;
        buf_append_text(why, record.detections.set_aside[0].detail);
        return (int)record.detections.set_aside[0].reason;
}

/* What a message of the kind needs, so that nothing but the member in question can be odd. */
static int trial_body(Kind kind, Text member, bool in_data, Text value, Buf *buf) {
        static const struct {
                Kind kind;
                const char *member, *value;
        } needed[] = {
                { KIND_DEVICE_STATUS, "status", "\"online\"" },
                { KIND_SENSOR_LOG, "sensor_id", "1" },
                { KIND_SENSOR_LOG, "data", "{}" },
                { KIND_BLE_DETECTIONS, "rssi", "-50" },
                { KIND_BLE_DETECTIONS,
                  "device_hash",
                  "\"0000000000000000000000000000000000000000000000000000000000000000\"" },
                { KIND_CAMERA_EVENT, "event_type", "\"event\"" },
                { KIND_ALERT, "message", "\"alert\"" },
                { KIND_COMMAND_ACK, "command_id", "\"1\"" },
                { KIND_COMMAND_ACK, "status", "\"ok\"" },
        };

        buf_append_string(buf, in_data ? "{\"data\":{" : "{");
        buf_json_string(buf, member);
        buf_append_char(buf, ':');
        buf_append_text(buf, value);
        buf_append_string(buf, in_data ? "}" : "");
        for (size_t i = 0; i < N_ELEMENTS(needed); ++i)
                if (needed[i].kind == kind && !text_equal(member, text_of(needed[i].member))) {
                        buf_append_char(buf, ',');
                        buf_json_string(buf, text_of(needed[i].member));
                        buf_append_char(buf, ':');
                        buf_append_string(buf, needed[i].value);
                }
        buf_append_char(buf, '}');
        return buf_failed(buf) ? err_new(-ENOMEM) : 0;
}

int decode_try(Kind kind, Text member, bool in_data, Text value, char ret_why[MAP_WHY_SIZE]) {
        CLEANUP(arena_free) Arena *arena = NULL;
        CLEANUP_BUF Buf body = { 0 };
        static char name[] = "map";
        const Route route = { .name = name, .kind = kind, .max_bytes = DECODE_TRIAL_BYTES };
        Record record = { 0 };
        Text why;
        int r;

        r = arena_new(&arena, DECODE_COUNT_BLOCK);
        if (r == 0)
                r = trial_body(kind, member, in_data, value, &body);
        if (r == 0)
                r = decode(arena,
                           &route,
                           NULL,
                           &(Record){ .topic = TEXT("map"), .payload = buf_text(&body) },
                           &record);
        if (r != 0)
                return err_up(r);
        why = record.reason == REASON_NONE && record.n_notes > 0 ? record.notes[0].detail
                                                                 : record.detail;
        if (record.reason == REASON_NONE && record.n_notes == 0)
                return 0;
        snprintf(ret_why, MAP_WHY_SIZE, "%.*s", (int)why.n, why.data ? why.data : "");
        return DECODE_E_ASIDE;
}

int decode_clean(Text body, Buf *ret_json) {
        JsonTree tree = { 0 };
        JsonFault fault;
        int r = json_tree_read(&tree, format_strip(body), &fault);

        if (r == 0)
                json_write(ret_json, &tree, json_root(&tree));
        json_tree_done(&tree);
        if (r != 0)
                return r;
        return buf_failed(ret_json) ? err_new(-ENOMEM) : 0;
}
