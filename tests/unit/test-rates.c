/* WsRates: messages a second, between two looks that are far enough apart. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "ws/http/rates.h"

#define SECOND_US INT64_C(1000000)

static int setup(void **state) {
        (void)state;
        metrics_reset();
        return 0;
}

static void test_nothing_is_said_of_the_time_before_the_first_look(void **state) {
        WsRates rates = { 0 };

        (void)state;
        metric_add(METRIC_COMMITTED, 1000);
        ws_rates_take(&rates, 100 * SECOND_US);
        assert_true(rates.committed == 0);
}

static void test_each_is_what_came_since_by_the_time_that_went(void **state) {
        WsRates rates = { 0 };

        (void)state;
        ws_rates_take(&rates, 100 * SECOND_US);
        metric_add(METRIC_RECEIVED_MQTT, 10);
        metric_add(METRIC_RECEIVED_WS, 6);
        metric_add(METRIC_RECEIVED_HTTP, 4);
        metric_add(METRIC_COMMITTED, 8);
        metric_add(METRIC_WS_OFFERED, 40);
        metric_add(METRIC_WS_SENT, 30);
        ws_rates_take(&rates, 104 * SECOND_US);
        assert_true(rates.received == 5);
        assert_true(rates.committed == 2);
        assert_true(rates.offered == 10);
        assert_true(rates.sent == 7.5);
}

static void test_two_looks_in_a_row_are_one(void **state) {
        WsRates rates = { 0 };

        (void)state;
        ws_rates_take(&rates, 100 * SECOND_US);
        metric_add(METRIC_COMMITTED, 6);
        ws_rates_take(&rates, 101 * SECOND_US);
        assert_true(rates.committed == 0);
        ws_rates_take(&rates, 103 * SECOND_US);
        assert_true(rates.committed == 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_nothing_is_said_of_the_time_before_the_first_look,
                                       setup),
                cmocka_unit_test_setup(test_each_is_what_came_since_by_the_time_that_went, setup),
                cmocka_unit_test_setup(test_two_looks_in_a_row_are_one, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
