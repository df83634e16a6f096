/*
 * MqttPublisher: what the broker has is told from what it refuses, and from what nobody knows. Its
 * answers are the bytes of a script (tests/fake/paho.h).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "model/metrics.h"
#include "mqtt/publisher.h"
#include "tests/fake/paho.h"

#define CONNECTED "\x00"
#define TAKEN     "\x00\x00\x00" /* MQTT 5: and a reason code, of which there are none more */
#define REFUSED   "\x01\x87"
#define LOST      "\x03"
#define BUSY      "\x22" /* Paho has too many */

/* With its closing zero, which nobody needs. */
#define SCRIPT(text) ((Text){ .data = (text), .n = sizeof(text) - 1 })

typedef struct Fixture Fixture;

struct Fixture {
        MqttPublisher *publisher;
};

static void fixture_init(Fixture *f, int version, Text script) {
        const MqttOptions options = { .url = "mqtt://h",
                                      .version = version,
                                      .connect_timeout_ms = 1000 };

        log_set_level((LogLevel)-1);
        metrics_reset();
        fake_paho_set(script);
        assert_int_equal(mqtt_publisher_new(&f->publisher, &options, 4), 0);
        assert_int_equal(mqtt_publisher_connect(f->publisher), 0);
        assert_true(mqtt_publisher_is_online(f->publisher));
}

static void fixture_done(Fixture *f) {
        mqtt_publisher_free(f->publisher);
}

static int publish(Fixture *f) {
        return mqtt_publisher_publish(f->publisher, "t", TEXT("{}"), 1, false);
}

static void test_what_the_broker_takes_is_counted_and_sure(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 5, SCRIPT(CONNECTED TAKEN TAKEN TAKEN));
        for (int i = 0; i < 3; ++i)
                assert_int_equal(publish(&f), 0);
        assert_int_equal(mqtt_publisher_flush(f.publisher, 1000), 0);
        assert_int_equal(mqtt_publisher_n_unsure(f.publisher), 0);
        assert_int_equal(metric_get(METRIC_MQTT_PUBLISHED), 3);
        fixture_done(&f);
}

static void test_what_it_refuses_is_said_at_the_end_and_stays_unsure(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 5, SCRIPT(CONNECTED TAKEN REFUSED TAKEN));
        for (int i = 0; i < 3; ++i)
                assert_int_equal(publish(&f), 0);
        assert_int_equal(mqtt_publisher_flush(f.publisher, 1000), MQTT_PUBLISHER_E_REFUSED);
        assert_int_equal(mqtt_publisher_flush(f.publisher, 1000), 0); /* it was said */
        assert_int_equal(mqtt_publisher_n_unsure(f.publisher), 1);
        assert_int_equal(metric_get(METRIC_MQTT_PUBLISHED), 2);
        fixture_done(&f);
}

static void test_paho_being_full_costs_nothing(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 5, SCRIPT(CONNECTED BUSY BUSY TAKEN));
        assert_int_equal(publish(&f), 0);
        assert_int_equal(mqtt_publisher_flush(f.publisher, 1000), 0);
        assert_int_equal(metric_get(METRIC_MQTT_PUBLISHED), 1);
        fixture_done(&f);
}

static void test_a_connection_that_ends_leaves_what_was_under_way_unsure(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 5, SCRIPT(CONNECTED TAKEN LOST));
        assert_int_equal(publish(&f), 0);
        assert_int_equal(publish(&f), 0);
        assert_false(mqtt_publisher_is_online(f.publisher));
        assert_int_equal(publish(&f), MQTT_PUBLISHER_E_OFFLINE);
        assert_int_equal(mqtt_publisher_n_unsure(f.publisher), 1);
        fixture_done(&f);
}

/* Of each it is known what became of it: as far as anybody knows. */
static void expect_outcomes(int version, MqttOutcome second) {
        const MqttMessage messages[] = {
                { .topic = "a", .payload = TEXT("1"), .qos = 1, .expiry_s = 5 },
                { .topic = "b", .payload = TEXT("2"), .qos = 1, .response_topic = "r" },
                { .topic = "c", .payload = TEXT("3"), .qos = 1 },
                { .topic = "d", .payload = TEXT("4"), .qos = 1 },
        };
        MqttOutcome outcomes[N_ELEMENTS(messages)];
        Fixture f;

        fixture_init(&f,
                     version,
                     version == 5 ? SCRIPT(CONNECTED TAKEN REFUSED LOST)
                                  : SCRIPT(CONNECTED "\x00\x00" REFUSED LOST));
        assert_int_equal(mqtt_publisher_publish_all(f.publisher,
                                                    messages,
                                                    N_ELEMENTS(messages),
                                                    1000,
                                                    outcomes),
                         MQTT_PUBLISHER_E_OFFLINE);
        assert_int_equal(outcomes[0], MQTT_OUTCOME_DONE);
        assert_int_equal(outcomes[1], second);
        assert_int_equal(outcomes[2], MQTT_OUTCOME_PENDING);
        assert_int_equal(outcomes[3], MQTT_OUTCOME_PENDING); /* and was not sent */
        assert_int_equal(metric_get(METRIC_MQTT_PUBLISHED), 1);
        fixture_done(&f);
}

static void test_each_of_several_has_an_outcome_of_its_own(void **state) {
        (void)state;
        expect_outcomes(5, MQTT_OUTCOME_REFUSED);
        expect_outcomes(4, MQTT_OUTCOME_PENDING); /* MQTT 3.1.1 has no word for it */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_the_broker_takes_is_counted_and_sure),
                cmocka_unit_test(test_what_it_refuses_is_said_at_the_end_and_stays_unsure),
                cmocka_unit_test(test_paho_being_full_costs_nothing),
                cmocka_unit_test(test_a_connection_that_ends_leaves_what_was_under_way_unsure),
                cmocka_unit_test(test_each_of_several_has_an_outcome_of_its_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
