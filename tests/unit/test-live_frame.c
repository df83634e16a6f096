/* LiveFrame: what one gateway shows is what the others read, and nothing else is read. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "gateway/live/frame.h"

#define EPOCH UINT64_C(0xfedcba9876543210)

static const LiveFrame head = { .slot = 3, .epoch = EPOCH, .open_seq = 5, .before_seq = 1000 };

static void assert_text(Text a, Text b) {
        assert_int_equal(a.data != NULL, b.data != NULL);
        assert_true(text_equal(a, b));
}

static void assert_double(double a, double b) {
        assert_true(isnan(a) ? isnan(b) : a == b);
}

static void assert_same(const Event *a, const Event *b) {
        assert_int_equal(b->type, EVENT_MESSAGE);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->persisted, b->persisted);
        assert_int_equal(a->late, b->late);
        assert_int_equal(a->behind, b->behind);
        assert_int_equal(a->again, b->again);
        assert_int_equal(a->is_whole, b->is_whole);
        assert_int_equal(a->is_change, b->is_change);
        assert_int_equal(a->seq, b->seq);
        assert_int_equal(a->received_us, b->received_us);
        assert_int_equal(a->time_us, b->time_us);
        assert_int_equal(a->vehicle_id, b->vehicle_id);
        assert_int_equal(a->device_id, b->device_id);
        assert_true(a->vehicle_key == b->vehicle_key);
        assert_true(a->device_key == b->device_key);
        assert_int_equal(a->sensor_id, b->sensor_id);
        assert_int_equal(a->n_items, b->n_items);
        assert_double(a->latitude, b->latitude);
        assert_double(a->longitude, b->longitude);
        assert_int_equal(a->clock.verdict, b->clock.verdict);
        assert_int_equal(a->clock.offset_us, b->clock.offset_us);
        assert_string_equal(a->state.status, b->state.status);
        assert_int_equal(a->state.last_seen_us, b->state.last_seen_us);
        assert_int_equal(a->state.time_us, b->state.time_us);
        assert_int_equal(a->state.status_us, b->state.status_us);
        assert_double(a->state.temperature, b->state.temperature);
        assert_double(a->state.longitude, b->state.longitude);
        assert_int_equal(a->state.clock.verdict, b->state.clock.verdict);
        assert_text(a->data, b->data);
        assert_text(a->event_type, b->event_type);
        assert_text(a->severity, b->severity);
        assert_text(a->message, b->message);
        assert_text(a->command_id, b->command_id);
        assert_text(a->said_time, b->said_time);
}

static Record a_record(Kind kind, uint64_t seq) {
        Record record = { .seq = seq,
                          .received_us = INT64_C(1800000000000000),
                          .time_us = -5,
                          .kind = kind,
                          .device_id = 7,
                          .device_key = kind == KIND_TELEMETRY ? 0 : UINT64_C(0x8877665544332211),
                          .said_time = TEXT("yesterday"),
                          .data = TEXT("{\"a\":1}"),
                          .late = seq % 2 == 0 };

        switch (kind) {
        case KIND_SENSOR_LOG:
                record.sensor.sensor_id = -4;
                break;
        case KIND_VEHICLE_LOG:
                record.vehicle_id = INT64_MAX;
                record.vehicle_key = 1;
                record.vehicle_log.latitude = -6.5;
                record.vehicle_log.longitude = (double)NAN;
                break;
        case KIND_BLE_DETECTIONS:
                record.detections.n_items = 12;
                record.data = (Text){ 0 };
                break;
        case KIND_CAMERA_EVENT:
                record.camera.event_type = TEXT("face");
                break;
        case KIND_ALERT:
                record.alert = (AlertRecord){ .severity = TEXT("warning"),
                                              .message = TEXT("low"),
                                              .extra = TEXT("{}") };
                break;
        case KIND_COMMAND_STATE:
                record.ack = (AckRecord){ .command_id = TEXT("cmd_1"), .state = TEXT("done") };
                break;
        default:
                break;
        }
        return record;
}

static void test_what_is_shown_is_what_is_read(void **state) {
        DeviceState device = { .status = "online",
                               .last_seen_us = 9,
                               .time_us = CLOCK_UNKNOWN,
                               .status_us = INT64_MIN,
                               .temperature = 21.5,
                               .humidity = (double)NAN,
                               .longitude = 106.6,
                               .clock = { .verdict = CLOCK_AHEAD, .offset_us = -7 } };
        Event *shown[KIND_COUNT], *read[LIVE_FRAME_EVENTS];
        uint64_t before = head.before_seq;
        CLEANUP_BUF Buf buf = { 0 };
        size_t n = 0, n_read = 0;

        (void)state;
        live_frame_begin(&buf, &head);
        for (Kind kind = KIND_NONE + 1; kind < KIND_COUNT; ++kind) {
                Record record = a_record(kind, before + kind * 300);

                assert_int_equal(event_new_message(&shown[n],
                                                   &record,
                                                   kind == KIND_DEVICE_STATUS ? &device : NULL,
                                                   kind % 3 == 0),
                                 0);
                shown[n]->is_whole = kind == KIND_TELEMETRY;
                live_frame_add(&buf, before, shown[n]);
                before = shown[n++]->seq;
        }
        assert_false(buf_failed(&buf));
        assert_int_equal(live_frame_read(buf_text(&buf), read, &n_read), 0);
        assert_int_equal(n_read, n);
        before = head.before_seq;
        for (size_t i = 0; i < n; ++i) {
                assert_same(shown[i], read[i]);
                assert_int_equal(read[i]->slot, 3);
                assert_true(read[i]->epoch == EPOCH);
                assert_int_equal(read[i]->before_seq, before);
                before = shown[i]->seq;
                event_unref(shown[i]);
                event_unref(read[i]);
        }
}

static void test_one_without_events_says_how_far_it_is(void **state) {
        Event *read[LIVE_FRAME_EVENTS];
        CLEANUP_BUF Buf buf = { 0 };
        LiveFrame frame;
        size_t n = 0;

        (void)state;
        live_frame_begin(&buf, &head);
        assert_int_equal(live_frame_peek(buf_text(&buf), &frame), 0);
        assert_int_equal(frame.open_seq, 5);
        assert_int_equal(live_frame_read(buf_text(&buf), read, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(read[0]->type, EVENT_GAP);
        assert_int_equal(read[0]->n_items, 0);
        assert_int_equal(read[0]->seq, 1000);
        assert_int_equal(read[0]->slot, 3);
        assert_true(read[0]->epoch == EPOCH);
        event_unref(read[0]);
}

/* Cut anywhere but between two events it is none; with any byte changed it is one or none. */
static void test_nothing_else_is_read(void **state) {
        Event *event, *read[LIVE_FRAME_EVENTS];
        CLEANUP_BUF Buf buf = { 0 };
        size_t n = 0, n_head;

        (void)state;
        live_frame_begin(&buf, &head);
        n_head = buf.n;
        for (uint64_t seq = 1001; seq <= 1002; ++seq) {
                Record record = a_record(KIND_ALERT, seq);

                assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
                live_frame_add(&buf, seq - 1, event);
                event_unref(event);
        }
        for (size_t i = 0; i < buf.n; ++i) {
                int r = live_frame_read((Text){ buf.data, i }, read, &n);

                if (r == 0)
                        assert_true(i == n_head || i == n_head + (buf.n - n_head) / 2);
                while (r == 0 && n > 0)
                        event_unref(read[--n]);
        }
        for (size_t i = 0; i < buf.n * 8; ++i) {
                buf.data[i / 8] = (char)(buf.data[i / 8] ^ 1 << i % 8);
                if (live_frame_read(buf_text(&buf), read, &n) == 0)
                        while (n > 0)
                                event_unref(read[--n]);
                buf.data[i / 8] = (char)(buf.data[i / 8] ^ 1 << i % 8);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_shown_is_what_is_read),
                cmocka_unit_test(test_one_without_events_says_how_far_it_is),
                cmocka_unit_test(test_nothing_else_is_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
