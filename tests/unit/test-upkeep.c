/* MqttUpkeep: the broker's session is brought up to what is wanted, with a broker that is told here
 * what to answer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mqtt/options.h"
#include "mqtt/session.h"
#include "mqtt/subscribing.h"
#include "mqtt/upkeep.h"

typedef struct Fixture Fixture;

struct Fixture {
        MqttOptions options;
        MqttUpkeep upkeep;
};

/* The broker. */
static struct {
        Buf asked; /* "+a/# -b ", in this order */
        const char *refuses;
        bool is_mute; /* to an UNSUBSCRIBE */
        bool is_gone;
} broker;

static int64_t now_us;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

int mqtt_subscribing_begin(MqttSession *session,
                           const char *const filters[],
                           size_t n_filters,
                           int qos,
                           int ret_codes[]) {
        (void)session;
        if (broker.is_gone)
                return MQTT_SESSION_E_OFFLINE;
        for (size_t i = 0; i < n_filters; ++i) {
                bool is_refused = broker.refuses && strcmp(filters[i], broker.refuses) == 0;

                buf_printf(&broker.asked, "+%s ", filters[i]);
                ret_codes[i] = is_refused ? MQTT_SESSION_REFUSED : qos;
        }
        return 0;
}

int mqtt_subscribing_end(MqttSession *session, const char *const filters[], size_t n_filters) {
        (void)session;
        for (size_t i = 0; i < n_filters; ++i)
                buf_printf(&broker.asked, "-%s ", filters[i]);
        return broker.is_mute ? MQTT_SESSION_E_OFFLINE : 0;
}

bool mqtt_session_is_connected(const MqttSession *session) {
        (void)session;
        return !broker.is_gone;
}

static void want(Fixture *fixture, const char *a, const char *b) {
        const char *filters[] = { a, b };

        assert_int_equal(mqtt_upkeep_want(&fixture->upkeep, filters, b ? 2 : 1), 0);
        mqtt_upkeep_turn(&fixture->upkeep);
}

static void connect(Fixture *fixture, bool is_new) {
        mqtt_upkeep_look(&fixture->upkeep);
        mqtt_upkeep_connected(&fixture->upkeep, is_new);
}

/* One turn of the source; what the broker was asked for in it. */
static const char *turn(Fixture *fixture) {
        buf_reset(&broker.asked);
        if (mqtt_upkeep_subscribe(&fixture->upkeep, NULL))
                mqtt_upkeep_tidy(&fixture->upkeep, NULL);
        return buf_text(&broker.asked).data;
}

static void test_what_is_wanted_is_asked_for_once(void **state) {
        Fixture *fixture = *state;

        want(fixture, "a/+", "b/+");
        connect(fixture, true);
        assert_string_equal(turn(fixture), "+a/+ +b/+ ");
        assert_string_equal(turn(fixture), "");
        connect(fixture, false); /* a session that was there counts for nothing */
        assert_string_equal(turn(fixture), "+a/+ +b/+ ");
}

static void test_a_wide_filter_is_asked_for_alone_unless_it_is_refused(void **state) {
        Fixture *fixture = *state;

        want(fixture, "a/#", "a/b");
        connect(fixture, true);
        assert_string_equal(turn(fixture), "+a/# ");

        broker.refuses = "a/#";
        connect(fixture, true);
        assert_string_equal(turn(fixture), "+a/# +a/b ");
}

static void test_who_refused_is_asked_again_after_a_pause(void **state) {
        Fixture *fixture = *state;

        broker.refuses = "a/+";
        want(fixture, "a/+", NULL);
        connect(fixture, true);
        assert_string_equal(turn(fixture), "+a/+ ");
        assert_string_equal(turn(fixture), "");
        now_us += INT64_C(1000) * fixture->options.backoff_max_ms;
        assert_string_equal(turn(fixture), "+a/+ ");
        broker.refuses = NULL;
        now_us += INT64_C(1000) * fixture->options.backoff_max_ms;
        assert_string_equal(turn(fixture), "+a/+ ");
        now_us += INT64_C(1000) * fixture->options.backoff_max_ms;
        assert_string_equal(turn(fixture), "");
}

static void test_what_is_wanted_comes_before_what_is_not(void **state) {
        Fixture *fixture = *state;

        want(fixture, "a/+", NULL);
        connect(fixture, true);
        turn(fixture);
        want(fixture, "b/+", NULL);
        assert_string_equal(turn(fixture), "+b/+ -a/+ ");
        assert_string_equal(turn(fixture), "");
}

static void test_a_mute_broker_is_left_alone_for_an_hour(void **state) {
        Fixture *fixture = *state;

        want(fixture, "a/+", NULL);
        connect(fixture, true);
        turn(fixture);
        broker.is_mute = true;
        want(fixture, "b/+", NULL);
        assert_string_equal(turn(fixture), "+b/+ -a/+ ");
        assert_string_equal(turn(fixture), "-a/+ ");
        assert_string_equal(turn(fixture), "-a/+ ");
        assert_string_equal(turn(fixture), "");
        now_us += INT64_C(3600000000);
        broker.is_mute = false;
        assert_string_equal(turn(fixture), "-a/+ ");
        assert_string_equal(turn(fixture), "");
}

static void test_a_connection_that_went_ends_the_turn(void **state) {
        Fixture *fixture = *state;

        want(fixture, "a/+", NULL);
        connect(fixture, true);
        broker.is_gone = true;
        assert_false(mqtt_upkeep_subscribe(&fixture->upkeep, NULL));
        broker.is_gone = false;
        assert_true(mqtt_upkeep_subscribe(&fixture->upkeep, NULL));
}

/* An old session may still bring what routes took that there were: it is taken, too. */
static void test_all_is_taken_until_the_session_is_known(void **state) {
        Fixture *fixture = *state;

        want(fixture, "a/1/#", "+/1/b"); /* they meet: a join brings more than is wanted */
        connect(fixture, false);
        turn(fixture);
        assert_true(mqtt_upkeep_takes(&fixture->upkeep, TEXT("z/1/z")));

        connect(fixture, true);
        turn(fixture);
        assert_true(mqtt_upkeep_takes(&fixture->upkeep, TEXT("a/1/c")));
        assert_true(mqtt_upkeep_takes(&fixture->upkeep, TEXT("z/1/b")));
        assert_false(mqtt_upkeep_takes(&fixture->upkeep, TEXT("z/1/z")));
}

static int set_up(void **state) {
        static Fixture fixture;

        fixture.options = (MqttOptions){ .backoff_min_ms = 100, .backoff_max_ms = 60000 };
        broker.refuses = NULL;
        broker.is_mute = broker.is_gone = false;
        now_us = INT64_C(1000000000);
        *state = &fixture;
        return mqtt_upkeep_init(&fixture.upkeep, &fixture.options);
}

static int tear_down(void **state) {
        Fixture *fixture = *state;

        mqtt_upkeep_done(&fixture->upkeep);
        buf_done(&broker.asked);
        return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_what_is_wanted_is_asked_for_once),
                TEST(test_a_wide_filter_is_asked_for_alone_unless_it_is_refused),
                TEST(test_who_refused_is_asked_again_after_a_pause),
                TEST(test_what_is_wanted_comes_before_what_is_not),
                TEST(test_a_mute_broker_is_left_alone_for_an_hour),
                TEST(test_a_connection_that_went_ends_the_turn),
                TEST(test_all_is_taken_until_the_session_is_known),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
