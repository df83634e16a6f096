/* Decode: every kind of PROTOCOL section 1, member by member, and what is refused with which
 * reason. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/json_check.h"

#define RECEIVED_US INT64_C(1760805000123000) /* 2025-10-18T16:30:00.123Z */
#define HASH        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        Route route;
        TopicMatch match;
        Record record;
};

static size_t n_parsed; /* texts as JSON */

int __real_json_tree_read(JsonTree *tree, Text text, JsonFault *ret_fault);
int __wrap_json_tree_read(JsonTree *tree, Text text, JsonFault *ret_fault);
int __wrap_json_tree_read(JsonTree *tree, Text text, JsonFault *ret_fault) {
        ++n_parsed;
        return __real_json_tree_read(tree, text, ret_fault);
}

static int fixture_init(void **state) {
        static char name[] = "r";
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(arena_new(&f->arena, 4096), 0);
        f->route = (Route){ .name = name, .max_bytes = 65536, .near_dbm = -60, .medium_dbm = -75 };
        f->match = (TopicMatch){ .user = TEXT("ana"), .device = TEXT("d1") };
        *state = f;
        return 0;
}

static int fixture_done(void **state) {
        Fixture *f = *state;

        arena_free(f->arena);
        zone_free(f->route.zone);
        free(f);
        return 0;
}

static const Record *decode_bytes(Fixture *f, Kind kind, Text payload) {
        Record envelope = {
                .seq = 7, .received_us = RECEIVED_US, .topic = TEXT("a/b"), .payload = payload
        };

        f->route.kind = kind;
        assert_int_equal(decode(f->arena, &f->route, &f->match, &envelope, &f->record), 0);
        assert_int_equal(f->record.kind, kind);
        assert_true(f->record.payload.data == payload.data);
        assert_int_equal(f->record.seq, 7);
        if (f->record.reason == REASON_NONE)
                assert_null(f->record.detail.data);
        else
                assert_non_null(f->record.detail.data);
        return &f->record;
}

static const Record *decode_text(Fixture *f, Kind kind, const char *payload) {
        return decode_bytes(f, kind, text_of(payload));
}

static const Record *decode_good(Fixture *f, Kind kind, const char *payload) {
        const Record *record = decode_text(f, kind, payload);

        if (record->reason != REASON_NONE)
                fail_msg("%s: %s: %s", payload, reason_name(record->reason), record->detail.data);
        return record;
}

static void check_reason(Fixture *f, Kind kind, const char *payload, Reason reason) {
        const Record *record = decode_text(f, kind, payload);

        if (record->reason != reason)
                fail_msg("%s: %s, expected %s",
                         payload,
                         reason_name(record->reason),
                         reason_name(reason));
}

static void check_text(Text text, const char *expected);

/* The message is good, and the one member that is not is noted. */
static const Record *check_noted(Fixture *f,
                                 Kind kind,
                                 const char *payload,
                                 const char *member,
                                 Reason reason) {
        const Record *record = decode_good(f, kind, payload);

        if (record->n_notes != 1)
                fail_msg("%s: %zu notes", payload, record->n_notes);
        check_text(record->notes[0].member, member);
        if (record->notes[0].reason != reason)
                fail_msg("%s: %s", payload, reason_name(record->notes[0].reason));
        return record;
}

static void check_text(Text text, const char *expected) {
        if (!text_equal(text, text_of(expected)))
                fail_msg("'%.*s' is not '%s'", (int)text.n, text.data, expected);
}

static void check_number(double value, double expected) {
        if (!(fabs(value - expected) <= 1e-12))
                fail_msg("%.17g is not %.17g", value, expected);
}

static void test_status_takes_every_member(void **state) {
        const Record *record =
                decode_good(*state,
                            KIND_DEVICE_STATUS,
                            "{\"status\":\"warning\",\"temperature\":25.1,\"humidity\":60.2,"
                            "\"latitude\":10.7,"
                            "\"longitude\":106.6,\"device_code\":\"other\",\"firmware\":\"1.2\"}");

        check_text(record->status.status, "warning");
        check_text(record->status.extra, "{\"firmware\":\"1.2\"}");
        check_text(record->data, "{\"firmware\":\"1.2\"}");
        check_number(record->status.temperature, 25.1);
        check_number(record->status.humidity, 60.2);
        check_number(record->status.latitude, 10.7);
        check_number(record->status.longitude, 106.6);
        check_text(record->device, "d1"); /* the topic wins */
        check_text(record->user, "ana");
        check_text(text_of(record->route), "r");
        assert_true(record->time_us == RECEIVED_US);
}

/* Sketches format what they measured with whatever is at hand. */
static void test_a_number_may_be_text_in_every_kind(void **state) {
        Fixture *f = *state;
        const Record *record = decode_good(f,
                                           KIND_DEVICE_STATUS,
                                           "{\"status\":\"online\",\"temperature\":\"25.5\","
                                           "\"humidity\":\" 60 \",\"latitude\":\"-6.2\","
                                           "\"longitude\":\"1e2\"}");

        check_number(record->status.temperature, 25.5);
        check_number(record->status.humidity, 60);
        check_number(record->status.latitude, -6.2);
        check_number(record->status.longitude, 100);
        record = decode_good(f,
                             KIND_CAMERA_EVENT,
                             "{\"event_type\":\"a\",\"data\":{\"confidence\":\"0.9\"}}");
        check_number(record->camera.confidence, 0.9);
        record = decode_good(f, KIND_ALERT, "{\"message\":\"a\",\"latitude\":\"1.5\"}");
        check_number(record->alert.latitude, 1.5);
        record = decode_good(f,
                             KIND_BLE_DETECTIONS,
                             "{\"device_id\":\"d\",\"device_hash\":\"" HASH "\",\"rssi\":\"-55\"}");
        check_number(record->detections.items[0].rssi, -55);
        decode_good(f, KIND_SENSOR_LOG, "{\"sensor_id\":\"5\",\"data\":{}}");
        check_number(f->record.sensor.sensor_id, 5);
}

/* Under these names there may be something else, too, which nobody then takes offence at. */
static void test_a_status_and_a_camera_say_what_they_are_called(void **state) {
        Fixture *f = *state;
        const Record *record;

        record = decode_good(f,
                             KIND_DEVICE_STATUS,
                             "{\"status\":\"online\",\"name\":\"Boiler\",\"location\":\"Cellar\"}");
        check_text(record->said_name, "Boiler");
        check_text(record->said_location, "Cellar");
        check_text(record->status.extra, "{\"name\":\"Boiler\",\"location\":\"Cellar\"}");
        record = decode_good(f,
                             KIND_CAMERA_EVENT,
                             "{\"event_type\":\"motion\",\"name\":\"Gate\",\"location\":null,"
                             "\"data\":{\"location\":{\"top\":1}}}");
        check_text(record->said_name, "Gate");
        assert_int_equal(record->said_location.n, 0);
        record = decode_good(f,
                             KIND_DEVICE_STATUS,
                             "{\"status\":\"online\",\"name\":7,\"location\":{\"lat\":1}}");
        assert_int_equal(record->said_name.n + record->said_location.n, 0);
        assert_int_equal(record->n_notes, 0);
        record = decode_good(f, KIND_TELEMETRY, "{\"name\":\"voltage\",\"value\":230}");
        assert_int_equal(record->said_name.n, 0); /* that is of a measurement */
        record = decode_good(f,
                             KIND_DEVICE_STATUS,
                             "{\"status\":\"online\",\"device_name\":\"Boiler\"}");
        check_text(record->said_name, "Boiler");
        record = decode_good(f,
                             KIND_TELEMETRY,
                             "{\"name\":\"voltage\",\"device_name\":\"Meter\",\"location\":"
                             "\"Hall\"}");
        check_text(record->said_name, "Meter");
        check_text(record->said_location, "Hall");
        record = decode_good(f, KIND_TELEMETRY, "{\"device_name\":{\"a\":1},\"location\":[1,2]}");
        assert_int_equal(record->said_name.n + record->said_location.n, 0);
        assert_int_equal(record->n_notes, 0);
}

static void test_status_null_and_missing_members_are_unknown(void **state) {
        const Record *record = decode_good(*state,
                                           KIND_DEVICE_STATUS,
                                           " {\"status\":\"online\",\"temperature\":null}\n");

        check_text(record->status.status, "online");
        assert_null(record->status.extra.data);
        assert_true(isnan(record->status.temperature));
        assert_true(isnan(record->status.humidity));
        assert_true(isnan(record->status.latitude));
        assert_true(isnan(record->status.longitude));
}

static void test_status_is_also_bare_text(void **state) {
        static const char *const online[] = {
                "online", "Online\r\n", "\"online\"", "ON", "true", "1", "connected", "online\n",
        };
        static const char *const offline[] = {
                "offline", "OFFLINE", "\"off\"", "false", "0", " disconnected", "unavailable",
        };

        for (size_t i = 0; i < N_ELEMENTS(online); ++i)
                check_text(decode_good(*state, KIND_DEVICE_STATUS, online[i])->status.status,
                           "online");
        for (size_t i = 0; i < N_ELEMENTS(offline); ++i)
                check_text(decode_good(*state, KIND_DEVICE_STATUS, offline[i])->status.status,
                           "offline");
        check_text(decode_good(*state, KIND_DEVICE_STATUS, "warning")->status.status, "warning");
        assert_true(isnan(decode_good(*state, KIND_DEVICE_STATUS, "offline")->status.humidity));
        check_reason(*state, KIND_DEVICE_STATUS, "online!", REASON_BAD_JSON);
        check_reason(*state, KIND_DEVICE_STATUS, "\"asleep\"", REASON_BAD_JSON);
        check_reason(*state, KIND_DEVICE_STATUS, "21.5", REASON_BAD_JSON);
}

static void test_device_code_counts_only_where_the_topic_has_none(void **state) {
        Fixture *f = *state;
        const Record *record;

        f->match = (TopicMatch){ 0 };
        record = decode_good(f,
                             KIND_DEVICE_STATUS,
                             "{\"status\":\"online\",\"device_code\":\"rpi-7\"}");
        check_text(record->device, "rpi-7");
        record = decode_good(f, KIND_DEVICE_STATUS, "{\"status\":\"online\",\"device_id\":12}");
        check_text(record->device, "12");
        record = decode_good(f, KIND_DEVICE_STATUS, "{\"status\":\"online\"}");
        assert_null(record->device.data);

        check_noted(f,
                    KIND_DEVICE_STATUS,
                    "{\"status\":\"online\",\"device_code\":\"\"}",
                    "/device_code",
                    REASON_OUT_OF_RANGE);
        check_noted(f,
                    KIND_DEVICE_STATUS,
                    "{\"status\":\"online\",\"device_code\":\"a\\nb\"}",
                    "/device_code",
                    REASON_OUT_OF_RANGE);
        record = check_noted(f,
                             KIND_DEVICE_STATUS,
                             "{\"status\":\"online\",\"device_code\":{}}",
                             "/device_code",
                             REASON_WRONG_TYPE);
        assert_null(record->device.data); /* and whoever it is has to be somebody: resolve.h */
}

static void test_status_without_a_form_or_a_status_is_refused(void **state) {
        static const struct {
                const char *payload;
                Reason reason;
        } cases[] = {
                { "", REASON_BAD_JSON },
                { "{", REASON_BAD_JSON },
                { "[]", REASON_BAD_JSON },
                { "null", REASON_BAD_JSON },
                { "{'status':'online'}", REASON_BAD_JSON },
                { "{}", REASON_MISSING_MEMBER },
                { "{\"status\":null}", REASON_MISSING_MEMBER },
                { "{\"state\":\"online\"}", REASON_MISSING_MEMBER },
                { "{\"status\":{}}", REASON_WRONG_TYPE },
                { "{\"status\":\"asleep\"}", REASON_OUT_OF_RANGE },
                { "{\"status\":7}", REASON_OUT_OF_RANGE },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_reason(*state, KIND_DEVICE_STATUS, cases[i].payload, cases[i].reason);
        assert_int_equal(decode_bytes(*state, KIND_DEVICE_STATUS, TEXT("{\"status\"\0:\"on\"}"))
                                 ->reason,
                         REASON_NUL_CHARACTER);
}

static void test_an_odd_member_of_a_status_costs_itself(void **state) {
        static const struct {
                const char *member, *value;
                Reason reason;
        } cases[] = {
                { "temperature", "NaN", REASON_OUT_OF_RANGE },
                { "temperature", "-Infinity", REASON_OUT_OF_RANGE },
                { "temperature", "\"25.1 C\"", REASON_WRONG_TYPE },
                { "temperature", "\"25,1\"", REASON_WRONG_TYPE },
                { "temperature", "\"0x1F\"", REASON_WRONG_TYPE },
                { "temperature", "\"unavailable\"", REASON_WRONG_TYPE },
                { "temperature", "\"300000\"", REASON_OUT_OF_RANGE },
                { "temperature", "true", REASON_WRONG_TYPE },
                { "temperature", "[1]", REASON_WRONG_TYPE },
                { "temperature", "1e999", REASON_OUT_OF_RANGE },
                { "temperature", "-273.16", REASON_OUT_OF_RANGE },
                { "temperature", "1001", REASON_OUT_OF_RANGE },
                { "humidity", "100.1", REASON_OUT_OF_RANGE },
                { "humidity", "-1", REASON_OUT_OF_RANGE },
                { "latitude", "90.01", REASON_OUT_OF_RANGE },
                { "longitude", "-180.01", REASON_OUT_OF_RANGE },
                { "name", "\"\xff\"", REASON_BAD_UTF8 },
                { "name", "\"\\ud800\"", REASON_BAD_UTF8 },
                { "name", "\"a\tb\"", REASON_BAD_JSON },
                { "name", "\"a\\u0000b\"", REASON_NUL_CHARACTER },
        };
        char payload[128], member[64];

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const Record *record;

                snprintf(payload,
                         sizeof(payload),
                         "{\"status\":\"online\",\"%s\":%s}",
                         cases[i].member,
                         cases[i].value);
                snprintf(member, sizeof(member), "/%s", cases[i].member);
                record = check_noted(*state, KIND_DEVICE_STATUS, payload, member, cases[i].reason);
                assert_true(isnan(record->status.temperature) && isnan(record->status.humidity));
                assert_true(isnan(record->status.latitude) && isnan(record->status.longitude));
        }
}

/* So do C programs send their buffers: nothing is lost. */
static void test_nuls_at_the_end_of_a_string_go_without_a_word(void **state) {
        const Record *record = decode_bytes(*state,
                                            KIND_TELEMETRY,
                                            TEXT("{\"a\":\"ab\\u0000\0\",\"b\":\"\\u0000\"}"));

        assert_int_equal(record->reason, REASON_NONE);
        assert_int_equal(record->n_notes, 0);
        assert_true(text_equal(record->data, TEXT("{\"a\":\"ab\",\"b\":\"\"}")));
        record = decode_bytes(*state, KIND_TELEMETRY, TEXT("{\"a\":\"a\\u0000b\\u0000\"}"));
        assert_int_equal(record->n_notes, 1);
        record = decode_bytes(*state, KIND_TELEMETRY, TEXT("{\"a\":\"\xff\\u0000\"}"));
        assert_int_equal(record->n_notes, 1);
}

static void test_what_nobody_reads_is_not_judged(void **state) {
        const Record *record = decode_good(*state,
                                           KIND_DEVICE_STATUS,
                                           "{\"iccid\":89490200001234567890,\"status\":true}");

        check_text(record->status.status, "online");
        assert_int_equal(record->n_notes, 0);
        record = decode_good(*state, KIND_TELEMETRY, "{\"iccid\":89490200001234567890}");
        check_text(record->data, "{\"iccid\":89490200001234567890}");
        record = decode_good(*state,
                             KIND_VEHICLE_LOG,
                             "{\"speed\":\"+012.50\",\"iccid\":89490200001234567890}");
        check_text(record->data, "{\"speed\":12.50,\"iccid\":89490200001234567890}");
        check_text(record->vehicle_log.extra, "{\"iccid\":89490200001234567890}");
}

static void test_a_mark_in_front_and_nuls_behind_are_no_part_of_it(void **state) {
        const Record *record =
                decode_bytes(*state, KIND_TELEMETRY, TEXT("\xef\xbb\xbf{\"v\":1}\0\0"));

        assert_int_equal(record->reason, REASON_NONE);
        check_text(record->data, "{\"v\":1}");
        check_text(decode_bytes(*state, KIND_RAW_LOG, TEXT("\xef\xbb\xbfready\0"))->text, "ready");
        check_text(decode_bytes(*state, KIND_ALERT, TEXT("hot\0"))->alert.message, "hot");
        check_text(decode_bytes(*state, KIND_DEVICE_STATUS, TEXT("online\0"))->status.status,
                   "online");
        assert_int_equal(decode_bytes(*state, KIND_RAW_LOG, TEXT("\0\0"))->reason, REASON_BAD_JSON);
}

static void test_notes_are_few_whatever_is_wrong(void **state) {
        char payload[512] = "{\"v\":[nan";
        size_t n = strlen(payload);

        for (int i = 0; i < 40; ++i)
                n += (size_t)snprintf(payload + n, sizeof(payload) - n, ",nan");
        snprintf(payload + n, sizeof(payload) - n, "]}");
        assert_int_equal(decode_good(*state, KIND_TELEMETRY, payload)->n_notes, 16);
}

static void test_of_duplicate_members_the_last_one_wins(void **state) {
        const Record *record = decode_good(*state,
                                           KIND_DEVICE_STATUS,
                                           "{\"status\":\"online\",\"status\":\"error\"}");

        check_text(record->status.status, "error");
}

static void test_deep_nesting_is_refused_quickly(void **state) {
        static char deep[100020] = "{\"status\":\"online\",\"a\":";
        Fixture *f = *state;
        size_t n = strlen(deep);

        memset(deep + n, '[', sizeof(deep) - n - 1);
        f->route.max_bytes = sizeof(deep);
        check_reason(f, KIND_DEVICE_STATUS, deep, REASON_TOO_DEEP);
        check_reason(f, KIND_TELEMETRY, deep, REASON_TOO_DEEP);
}

static void test_large_payload_is_refused_for_every_kind(void **state) {
        Fixture *f = *state;

        f->route.max_bytes = 19;
        for (Kind kind = KIND_DEVICE_STATUS; kind < KIND_COUNT; ++kind)
                check_reason(f, kind, "{\"status\":\"online\"} ", REASON_TOO_LARGE);
        decode_good(f, KIND_DEVICE_STATUS, "{\"status\":\"online\"}");
}

static void test_bad_bytes_are_refused_for_every_kind(void **state) {
        for (Kind kind = KIND_DEVICE_STATUS; kind < KIND_COUNT; ++kind) {
                Reason reason = decode_text(*state, kind, "hello \xc0\xaf")->reason;

                check_reason(*state, kind, "", REASON_BAD_JSON);
                assert_int_equal(reason,
                                 kind == KIND_RAW_LOG || kind == KIND_ALERT ? REASON_BAD_UTF8
                                                                            : REASON_BAD_JSON);
                check_reason(*state, kind, "\xc0\xaf", REASON_BAD_UTF8);
                assert_int_equal(decode_bytes(*state, kind, TEXT("\0b"))->reason,
                                 REASON_NUL_CHARACTER);
        }
}

static void test_names_in_the_topic_must_be_names(void **state) {
        Fixture *f = *state;
        char name[200] = "";

        f->match.device = TEXT("a\xff");
        check_reason(f, KIND_DEVICE_STATUS, "online", REASON_BAD_UTF8);
        f->match.device = TEXT("a\nb");
        check_reason(f, KIND_DEVICE_STATUS, "online", REASON_OUT_OF_RANGE);
        memset(name, 'x', sizeof(name) - 1);
        f->match.device = (Text){ .data = name, .n = 129 };
        check_reason(f, KIND_DEVICE_STATUS, "online", REASON_OUT_OF_RANGE);
        f->match.device.n = 128;
        decode_good(f, KIND_DEVICE_STATUS, "online");
}

static void test_times_are_read_in_every_form(void **state) {
        static const struct {
                const char *text;
                int64_t time_us;
        } cases[] = {
                { "\"2025-10-18T16:30:00.123Z\"", RECEIVED_US },
                { "\"2025-10-18T23:30:00.123+07:00\"", RECEIVED_US },
                { "\"2025-10-18 23:30:00.123\"", RECEIVED_US }, /* the route's zone */
                { "\" 2025-10-18T16:30:00.123Z\\r\\n\"", RECEIVED_US },
                { "\"\\t2025-10-18 23:30:00.123 \"", RECEIVED_US },
                { "\" 1760805000.123\\n\"", RECEIVED_US },
                { "1760805000.123", RECEIVED_US },
                { "1760805000123", RECEIVED_US },
                { "1760805000", RECEIVED_US - 123000 },
                { "null", RECEIVED_US },
        };
        Fixture *f = *state;
        char payload[128];

        assert_int_equal(zone_new(&f->route.zone, "+07:00"), 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                snprintf(payload,
                         sizeof(payload),
                         "{\"status\":\"online\",\"timestamp\":%s}",
                         cases[i].text);
                assert_true(decode_good(f, KIND_DEVICE_STATUS, payload)->time_us ==
                            cases[i].time_us);
        }
}

/* A clock may be ahead by a little and behind by years; what else it says is set aside. */
static void test_times_that_cannot_be_cost_themselves_alone(void **state) {
        static const struct {
                const char *text;
                bool is_believed;
        } cases[] = {
                { "\"2025-10-18T16:31:00Z\"", true },  /* a little less than a minute ahead */
                { "\"2025-10-18T16:31:01Z\"", false }, /* whose clock is ahead */
                { "\"2025-10-19T12:30:00Z\"", false }, /* by hours, as local time without a zone */
                { "2085978496", false },               /* in 2036 */
                { "4294967295", false },
                { "\"2016-01-01T00:00:00Z\"", true },
                { "\"2006-03-05T16:30:00Z\"", false }, /* a GPS week that rolled over */
                { "\"1970-01-01T00:00:12Z\"", false }, /* no battery */
                { "0", false },
                { "4711", false },     /* seconds since it was switched on */
                { "86400123", false }, /* milliseconds */
                { "-1", false },
                { "1e17", false },
                { "-1e17", false },
                { "\"\"", false },
                { "\"soon\"", false },
                { "\"2025-02-30T00:00:00Z\"", false },
                { "true", false },
                { "{}", false },
        };
        char payload[128];

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const Record *record;

                snprintf(payload,
                         sizeof(payload),
                         "{\"status\":\"online\",\"timestamp\":%s}",
                         cases[i].text);
                record = decode_good(*state, KIND_DEVICE_STATUS, payload);
                if (record->has_clock != cases[i].is_believed ||
                    record->odd_time == cases[i].is_believed)
                        fail_msg("%s: believed: %d", cases[i].text, record->has_clock);
                if (!cases[i].is_believed)
                        assert_true(record->time_us == RECEIVED_US);
                assert_true(!record->said_time.data == cases[i].is_believed);
        }
}

/* Whatever it is, it can be looked up what the device said. */
static void test_a_time_that_is_none_is_kept_as_it_was_said(void **state) {
        static const struct {
                const char *text, *said;
                bool is_time, has_zone;
        } cases[] = {
                { "\"2025-10-19T12:30:00+07:00\"", "2025-10-19T12:30:00+07:00", true, true },
                { "\"2025-10-19T12:30:00Z\"", "2025-10-19T12:30:00Z", true, false },
                { "\"2025-10-19 12:30:00\"", "2025-10-19 12:30:00", true, false },
                { "12", "12", true, false },
                { "12.50", "12.50", true, false },
                { "\"12:30\"", "12:30", false, false },
                { "\"\"", "", false, false },
                { "true", "true", false, false },
                { "[1,2]", "[1,2]", false, false },
        };
        char payload[512], long_text[256];

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const Record *record;

                snprintf(payload,
                         sizeof(payload),
                         "{\"status\":\"online\",\"timestamp\":%s}",
                         cases[i].text);
                record = decode_good(*state, KIND_DEVICE_STATUS, payload);
                check_text(record->said_time, cases[i].said);
                assert_true((record->clock_us != CLOCK_UNKNOWN) == cases[i].is_time);
                assert_true(record->has_zone == cases[i].has_zone);
        }

        memset(long_text, 'x', 127);
        snprintf(long_text + 127, sizeof(long_text) - 127, "\xc3\xa9t\xc3\xa9"); /* cut within */
        snprintf(payload,
                 sizeof(payload),
                 "{\"status\":\"online\",\"timestamp\":\"%s\"}",
                 long_text);
        assert_int_equal(decode_good(*state, KIND_DEVICE_STATUS, payload)->said_time.n, 127);
}

static void test_a_detection_is_believed_as_its_message_is(void **state) {
        static const char hash[] =
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        char payload[1024];
        const Record *record;

        snprintf(payload,
                 sizeof(payload),
                 "{\"device_id\":\"rpi\",\"timestamp\":\"2025-10-18T16:29:00Z\",\"detections\":["
                 "{\"device_hash\":\"%s\",\"rssi\":-55},"
                 "{\"device_hash\":\"%s\",\"rssi\":-55,\"timestamp\":12},"
                 "{\"device_hash\":\"%s\",\"rssi\":-55,\"timestamp\":\"2025-10-18T16:28:00Z\"}]}",
                 hash,
                 hash,
                 hash);
        record = decode_good(*state, KIND_BLE_DETECTIONS, payload);
        assert_int_equal(record->detections.n_items, 3);
        assert_true(record->detections.items[0].time_us == record->time_us);
        assert_null(record->detections.items[0].said_time.data);
        assert_true(record->detections.items[1].time_us == RECEIVED_US);
        check_text(record->detections.items[1].said_time, "12");
        assert_true(record->detections.items[2].time_us == record->time_us - 60000000);
        assert_null(record->detections.items[2].said_time.data);
        assert_null(record->said_time.data);
        assert_true(record->clock_us == record->time_us); /* the newest that it says */

        snprintf(payload,
                 sizeof(payload),
                 "{\"device_id\":\"rpi\",\"timestamp\":12,\"detections\":["
                 "{\"device_hash\":\"%s\",\"rssi\":-55}]}",
                 hash);
        record = decode_good(*state, KIND_BLE_DETECTIONS, payload);
        assert_true(record->detections.items[0].time_us == RECEIVED_US);
        check_text(record->detections.items[0].said_time, "12");
}

/* Summer time ended on 2025-10-26 at 01:00 UTC in Madrid: 02:50 there was 00:50 and 01:50. */
static void test_the_later_reading_is_taken_where_it_has_been(void **state) {
        static const struct {
                int64_t received_min, time_min; /* after 00:00 UTC */
        } cases[] = {
                { 50, 50 }, /* as it is */
                { 60, 50 }, /* ten minutes later */
                { 85, 50 }, /* the other one is nearer, and still to come */
                { 110, 110 }, { 130, 110 }, { 24 * 60, 110 },
        };
        Fixture *f = *state;
        Record envelope = { .payload = TEXT("{\"status\":\"online\","
                                            "\"timestamp\":\"2025-10-26T02:50:00\"}") };
        int64_t midnight_us = clock_days_from_civil(2025, 10, 26) * CLOCK_DAY_US;

        f->route.kind = KIND_DEVICE_STATUS;
        assert_int_equal(zone_new(&f->route.zone, "Europe/Madrid"), 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                envelope.received_us = midnight_us + cases[i].received_min * 60 * CLOCK_SECOND_US;
                assert_int_equal(decode(f->arena, &f->route, &f->match, &envelope, &f->record), 0);
                assert_true(f->record.has_clock);
                assert_true(f->record.time_us ==
                            midnight_us + cases[i].time_min * 60 * CLOCK_SECOND_US);
        }
}

/* Routes of telemetry: the first two with these conditions, the last with none. */
static const Route *choose(Fixture *f, Route routes[3], const Record *envelope, Parsed *parsed) {
        static const char *const texts[] = { "/type = a", "/type = b and ! /test" };
        const Route *order[] = { &routes[0], &routes[1], &routes[2] }, *chosen = NULL;
        const char *why;

        f->route.kind = KIND_TELEMETRY;
        for (size_t i = 0; i < 3; ++i)
                routes[i] = f->route;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i)
                assert_int_equal(condition_new(&routes[i].when, texts[i], &why), 0);
        assert_int_equal(decode_choose(f->arena, order, 3, envelope, parsed, &chosen), 0);
        condition_free(routes[0].when);
        condition_free(routes[1].when);
        return chosen;
}

static void test_what_conditions_are_asked_about_is_parsed_once(void **state) {
        static const struct {
                const char *payload;
                size_t chosen, n_parsed;
        } cases[] = {
                { "{\"type\":\"a\",\"n\":1}", 0, 1 },
                { "{\"type\":\"b\",\"n\":\"\xff\",\"timestamp\":\"soon\"}", 1, 1 },
                { "{\"type\":\"b\",\"test\":1}", 2, 1 },
                { "{\"type\":", 2, 2 }, /* the one that takes it says what is wrong */
        };
        Fixture *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const Record envelope = { .received_us = RECEIVED_US,
                                          .topic = TEXT("a/b"),
                                          .payload = text_of(cases[i].payload) };
                const Record *alone = decode_text(f, KIND_TELEMETRY, cases[i].payload);
                Parsed parsed = { 0 };
                Route routes[3];
                Record record;
                const Route *chosen;

                n_parsed = 0;
                chosen = choose(f, routes, &envelope, &parsed);
                assert_ptr_equal(chosen, &routes[cases[i].chosen]);
                assert_int_equal(decode_parsed(f->arena,
                                               chosen,
                                               &f->match,
                                               &envelope,
                                               &parsed,
                                               &record),
                                 0);
                parsed_done(&parsed);
                assert_int_equal(n_parsed, cases[i].n_parsed);
                assert_int_equal(record.reason, alone->reason);
                assert_int_equal(record.n_notes, alone->n_notes);
                assert_true(record.time_us == alone->time_us);
                assert_true(text_equal(record.device, alone->device));
                assert_true(text_equal(record.data, alone->data));
        }
}

static void test_another_bound_is_judged_anew(void **state) {
        Fixture *f = *state;
        const Record envelope = { .received_us = RECEIVED_US,
                                  .topic = TEXT("a/b"),
                                  .payload = TEXT("{\"type\":\"c\"}") };
        Parsed parsed = { 0 };
        Route routes[3];
        Record record;

        assert_ptr_equal(choose(f, routes, &envelope, &parsed), &routes[2]);
        routes[2].max_bytes = 5;
        assert_int_equal(decode_parsed(f->arena,
                                       &routes[2],
                                       &f->match,
                                       &envelope,
                                       &parsed,
                                       &record),
                         0);
        assert_int_equal(record.reason, REASON_TOO_LARGE);
        parsed_done(&parsed);
}

static void test_a_letter_is_judged_by_when_it_first_came(void **state) {
        Fixture *f = *state;
        Record envelope = { .received_us = RECEIVED_US + 50 * CLOCK_DAY_US,
                            .first_us = RECEIVED_US,
                            .letter_id = 5,
                            .payload = TEXT("{\"status\":\"online\"}") };

        f->route.kind = KIND_DEVICE_STATUS;
        assert_int_equal(decode(f->arena, &f->route, &f->match, &envelope, &f->record), 0);
        assert_true(f->record.time_us == RECEIVED_US);
        assert_int_equal(f->record.letter_id, 5);
        envelope.payload = TEXT("{\"status\":\"online\",\"timestamp\":\"2025-10-18T17:30:00Z\"}");
        assert_int_equal(decode(f->arena, &f->route, &f->match, &envelope, &f->record), 0);
        assert_true(f->record.odd_time && f->record.time_us == RECEIVED_US);
}

static void test_raw_log_keeps_text_and_unquotes_json_strings(void **state) {
        static const struct {
                const char *payload, *text, *data;
        } cases[] = {
                { "GPS initialized", "GPS initialized", "\"GPS initialized\"" },
                { "say \"hi\"\n", "say \"hi\"\n", "\"say \\\"hi\\\"\\n\"" },
                { "\"GPS \\u00e9\\n\"", "GPS \xc3\xa9\n", "\"GPS \xc3\xa9\\n\"" },
                { " \"x\" ", "x", "\"x\"" },
                { "{\"a\": 1}", "{\"a\": 1}", "\"{\\\"a\\\": 1}\"" },
                { "[1,2]", "[1,2]", "\"[1,2]\"" },
                { "42", "42", "\"42\"" },
                { "1e999", "1e999", "\"1e999\"" },
                { "\"unfinished", "\"unfinished", "\"\\\"unfinished\"" },
        };
        Fixture *f = *state;

        f->match = (TopicMatch){ .vehicle = TEXT("v1") };
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const Record *record = decode_good(f, KIND_RAW_LOG, cases[i].payload);

                check_text(record->text, cases[i].text);
                check_text(record->data, cases[i].data);
                check_text(record->vehicle, "v1");
                assert_int_equal(json_check(record->data), REASON_NONE);
        }
}

static void test_sensor_log_takes_id_data_and_either_timestamp(void **state) {
        const Record *record =
                decode_good(*state,
                            KIND_SENSOR_LOG,
                            "{\"sensor_id\":1,\"data\":{\"temperature\":25.50, \"n\":null,"
                            "\"timestamp\":\"2025-10-18T16:29:00Z\"},\"timestamp\":\"2020-01-"
                            "01\"}");

        assert_int_equal(record->sensor.sensor_id, 1);
        check_text(record->data,
                   "{\"temperature\":25.50, \"n\":null,\"timestamp\":\"2025-10-18T16:29:00Z\"}");
        assert_true(record->time_us == RECEIVED_US - 60123000);

        record = decode_good(*state,
                             KIND_SENSOR_LOG,
                             "{\"sensor_id\":\"2147483647\",\"data\":{},\"timestamp\":1760805000}");
        assert_int_equal(record->sensor.sensor_id, 2147483647);
        check_text(record->data, "{}");
        assert_true(record->time_us == RECEIVED_US - 123000);
}

static void test_sensor_log_with_unusable_members_is_refused(void **state) {
        static const struct {
                const char *payload;
                Reason reason;
        } cases[] = {
                { "{\"data\":{}}", REASON_MISSING_MEMBER },
                { "{\"sensor_id\":1}", REASON_MISSING_MEMBER },
                { "{\"sensor_id\":1,\"data\":null}", REASON_MISSING_MEMBER },
                { "{\"sensor_id\":1,\"data\":[1]}", REASON_WRONG_TYPE },
                { "{\"sensor_id\":1.5,\"data\":{}}", REASON_WRONG_TYPE },
                { "{\"sensor_id\":\"12abc\",\"data\":{}}", REASON_WRONG_TYPE },
                { "{\"sensor_id\":\"\",\"data\":{}}", REASON_WRONG_TYPE },
                { "{\"sensor_id\":true,\"data\":{}}", REASON_WRONG_TYPE },
                { "{\"sensor_id\":-1,\"data\":{}}", REASON_OUT_OF_RANGE },
                { "{\"sensor_id\":2147483648,\"data\":{}}", REASON_OUT_OF_RANGE },
                { "{\"sensor_id\":18446744073709551615,\"data\":{}}", REASON_OUT_OF_RANGE },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_reason(*state, KIND_SENSOR_LOG, cases[i].payload, cases[i].reason);
}

static void test_vehicle_log_takes_every_member(void **state) {
        static const char payload[] =
                "{\"battery_voltage\":12.6,\"battery_current\":2.5,\"rssi\":-45,\"mode\":\"AUTO\","
                "\"latitude\":-6.2088,\"longitude\":106.8456,\"heading\":45.0,\"armed\":true,"
                "\"guided\":false,\"system_status\":\"STANDBY\",\"speed\":15.5}";
        const Record *record = decode_good(*state, KIND_VEHICLE_LOG, payload);
        const VehicleRecord *log = &record->vehicle_log;

        check_number(log->battery_voltage, 12.6);
        check_number(log->battery_current, 2.5);
        check_number(log->rssi, -45);
        check_number(log->latitude, -6.2088);
        check_number(log->longitude, 106.8456);
        check_number(log->heading, 45);
        check_number(log->speed, 15.5);
        check_text(log->mode, "AUTO");
        check_text(log->system_status, "STANDBY");
        assert_int_equal(log->armed, 1);
        assert_int_equal(log->guided, 0);
        assert_null(log->extra.data);
        check_text(record->data, payload);
}

static void test_vehicle_log_numbers_as_text_become_numbers_with_their_digits(void **state) {
        const Record *record =
                decode_good(*state,
                            KIND_VEHICLE_LOG,
                            "{\"battery_voltage\":\"13.760\",\"rssi\":\"-45\",\"speed\":\" 1.5 \","
                            "\"armed\":1,\"guided\":\"false\",\"note\":\"12\",\"heading\":null}");

        check_number(record->vehicle_log.battery_voltage, 13.76);
        check_number(record->vehicle_log.rssi, -45);
        check_number(record->vehicle_log.speed, 1.5);
        assert_true(isnan(record->vehicle_log.heading));
        assert_int_equal(record->vehicle_log.armed, 1);
        assert_int_equal(record->vehicle_log.guided, 0);
        check_text(record->data,
                   "{\"battery_voltage\":13.760,\"rssi\":-45,\"speed\":1.5,\"armed\":true,"
                   "\"guided\":false,\"note\":\"12\",\"heading\":null}");
        check_text(record->vehicle_log.extra, "{\"note\":\"12\"}");
}

static void test_vehicle_log_keeps_what_it_does_not_know(void **state) {
        static const char payload[] =
                "{\"latitude\":33.60716,\"name\":\"EV/ER \xc3\xa9\","
                "\"nav\":{\"status\":[0,1.50]},\"timestamp\":1760805000,\"x\":null}";
        const Record *record = decode_good(*state, KIND_VEHICLE_LOG, payload);

        check_text(record->vehicle_log.extra,
                   "{\"name\":\"EV/ER \xc3\xa9\",\"nav\":{\"status\":[0,1.50]},\"x\":null}");
        check_text(record->data, payload);
        assert_true(record->time_us == RECEIVED_US - 123000);
        assert_int_equal(record->vehicle_log.armed, -1);
        assert_null(record->vehicle_log.mode.data);
}

static void test_vehicle_log_of_nothing_that_can_be_used_is_refused(void **state) {
        static const struct {
                const char *payload;
                Reason reason;
        } cases[] = {
                { "{}", REASON_MISSING_MEMBER },
                { "{\"v\":1}", REASON_MISSING_MEMBER },
                { "{\"mode\":null}", REASON_MISSING_MEMBER },
                { "{\"battery_voltage\":\"12abc\"}", REASON_WRONG_TYPE },
                { "{\"battery_voltage\":\"\"}", REASON_WRONG_TYPE },
                { "{\"battery_voltage\":\"NaN\"}", REASON_WRONG_TYPE },
                { "{\"battery_voltage\":\"0x10\"}", REASON_WRONG_TYPE },
                { "{\"battery_voltage\":\"1e999\"}", REASON_WRONG_TYPE },
                { "{\"battery_voltage\":{}}", REASON_WRONG_TYPE },
                { "{\"armed\":2}", REASON_OUT_OF_RANGE },
                { "{\"guided\":[true]}", REASON_WRONG_TYPE },
                { "{\"heading\":360.1}", REASON_OUT_OF_RANGE },
                { "{\"rssi\":51}", REASON_OUT_OF_RANGE },
                { "{\"latitude\":-62088000,\"longitude\":1068456000}", REASON_OUT_OF_RANGE },
                { "plain text", REASON_BAD_JSON },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_reason(*state, KIND_VEHICLE_LOG, cases[i].payload, cases[i].reason);
}

static void test_an_odd_member_of_a_vehicle_log_is_null(void **state) {
        Fixture *f = *state;
        char payload[256] = "{\"mode\":\"";
        const Record *record = check_noted(f,
                                           KIND_VEHICLE_LOG,
                                           "{\"rssi\":255,\"latitude\":-6.2,\"longitude\":106.8}",
                                           "/rssi",
                                           REASON_OUT_OF_RANGE);

        assert_true(isnan(record->vehicle_log.rssi));
        check_number(record->vehicle_log.latitude, -6.2);
        check_text(record->data, "{\"rssi\":null,\"latitude\":-6.2,\"longitude\":106.8}");
        assert_null(record->vehicle_log.extra.data);

        record = check_noted(f,
                             KIND_VEHICLE_LOG,
                             "{\"armed\":128,\"mode\":4,\"guided\":\"ON\"}",
                             "/armed",
                             REASON_OUT_OF_RANGE);
        check_text(record->vehicle_log.mode, "4");
        assert_int_equal(record->vehicle_log.armed, -1);
        assert_int_equal(record->vehicle_log.guided, 1);
        check_text(record->data, "{\"armed\":null,\"mode\":4,\"guided\":true}");
        memset(payload + 9, 'x', 129);
        strcpy(payload + 9 + 129, "\",\"speed\":1}");
        check_noted(f, KIND_VEHICLE_LOG, payload, "/mode", REASON_OUT_OF_RANGE);
}

static void test_detections_keep_the_good_and_set_the_bad_aside(void **state) {
        Fixture *f = *state;
        const DetectionsRecord *detections = &f->record.detections;

        f->match = (TopicMatch){ 0 };
        decode_good(f,
                    KIND_BLE_DETECTIONS,
                    "{\"device_id\":\"rpi-001\",\"timestamp\":\"2025-10-18T16:30:00Z\","
                    "\"detections\":["
                    "{\"device_hash\":\"" HASH "\",\"rssi\":-60,\"zone\":\"far\","
                    "\"timestamp\":\"2025-10-18T16:29:59Z\"},"
                    "{\"device_hash\":\"abc\",\"rssi\":-55},"
                    "{\"device_hash\":\"" HASH "\",\"rssi\":-75},"
                    "{\"device_hash\":\"" HASH "\"},null,5,"
                    "{\"device_hash\":\"" HASH "\",\"rssi\":\"-5 dBm\"},"
                    "{\"device_hash\":\"" HASH "\",\"rssi\":-85,\"timestamp\":\"x\"},"
                    "{\"device_hash\":\"" HASH "\",\"rssi\":-300},"
                    "{\"device_hash\":\"" HASH "\",\"rssi\":-75.5}],"
                    "\"name\":\"Entrance\",\"location\":\"Building A\"}");

        check_text(f->record.device, "rpi-001");
        check_text(f->record.said_name, "Entrance");
        check_text(f->record.said_location, "Building A");
        assert_true(f->record.time_us == RECEIVED_US - 123000);

        assert_int_equal(detections->n_items, 4);
        assert_string_equal(detections->items[0].device_hash,
                            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        assert_string_equal(detections->items[0].zone, "near");
        assert_true(detections->items[0].time_us == RECEIVED_US - 1123000);
        assert_string_equal(detections->items[1].zone, "medium");
        assert_true(detections->items[1].time_us == RECEIVED_US - 123000);
        assert_true(detections->items[2].time_us == RECEIVED_US); /* its own is none */
        assert_string_equal(detections->items[3].zone, "far");
        check_number(detections->items[3].rssi, -75.5);

        assert_int_equal(detections->n_set_aside, 6);
        assert_int_equal(detections->set_aside[0].reason, REASON_OUT_OF_RANGE);
        check_text(detections->set_aside[0].bytes, "{\"device_hash\":\"abc\",\"rssi\":-55}");
        assert_int_equal(detections->set_aside[1].reason, REASON_MISSING_MEMBER);
        assert_int_equal(detections->set_aside[2].reason, REASON_WRONG_TYPE);
        check_text(detections->set_aside[2].bytes, "null");
        assert_int_equal(detections->set_aside[3].reason, REASON_WRONG_TYPE);
        check_text(detections->set_aside[3].bytes, "5");
        assert_int_equal(detections->set_aside[4].reason, REASON_WRONG_TYPE);
        assert_int_equal(detections->set_aside[5].reason, REASON_OUT_OF_RANGE);
}

static void test_single_detection_and_heartbeat(void **state) {
        Fixture *f = *state;
        const Record *record;

        f->match = (TopicMatch){ 0 };
        record = decode_good(f,
                             KIND_BLE_DETECTIONS,
                             "{\"device_id\":\"rpi-001\",\"device_hash\":\"" HASH "\",\"rssi\":-50,"
                             "\"timestamp\":\"2025-10-18T16:30:00Z\"}");
        assert_int_equal(record->detections.n_items, 1);
        assert_string_equal(record->detections.items[0].zone, "near");
        assert_true(record->detections.items[0].time_us == RECEIVED_US - 123000);

        record = decode_good(f,
                             KIND_BLE_DETECTIONS,
                             "{\"device_id\":\"rpi-001\",\"detections\":[]}");
        assert_int_equal(record->detections.n_items, 0);
        assert_int_equal(record->detections.n_set_aside, 0);

        check_reason(f, KIND_BLE_DETECTIONS, "{\"device_id\":\"a\"}", REASON_MISSING_MEMBER);
        check_reason(f,
                     KIND_BLE_DETECTIONS,
                     "{\"device_id\":\"a\",\"detections\":{}}",
                     REASON_WRONG_TYPE);
}

static void test_too_many_detections_are_refused_as_one(void **state) {
        static char payload[16384] = "{\"device_id\":\"a\",\"detections\":[1";

        for (int i = 0; i < 4096; ++i)
                strcat(payload, ",1");
        strcat(payload, "]}");
        check_reason(*state, KIND_BLE_DETECTIONS, payload, REASON_TOO_LARGE);
}

static void test_telemetry_is_forwarded_byte_for_byte(void **state) {
        static const char payload[] = " {\"p\": 1.50, \"p\":\"\\u00e9\",\n\"timestamp\":\"soon\"} ";
        Fixture *f = *state;
        const Record *record = decode_good(*state, KIND_TELEMETRY, payload);

        assert_true(record->data.data == payload);
        assert_int_equal(record->data.n, sizeof(payload) - 1);
        assert_true(record->time_us == RECEIVED_US); /* what is no time is no reason to refuse */

        record = decode_good(*state, KIND_TELEMETRY, "{\"timestamp\":1760805000}");
        assert_true(record->time_us == RECEIVED_US - 123000);
        f->match = (TopicMatch){ 0 };
        assert_null(decode_good(f, KIND_TELEMETRY, "{\"device_id\":[]}")->device.data);
        check_reason(*state, KIND_TELEMETRY, "[1]", REASON_BAD_JSON);
        check_reason(*state, KIND_TELEMETRY, "12", REASON_BAD_JSON);
}

static void test_camera_event_takes_person_and_confidence(void **state) {
        static char route_person[] = "label, who";
        Fixture *f = *state;
        const Record *record;

        f->match = (TopicMatch){ 0 };
        record = decode_good(f,
                             KIND_CAMERA_EVENT,
                             "{\"camera_id\":\"mock_cam_1\",\"event_type\":\"face_detected\","
                             "\"timestamp\":\"2025-10-18T16:30:00Z\",\"data\":{\"confidence\":0.98,"
                             "\"person_name\":\"John Doe\",\"box\":[1,2]}}");
        check_text(record->device, "mock_cam_1");
        check_text(record->camera.event_type, "face_detected");
        check_text(record->camera.person_name, "John Doe");
        check_number(record->camera.confidence, 0.98);
        check_text(record->data,
                   "{\"confidence\":0.98,\"person_name\":\"John Doe\",\"box\":[1,2]}");

        check_text(decode_good(f,
                               KIND_CAMERA_EVENT,
                               "{\"event_type\":\"face_detected\",\"data\":{\"face_name\":\"Jo\"}}")
                           ->camera.person_name,
                   "Jo");
        check_text(decode_good(f,
                               KIND_CAMERA_EVENT,
                               "{\"event_type\":\"face_detected\",\"data\":{\"face_name\":\"B\","
                               "\"person_name\":\"A\"}}")
                           ->camera.person_name,
                   "A");
        f->route.person = route_person;
        check_text(decode_good(f,
                               KIND_CAMERA_EVENT,
                               "{\"event_type\":\"seen\",\"data\":{\"person_name\":\"A\","
                               "\"who\":\"W\",\"face_name\":\"B\"}}")
                           ->camera.person_name,
                   "W");
        assert_null(decode_good(f,
                                KIND_CAMERA_EVENT,
                                "{\"event_type\":\"seen\",\"data\":{\"person_name\":\"A\"}}")
                            ->camera.person_name.data);
        f->route.person = NULL;

        record = decode_good(f,
                             KIND_CAMERA_EVENT,
                             "{\"event_type\":\"unknown_face\",\"data\":{\"person_name\":null}}");
        assert_null(record->camera.person_name.data);
        assert_true(isnan(record->camera.confidence));
        check_text(decode_good(f, KIND_CAMERA_EVENT, "{\"event_type\":\"motion\"}")->data, "{}");

        check_reason(f, KIND_CAMERA_EVENT, "{\"data\":{}}", REASON_MISSING_MEMBER);
        record = check_noted(f,
                             KIND_CAMERA_EVENT,
                             "{\"event_type\":\"a\",\"data\":[]}",
                             "/data",
                             REASON_WRONG_TYPE);
        check_text(record->data, "{}");
        record = check_noted(f,
                             KIND_CAMERA_EVENT,
                             "{\"event_type\":\"a\",\"data\":{\"confidence\":\"0,9\"}}",
                             "/data/confidence",
                             REASON_WRONG_TYPE);
        check_text(record->data, "{\"confidence\":\"0,9\"}");
}

static void test_alert_takes_every_member(void **state) {
        const Record *record = decode_good(*state,
                                           KIND_ALERT,
                                           "{\"severity\":\"critical\",\"alert_type\":\"GPS\","
                                           "\"message\":\"lost\","
                                           "\"source\":\"nav\",\"latitude\":1.5,\"longitude\":2,"
                                           "\"fix\":0,\"timestamp\":1760805000}");
        const AlertRecord *alert = &record->alert;

        check_text(alert->severity, "critical");
        check_text(alert->alert_type, "GPS");
        check_text(alert->message, "lost");
        check_text(alert->source, "nav");
        check_number(alert->latitude, 1.5);
        check_number(alert->longitude, 2);
        check_text(alert->extra,
                   "{\"severity\":\"critical\",\"source\":\"nav\",\"latitude\":1.5,"
                   "\"longitude\":2,\"fix\":0}");
        assert_true(record->time_us == RECEIVED_US - 123000);
}

static void test_alert_without_much(void **state) {
        Fixture *f = *state;
        const AlertRecord *alert = &f->record.alert;

        decode_good(f, KIND_ALERT, "{\"message\":\"lost\"}");
        check_text(alert->severity, "info");
        check_text(alert->extra, "{}");
        assert_null(alert->alert_type.data);
        assert_true(isnan(alert->latitude));

        decode_good(f, KIND_ALERT, "engine too hot");
        check_text(alert->message, "engine too hot");
        check_text(alert->severity, "info");
        decode_good(f, KIND_ALERT, "\"engine \\u0041\"\n");
        check_text(alert->message, "engine A");
        decode_good(f, KIND_ALERT, "{\"alert_type\":\"GPS\"}");
        check_text(alert->message, "GPS");

        check_reason(f, KIND_ALERT, "{}", REASON_MISSING_MEMBER);
        check_reason(f, KIND_ALERT, "  ", REASON_MISSING_MEMBER);
        check_reason(f, KIND_ALERT, "{broken", REASON_BAD_JSON);
        check_reason(f, KIND_ALERT, "\"\"", REASON_MISSING_MEMBER);
        check_reason(f,
                     KIND_ALERT,
                     "{\"message\":null,\"severity\":\"info\"}",
                     REASON_MISSING_MEMBER);
        check_reason(f, KIND_ALERT, "{\"message\":[1]}", REASON_WRONG_TYPE);
        check_noted(f,
                    KIND_ALERT,
                    "{\"message\":\"a\",\"severity\":\"bad\"}",
                    "/severity",
                    REASON_OUT_OF_RANGE);
        check_text(alert->severity, "info");
        decode_good(f, KIND_ALERT, "{\"message\":1,\"severity\":\"WARN\"}");
        check_text(alert->message, "1");
        check_text(alert->severity, "warning");
}

static void test_alert_names_its_subject_only_where_the_topic_does_not(void **state) {
        static const char payload[] = "{\"message\":\"a\",\"vehicle_id\":3,\"device_code\":\"d\"}";
        Fixture *f = *state;

        check_text(decode_good(f, KIND_ALERT, payload)->device, "d1");
        assert_null(f->record.vehicle.data);
        f->match = (TopicMatch){ 0 };
        check_text(decode_good(f, KIND_ALERT, payload)->vehicle, "3");
        check_text(f->record.device, "d");
}

static void test_command_ack_takes_every_member(void **state) {
        const Record *record = decode_good(*state,
                                           KIND_COMMAND_ACK,
                                           "{\"command_id\":\"cmd_8293\",\"status\":\"executing\","
                                           "\"message\":\"on it\"}");

        check_text(record->ack.command_id, "cmd_8293");
        check_text(record->ack.status, "executing");
        check_text(record->ack.message, "on it");

        check_reason(*state, KIND_COMMAND_ACK, "{\"status\":\"ok\"}", REASON_MISSING_MEMBER);
        check_reason(*state, KIND_COMMAND_ACK, "{\"command_id\":\"a\"}", REASON_MISSING_MEMBER);
        check_reason(*state,
                     KIND_COMMAND_ACK,
                     "{\"command_id\":\"a\",\"status\":\"maybe\"}",
                     REASON_OUT_OF_RANGE);
}

/* Who has to mend the device sees where to look. */
static void test_a_detail_says_what_and_where(void **state) {
        static const struct {
                Kind kind;
                const char *payload, *detail;
        } cases[] = {
                { KIND_TELEMETRY,
                  " {\"a\":not}",
                  "payload: line 1, column 7 (byte 6):  {\"a\":<-- here not}" },
                { KIND_TELEMETRY,
                  "{\n\"a\": 1.e9}",
                  "payload: line 2, column 6 (byte 7): {\\n\"a\": <-- here 1.e9}" },
                { KIND_TELEMETRY,
                  "21.5\x01",
                  "payload: line 1, column 5 (byte 4): 21.5<-- here \\x01" },
                { KIND_TELEMETRY, "[1]", "payload: not an object: [1]" },
                { KIND_RAW_LOG, "a\xff", "payload: line 1, column 2 (byte 1): a<-- here \\xff" },
                { KIND_DEVICE_STATUS, "{}", "/status: missing" },
                { KIND_DEVICE_STATUS,
                  "{\"status\":\"up\x7f\"}",
                  "/status: not one of online, offline, warning, error: \"up\\x7f\"" },
                { KIND_DEVICE_STATUS, "{\"status\":[\"online\"]}", "/status: not a word: [...]" },
                { KIND_SENSOR_LOG,
                  "{\"sensor_id\":1.5,\"data\":{}}",
                  "/sensor_id: not an integer: 1.5" },
                { KIND_SENSOR_LOG,
                  "{\"sensor_id\":1,\"data\":true}",
                  "/data: not an object: true" },
                { KIND_CAMERA_EVENT, "{\"data\":{}}", "/event_type: missing" },
                { KIND_VEHICLE_LOG,
                  "{\"v\":1}",
                  "payload: no member of a vehicle log (battery_voltage, latitude, mode, ...): "
                  "{\"v\":1}" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_text(decode_text(*state, cases[i].kind, cases[i].payload)->detail,
                           cases[i].detail);
}

static void test_a_note_says_what_and_where(void **state) {
        static const struct {
                Kind kind;
                const char *payload, *detail;
        } cases[] = {
                { KIND_TELEMETRY,
                  "{\"a\":{\"b\":nan}}",
                  "/a/b: no number that JSON can have: nan" },
                { KIND_TELEMETRY,
                  "{\"a\":[1,\"\xff\"]}",
                  "/a/1: not all of it is UTF-8: \"\\xff\"" },
                { KIND_DEVICE_STATUS,
                  "{\"status\":\"online\",\"latitude\":91.50}",
                  "/latitude: not within -90 .. 90: 91.50" },
                { KIND_DEVICE_STATUS,
                  "{\"status\":\"online\",\"humidity\":\"wet\"}",
                  "/humidity: not a number: \"wet\"" },
                { KIND_VEHICLE_LOG,
                  "{\"speed\":1,\"armed\":\"perhaps\"}",
                  "/armed: not one of true, false: \"perhaps\"" },
                { KIND_CAMERA_EVENT,
                  "{\"event_type\":\"face\",\"data\":{\"confidence\":{}}}",
                  "/data/confidence: not a number: {...}" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_text(decode_good(*state, cases[i].kind, cases[i].payload)->notes[0].detail,
                           cases[i].detail);
}

static void test_a_note_names_members_as_json_pointers_do(void **state) {
        Fixture *f = *state;
        static char person[] = "a/b~c";

        f->route.person = person;
        check_text(decode_good(f,
                               KIND_CAMERA_EVENT,
                               "{\"event_type\":\"face\",\"data\":{\"a/b~c\":[5]}}")
                           ->notes[0]
                           .detail,
                   "/data/a~1b~0c: not text: [...]");
}

static void test_each_item_that_is_set_aside_says_why(void **state) {
        const Record *record = decode_good(*state,
                                           KIND_BLE_DETECTIONS,
                                           "{\"detections\":[{\"device_hash\":\"" HASH
                                           "\",\"rssi\":-5},{\"device_hash\":\"" HASH
                                           "\"},7,{\"device_hash\":\"12\",\"rssi\":-5}]}");
        const DetectionsRecord *detections = &record->detections;

        assert_int_equal(detections->n_set_aside, 3);
        check_text(detections->set_aside[0].detail, "/detections/1/rssi: missing");
        check_text(detections->set_aside[1].detail, "/detections/2: not an object: 7");
        check_text(detections->set_aside[2].detail,
                   "/detections/3/device_hash: not 64 hexadecimal digits: \"12\"");
}

static void test_a_body_that_is_not_quite_json_is_made_so(void **state) {
        static const struct {
                const char *body;
                size_t n; /* 0: up to its NUL */
                const char *expected;
                int reason;
        } cases[] = {
                { "{\"a\": 1.50}", 0, "{\"a\": 1.50}", 0 },
                { "\xef\xbb\xbf[1]\0\0", 8, "[1]", 0 },
                { "{\"a\":NaN,\"b\":89490200001234567890}",
                  0,
                  "{\"a\":null,\"b\":89490200001234567890}",
                  0 },
                { "[\"\xb0\"]", 0, "[\"\xef\xbf\xbd\"]", 0 },
                { "[1,]", 0, "", REASON_BAD_JSON },
                { "", 0, "", REASON_BAD_JSON },
                { "\xef\xbb\xbf", 0, "", REASON_BAD_JSON },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf buf = { 0 };
                size_t n = cases[i].n > 0 ? cases[i].n : strlen(cases[i].body);

                assert_int_equal(decode_clean((Text){ cases[i].body, n }, &buf), cases[i].reason);
                if (!text_equal(buf_text(&buf), text_of(cases[i].expected)))
                        fail_msg("%s: %.*s", cases[i].body, (int)buf.n, buf.data);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_init, fixture_done)
        const struct CMUnitTest tests[] = {
                TEST(test_an_odd_member_of_a_status_costs_itself),
                TEST(test_nuls_at_the_end_of_a_string_go_without_a_word),
                TEST(test_nuls_at_the_end_of_a_string_go_without_a_word),
                TEST(test_what_nobody_reads_is_not_judged),
                TEST(test_a_mark_in_front_and_nuls_behind_are_no_part_of_it),
                TEST(test_notes_are_few_whatever_is_wrong),
                TEST(test_an_odd_member_of_a_vehicle_log_is_null),
                TEST(test_a_note_says_what_and_where),
                TEST(test_status_takes_every_member),
                TEST(test_a_number_may_be_text_in_every_kind),
                TEST(test_status_null_and_missing_members_are_unknown),
                TEST(test_a_status_and_a_camera_say_what_they_are_called),
                TEST(test_status_is_also_bare_text),
                TEST(test_device_code_counts_only_where_the_topic_has_none),
                TEST(test_status_without_a_form_or_a_status_is_refused),
                TEST(test_of_duplicate_members_the_last_one_wins),
                TEST(test_deep_nesting_is_refused_quickly),
                TEST(test_large_payload_is_refused_for_every_kind),
                TEST(test_bad_bytes_are_refused_for_every_kind),
                TEST(test_names_in_the_topic_must_be_names),
                TEST(test_times_are_read_in_every_form),
                TEST(test_times_that_cannot_be_cost_themselves_alone),
                TEST(test_a_time_that_is_none_is_kept_as_it_was_said),
                TEST(test_a_detection_is_believed_as_its_message_is),
                TEST(test_the_later_reading_is_taken_where_it_has_been),
                TEST(test_what_conditions_are_asked_about_is_parsed_once),
                TEST(test_another_bound_is_judged_anew),
                TEST(test_a_letter_is_judged_by_when_it_first_came),
                TEST(test_raw_log_keeps_text_and_unquotes_json_strings),
                TEST(test_sensor_log_takes_id_data_and_either_timestamp),
                TEST(test_sensor_log_with_unusable_members_is_refused),
                TEST(test_vehicle_log_takes_every_member),
                TEST(test_vehicle_log_numbers_as_text_become_numbers_with_their_digits),
                TEST(test_vehicle_log_keeps_what_it_does_not_know),
                TEST(test_vehicle_log_of_nothing_that_can_be_used_is_refused),
                TEST(test_detections_keep_the_good_and_set_the_bad_aside),
                TEST(test_single_detection_and_heartbeat),
                TEST(test_too_many_detections_are_refused_as_one),
                TEST(test_telemetry_is_forwarded_byte_for_byte),
                TEST(test_camera_event_takes_person_and_confidence),
                TEST(test_alert_takes_every_member),
                TEST(test_alert_without_much),
                TEST(test_alert_names_its_subject_only_where_the_topic_does_not),
                TEST(test_command_ack_takes_every_member),
                TEST(test_a_detail_says_what_and_where),
                TEST(test_a_note_names_members_as_json_pointers_do),
                TEST(test_each_item_that_is_set_aside_says_why),
                TEST(test_a_body_that_is_not_quite_json_is_made_so),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
