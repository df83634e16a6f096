/* MqttCanary: when the broker is asked again, by a clock and a broker of the test's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mqtt/canary.h"
#include "mqtt/sending.h"
#include "mqtt/session.h"
#include "mqtt/subscribing.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define REFUSED   0x87

typedef struct Broker Broker;

/* What it says, and what it was asked. */
static struct Broker {
        bool refuses, hangs_up, is_deaf;
        int n_subscribed, n_sent;
} broker;

static MqttCanary canary;
static int64_t now_us;

int mqtt_subscribing_begin(MqttSession *session,
                           const char *const filters[],
                           size_t n_filters,
                           int qos,
                           int ret_codes[]) {
        (void)session;
        (void)filters;
        (void)n_filters;
        (void)qos;
        ++broker.n_subscribed;
        if (broker.hangs_up)
                return MQTT_SESSION_E_OFFLINE;
        *ret_codes = broker.refuses ? REFUSED : 0;
        return 0;
}

int mqtt_sending_start(MqttSending *sending, MqttSession *session, const MqttMessage *message) {
        (void)sending;
        (void)session;
        ++broker.n_sent;
        if (!broker.is_deaf)
                (void)mqtt_canary_hear(&canary, text_of(message->topic));
        return 0;
}

static int setup(void **state) {
        (void)state;
        broker = (Broker){ 0 };
        now_us = 1000 * SECOND_US;
        mqtt_canary_init(&canary, "id", 1000);
        return 0;
}

static void sing_for(int64_t duration_us) {
        for (int64_t until_us = now_us + duration_us; now_us < until_us; now_us += SECOND_US)
                mqtt_canary_sing(&canary, NULL, now_us);
}

/* How long it leaves the broker in peace, in minutes; the broker hangs up each time it does not. */
static int minutes_of_peace(void) {
        int n_before = broker.n_subscribed;
        int n_minutes = 0;

        for (; broker.n_subscribed == n_before && n_minutes < 10000; ++n_minutes) {
                sing_for(SECOND_US);
                now_us += MINUTE_US - SECOND_US;
        }
        (void)mqtt_canary_lose(&canary, now_us);
        return n_minutes - 1;
}

static void test_refused_it_is_asked_again_by_the_next_connection(void **state) {
        (void)state;
        broker.refuses = true;
        sing_for(10 * SECOND_US);
        assert_int_equal(broker.n_subscribed, 1);
        assert_int_equal(mqtt_canary_lose(&canary, now_us), MQTT_CANARY_INNOCENT);
        broker.refuses = false;
        sing_for(10 * SECOND_US);
        assert_int_equal(broker.n_subscribed, 2);
        assert_int_equal(broker.n_sent, 10);
}

static void test_refused_it_is_asked_again_on_the_same_one_after_minutes(void **state) {
        (void)state;
        broker.refuses = true;
        sing_for(4 * MINUTE_US);
        assert_int_equal(broker.n_subscribed, 1);
        broker.refuses = false;
        sing_for(2 * MINUTE_US);
        assert_int_equal(broker.n_subscribed, 2);
        assert_true(broker.n_sent > 10);
}

static void test_unheard_it_rests_and_tries_again(void **state) {
        (void)state;
        sing_for(10 * SECOND_US);
        broker.is_deaf = true; /* a right that was taken away */
        sing_for(2 * MINUTE_US);
        assert_in_range(broker.n_sent, 28, 32);
        broker.is_deaf = false;
        sing_for(6 * MINUTE_US);
        assert_true(broker.n_sent > 60);
        assert_true(atomic_load(&canary.is_heard));
}

static void test_hung_up_on_it_rests_twice_as_long_each_time_up_to_a_day(void **state) {
        (void)state;

        broker.hangs_up = true;
        for (int i = 0; i < 3; ++i) {
                sing_for(SECOND_US);
                assert_int_equal(mqtt_canary_lose(&canary, now_us),
                                 i < 2 ? MQTT_CANARY_SUSPECT : MQTT_CANARY_ACCUSED);
        }
        sing_for(6 * SECOND_US);
        assert_true(mqtt_canary_is_guilty(&canary, now_us));
        for (int wanted = 5; wanted < 1440; wanted *= 2)
                assert_in_range(minutes_of_peace(), wanted - 1, wanted + 1);
        assert_in_range(minutes_of_peace(), 1438, 1442);
        assert_in_range(minutes_of_peace(), 1438, 1442);
        assert_int_equal(broker.n_subscribed, 3 + 9 + 2);

        broker.hangs_up = false; /* its rules have changed */
        now_us += 1440 * MINUTE_US;
        sing_for(10 * SECOND_US);
        assert_int_equal(mqtt_canary_lose(&canary, now_us), MQTT_CANARY_INNOCENT);
        broker.hangs_up = true;
        sing_for(SECOND_US);
        assert_int_equal(mqtt_canary_lose(&canary, now_us), MQTT_CANARY_SUSPECT);
}

/* Three connections that went before it was heard. */
static void lose_three(void) {
        for (int i = 0; i < 3; ++i) {
                sing_for(SECOND_US);
                assert_int_equal(mqtt_canary_lose(&canary, now_us),
                                 i < 2 ? MQTT_CANARY_SUSPECT : MQTT_CANARY_ACCUSED);
        }
}

static void test_its_guilt_is_known_once_a_connection_without_it_holds(void **state) {
        (void)state;
        broker.hangs_up = true;
        lose_three();
        assert_false(mqtt_canary_is_guilty(&canary, now_us + MINUTE_US)); /* there is none */
        sing_for(4 * SECOND_US);
        assert_false(mqtt_canary_is_guilty(&canary, now_us));
        sing_for(2 * SECOND_US);
        assert_true(mqtt_canary_is_guilty(&canary, now_us));
        assert_false(mqtt_canary_is_guilty(&canary, now_us)); /* said once */
        assert_int_equal(mqtt_canary_lose(&canary, now_us), MQTT_CANARY_INNOCENT);
}

static void test_a_network_that_cuts_without_it_as_well_acquits_it(void **state) {
        (void)state;
        broker.is_deaf = true; /* answers are lost, then the connection is */
        lose_three();
        sing_for(2 * SECOND_US);
        assert_int_equal(mqtt_canary_lose(&canary, now_us), MQTT_CANARY_INNOCENT);
        broker.is_deaf = false;
        sing_for(MINUTE_US);
        assert_false(mqtt_canary_is_guilty(&canary, now_us));
        assert_true(atomic_load(&canary.is_heard)); /* asked again at once */
}

static void test_without_a_topic_or_an_interval_there_is_none(void **state) {
        (void)state;
        mqtt_canary_init(&canary, "id", 0);
        sing_for(MINUTE_US);
        mqtt_canary_init(&canary, "a/b", 1000);
        sing_for(MINUTE_US);
        assert_int_equal(broker.n_subscribed + broker.n_sent, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_refused_it_is_asked_again_by_the_next_connection,
                                       setup),
                cmocka_unit_test_setup(test_refused_it_is_asked_again_on_the_same_one_after_minutes,
                                       setup),
                cmocka_unit_test_setup(test_unheard_it_rests_and_tries_again, setup),
                cmocka_unit_test_setup(test_hung_up_on_it_rests_twice_as_long_each_time_up_to_a_day,
                                       setup),
                cmocka_unit_test_setup(test_its_guilt_is_known_once_a_connection_without_it_holds,
                                       setup),
                cmocka_unit_test_setup(test_a_network_that_cuts_without_it_as_well_acquits_it,
                                       setup),
                cmocka_unit_test_setup(test_without_a_topic_or_an_interval_there_is_none, setup),
        };

        return cmocka_run_group_tests_name("canary", tests, NULL, NULL);
}
