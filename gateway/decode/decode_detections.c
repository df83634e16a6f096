/* Decode: what a BLE scanner heard, in bulk or one by one. */

#include <math.h>

#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/decoder.h"

#define HASH_DIGITS 64

static_assert(sizeof(((Detection *)NULL)->device_hash) == HASH_DIGITS + 1, "64 digits and NUL");

/* Where @rssi says that the device is. What the scanner says about it does not count. */
static const char *zone_of(double near_dbm, double medium_dbm, double rssi) {
        if (rssi >= near_dbm)
                return "near";
        return rssi >= medium_dbm ? "medium" : "far";
}

void decode_zones(DetectionsRecord *detections, const Zones *zones) {
        for (size_t i = 0; i < detections->n_items; ++i)
                detections->items[i].zone =
                        zone_of(zones->near_dbm, zones->medium_dbm, detections->items[i].rssi);
}

static char to_lower(char digit) {
        return (char)(digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit);
}

static int decode_hash(Decoder *decoder, const JsonNode *item, char ret_hash[]) {
        const JsonNode *value = member_get(decoder, item, "device_hash");
        Text text;
        int r;

        if (!value)
                return decoder_refuse_without(decoder, item, "device_hash");
        if (value->type != JSON_STRING)
                return decoder_refuse_value(decoder, REASON_WRONG_TYPE, value, "not a string");

        r = json_content(&decoder->tree, value, decoder->arena, &text);
        if (r != 0)
                return err_up(r);
        for (size_t i = 0; i < text.n; ++i)
                if (text_hex_digit(text.data[i]) < 0)
                        text.n = 0;
        if (text.n != HASH_DIGITS)
                return decoder_refuse_value(decoder,
                                            REASON_OUT_OF_RANGE,
                                            value,
                                            "not 64 hexadecimal digits");

        for (size_t i = 0; i < HASH_DIGITS; ++i)
                ret_hash[i] = to_lower(text.data[i]);
        ret_hash[HASH_DIGITS] = '\0';
        return 0;
}

static int decode_item(Decoder *decoder, const JsonNode *item, Detection *ret_detection) {
        Detection detection = { .rssi = (double)NAN,
                                .time_us = decoder->record->time_us,
                                .said_time = decoder->record->said_time };
        int r;

        if (item->type != JSON_OBJECT)
                return decoder_refuse_value(decoder, REASON_WRONG_TYPE, item, "not an object");

        r = decode_hash(decoder, item, detection.device_hash);
        if (r == 0)
                r = member_number(decoder, item, &number_rssi, &detection.rssi);
        if (r == 0 && isnan(detection.rssi))
                r = decoder_refuse_without(decoder, item, "rssi");
        if (r != 0)
                return r;
        decoder->said = detection.said_time; /* as it stays where the item has none of its own */
        member_time(decoder, item, "timestamp", &detection.time_us);
        detection.said_time = decoder->said;
        detection.zone =
                zone_of(decoder->route->near_dbm, decoder->route->medium_dbm, detection.rssi);
        *ret_detection = detection;
        return 0;
}

static int set_aside(Decoder *decoder, const JsonNode *item, Reason reason) {
        DetectionsRecord *detections = &decoder->record->detections;
        Text bytes;
        int r = decoder_json(decoder, item, &bytes);

        if (r != 0)
                return err_up(r);
        detections->set_aside[detections->n_set_aside].reason = reason;
        detections->set_aside[detections->n_set_aside].bytes = bytes;
        detections->set_aside[detections->n_set_aside].detail = decoder->record->detail;
        detections->set_aside[detections->n_set_aside].is_there = false;
        ++detections->n_set_aside;
        decoder->record->detail = (Text){ 0 }; /* the message itself is good */
        return 0;
}

static int decode_items(Decoder *decoder, const JsonNode *items) {
        DetectionsRecord *detections = &decoder->record->detections;
        size_t n = items->n;
        const JsonNode *item = items + 1;

        if (n > DECODER_MAX_ITEMS)
                return decoder_refuse(decoder,
                                      REASON_TOO_LARGE,
                                      "/detections: more than %d items",
                                      DECODER_MAX_ITEMS);
        detections->items = arena_alloc(decoder->arena, (n + 1) * sizeof(*detections->items));
        detections->set_aside =
                arena_alloc(decoder->arena, (n + 1) * sizeof(*detections->set_aside));
        if (!detections->items || !detections->set_aside)
                return err_new(-ENOMEM);

        for (size_t i = 0; i < n; ++i, item = json_next(item)) {
                size_t n_notes = decoder->record->n_notes;
                int r = decode_item(decoder, item, &detections->items[detections->n_items]);

                if (r == 0) {
                        ++detections->n_items;
                } else if (r > 0) {
                        r = set_aside(decoder, item, (Reason)r);
                        decoder->record->n_notes = n_notes; /* it is a letter of its own */
                }
                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

static int decode_single(Decoder *decoder) {
        DetectionsRecord *detections = &decoder->record->detections;

        detections->items = arena_alloc(decoder->arena, sizeof(*detections->items));
        if (!detections->items)
                return err_new(-ENOMEM);
        detections->n_items = 1;
        return decode_item(decoder, decoder->root, detections->items);
}

static int decode_scanner(Decoder *decoder) {
        static const char *const members[] = { "device_id", "device_code", NULL };
        Record *record = decoder->record;
        int r;

        r = decoder_name(decoder, members, &record->device);
        if (r == 0)
                r = member_text(decoder,
                                decoder->root,
                                "name",
                                DECODER_MAX_LABEL,
                                &record->said_name);
        if (r == 0)
                r = member_text(decoder,
                                decoder->root,
                                "location",
                                DECODER_MAX_LABEL,
                                &record->said_location);
        if (r == 0)
                member_time(decoder, decoder->root, "timestamp", &record->time_us);
        return r;
}

int decode_ble_detections(Decoder *decoder) {
        const JsonNode *items;
        int r;

        decoder->record->detections = (DetectionsRecord){ 0 };
        r = decoder_parse(decoder);
        if (r == 0)
                r = decode_scanner(decoder);
        if (r != 0)
                return r;

        items = member_get(decoder, decoder->root, "detections");
        if (!items)
                return decode_single(decoder);
        if (items->type != JSON_ARRAY)
                return decoder_refuse_value(decoder, REASON_WRONG_TYPE, items, "not an array");
        return decode_items(decoder, items);
}
