/* Map: what a payload of others becomes, by the lines of a configuration. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/map.h"

#define RECEIVED_US INT64_C(1760805000123000) /* 2025-10-18T16:30:00.123Z */

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        Route route;
        Record record;
};

static int fixture_init(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(arena_new(&f->arena, 4096), 0);
        *state = f;
        return 0;
}

static int fixture_done(void **state) {
        Fixture *f = *state;

        arena_free(f->arena);
        topic_template_free(f->route.topic);
        map_free(f->route.map);
        free(f);
        return 0;
}

/* A route with the lines of its map, "target = expression", up to a NULL. */
static void route_of(Fixture *f, Kind kind, const char *topic, const char *const lines[]) {
        static char name[] = "r";
        char why[MAP_WHY_SIZE];

        topic_template_free(f->route.topic);
        map_free(f->route.map);
        f->route = (Route){ .name = name, .kind = kind, .max_bytes = 65536 };
        assert_int_equal(topic_template_new(&f->route.topic, topic), 0);
        assert_int_equal(map_new(&f->route.map, kind), 0);
        for (; *lines; ++lines) {
                const char *sign = strstr(*lines, " = ");

                if (map_add(f->route.map,
                            f->route.topic,
                            (Text){ *lines, (size_t)(sign - *lines) },
                            text_of(sign + 3),
                            why) != 0)
                        fail_msg("%s: %s", *lines, why);
        }
}

static const Record *decoded_bytes(Fixture *f, const char *topic, Text payload) {
        Record envelope = { .received_us = RECEIVED_US,
                            .topic = text_of(topic),
                            .payload = payload };
        TopicMatch match;

        assert_true(topic_template_match(f->route.topic, envelope.topic, &match));
        assert_int_equal(decode(f->arena, &f->route, &match, &envelope, &f->record), 0);
        return &f->record;
}

static const Record *decoded(Fixture *f, const char *topic, const char *payload) {
        return decoded_bytes(f, topic, text_of(payload));
}

static const Record *good(Fixture *f, const char *topic, const char *payload) {
        const Record *record = decoded(f, topic, payload);

        if (record->reason != REASON_NONE)
                fail_msg("%s: %.*s", payload, (int)record->detail.n, record->detail.data);
        return record;
}

static void check_text(Text text, const char *expected) {
        if (!text_equal(text, text_of(expected)))
                fail_msg("'%.*s' is not '%s'", (int)text.n, text.data, expected);
}

static void check_number(double value, double expected) {
        if (!(fabs(value - expected) <= 1e-9))
                fail_msg("%.17g is not %.17g", value, expected);
}

static void test_what_is_not_named_stays_as_it_came(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "time = /last_seen",
                                      "battery_voltage = /battery_mv | scale 0.001",
                                      "state = /state | word on=ON,true off=OFF,false",
                                      NULL };
        const Record *record;

        route_of(f, KIND_TELEMETRY, "zigbee2mqtt/{device...}", lines);
        record = good(f,
                      "zigbee2mqtt/attic/lamp",
                      "{\"linkquality\":89490200001234567890,\"battery_mv\":3050,\"state\":\"on\","
                      "\"last_seen\":\"2025-10-18T16:29:00Z\"}");
        check_text(record->device, "attic/lamp");
        check_text(record->data,
                   "{\"linkquality\":89490200001234567890,\"battery_mv\":3050,"
                   "\"last_seen\":\"2025-10-18T16:29:00Z\",\"battery_voltage\":3.05,"
                   "\"state\":\"on\"}");
        assert_true(record->time_us == RECEIVED_US - 60123000);
        assert_true(record->has_clock);
}

static void test_named_keeps_only_what_is_assigned(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "t = /a/t", "on = /on | bool", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        f->route.keeps_named = true;
        check_text(good(f, "x/d", "{\"a\":{\"t\":1.50},\"on\":\"YES\",\"b\":2}")->data,
                   "{\"t\":1.50,\"on\":true}");
}

static void test_a_bare_value_becomes_a_member_of_the_name_in_the_topic(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "{field} = /", NULL };

        route_of(f, KIND_TELEMETRY, "frigate/{camera}/{field}", lines);
        f->route.format = (Format){ .kind = FORMAT_NUMBER };
        check_text(good(f, "frigate/gate/person", " +2\n")->data, "{\"person\":2}");
        check_text(f->record.device, "gate");
        assert_int_equal(decoded(f, "frigate/gate/person", "many")->reason, REASON_WRONG_TYPE);
        check_text(f->record.detail, "not a number: many");
}

static void test_typed_members_are_made_of_what_is_there(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "vehicle = /mmsi",
                                      "latitude = /latlng | part 1 \",\"",
                                      "longitude = /latlng | part 2 \",\"",
                                      "speed = /sog or /speed | scale 0.514444 | round 2",
                                      "heading = /hdg | null 511 | number",
                                      "armed = /arm | bool",
                                      "mode = /mode | word AUTO=3 MANUAL=0,1",
                                      NULL };
        const VehicleRecord *log = &f->record.vehicle_log;

        route_of(f, KIND_VEHICLE_LOG, "ais/+", lines);
        good(f,
             "ais/x",
             "{\"mmsi\":235012345,\"latlng\":\"54.7, 25.2\",\"speed\":10,\"hdg\":511,\"arm\":1,"
             "\"mode\":3,\"eta\":\"noon\"}");
        check_text(f->record.vehicle, "235012345");
        check_number(log->latitude, 54.7);
        check_number(log->longitude, 25.2);
        check_number(log->speed, 5.14);
        assert_true(isnan(log->heading));
        assert_int_equal(log->armed, 1);
        check_text(log->mode, "AUTO");
        assert_int_equal(f->record.n_notes, 0);
}

/* It cannot stay as it came, and a row of nothing would not say that it was there. */
static void test_what_is_no_object_and_nothing_reads_is_a_letter(void **state) {
        static const char *const payloads[] = { "254", "true", "null", "\"abc\"", "[{\"v\":1}]" };
        static const char *const lines[] = { "time = /ts", NULL };
        static const char *const constant[] = { "speed = /sog", "channel = 'ac'", NULL };
        static const char *const own[] = { "value = /", NULL };
        static const char *const field[] = { "first = /0", NULL };
        static const char *const all[] = { "* = /", NULL };
        static const char *const five[] = { "sensor_id = '5'", NULL };
        static const char *const press[] = { "event = topic.event", NULL };
        Fixture *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(payloads); ++i) {
                route_of(f, KIND_TELEMETRY, "t/{device}", lines);
                assert_int_equal(decoded(f, "t/d", payloads[i])->reason, REASON_BAD_JSON);
                route_of(f, KIND_VEHICLE_LOG, "v/{vehicle}", constant);
                assert_int_equal(decoded(f, "v/1", payloads[i])->reason, REASON_BAD_JSON);
                route_of(f, KIND_TELEMETRY, "t/{device}", all);
                assert_int_equal(decoded(f, "t/d", payloads[i])->reason, REASON_BAD_JSON);
                route_of(f, KIND_SENSOR_LOG, "s/{vehicle}", five);
                assert_int_equal(decoded(f, "s/1", payloads[i])->reason, REASON_BAD_JSON);
        }
        route_of(f, KIND_TELEMETRY, "t/{device}", lines);
        decoded(f, "t/d", "\"a\nc\"");
        check_text(f->record.detail,
                   "payload: not an object, and no line of the map reads it: \"a\\nc\"");
        check_text(good(f, "t/d", "{}")->data, "{}");

        route_of(f, KIND_TELEMETRY, "t/{device}", own);
        check_text(good(f, "t/d", "254")->data, "{\"value\":254}");
        check_text(good(f, "t/d", "null")->data, "{}");
        route_of(f, KIND_TELEMETRY, "t/{device}", field);
        check_text(good(f, "t/d", "[7,8]")->data, "{\"first\":7}");
        assert_int_equal(f->record.n_notes, 0);
        route_of(f, KIND_TELEMETRY, "t/{device}/{event}", press);
        check_text(good(f, "t/d/press", "1")->data, "{\"event\":\"press\"}");
        assert_int_equal(f->record.n_notes, 1);
        check_text(f->record.notes[0].detail,
                   ": not an object, and no line of the map reads it: 1");
        f->route.keeps_named = true;
        good(f, "t/d/press", "1");
        assert_int_equal(f->record.n_notes, 0);
}

static void test_what_an_operation_cannot_use_costs_itself(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "latitude = /lat | number",
                                      "mode = /mode | word AUTO=3",
                                      "speed = /speed | number | default 0",
                                      NULL };
        const Record *record;

        route_of(f, KIND_VEHICLE_LOG, "v/{vehicle}", lines);
        record = good(f, "v/1", "{\"lat\":\"54.7\",\"mode\":9,\"speed\":\"fast\"}");
        check_number(record->vehicle_log.latitude, 54.7);
        check_number(record->vehicle_log.speed, 0);
        assert_int_equal(record->n_notes, 2);
        check_text(record->notes[0].detail, "/mode: none of the words: 9");
        check_text(record->notes[1].detail, "/speed: not a number: \"fast\"");
}

static void check_letter(Fixture *f, const char *topic, const char *payload, const char *detail) {
        assert_int_equal(decoded(f, topic, payload)->reason, REASON_WRONG_TYPE);
        check_text(f->record.detail, detail);
}

static void test_a_letter_says_which_operation_gave_nothing(void **state) {
        static const char *const status[] = { "state = /s | word online=ON offline=OFF",
                                              "status = /s | word online=ON offline=OFF",
                                              NULL };
        static const char *const ended[] = { "status = /s | word online=ON | default offline",
                                             NULL };
        static const char *const sensor[] = { "sensor_id = /id | int", "data = /d", NULL };
        static const char *const fix[] = { "latitude = /lat | number", NULL };
        static const char *const ack[] = { "command_id = /a + /b", "status = 'ok'", NULL };
        Fixture *f = *state;

        route_of(f, KIND_DEVICE_STATUS, "t/{device}", status);
        check_letter(f,
                     "t/d",
                     "{\"s\":\"BRO\nKEN\"}",
                     "/status: nothing comes of word: /s: none of the words: \"BRO\\nKEN\"");
        assert_int_equal(decoded(f, "t/d", "{\"x\":1}")->reason, REASON_MISSING_MEMBER);
        check_text(f->record.detail, "/status: missing");
        route_of(f, KIND_DEVICE_STATUS, "t/{device}", ended);
        check_text(good(f, "t/d", "{\"s\":\"BROKEN\"}")->status.status, "offline");

        route_of(f, KIND_SENSOR_LOG, "s/{vehicle}", sensor);
        check_letter(f,
                     "s/v",
                     "{\"id\":\"5.5\",\"d\":{}}",
                     "/sensor_id: nothing comes of int: /id: not a whole number: \"5.5\"");
        route_of(f, KIND_VEHICLE_LOG, "v/{vehicle}", fix);
        check_letter(f,
                     "v/1",
                     "{\"lat\":\"abc\"}",
                     "/latitude: nothing comes of number: /lat: not a number: \"abc\"");
        route_of(f, KIND_COMMAND_ACK, "a/{device}", ack);
        check_letter(f,
                     "a/d",
                     "{\"a\":[1],\"b\":2}",
                     "/command_id: nothing comes of +: /a: not text: [...]");
}

/* It is noted where it stood, once; and a default takes its place. */
static void test_what_no_json_can_hold_is_nothing(void **state) {
        static const char *const lines[] = { "a = /x", "b = /x or /y", "c = /x | default 7", NULL };
        Fixture *f = *state;
        const Record *record;

        route_of(f, KIND_TELEMETRY, "t/{device}", lines);
        f->route.keeps_named = true;
        record = good(f, "t/d", "{\"x\":NaN,\"y\":1}");
        check_text(record->data, "{\"b\":1,\"c\":7}");
        assert_int_equal(record->n_notes, 1);
        check_text(record->notes[0].member, "/x");
}

static void test_sensors_and_cameras_have_their_members_in_data(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "sensor_id = topic.sensor",
                                      "temperature = /t | number",
                                      NULL };
        const char *const camera[] = { "event_type = 'object'",
                                       "person_name = /after/label",
                                       "confidence = /after/score",
                                       NULL };

        route_of(f, KIND_SENSOR_LOG, "s/{vehicle}/{sensor}", lines);
        check_text(good(f, "s/v/7", "{\"t\":\"21.5\",\"u\":1}")->data,
                   "{\"t\":\"21.5\",\"u\":1,\"temperature\":21.5}");
        assert_int_equal(f->record.sensor.sensor_id, 7);

        route_of(f, KIND_CAMERA_EVENT, "f/{camera}", camera);
        f->route.keeps_named = true;
        good(f, "f/gate", "{\"after\":{\"label\":\"Ann\",\"score\":0.5}}");
        check_text(f->record.camera.person_name, "Ann");
        check_text(f->record.camera.event_type, "object");
        check_text(f->record.data, "{\"person_name\":\"Ann\",\"confidence\":0.5}");
}

static void test_a_level_of_unknown_name_is_found(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "temperature = /*/Temperature", NULL };

        route_of(f, KIND_TELEMETRY, "tele/{device}/SENSOR", lines);
        f->route.keeps_named = true;
        check_text(good(f,
                        "tele/x/SENSOR",
                        "{\"Time\":\"2025-10-18T16:30:00\",\"DS18B20-1\":{\"Id\":\"01\","
                        "\"Temperature\":21.30}}")
                           ->data,
                   "{\"temperature\":21.30}");
}

static void test_text_logs_and_alerts_take_a_message(void **state) {
        Fixture *f = *state;
        const char *const raw[] = { "message = /m", "time = /t | time unix_ms", NULL };
        const char *const alert[] = { "message = /txt",
                                      "severity = /lvl | word critical=3 info=1",
                                      NULL };

        route_of(f, KIND_RAW_LOG, "l/{vehicle}", raw);
        good(f, "l/v", "{\"m\":{\"a\":1},\"t\":1760804940123}");
        check_text(f->record.text, "{\"a\":1}");
        assert_true(f->record.time_us == RECEIVED_US - 60000000);
        assert_int_equal(decoded(f, "l/v", "{\"t\":1}")->reason, REASON_MISSING_MEMBER);

        route_of(f, KIND_ALERT, "a/{device}", alert);
        good(f, "a/d", "{\"txt\":\"hot\",\"lvl\":3}");
        check_text(f->record.alert.message, "hot");
        check_text(f->record.alert.severity, "critical");
}

static void test_what_is_no_name_is_told_where_one_is_missing(void **state) {
        static const struct {
                const char *payload, *said;
        } cases[] = {
                { "{\"id\":\"a\\nb\"}",
                  "/id: empty, too long or with control characters: \"a\\\\nb\"" },
                { "{\"id\":{\"a\":1}}", "/id: not a name: {...}" },
                { "{}", "" },
        };
        Fixture *f = *state;
        const char *const lines[] = { "device = /id", NULL };
        const char *const by_operation[] = { "device = /id | int", NULL };

        route_of(f, KIND_TELEMETRY, "l", lines);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_text(good(f, "l", cases[i].payload)->misnamed, cases[i].said);
        route_of(f, KIND_TELEMETRY, "l", by_operation);
        check_text(good(f, "l", "{\"id\":\"x\"}")->misnamed, "/id: not a number: \"x\"");
        assert_null(good(f, "l", "{\"id\":\"7\"}")->misnamed.data);
}

static void test_white_space_is_no_part_of_a_time(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "time = /t", NULL };

        route_of(f, KIND_TELEMETRY, "l/{device}", lines);
        assert_true(good(f, "l/d", "{\"t\":\" 2025-10-18T16:29:00.123Z\\r\\n\"}")->time_us ==
                    RECEIVED_US - 60000000);
        assert_int_equal(f->record.said_time.n, 0);
}

static void test_the_topic_wins_where_both_name_somebody(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "device = /id", "user = 'ana'", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        good(f, "x/d1", "{\"id\":\"d2\"}");
        check_text(f->record.device, "d1");
        check_text(f->record.user, "ana");
}

static void test_a_time_is_one_behind_as_many_operations_as_there_may_be(void **state) {
        Fixture *f = *state;
        const char *const lines[] = {
                "time = /t | int | int | int | int | int | int | int | scale 60", NULL
        };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        good(f, "x/d", "{\"t\":29346750}");
        assert_true(f->record.time_us == INT64_C(29346750) * 60000000);
        assert_true(f->record.has_clock);
}

/* In the hour that is twice the reading nearer to the receipt, but none that is still to come. */
static void test_a_time_of_a_map_is_read_as_any_other(void **state) {
        static const char *const own[] = { "v = /v", NULL };
        const char *const lines[] = { "time = /t", NULL };
        Fixture *f = *state;
        const char *const *const both[] = { own, lines };
        static const struct {
                const char *received;
                int minutes; /* from 02:30 of summer time */
        } cases[] = { { "2025-10-26T00:31:00Z", 0 },
                      { "2025-10-26T01:31:00Z", 60 },
                      { "2025-10-26T01:20:00Z", 0 } };

        for (size_t i = 0; i < N_ELEMENTS(cases) * N_ELEMENTS(both); ++i) {
                bool is_mapped = i % 2 == 1;
                Record envelope = { .topic = TEXT("x/d") };
                TopicMatch match = { .device = TEXT("d") };
                int64_t expected;

                route_of(f, KIND_TELEMETRY, "x/{device}", both[i % 2]);
                assert_int_equal(zone_new(&f->route.zone, "Europe/Berlin"), 0);
                envelope.payload = is_mapped ? TEXT("{\"t\":\"2025-10-26 02:30\"}")
                                             : TEXT("{\"timestamp\":\"2025-10-26 02:30\"}");
                assert_int_equal(timestamp_parse(text_of(cases[i / 2].received),
                                                 NULL,
                                                 &envelope.received_us),
                                 0);
                assert_int_equal(timestamp_parse(TEXT("2025-10-26T00:30:00Z"), NULL, &expected), 0);
                assert_int_equal(decode(f->arena, &f->route, &match, &envelope, &f->record), 0);
                assert_true(f->record.time_us ==
                            expected + cases[i / 2].minutes * INT64_C(60000000));
                zone_free(f->route.zone);
        }
}

static void test_a_time_that_cannot_be_is_kept_as_it_was_said(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "time = /up | time unix_s", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        good(f, "x/d", "{\"up\":4711,\"timestamp\":\"2025-10-18T16:29:00Z\"}");
        assert_true(f->record.time_us == RECEIVED_US);
        check_text(f->record.said_time, "4711");
}

static void test_what_is_no_time_is_kept_as_it_was_said(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "time = /up | null never | time unix_s", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        good(f, "x/d", "{\"up\":\"soon\",\"timestamp\":\"2025-10-18T16:29:00Z\"}");
        assert_true(f->record.time_us == RECEIVED_US && f->record.odd_time);
        check_text(f->record.said_time, "soon");
        assert_int_equal(f->record.n_notes, 0);
        good(f, "x/d", "{\"up\":1e30}");
        check_text(f->record.said_time, "1e30");
        good(f, "x/d", "{\"up\":\"never\"}");
        assert_true(f->record.time_us == RECEIVED_US && !f->record.odd_time);
}

static void test_a_name_of_the_topic_has_to_be_text(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "device = topic.n", NULL };

        route_of(f, KIND_TELEMETRY, "x/{n}", lines);
        good(f, "x/caf\xe9", "{\"v\":1}");
        assert_null(f->record.device.data);
        assert_int_equal(f->record.n_notes, 1);
        assert_int_equal(f->record.notes[0].reason, REASON_BAD_UTF8);
        good(f, "x/caf\xc3\xa9", "{\"v\":1}");
        check_text(f->record.device, "caf\xc3\xa9");
}

static void test_nuls_alone_are_a_text_without_characters(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "text = /", NULL };
        static const Format formats[] = { { .kind = FORMAT_TEXT },
                                          { .kind = FORMAT_NUMBER_OR_TEXT } };

        for (size_t i = 0; i < N_ELEMENTS(formats); ++i) {
                route_of(f, KIND_TELEMETRY, "x/{device}", lines);
                f->route.format = formats[i];
                decoded_bytes(f, "x/d", TEXT("\0"));
                assert_int_equal(f->record.reason, REASON_NONE);
                check_text(f->record.data, "{\"text\":\"\"}");
                decoded_bytes(f, "x/d", TEXT(""));
                assert_int_equal(f->record.reason, REASON_BAD_JSON);
        }
        f->route.format = (Format){ .kind = FORMAT_NUMBER };
        decoded_bytes(f, "x/d", TEXT("\0"));
        assert_int_equal(f->record.reason, REASON_BAD_JSON);
}

static void test_what_grows_beyond_measure_is_too_large(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "text = /", NULL };
        char payload[2001];

        memset(payload, '\x01', 2000);
        payload[2000] = '\0';
        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        f->route.format = (Format){ .kind = FORMAT_TEXT };
        f->route.max_bytes = 5000;
        good(f, "x/d", payload);
        f->route.max_bytes = 2000;
        decoded(f, "x/d", payload);
        assert_int_equal(f->record.reason, REASON_TOO_LARGE);
        check_text(f->record.detail, "payload: 12011 bytes as JSON, allowed are 6000");
}

static void test_a_member_that_two_lines_read_is_noted_once(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "a = /v | number", "b = /v | int", "c = /v | hex", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        good(f, "x/d", "{\"v\":\"much\"}");
        assert_int_equal(f->record.n_notes, 2);
        check_text(f->record.notes[0].detail, "/v: not a number: \"much\"");
        check_text(f->record.notes[1].detail, "/v: not hexadecimal: \"much\"");
}

static void test_a_name_is_joined_of_several(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "device = /model + '-' + /channel + '-' + /id or "
                                      "/model + '-' + /id",
                                      "place = topic.site + '/' + topic.room | word yard=x/y",
                                      "on = 'is ' + /on",
                                      NULL };

        route_of(f, KIND_TELEMETRY, "rtl/{site}/{room}", lines);
        f->route.keeps_named = true;
        good(f, "rtl/x/y", "{\"model\":\"Acurite\",\"id\":11524,\"channel\":\"A\",\"on\":true}");
        check_text(f->record.device, "Acurite-A-11524");
        check_text(f->record.data, "{\"place\":\"yard\",\"on\":\"is true\"}");
        good(f, "rtl/x/y", "{\"model\":\"Acurite\",\"id\":11524,\"channel\":null}");
        check_text(f->record.device, "Acurite-11524");
        assert_int_equal(f->record.n_notes, 0);
        good(f, "rtl/x/y", "{\"model\":\"Acurite\",\"id\":[1]}");
        assert_null(f->record.device.data);
        check_text(f->record.notes[0].detail, "/id: not text: [...]");
}

static void test_what_null_takes_away_leaves_the_next_source(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "speed = /sog or /speed | null 102.3 | scale 0.5",
                                      "heading = /hdg or /cog | null 511 360 | default 7",
                                      NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        f->route.keeps_named = true;
        check_text(good(f, "x/d", "{\"sog\":102.3,\"speed\":8,\"hdg\":511,\"cog\":360}")->data,
                   "{\"speed\":4,\"heading\":7}");
        check_text(good(f, "x/d", "{\"sog\":102.3,\"hdg\":90,\"cog\":1}")->data,
                   "{\"heading\":90}");
        check_text(good(f, "x/d", "{\"sog\":\"x\",\"speed\":8}")->data, "{\"heading\":7}");
        check_text(f->record.notes[0].detail, "/sog: not a number: \"x\"");
}

static void test_an_object_is_spread_into_the_row(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "* = /state/reported",
                                      "io_* = /io or /state/io",
                                      "speed = /sp | scale 0.5",
                                      "io_9 = 'mine'",
                                      NULL };
        const char *const sensor[] = { "sensor_id = topic.s", "* = /values", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}/{s}", lines);
        f->route.keeps_named = true;
        check_text(good(f,
                        "x/d/1",
                        "{\"sp\":9,\"other\":1,\"state\":{\"reported\":{\"sat\":12,\"speed\":7,"
                        "\"a\\u0022b\":[1]},\"io\":{\"239\":1,\"9\":0}}}")
                           ->data,
                   "{\"sat\":12,\"a\\\"b\":[1],\"io_239\":1,\"speed\":4.5,\"io_9\":\"mine\"}");
        good(f, "x/d/1", "{\"state\":{\"reported\":7},\"sp\":2}");
        check_text(f->record.data, "{\"speed\":1,\"io_9\":\"mine\"}");
        check_text(f->record.notes[0].detail, "/state/reported: not an object: 7");

        route_of(f, KIND_SENSOR_LOG, "s/{vehicle}/{s}", sensor);
        f->route.keeps_named = true;
        check_text(good(f, "s/v/7", "{\"t\":1,\"values\":{\"u\":2}}")->data, "{\"u\":2}");
}

/* As if it had been sent that way. */
static void test_what_is_spread_is_read_by_the_kind(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "* = /reported", NULL };

        route_of(f, KIND_DEVICE_STATUS, "x/{device}", lines);
        f->route.keeps_named = true;
        good(f,
             "x/d",
             "{\"reported\":{\"status\":\"online\",\"temperature\":21.5,"
             "\"timestamp\":\"2025-10-18T16:29:00Z\",\"unknown\":1}}");
        check_number(f->record.status.temperature, 21.5);
        assert_true(f->record.time_us == RECEIVED_US - 60123000);
}

/* A row, as the message was understood; but a map that never finds anything has to show. */
static void test_a_map_that_finds_nothing_says_so_beside_its_row(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "time = /ts", "t = /a/t | null nan", NULL };
        const char *const by_default[] = { "t = /a/t | default 0", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}", lines);
        f->route.keeps_named = true;
        check_text(good(f, "x/d", "{\"b\":1,\"ts\":1760805000}")->data, "{}");
        assert_int_equal(f->record.n_notes, 1);
        assert_int_equal(f->record.notes[0].reason, REASON_MISSING_MEMBER);
        check_text(f->record.notes[0].detail, ": nothing that the map names: {...}");
        check_text(good(f, "x/d", "{\"a\":{\"t\":\"nan\"}}")->data, "{}");
        assert_int_equal(f->record.n_notes, 0);
        check_text(good(f, "x/d", "{\"a\":{\"t\":1}}")->data, "{\"t\":1}");
        assert_int_equal(f->record.n_notes, 0);
        f->route.keeps_named = false;
        good(f, "x/d", "{\"b\":1}");
        assert_int_equal(f->record.n_notes, 0);
        route_of(f, KIND_TELEMETRY, "x/{device}", by_default);
        f->route.keeps_named = true;
        check_text(good(f, "x/d", "{\"b\":1}")->data, "{\"t\":0}");
        assert_int_equal(f->record.n_notes, 0);
}

static void test_no_name_is_given_twice(void **state) {
        Fixture *f = *state;
        const char *const lines[] = { "{n} = /v", "i = /w", "{m} = /x", NULL };

        route_of(f, KIND_TELEMETRY, "x/{device}/{n}/{m}", lines);
        f->route.keeps_named = true;
        good(f, "x/d/i/j", "{\"v\":1,\"w\":2,\"x\":3}");
        check_text(f->record.data, "{\"i\":2,\"j\":3}");
        good(f, "x/d/j/j", "{\"v\":1,\"w\":2,\"x\":3}");
        check_text(f->record.data, "{\"i\":2,\"j\":3}");
}

static void test_lines_that_cannot_be_are_refused(void **state) {
        static const struct {
                Kind kind;
                const char *target, *expression, *why;
        } cases[] = {
                { KIND_COMMAND_ACK, "colour", "/c", "command_ack has no member colour" },
                { KIND_DEVICE_STATUS,
                  "status",
                  "/a | bool",
                  "status is text, and what comes out is a switch" },
                { KIND_VEHICLE_LOG,
                  "armed",
                  "/a | time",
                  "armed is a switch, and what comes out is a time" },
                { KIND_TELEMETRY,
                  "a",
                  "b",
                  "a source is a JSON pointer (/a/b, / is the whole), topic.NAME or 'text'" },
                { KIND_TELEMETRY,
                  "a",
                  "/a/~2",
                  "a source is a JSON pointer (/a/b, / is the whole), topic.NAME or 'text'" },
                { KIND_TELEMETRY,
                  "a",
                  "/*/*",
                  "a source is a JSON pointer (/a/b, / is the whole), topic.NAME or 'text'" },
                { KIND_TELEMETRY, "a", "topic.room", "the topic has no such name" },
                { KIND_TELEMETRY, "{room}", "/", "the topic has no such name" },
                { KIND_VEHICLE_LOG, "latitude", "/lat or 'north'", "'north': not a number" },
                { KIND_VEHICLE_LOG, "latitude", "/lat | default none", "default: not a number" },
                { KIND_VEHICLE_LOG, "armed", "'maybe'", "'maybe': not a switch" },
                { KIND_TELEMETRY, "time", "'noon'", "'noon': not a time" },
                { KIND_VEHICLE_LOG,
                  "latitude",
                  "/lat or '912'",
                  "'912': /latitude: not within -90 .. 90: 912" },
                { KIND_VEHICLE_LOG,
                  "latitude",
                  "/lat | default -91",
                  "default: /latitude: not within -90 .. 90: -91" },
                { KIND_VEHICLE_LOG,
                  "heading",
                  "'3' | scale 1000",
                  "'3': /heading: not within 0 .. 360: 3000" },
                { KIND_DEVICE_STATUS,
                  "humidity",
                  "/h | default 101",
                  "default: /humidity: not within 0 .. 100: 101" },
                { KIND_DEVICE_STATUS,
                  "status",
                  "'asleep'",
                  "'asleep': /status: not one of online, offline, warning, error: \"asleep\"" },
                { KIND_DEVICE_STATUS,
                  "status",
                  "/s | word onlin=ON offline=OFF",
                  "'onlin': /status: not one of online, offline, warning, error: \"onlin\"" },
                { KIND_VEHICLE_LOG,
                  "armed",
                  "/s | word on=ARMED perhaps=DISARMED",
                  "'perhaps': not a switch" },
                { KIND_ALERT,
                  "severity",
                  "/s | default loud",
                  "default: /severity: not one of critical, warning, info: \"loud\"" },
                { KIND_BLE_DETECTIONS,
                  "device_hash",
                  "'abc'",
                  "'abc': /device_hash: not 64 hexadecimal digits: \"abc\"" },
                { KIND_BLE_DETECTIONS,
                  "rssi",
                  "/r | default 100",
                  "default: /rssi: not within -200 .. 50: 100" },
                { KIND_SENSOR_LOG, "sensor_id", "'1.5'", "'1.5': /sensor_id: not an integer: 1.5" },
                { KIND_COMMAND_ACK,
                  "status",
                  "'fine'",
                  "'fine': /status: not one of executing: \"fine\"" },
                { KIND_TELEMETRY, "device", "/d or ''", "'': a name without a character" },
                { KIND_TELEMETRY, "a", "'x' | scale 2", "'x': not a number" },
                { KIND_SENSOR_LOG, "data", "'x'", "'x': not an array or object" },
                { KIND_TELEMETRY,
                  "*",
                  "/a | text",
                  "* takes an object in the payload (/a/b), and no operations" },
                { KIND_TELEMETRY,
                  "*",
                  "topic.device",
                  "* takes an object in the payload (/a/b), and no operations" },
                { KIND_COMMAND_ACK, "io_*", "/a", "command_ack takes only members that it knows" },
                { KIND_TELEMETRY, "a", "/a |", ": an operation is missing" },
                { KIND_TELEMETRY, "a", "/a | scale", "scale: a number is missing" },
                { KIND_TELEMETRY, "a", "/a | round 1.5", "round 1.5: wants 0 to 12 decimals" },
                { KIND_TELEMETRY, "a", "/a | clamp 2 1", "clamp 2 1: wants the lower bound first" },
                { KIND_TELEMETRY, "a", "/a | part 0 x", "part 0 x: wants 1 to 64, or -1 to -64" },
                { KIND_TELEMETRY,
                  "a",
                  "/a | number 5",
                  "number 5: has more behind it than it takes" },
                { KIND_TELEMETRY, "a", "/a | word x", "word x: wants MEANING=word,word" },
                { KIND_TELEMETRY,
                  "a",
                  "/a | time noon",
                  "time noon: wants iso, unix, unix_s, unix_ms, unix_us or unix_ns" },
                { KIND_TELEMETRY,
                  "a",
                  "/1 or /2 or /3 or /4 or /5 + /6 + /7 + /8 or /9 or /10 or /11 or /12 or /13 or "
                  "/14 or /15 or /16 or /17",
                  "more than 16 sources" },
                { KIND_TELEMETRY, "a", "/1 + ", "a source is missing at its end" },
                { KIND_TELEMETRY, "a", "/a or 'none", "a quote is not closed" },
                { KIND_TELEMETRY, "a", "/a | part 1 \"", "a quote is not closed" },
                { KIND_TELEMETRY, "a", "'it's' or /b", "more follows the quotes: 'it's'" },
                { KIND_TELEMETRY,
                  "a",
                  "/a | word on=x off=x | default on",
                  "word on=x off=x: a word stands twice" },
                { KIND_TELEMETRY, "a", "/1 or | number", "a source is missing at its end" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP(topic_template_free) TopicTemplate *topic = NULL;
                CLEANUP(map_free) Map *map = NULL;
                char why[MAP_WHY_SIZE] = "";

                assert_int_equal(topic_template_new(&topic, "x/{device}"), 0);
                assert_int_equal(map_new(&map, cases[i].kind), 0);
                map_set_judge(map, decode_try);
                assert_int_equal(map_add(map,
                                         topic,
                                         text_of(cases[i].target),
                                         text_of(cases[i].expression),
                                         why),
                                 MAP_E_INVALID);
                assert_string_equal(why, cases[i].why);
                assert_int_equal(map_length(map), 0);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_init, fixture_done)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_what_is_not_named_stays_as_it_came),
                TEST(test_named_keeps_only_what_is_assigned),
                TEST(test_a_bare_value_becomes_a_member_of_the_name_in_the_topic),
                TEST(test_typed_members_are_made_of_what_is_there),
                TEST(test_what_is_no_object_and_nothing_reads_is_a_letter),
                TEST(test_what_an_operation_cannot_use_costs_itself),
                TEST(test_a_letter_says_which_operation_gave_nothing),
                TEST(test_what_no_json_can_hold_is_nothing),
                TEST(test_sensors_and_cameras_have_their_members_in_data),
                TEST(test_a_level_of_unknown_name_is_found),
                TEST(test_text_logs_and_alerts_take_a_message),
                TEST(test_what_is_no_name_is_told_where_one_is_missing),
                TEST(test_white_space_is_no_part_of_a_time),
                TEST(test_the_topic_wins_where_both_name_somebody),
                TEST(test_a_time_is_one_behind_as_many_operations_as_there_may_be),
                TEST(test_a_time_of_a_map_is_read_as_any_other),
                TEST(test_a_time_that_cannot_be_is_kept_as_it_was_said),
                TEST(test_what_is_no_time_is_kept_as_it_was_said),
                TEST(test_a_name_of_the_topic_has_to_be_text),
                TEST(test_nuls_alone_are_a_text_without_characters),
                TEST(test_what_grows_beyond_measure_is_too_large),
                TEST(test_a_member_that_two_lines_read_is_noted_once),
                TEST(test_a_name_is_joined_of_several),
                TEST(test_what_null_takes_away_leaves_the_next_source),
                TEST(test_an_object_is_spread_into_the_row),
                TEST(test_what_is_spread_is_read_by_the_kind),
                TEST(test_a_map_that_finds_nothing_says_so_beside_its_row),
                TEST(test_no_name_is_given_twice),
                TEST(test_lines_that_cannot_be_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
