/* WsMisdirected: what devices say is told from what programs say to each other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/dialects/client_message.h"
#include "ws/dialects/misdirected.h"

static bool is_data(const char *text) {
        WsClientMessage message;
        bool is;

        assert_int_equal(ws_client_message_parse(&message, text_of(text)), 0);
        is = ws_misdirected_is_data(&message);
        ws_client_message_done(&message);
        return is;
}

static void test_what_devices_say_is_data(void **state) {
        static const char *const said[] = {
                "{\"voltage\":230.5}",
                "{\"status\":\"online\",\"temperature\":25.1}",
                "{\"device_id\":\"a\",\"detections\":[]}",
                "{\"battery_voltage\":null}",
                "{\"camera_id\":\"c\",\"event_type\":\"face_detected\",\"data\":{}}",
                "{\"command_id\":\"cmd_1\",\"status\":\"ok\"}",
                "[{\"voltage\":1},{\"voltage\":2}]",
                "{\"type\":\"telemetry\",\"voltage\":1}",
                "{\"type\":\"vehicle_log\"}",
                "{\"type\":\"detections\"}",
                "{\"type\":\"status\",\"status\":\"online\"}",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(said); ++i)
                if (!is_data(said[i]))
                        fail_msg("%s", said[i]);
}

static void test_what_programs_say_to_each_other_is_none(void **state) {
        static const char *const said[] = {
                "{}",
                "[]",
                "[1,2]",
                "[[{\"voltage\":1}]]",
                "null",
                "12.5",
                "\"on\"",
                "{\"type\":\"ping\",\"timestamp\":1}",
                "{\"type\":\"pong\"}",
                "{\"type\":\"subscribe\",\"event_types\":[\"alert\"]}",
                "{\"type\":\"status\"}",
                "{\"type\":\"hello\",\"voltage\":1}",
                "{\"type\":7}",
                "{\"type\":null}",
                "{\"op\":\"ping\"}",
                "{\"action\":\"subscribe\",\"channel\":\"x\"}",
                "{\"event\":\"heartbeat\"}",
                "{\"subscribe\":[\"a\"]}",
                "{\"ping\":1}",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(said); ++i)
                if (is_data(said[i]))
                        fail_msg("%s", said[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_devices_say_is_data),
                cmocka_unit_test(test_what_programs_say_to_each_other_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
