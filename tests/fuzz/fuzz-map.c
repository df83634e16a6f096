/*
 * Map: lines of a configuration, a topic and a payload: `topic = …`, `kind = …`, `decode = …`,
 * `when = …`, `keep = named`, `each = …`, and lines of the map; behind an empty line the topic, and
 * behind its end the payload. Whatever comes out is strict JSON with few notes; and what an element
 * is is the same when it comes again alone, as its letter.
 */

#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/json_check.h"
#include "tests/fuzz/fuzz.h"

#define RECEIVED_US INT64_C(1800000000000000)
#define MAX_LINES   80

static Arena *arena;

static void check_text(Text text) {
        if (text.data)
                FUZZ_CHECK(json_check_text(text) == REASON_NONE);
}

/* Integers may be longer than json-c could read. */
static void check_json(Text text) {
        Reason reason = text.data ? json_check(text) : REASON_NONE;

        FUZZ_CHECK(reason == REASON_NONE || reason == REASON_OUT_OF_RANGE);
}

static void check_record(const Record *record) {
        FUZZ_CHECK(record->reason < REASON_COUNT);
        FUZZ_CHECK(record->n_notes <= 16);
        check_text(record->detail);
        for (size_t i = 0; i < record->n_notes; ++i) {
                FUZZ_CHECK(record->notes[i].reason != REASON_NONE);
                check_text(record->notes[i].member);
                check_text(record->notes[i].detail);
        }
        if (record->reason != REASON_NONE)
                return;
        check_text(record->device);
        check_text(record->user);
        check_text(record->vehicle);
        check_json(record->data);
        if (record->kind == KIND_RAW_LOG)
                check_text(record->text);
        if (record->kind == KIND_VEHICLE_LOG)
                check_json(record->vehicle_log.extra);
        if (record->kind == KIND_ALERT)
                check_json(record->alert.extra);
        if (record->kind == KIND_CAMERA_EVENT)
                check_text(record->camera.person_name);
}

/* Whoever is no JSON is no key of a route, either. */
static void read_line(Route *route, Text key, Text value) {
        char why[MAP_WHY_SIZE] = "", *text = strndup(value.data, value.n);
        const char *said = "";
        int r = 0;

        FUZZ_CHECK(text);
        if (text_equal(key, TEXT("topic"))) {
                if (!route->topic)
                        r = topic_template_new(&route->topic, text);
                FUZZ_CHECK(r == 0 || r == TOPIC_E_INVALID);
        } else if (text_equal(key, TEXT("kind"))) {
                if (!route->map)
                        route->kind = kind_from_name(value);
        } else if (text_equal(key, TEXT("decode"))) {
                (void)format_from_name(value, &route->format);
        } else if (text_equal(key, TEXT("keep"))) {
                route->keeps_named = true;
        } else if (text_equal(key, TEXT("each"))) {
                route->each_members = strchr(text, '*') != NULL;
                if (!route->each && json_check_text(value) == REASON_NONE) /* as all keys */
                        r = json_path_new(&route->each, value);
                FUZZ_CHECK(r == 0 || r == JSON_PATH_E_INVALID);
        } else if (text_equal(key, TEXT("when"))) {
                if (!route->when)
                        r = condition_new(&route->when, text, &said);
                FUZZ_CHECK(r == 0 || (r == CONDITION_E_INVALID && *said));
        } else if (route->topic && route->kind != KIND_NONE) {
                if (!route->map)
                        FUZZ_CHECK(map_new(&route->map, route->kind) == 0);
                r = map_add(route->map, route->topic, key, value, why);
                FUZZ_CHECK(r == 0 || (r == MAP_E_INVALID && *why));
        }
        free(text);
}

/* Up to an empty line. */
static Text read_route(Route *route, Text rest) {
        for (size_t i = 0; i < MAX_LINES && rest.n > 0; ++i) {
                const char *end = memchr(rest.data, '\n', rest.n);
                Text line = { rest.data, end ? (size_t)(end - rest.data) : rest.n };
                const char *sign = memchr(line.data, '=', line.n);

                rest = end ? (Text){ end + 1, rest.n - line.n - 1 } : (Text){ 0 };
                if (line.n == 0)
                        break;
                if (sign)
                        read_line(route,
                                  text_trim((Text){ line.data, (size_t)(sign - line.data) }),
                                  text_trim((Text){ sign + 1,
                                                    line.n - (size_t)(sign - line.data) - 1 }));
        }
        return rest;
}

/* As a letter, it is one message, and the same. What no JSON can hold has become another there, and
 * a map may ask for what there was no room for. */
static void check_again(const Route *route,
                        const TopicMatch *match,
                        const Record *envelope,
                        const Record *record) {
        bool is_clean = route->format.kind == FORMAT_AS_IT_IS && !route->format.is_base64 &&
                        json_check(envelope->payload) == REASON_NONE && !route->map;
        Record again, letter = *envelope;
        Elements elements = { 0 };

        check_json(record->payload);
        letter.element = record->element;
        letter.payload = record->payload;
        FUZZ_CHECK(elements_open(&elements, arena, route, match, &letter, NULL) == 0);
        FUZZ_CHECK(elements_count(&elements) == 1);
        FUZZ_CHECK(elements_decode(&elements, arena, 0, &letter, &again) == 0);
        if (is_clean) {
                FUZZ_CHECK(again.reason == record->reason && again.element == record->element);
                FUZZ_CHECK(text_equal(again.payload, record->payload));
                FUZZ_CHECK(text_equal(again.detail, record->detail));
        }
        elements_done(&elements);
}

static void check_elements(const Route *route, const TopicMatch *match, const Record *envelope) {
        Elements elements = { 0 };
        Record record;

        FUZZ_CHECK(elements_open(&elements, arena, route, match, envelope, NULL) == 0);
        FUZZ_CHECK(elements_count(&elements) > 0 && elements_count(&elements) <= route->each_max);
        for (uint32_t i = 0; i < elements_count(&elements); ++i) {
                FUZZ_CHECK(elements_decode(&elements, arena, i, envelope, &record) == 0);
                check_record(&record);
                if (record.element > 0)
                        check_again(route, match, envelope, &record);
        }
        elements_done(&elements);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static char name[] = "r";
        Route route = { .name = name,
                        .max_bytes = 65536,
                        .near_dbm = -60,
                        .medium_dbm = -75,
                        .each_max = 100 };
        Parsed parsed = { 0 };
        const Route *first = &route, *taken;
        Record envelope = { .received_us = RECEIVED_US }, record = { 0 };
        TopicMatch match;
        Text rest;
        const char *end;
        int r;

        if (!arena)
                FUZZ_CHECK(arena_new(&arena, 65536) == 0);
        arena_reset(arena);
        rest = read_route(&route, (Text){ (const char *)data, n });
        end = rest.n > 0 ? memchr(rest.data, '\n', rest.n) : NULL;
        if (end && route.topic) {
                envelope.topic = (Text){ rest.data, (size_t)(end - rest.data) };
                envelope.payload = (Text){ end + 1, rest.n - envelope.topic.n - 1 };
        }
        if (envelope.topic.data && json_check_text(envelope.topic) == REASON_NONE &&
            topic_template_match(route.topic, envelope.topic, &match)) {
                FUZZ_CHECK(decode_choose(arena, &first, 1, &envelope, &parsed, &taken) == 0);
                FUZZ_CHECK(taken || route.when);
                r = taken ? decode_parsed(arena, taken, &match, &envelope, &parsed, &record) : 1;
                parsed_done(&parsed);
                FUZZ_CHECK(r == 0 || !taken);
                if (r == 0)
                        check_record(&record);
                /* what a map makes of good JSON is JSON */
                if (r == 0 && route.map && route.format.kind == FORMAT_AS_IT_IS &&
                    !route.format.is_base64 && json_check(envelope.payload) == REASON_NONE &&
                    !route.each)
                        FUZZ_CHECK(record.reason != REASON_BAD_JSON);
                if (route.each)
                        check_elements(&route, &match, &envelope);
        }
        route.name = NULL;
        route_done(&route);
        return 0;
}
