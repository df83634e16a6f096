/* DbRows: each record is one row of each of its columns; sensors are written once and remembered;
 * how many rows a message begins is told; nothing of a batch is in the next. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/write/rows.h"

#define N_RECORDS 3

static DbRows *rows;

static int set_up(void **state) {
        (void)state;
        return db_rows_new(&rows);
}

static int tear_down(void **state) {
        (void)state;
        rows = db_rows_free(rows);
        return 0;
}

/* Of a binary array: its dimensions, whether there are nulls, the type, and of each dimension how
 * many there are and where they begin. */
static uint32_t n_items(const DbParams *params, int i) {
        const uint8_t *at = (const uint8_t *)params->values[i] + 12;

        assert_true(params->lengths[i] >= 20);
        assert_int_equal(params->formats[i], 1);
        return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t n_rows(DbSheet sheet) {
        const uint32_t journal_id = 0;
        DbParams params;
        int first = db_sheet(sheet)->has_journal;
        uint32_t types[DB_SHEET_MAX_PARAMS];

        if (!db_rows_has(rows, sheet))
                return 0;
        assert_int_equal(db_rows_params(rows, sheet, &journal_id, &params), 0);
        assert_int_equal(params.n, db_sheet_types(sheet, types));
        for (int i = first + 1; i < params.n; ++i) /* no column is left out, and none is twice */
                assert_int_equal(n_items(&params, i), n_items(&params, first));
        return n_items(&params, first);
}

static Record record_of(Kind kind) {
        return (Record){ .seq = 7,
                         .received_us = 1,
                         .time_us = 2,
                         .kind = kind,
                         .topic = TEXT("a/b"),
                         .payload = TEXT("{}"),
                         .data = TEXT("{}"),
                         .vehicle_id = 1,
                         .device_id = 1 };
}

static void test_each_record_is_a_row_of_every_column(void **state) {
        static const struct {
                Kind kind;
                DbSheet sheet;
        } cases[] = {
                { KIND_RAW_LOG, DB_SHEET_RAW_LOGS },
                { KIND_SENSOR_LOG, DB_SHEET_SENSOR_LOGS },
                { KIND_VEHICLE_LOG, DB_SHEET_VEHICLE_LOGS },
                { KIND_TELEMETRY, DB_SHEET_TELEMETRY },
                { KIND_CAMERA_EVENT, DB_SHEET_CAMERA_EVENTS },
                { KIND_ALERT, DB_SHEET_ALERTS },
                { KIND_DEVICE_STATUS, DB_SHEET_STATUS_LOGS },
                { KIND_COMMAND_ACK, DB_SHEET_ACKS },
                { KIND_COMMAND_STATE, DB_SHEET_ACKS },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                Record record = record_of(cases[i].kind);

                db_rows_reset(rows);
                for (size_t k = 0; k < N_RECORDS; ++k)
                        db_rows_add(rows, &record, k);
                assert_int_equal(n_rows(cases[i].sheet), N_RECORDS);
                for (DbSheet sheet = 0; sheet < DB_SHEET_COUNT; ++sheet)
                        if (sheet != cases[i].sheet && sheet != DB_SHEET_SENSORS)
                                assert_int_equal(n_rows(sheet), 0);
        }
}

static void test_detections_are_rows_and_those_set_aside_are_letters(void **state) {
        Record record = record_of(KIND_BLE_DETECTIONS);
        Detection items[2] = { 0 };

        (void)state;
        record.detections = (DetectionsRecord){ .items = items, .n_items = 2 };
        record.detections.n_set_aside = 1;
        record.detections.set_aside = calloc(1, sizeof(*record.detections.set_aside));
        assert_non_null(record.detections.set_aside);
        record.detections.set_aside[0].reason = REASON_OUT_OF_RANGE;
        db_rows_add(rows, &record, 0);
        assert_int_equal(n_rows(DB_SHEET_BLE_DETECTIONS), 2);
        assert_int_equal(n_rows(DB_SHEET_DEAD_LETTERS), 1);
        assert_int_equal(db_rows_without(&record), -1); /* it begins rows in two tables */
        record.detections.n_set_aside = 0;
        assert_int_equal(db_rows_without(&record), 0);
        record.detections.n_items = 0; /* an empty list */
        assert_int_equal(db_rows_without(&record), 1);
        free(record.detections.set_aside);
}

static void test_what_leaves_no_row_is_told(void **state) {
        Record record = record_of(KIND_TELEMETRY);

        (void)state;
        assert_int_equal(db_rows_without(&record), 0);
        record.reason = REASON_BAD_JSON; /* a letter is its row */
        assert_int_equal(db_rows_without(&record), 0);
        db_rows_add(rows, &record, 0);
        assert_int_equal(n_rows(DB_SHEET_DEAD_LETTERS), 1);
        assert_int_equal(n_rows(DB_SHEET_TELEMETRY), 0);
        record.reason = REASON_NONE;
        record.duplicate = true;
        assert_int_equal(db_rows_without(&record), 1);
        db_rows_reset(rows);
        db_rows_add(rows, &record, 0);
        for (DbSheet sheet = 0; sheet < DB_SHEET_COUNT;
             ++sheet) /* its letter, if it is one, goes */
                assert_int_equal(n_rows(sheet), sheet == DB_SHEET_LETTERS);
}

static void test_a_sensor_is_written_once_and_again_when_that_was_rolled_back(void **state) {
        Record record = record_of(KIND_SENSOR_LOG);

        (void)state;
        record.sensor.sensor_id = 5;
        db_rows_add(rows, &record, 0);
        db_rows_add(rows, &record, 1);
        assert_int_equal(n_rows(DB_SHEET_SENSORS), 1);
        record.sensor.sensor_id = 6;
        db_rows_add(rows, &record, 2);
        assert_int_equal(n_rows(DB_SHEET_SENSORS), 2);

        db_rows_reset(rows);
        db_rows_add(rows, &record, 0);
        assert_int_equal(n_rows(DB_SHEET_SENSORS), 0);
        db_rows_forget(rows);
        db_rows_add(rows, &record, 1);
        assert_int_equal(n_rows(DB_SHEET_SENSORS), 1);
}

static void test_a_state_is_a_row_of_every_column(void **state) {
        DeviceState none = { 0 }, some = { .status = "online", .last_seen_us = 5, .time_us = 5 };

        (void)state;
        db_rows_add_state(rows, 1, &none);
        db_rows_add_state(rows, 2, &some);
        assert_int_equal(n_rows(DB_SHEET_STATES), 2);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                EACH(test_each_record_is_a_row_of_every_column),
                EACH(test_detections_are_rows_and_those_set_aside_are_letters),
                EACH(test_what_leaves_no_row_is_told),
                EACH(test_a_sensor_is_written_once_and_again_when_that_was_rolled_back),
                EACH(test_a_state_is_a_row_of_every_column),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
