/* MqttEchoes: a message that comes over and over is told from many that come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "mqtt/echoes.h"

#define NOW_US INT64_C(5000000)

static size_t n_said; /* how often it was to be told */

static bool is_echo(MqttEchoes *echoes, const char *topic, const char *payload, int64_t now_us) {
        const Inbound inbound = { .topic = text_of(topic), .payload = text_of(payload) };
        int64_t before = metric_get(METRIC_MQTT_ECHOES);

        n_said += mqtt_echoes_hear(echoes, &inbound, now_us);
        return metric_get(METRIC_MQTT_ECHOES) != before;
}

/* Of @n messages on one topic how many are echoes; @period different ones in turn. */
static size_t hear(MqttEchoes *echoes, size_t n, size_t period, int64_t pause_us) {
        size_t n_echoes = 0;
        char payload[32];

        n_said = 0;
        for (size_t i = 0; i < n; ++i) {
                snprintf(payload, sizeof(payload), "message %zu", i % period);
                n_echoes += is_echo(echoes, "a/b", payload, NOW_US + (int64_t)i * pause_us);
        }
        return n_echoes;
}

static void test_equal_ones_beyond_a_thousand_in_ten_seconds_are(void **state) {
        MqttEchoes echoes = { 0 };

        (void)state;
        assert_int_equal(hear(&echoes, 5000, 1, 1000), 4000);
        assert_int_equal(n_said, 1);
        echoes = (MqttEchoes){ 0 };
        assert_int_equal(hear(&echoes, 50000, 1, 10000), 0); /* 100 a second */
        assert_int_equal(n_said, 0);
}

static void test_they_are_told_of_once_a_minute(void **state) {
        MqttEchoes echoes = { 0 };

        (void)state;
        assert_true(hear(&echoes, 150000, 1, 1000) > 100000);
        assert_int_equal(n_said, 3);
}

static void test_different_ones_are_not_however_many(void **state) {
        MqttEchoes echoes = { 0 };

        (void)state;
        assert_int_equal(hear(&echoes, 100000, SIZE_MAX, 1), 0);
        assert_int_equal(hear(&echoes, 100000, 5000, 1), 0);
}

static void test_one_is_found_among_others(void **state) {
        MqttEchoes echoes = { 0 };
        size_t n_echoes = 0;

        (void)state;
        for (size_t i = 0; i < 4000; ++i) {
                char other[32];

                snprintf(other, sizeof(other), "other %zu", i);
                assert_false(is_echo(&echoes, "a/b", other, NOW_US));
                n_echoes += is_echo(&echoes, "a/b", "again", NOW_US);
                assert_false(is_echo(&echoes, "a/c", other, NOW_US));
        }
        assert_true(n_echoes > 2500);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_equal_ones_beyond_a_thousand_in_ten_seconds_are),
                cmocka_unit_test(test_they_are_told_of_once_a_minute),
                cmocka_unit_test(test_different_ones_are_not_however_many),
                cmocka_unit_test(test_one_is_found_among_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
