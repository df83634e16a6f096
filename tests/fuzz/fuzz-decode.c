/* Decode: any bytes, as any kind: never a crash, and nothing unclean in what is let through. */

#include <math.h>

#include "base/arena.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/json_check.h"
#include "tests/fuzz/fuzz.h"

#define RECEIVED_US INT64_C(1800000000000000)
#define FEW_BYTES   256

static void check_text(Text text) {
        if (text.data)
                FUZZ_CHECK(json_check_text(text) == REASON_NONE);
}

/* Integers may be longer than json-c could read. */
static void check_json(Text text) {
        Reason reason = text.data ? json_check(text) : REASON_NONE;

        FUZZ_CHECK(reason == REASON_NONE || reason == REASON_OUT_OF_RANGE);
}

static void check_notes(const Record *record) {
        FUZZ_CHECK(record->n_notes <= 16);
        for (size_t i = 0; i < record->n_notes; ++i) {
                FUZZ_CHECK(record->notes[i].reason != REASON_NONE);
                check_text(record->notes[i].member);
                check_text(record->notes[i].detail);
        }
}

/* For a terminal, and for PostgreSQL. */
static void check_detail(Text detail) {
        check_text(detail);
        for (size_t i = 0; i < detail.n; ++i)
                FUZZ_CHECK((unsigned char)detail.data[i] >= 0x20 && detail.data[i] != 0x7f);
}

static void check_number(double value, double min, double max) {
        FUZZ_CHECK(isnan(value) || (value >= min && value <= max));
}

static void check_vehicle(const VehicleRecord *log) {
        check_number(log->latitude, -90, 90);
        check_number(log->longitude, -180, 180);
        check_number(log->heading, 0, 360);
        check_number(log->rssi, -200, 50);
        FUZZ_CHECK(!isinf(log->speed) && !isinf(log->battery_voltage));
        FUZZ_CHECK(log->armed >= -1 && log->armed <= 1 && log->guided >= -1 && log->guided <= 1);
        check_text(log->mode);
        check_text(log->system_status);
        check_json(log->extra);
}

static void check_detections(const DetectionsRecord *detections) {
        for (size_t i = 0; i < detections->n_items; ++i) {
                check_number(detections->items[i].rssi, -200, 50);
                FUZZ_CHECK(strlen(detections->items[i].device_hash) == 64);
                FUZZ_CHECK(detections->items[i].zone);
        }
        for (size_t i = 0; i < detections->n_set_aside; ++i) {
                FUZZ_CHECK(detections->set_aside[i].reason != REASON_NONE);
                check_json(detections->set_aside[i].bytes);
                FUZZ_CHECK(detections->set_aside[i].detail.n > 0);
                check_detail(detections->set_aside[i].detail);
        }
}

static void check_record(const Record *record) {
        check_text(record->device);
        check_text(record->vehicle);
        check_text(record->text);
        check_json(record->data);
        check_notes(record);
        FUZZ_CHECK(record->time_us <= RECEIVED_US + CLOCK_DAY_US);

        if (record->kind == KIND_DEVICE_STATUS) {
                FUZZ_CHECK(record->status.status.n > 0);
                check_number(record->status.temperature, -273.15, 1000);
                check_number(record->status.humidity, 0, 100);
        } else if (record->kind == KIND_VEHICLE_LOG) {
                check_vehicle(&record->vehicle_log);
        } else if (record->kind == KIND_SENSOR_LOG) {
                FUZZ_CHECK(record->sensor.sensor_id >= 0);
        } else if (record->kind == KIND_BLE_DETECTIONS) {
                check_detections(&record->detections);
        } else if (record->kind == KIND_ALERT) {
                FUZZ_CHECK(record->alert.message.data);
                check_text(record->alert.message);
                check_json(record->alert.extra);
        } else if (record->kind == KIND_CAMERA_EVENT) {
                check_text(record->camera.event_type);
                check_text(record->camera.person_name);
        } else if (record->kind == KIND_COMMAND_ACK) {
                check_text(record->ack.command_id);
                check_text(record->ack.message);
        }
}

/* What a sender is told will be stored is what is stored. */
static void check_count(const Record *record, Text body, size_t max_bytes) {
        CLEANUP_BUF Buf why = { 0 };
        size_t n_good = 0;
        int r = decode_count_detections(body, max_bytes, &n_good, &why);

        FUZZ_CHECK((r > 0) == (why.n > 0));

        if (record->reason != REASON_NONE)
                FUZZ_CHECK(r == (int)record->reason);
        else if (record->detections.n_items > 0 || record->detections.n_set_aside == 0)
                FUZZ_CHECK(r == 0 && n_good == record->detections.n_items);
        else
                FUZZ_CHECK(r == (int)record->detections.set_aside[0].reason);
}

/*
 * The first byte is the kind, as a digit: `1{"status":"online"}`; a letter: the topic has names. A
 * small one: and takes few bytes. With the highest bit the names are what comes up to a newline.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static Arena *arena;
        Route route = { .max_bytes = 65536, .near_dbm = -60, .medium_dbm = -75 };
        TopicMatch names = { .user = TEXT("u"), .vehicle = TEXT("v"), .device = TEXT("d") };
        Record envelope = { .received_us = RECEIVED_US, .topic = TEXT("t") };
        const uint8_t *line;
        Record record;

        if (n == 0)
                return 0;
        if (!arena)
                FUZZ_CHECK(arena_new(&arena, 65536) == 0);
        arena_reset(arena);

        envelope.payload = (Text){ .data = (const char *)data + 1, .n = n - 1 };
        line = data[0] & 0x80 ? memchr(data, '\n', n) : NULL;
        if (line && line > data + 1) {
                names.user = names.vehicle = names.device =
                        (Text){ .data = (const char *)data + 1, .n = (size_t)(line - data) - 1 };
                envelope.payload = (Text){ .data = (const char *)line + 1,
                                           .n = n - (size_t)(line - data) - 1 };
        }
        if ((data[0] & 0x60) == 0x60)
                route.max_bytes = FEW_BYTES;
        route.kind = (Kind)((data[0] & 0xf) % KIND_COUNT);
        FUZZ_CHECK(decode(arena, &route, data[0] & 0x40 ? &names : NULL, &envelope, &record) == 0);
        check_detail(record.detail);
        FUZZ_CHECK(record.reason < REASON_COUNT);
        if (record.reason == REASON_NONE)
                check_record(&record);
        if (route.kind == KIND_BLE_DETECTIONS && !(data[0] & 0x40))
                check_count(&record, envelope.payload, route.max_bytes);
        return 0;
}
