/* Event: copies of what a viewer may be shown, shared by reference; Query and Answer with it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/event.h"
#include "model/query.h"

static void assert_text(Text text, const char *expected) {
        assert_non_null(text.data);
        assert_int_equal(text.n, strlen(expected));
        assert_memory_equal(text.data, expected, text.n);
}

static void test_message_keeps_its_texts_when_the_batch_is_gone(void **state) {
        CLEANUP(event_unref) Event *event = NULL;
        char severity[] = "critical", type[] = "GPS", message[] = "lost", extra[] = "{\"a\":1}",
             said[] = "soon";
        Record record = {
                .kind = KIND_ALERT,
                .seq = 17,
                .received_us = 2,
                .time_us = 1,
                .vehicle_id = 12,
                .late = true,
                .said_time = text_of(said),
                .alert = { .severity = text_of(severity),
                           .alert_type = text_of(type),
                           .message = text_of(message),
                           .extra = text_of(extra) },
        };

        (void)state;
        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        memset(severity, 'x', sizeof(severity));
        memset(type, 'x', sizeof(type));
        memset(message, 'x', sizeof(message));
        memset(extra, 'x', sizeof(extra));
        memset(said, 'x', sizeof(said));

        assert_int_equal(event->type, EVENT_MESSAGE);
        assert_int_equal(event->kind, KIND_ALERT);
        assert_int_equal(event->seq, 17);
        assert_int_equal(event->received_us, 2);
        assert_int_equal(event->time_us, 1);
        assert_int_equal(event->vehicle_id, 12);
        assert_int_equal(event->device_id, 0);
        assert_true(event->late);
        assert_true(event->persisted);
        assert_text(event->severity, "critical");
        assert_text(event->event_type, "GPS");
        assert_text(event->message, "lost");
        assert_text(event->data, "{\"a\":1}");
        assert_text(event->said_time, "soon");
        assert_null(event->command_id.data);
}

static void test_what_changes_come_to_is_shown_in_their_place(void **state) {
        CLEANUP(event_unref) Event *event = NULL, *alone = NULL;
        Record record = { .kind = KIND_TELEMETRY, .data = TEXT("{\"b\":2}") };

        (void)state;
        assert_int_equal(event_new_message(&alone, &record, NULL, true), 0);
        assert_text(alone->data, "{\"b\":2}");
        record.merged = TEXT("{\"a\":1,\"b\":2}");
        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        assert_text(event->data, "{\"a\":1,\"b\":2}");
}

static void test_each_kind_fills_its_own_members(void **state) {
        Record sensor = { .kind = KIND_SENSOR_LOG,
                          .data = TEXT("{}"),
                          .sensor = { .sensor_id = 5 } };
        Record detections = { .kind = KIND_BLE_DETECTIONS, .detections = { .n_items = 3 } };
        Record camera = { .kind = KIND_CAMERA_EVENT, .camera = { .event_type = TEXT("face") } };
        Record ack = { .kind = KIND_COMMAND_ACK,
                       .ack = { .command_id = TEXT("cmd_1"), .status = TEXT("ok") } };
        Event *event = NULL;

        (void)state;
        assert_int_equal(event_new_message(&event, &sensor, NULL, false), 0);
        assert_int_equal(event->sensor_id, 5);
        assert_text(event->data, "{}");
        assert_false(event->persisted);
        event = event_unref(event);

        assert_int_equal(event_new_message(&event, &detections, NULL, true), 0);
        assert_int_equal(event->n_items, 3);
        assert_null(event->data.data);
        event = event_unref(event);

        assert_int_equal(event_new_message(&event, &camera, NULL, true), 0);
        assert_text(event->event_type, "face");
        event = event_unref(event);

        assert_int_equal(event_new_message(&event, &ack, NULL, true), 0);
        assert_text(event->command_id, "cmd_1");
        assert_text(event->event_type, "ok");
        assert_null(event->message.data);
        event = event_unref(event);
        assert_null(event);
}

static void test_status_carries_the_whole_state(void **state) {
        CLEANUP(event_unref) Event *event = NULL;
        Record record = { .kind = KIND_DEVICE_STATUS, .device_id = 9 };
        DeviceState now = device_state_unknown();

        (void)state;
        memcpy(now.status, "online", sizeof("online"));
        now.temperature = 25.1;
        assert_int_equal(event_new_message(&event, &record, &now, true), 0);
        assert_string_equal(event->state.status, "online");
        assert_true(event->state.temperature > 25 && event->state.temperature < 26);
        assert_int_equal(event->state.last_seen_us, CLOCK_UNKNOWN);
}

static void test_last_reference_releases_the_delta(void **state) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        Event *event = NULL;

        (void)state;
        assert_int_equal(registry_delta_new(&delta, true), 0);
        assert_int_equal(event_new_registry(&event, delta), 0);
        assert_ptr_equal(event->delta, delta);
        assert_ptr_equal(event_ref(event), event);
        assert_null(event_unref(event));
        assert_int_equal(event->type, EVENT_REGISTRY); /* one reference is left */
        event_unref(event);
        assert_int_equal(registry_delta_length(delta), 0); /* ours is left */
}

static void test_answer_moves_into_its_event(void **state) {
        CLEANUP(event_unref) Event *event = NULL;
        CLEANUP(query_free) Query *query = NULL;
        CLEANUP(answer_free) Answer *answer = NULL;

        (void)state;
        assert_int_equal(query_new(&query, QUERY_CAMERA_STATS), 0);
        query->question = 42;
        query->user_ids = calloc(2, sizeof(query->user_ids[0]));
        query->password = strdup("secret");
        assert_non_null(query->user_ids);
        query->n_user_ids = 2;
        query->user_ids[1] = 7;

        assert_int_equal(answer_new(&answer, query), 0);
        assert_int_equal(answer->status, 503);
        assert_int_equal(answer->question, 42);
        assert_int_equal(answer->n_bodies, 2);
        assert_int_equal(answer->user_ids[1], 7);
        buf_append_string(&answer->bodies[1], "{}");

        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        assert_null(answer);
        assert_string_equal(event->answer->bodies[1].data, "{}");
}

static void test_gap_says_how_much_was_not_shown(void **state) {
        CLEANUP(event_unref) Event *event = NULL;

        (void)state;
        assert_int_equal(event_new_gap(&event, 99, 37), 0);
        assert_int_equal(event->type, EVENT_GAP);
        assert_int_equal(event->seq, 99);
        assert_int_equal(event->n_items, 37);
        assert_null(event_unref(NULL));
        assert_null(event_ref(NULL));
}

static void test_an_acknowledged_alert_is_read_from_what_the_database_says(void **state) {
        static const char *const odd[] = { "",
                                           "e:1",
                                           "e:1 2 0 3",
                                           "e:1 2 0 3 ",
                                           "e:1 -2 0 3 ana",
                                           "e:1 2 0 x ana",
                                           " 2 0 3 ana",
                                           "e:1 2  3 ana",
                                           "e:1 2 0 9223372036854775808 ana" };
        CLEANUP(event_unref) Event *event = NULL;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(odd); ++i)
                assert_int_equal(event_new_acknowledged(&event, text_of(odd[i])),
                                 EVENT_E_UNREADABLE);
        assert_null(event);
        assert_int_equal(event_new_acknowledged(&event, TEXT("e:17 12 0 3 ana of the sea")), 0);
        assert_int_equal(event->type, EVENT_ACKNOWLEDGED);
        assert_int_equal(event->kind, KIND_ALERT);
        assert_int_equal(event->seq, 0);
        assert_int_equal(event->vehicle_id, 12);
        assert_int_equal(event->device_id, 0);
        assert_int_equal(event->time_us, 3);
        assert_text(event->alert, "e:17");
        assert_text(event->message, "ana of the sea");
}

static void test_names_of_kinds_and_reasons_are_complete(void **state) {
        (void)state;
        for (int kind = KIND_NONE; kind < KIND_COUNT; ++kind)
                assert_int_equal(kind_from_name(text_of(kind_name((Kind)kind))), kind);
        for (int reason = REASON_NONE; reason < REASON_COUNT; ++reason)
                assert_non_null(reason_name((Reason)reason));
        assert_int_equal(kind_from_name(TEXT("raw_logs")), KIND_NONE);
        assert_int_equal(kind_from_name((Text){ 0 }), KIND_NONE);
        assert_string_equal(kind_name(KIND_COUNT), "none");
        assert_string_equal(reason_name(REASON_COUNT), "none");
        assert_string_equal(reason_name(REASON_DB_REJECTED), "db_rejected");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message_keeps_its_texts_when_the_batch_is_gone),
                cmocka_unit_test(test_what_changes_come_to_is_shown_in_their_place),
                cmocka_unit_test(test_each_kind_fills_its_own_members),
                cmocka_unit_test(test_status_carries_the_whole_state),
                cmocka_unit_test(test_last_reference_releases_the_delta),
                cmocka_unit_test(test_answer_moves_into_its_event),
                cmocka_unit_test(test_gap_says_how_much_was_not_shown),
                cmocka_unit_test(test_an_acknowledged_alert_is_read_from_what_the_database_says),
                cmocka_unit_test(test_names_of_kinds_and_reasons_are_complete),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
