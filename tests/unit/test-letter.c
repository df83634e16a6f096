/* Letter: what goes into the journal as a letter comes out as one, and nothing else does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/edit/letters.h"
#include "gateway/journal/journal.h"
#include "gateway/store/letter.h"

static JournalRecord entry(Door door, Text topic) {
        return (JournalRecord){ .door = door, .topic = topic };
}

static void test_a_letter_comes_out_as_it_went_in(void **state) {
        static const int64_t times[] = { 1760800000000000, 0, -5 };
        Record record = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(times); ++i) {
                const DbDeadLetter letter = { .id = 12, .received_us = times[i], .topic = "a/b/c" };
                CLEANUP_BUF Buf topic = { 0 };
                JournalRecord wrapped;

                letter_wrap(&letter, &topic);
                wrapped = entry(DOOR_INTERNAL, buf_text(&topic));
                assert_true(letter_open(&wrapped, &record));
                assert_int_equal(record.letter_id, 12);
                assert_true(record.first_us == times[i] && record.time_us == times[i]);
                assert_true(text_equal(record.topic, TEXT("a/b/c")));
        }
}

static void test_an_element_comes_out_as_one(void **state) {
        const DbDeadLetter letter = { .id = 12, .received_us = 5, .topic = "a/b", .element = 17 };
        CLEANUP_BUF Buf topic = { 0 };
        Record record = { 0 };
        JournalRecord wrapped;

        (void)state;
        letter_wrap(&letter, &topic);
        wrapped = entry(DOOR_INTERNAL, buf_text(&topic));
        assert_true(letter_open(&wrapped, &record));
        assert_int_equal(record.letter_id, 12);
        assert_int_equal(record.element, 17);
        assert_true(text_equal(record.topic, TEXT("a/b")));
        wrapped.topic = TEXT("$element/-1/12/5/a/b");
        assert_false(letter_open(&wrapped, &record));
}

static void test_no_other_door_writes_one_and_nothing_else_is_one(void **state) {
        static const char *const others[] = { "$letter/",      "$letter/1/",
                                              "$letter/x/1/a", "$letter/1/",
                                              "$letter/1/2",   "letter/1/2/a",
                                              "$letter//2/a",  "$letter/99999999999999999999/2/a" };
        JournalRecord record = entry(DOOR_MQTT, TEXT("$letter/1/2/a"));
        Record envelope = { 0 };

        (void)state;
        assert_false(letter_open(&record, &envelope));
        for (size_t i = 0; i < N_ELEMENTS(others); ++i) {
                record = entry(DOOR_INTERNAL, text_of(others[i]));
                if (letter_open(&record, &envelope))
                        fail_msg("'%s' is no letter", others[i]);
        }
        assert_int_equal(envelope.letter_id, 0);
}

static void test_what_an_edge_brought_is_still_of_it(void **state) {
        JournalRecord record = entry(DOOR_INTERNAL, TEXT("$letter/1/2/$uplink/7/a/b"));
        Record envelope = { 0 };

        (void)state;
        assert_true(letter_open(&record, &envelope));
        assert_int_equal(envelope.origin.device_id, 7);
        assert_true(text_equal(envelope.topic, TEXT("a/b")));
        record.topic = TEXT("$letter/1/2/$uplink/-7/a/b"); /* that has an id which no device has */
        assert_true(letter_open(&record, &envelope));
        assert_int_equal(envelope.origin.device_id, -7);
        assert_true(text_equal(envelope.topic, TEXT("a/b")));
}

static Kind kind_of(const char *topic, const char *reason) {
        const DbDeadLetter letter = { .topic = topic, .reason = reason };

        return letter_kind(&letter);
}

static void test_what_came_by_another_door_keeps_its_kind_and_its_device(void **state) {
        (void)state;
        assert_int_equal(kind_of("api/v1/detections", "bad_json"), KIND_BLE_DETECTIONS);
        assert_int_equal(kind_of("ws/device/ems_1", "bad_json"), KIND_TELEMETRY);
        assert_int_equal(kind_of("ws/device/ems_1", "unknown_command"), KIND_COMMAND_ACK);
        assert_int_equal(kind_of("ems/ems_1/telemetry", "bad_json"), KIND_NONE);
        assert_true(text_equal(letter_names(TEXT("ws/device/ems_1")).device, TEXT("ems_1")));
        assert_null(letter_names(TEXT("ems/ems_1/telemetry")).device.data);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_letter_comes_out_as_it_went_in),
                cmocka_unit_test(test_an_element_comes_out_as_one),
                cmocka_unit_test(test_no_other_door_writes_one_and_nothing_else_is_one),
                cmocka_unit_test(test_what_an_edge_brought_is_still_of_it),
                cmocka_unit_test(test_what_came_by_another_door_keeps_its_kind_and_its_device),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
