/* Decode: what a BLE scanner heard, in bulk or one by one. */

#include <json-c/json.h>
#include <math.h>

#include "base/err.h"
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

static int decode_hash(Decoder *decoder, struct json_object *item, char ret_hash[]) {
        struct json_object *value = member_get(item, "device_hash");
        const char *text;

        if (!value)
                return member_missing(decoder, "device_hash");
        if (!json_object_is_type(value, json_type_string))
                return member_refuse(decoder,
                                     REASON_WRONG_TYPE,
                                     "device_hash",
                                     value,
                                     "not a string");

        text = json_object_get_string(value);
        if (strlen(text) != HASH_DIGITS || strspn(text, "0123456789abcdefABCDEF") != HASH_DIGITS)
                return member_refuse(decoder,
                                     REASON_OUT_OF_RANGE,
                                     "device_hash",
                                     value,
                                     "not 64 hexadecimal digits");

        for (size_t i = 0; i <= HASH_DIGITS; ++i)
                ret_hash[i] = to_lower(text[i]);
        return 0;
}

static int decode_item(Decoder *decoder, struct json_object *item, Detection *ret_detection) {
        Detection detection = { .rssi = (double)NAN,
                                .time_us = decoder->record->time_us,
                                .said_time = decoder->record->said_time };
        int r;

        if (!json_object_is_type(item, json_type_object))
                return member_refuse(decoder, REASON_WRONG_TYPE, "", item, "not an object");

        r = decode_hash(decoder, item, detection.device_hash);
        if (r == 0)
                r = member_number(decoder, item, &number_rssi, &detection.rssi);
        if (r == 0 && isnan(detection.rssi))
                r = member_missing(decoder, "rssi");
        decoder->said = detection.said_time; /* as it stays where the item has none of its own */
        if (r == 0)
                member_time(decoder, item, "timestamp", &detection.time_us);
        detection.said_time = decoder->said;
        if (r != 0)
                return r;

        detection.zone =
                zone_of(decoder->route->near_dbm, decoder->route->medium_dbm, detection.rssi);
        *ret_detection = detection;
        return 0;
}

static int set_aside(Decoder *decoder, struct json_object *item, Reason reason) {
        DetectionsRecord *detections = &decoder->record->detections;
        Text bytes;
        int r = member_json(decoder, item, &bytes);

        if (r != 0)
                return err_up(r);
        detections->set_aside[detections->n_set_aside].reason = reason;
        detections->set_aside[detections->n_set_aside].bytes = bytes;
        detections->set_aside[detections->n_set_aside].detail = decoder->record->detail;
        ++detections->n_set_aside;
        decoder->record->detail = (Text){ 0 }; /* the message itself is good */
        return 0;
}

static int decode_items(Decoder *decoder, struct json_object *items) {
        DetectionsRecord *detections = &decoder->record->detections;
        size_t n = json_object_array_length(items);

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

        decoder->inside = "/detections";
        for (size_t i = 0; i < n; ++i) {
                struct json_object *item = json_object_array_get_idx(items, i);
                int r;

                decoder->element = i + 1;
                r = decode_item(decoder, item, &detections->items[detections->n_items]);

                if (r == 0)
                        ++detections->n_items;
                else if (r > 0)
                        r = set_aside(decoder, item, (Reason)r);
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
        DetectionsRecord *detections = &record->detections;
        int r;

        r = decoder_name(decoder, members, &record->device);
        if (r == 0)
                r = member_text(decoder,
                                decoder->root,
                                "name",
                                DECODER_MAX_LABEL,
                                &detections->name);
        if (r == 0)
                r = member_text(decoder,
                                decoder->root,
                                "location",
                                DECODER_MAX_LABEL,
                                &detections->location);
        if (r == 0)
                member_time(decoder, decoder->root, "timestamp", &record->time_us);
        return r;
}

int decode_ble_detections(Decoder *decoder) {
        struct json_object *items;
        int r;

        decoder->record->detections = (DetectionsRecord){ 0 };
        r = decoder_parse(decoder);
        if (r == 0)
                r = decode_scanner(decoder);
        if (r != 0)
                return r;

        items = member_get(decoder->root, "detections");
        if (!items)
                return decode_single(decoder);
        if (!json_object_is_type(items, json_type_array))
                return member_refuse(decoder,
                                     REASON_WRONG_TYPE,
                                     "detections",
                                     items,
                                     "not an array");
        return decode_items(decoder, items);
}
