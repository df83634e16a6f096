/* MqttListener: without a broker. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "mqtt/listener.h"

static void hear_nothing(void *arg, const Inbound *inbound) {
        (void)arg;
        (void)inbound;
        fail();
}

static void test_a_listener_ends_wherever_it_is(void **state) {
        static const MqttOptions options = { .url = "mqtt://127.0.0.1:1",
                                             .connect_timeout_ms = 60000,
                                             .backoff_min_ms = 60000,
                                             .backoff_max_ms = 60000 };
        static const char *const filters[] = { "a/#", "+/b" };
        MqttListener *listener = NULL;

        (void)state;
        log_set_level((LogLevel)-1);
        for (size_t n = 0; n <= 2; ++n) {
                assert_int_equal(mqtt_listener_new(&listener,
                                                   &options,
                                                   "mqtt_explore",
                                                   "me",
                                                   &(MqttListenerSink){ .heard = hear_nothing }),
                                 0);
                assert_int_equal(mqtt_listener_set_filters(listener, filters, n), 0);
                assert_int_equal(mqtt_listener_set_filters(listener, filters, n), 0);
                assert_null(mqtt_listener_free(listener));
        }
        assert_null(mqtt_listener_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_listener_ends_wherever_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
