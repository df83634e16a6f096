/* CliRow: each kind shows its own members. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "gateway/trial/row_view.h"

static void check(const Record *record, const char *expected) {
        CLEANUP_VIEW View view;

        view_init(&view, false);
        row_view(&view, record);
        assert_string_equal(buf_text(&view.buf).data, expected);
}

#define HEAD(kind, who)        \
        "row:\n"               \
        "  kind: " kind "\n"   \
        "  " who "\n"          \
        "  may_register: no\n" \
        "  time: 1970-01-01T00:00:00.000Z\n"

static void test_what_a_device_says_of_its_time(void **state) {
        const Record own = {
                .kind = KIND_TELEMETRY, .device = TEXT("d"), .has_clock = true, .data = TEXT("[1]")
        };
        const Record odd = { .kind = KIND_TELEMETRY,
                             .device = TEXT("d"),
                             .said_time = TEXT("noon"),
                             .data = TEXT("[1]") };

        (void)state;
        check(&own, HEAD("telemetry", "device: d") "  time_is: its own\n  data: [1]\n");
        check(&odd,
              HEAD("telemetry",
                   "device: d") "  time_is: the receipt\n  said_time: noon\n  data: [1]\n");
}

static void test_what_is_set_aside_is_told_with_the_row(void **state) {
        RecordNote note = { .member = TEXT("/temperature"),
                            .reason = REASON_WRONG_TYPE,
                            .detail = TEXT("not a number") };
        const Record record = { .kind = KIND_DEVICE_STATUS,
                                .device = TEXT("d"),
                                .notes = &note,
                                .n_notes = 1,
                                .status = { .status = TEXT("online"),
                                            .temperature = (double)NAN,
                                            .humidity = 40,
                                            .latitude = (double)NAN,
                                            .longitude = (double)NAN } };

        (void)state;
        check(&record,
              HEAD("device_status", "device: d") "  time_is: the receipt\n"
                                                 "  status: online\n"
                                                 "  humidity: 40\n"
                                                 "set_aside:\n"
                                                 "  - member: /temperature\n"
                                                 "    reason: wrong_type\n"
                                                 "    detail: not a number\n");
}

static void test_of_detections_the_bad_ones_are_told_too(void **state) {
        Detection good = { .device_hash = "ab", .rssi = -50, .zone = "near" };
        Record record = { .kind = KIND_BLE_DETECTIONS, .device = TEXT("d") };

        (void)state;
        record.detections.items = &good;
        record.detections.n_items = 1;
        record.detections.set_aside = calloc(1, sizeof(*record.detections.set_aside));
        assert_non_null(record.detections.set_aside);
        record.detections.set_aside[0].bytes = TEXT("{}");
        record.detections.set_aside[0].reason = REASON_MISSING_MEMBER;
        record.detections.n_set_aside = 1;
        check(&record,
              HEAD("ble_detections", "device: d") "  time_is: the receipt\n"
                                                  "  detections:\n"
                                                  "    - device_hash: ab\n"
                                                  "      rssi: -50\n"
                                                  "      zone: near\n"
                                                  "      time: 1970-01-01T00:00:00.000Z\n"
                                                  "set_aside:\n"
                                                  "  - detection: {}\n"
                                                  "    reason: missing_member\n");
        free(record.detections.set_aside);
}

static void test_a_vehicle_log_has_its_columns_and_the_rest(void **state) {
        Record record = { .kind = KIND_VEHICLE_LOG, .vehicle = TEXT("v") };
#define NUMBER_NONE(separator, name) record.vehicle_log.name = (double)NAN;
#define TEXT_NONE(separator, name)
#define FLAG_NONE(separator, name) record.vehicle_log.name = -1;
        VEHICLE_LOG_EACH(NUMBER_NONE, TEXT_NONE, FLAG_NONE)

        (void)state;
        record.vehicle_log.armed = 0;
        record.vehicle_log.speed = 1.5;
        record.vehicle_log.extra = TEXT("{\"x\":1}");
        check(&record,
              HEAD("vehicle_log", "vehicle: v") "  time_is: the receipt\n"
                                                "  armed: false\n"
                                                "  speed: 1.5\n"
                                                "  extra: {\"x\":1}\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_device_says_of_its_time),
                cmocka_unit_test(test_what_is_set_aside_is_told_with_the_row),
                cmocka_unit_test(test_of_detections_the_bad_ones_are_told_too),
                cmocka_unit_test(test_a_vehicle_log_has_its_columns_and_the_rest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
