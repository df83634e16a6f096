/* CommandPublisher: who is told that the broker has a command can rely on it, whatever the broker
 * does; what it hangs up on costs itself and its device, and no other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "gateway/commands/command_publisher.h"
#include "model/metrics.h"
#include "mqtt/publisher.h"

static int64_t now_us;
static CommandPublisher *publisher;
static char told[4096]; /* ids that the broker has, each behind a blank */
static char sent[8192]; /* topics, with ids: a line for each round */

/* ---- the broker ---- */

static struct {
        bool is_away, is_silent, is_broken;
        const char *poison[4]; /* ids on which it hangs up */
        const char *denied;    /* a topic that it does not take */
        bool is_online;
        size_t n_connects;
        unsigned expiry_s;
        char response[64];
} broker;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

int mqtt_publisher_new(MqttPublisher **ret_publisher, const MqttOptions *options, int window) {
        assert_true(options->connect_timeout_ms <= 2000);
        assert_true(window >= COMMAND_PUBLISHER_PARCEL);
        *ret_publisher = (MqttPublisher *)(void *)&broker;
        return 0;
}

MqttPublisher *mqtt_publisher_free(MqttPublisher *of) {
        (void)of;
        return NULL;
}

int mqtt_publisher_connect(MqttPublisher *of) {
        (void)of;
        ++broker.n_connects;
        broker.is_online = !broker.is_away;
        return broker.is_online ? 0 : MQTT_PUBLISHER_E_OFFLINE;
}

void mqtt_publisher_disconnect(MqttPublisher *of) {
        (void)of;
        broker.is_online = false;
}

bool mqtt_publisher_is_online(const MqttPublisher *of) {
        (void)of;
        return broker.is_online;
}

const char *mqtt_publisher_error(const MqttPublisher *of) {
        (void)of;
        return "away";
}

int mqtt_publisher_publish(MqttPublisher *of,
                           const char *topic,
                           Text payload,
                           int qos,
                           bool retain) {
        (void)of, (void)payload;
        assert_int_equal(qos, 1);
        assert_false(retain);
        snprintf(sent + strlen(sent), sizeof(sent) - strlen(sent), "say %s\n", topic);
        return 0;
}

static bool is_poison(const MqttMessage *message) {
        for (size_t i = 0; i < N_ELEMENTS(broker.poison); ++i)
                if (broker.poison[i] && text_equal(message->correlation, text_of(broker.poison[i])))
                        return true;
        return false;
}

/* It takes them one after the other. */
int mqtt_publisher_publish_all(MqttPublisher *of,
                               const MqttMessage messages[],
                               size_t n,
                               int timeout_ms,
                               MqttOutcome ret_outcomes[]) {
        bool has_pending = false;

        (void)of;
        assert_true(timeout_ms > 0 && broker.is_online);
        if (broker.is_broken)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < n; ++i) {
                size_t n_sent = strlen(sent);

                assert_int_equal(messages[i].qos, 1);
                snprintf(sent + n_sent,
                         sizeof(sent) - n_sent,
                         "%s:%.*s ",
                         messages[i].topic,
                         (int)messages[i].correlation.n,
                         messages[i].correlation.data);
                broker.expiry_s = messages[i].expiry_s;
                snprintf(broker.response,
                         sizeof(broker.response),
                         "%s",
                         messages[i].response_topic ? messages[i].response_topic : "");
                if (is_poison(&messages[i]))
                        broker.is_online = false;
                ret_outcomes[i] = MQTT_OUTCOME_DONE;
                if (!broker.is_online || broker.is_silent)
                        ret_outcomes[i] = MQTT_OUTCOME_PENDING;
                else if (broker.denied && strcmp(messages[i].topic, broker.denied) == 0)
                        ret_outcomes[i] = MQTT_OUTCOME_REFUSED;
                has_pending |= ret_outcomes[i] == MQTT_OUTCOME_PENDING;
        }
        strcat(sent, "\n");
        return has_pending ? MQTT_PUBLISHER_E_OFFLINE : 0;
}

/* ---- the tests' side ---- */

static const MqttOptions mqtt = { .connect_timeout_ms = 30000 };

static void open_with(const char *topics, const char *ack) {
        const CommandPublisherOptions options = { .topics = topics,
                                                  .ack_topic = ack,
                                                  .mqtt = &mqtt };

        assert_int_equal(command_publisher_new(&publisher, &options), 0);
}

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1);
        metrics_reset();
        memset(&broker, 0, sizeof(broker));
        told[0] = sent[0] = '\0';
        now_us = INT64_C(1000000000);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        publisher = command_publisher_free(publisher);
        return 0;
}

static void on_told(void *arg, const char *command_id, int64_t device_id) {
        assert_null(arg);
        assert_true(device_id > 0);
        strcat(strcat(told, " "), command_id);
}

static void add_of(const char *id, int64_t device_id, const char *code, const char *user) {
        const DbCommand command = {
                .command_id = id,
                .action = "x",
                .device_id = device_id,
                .device_code = code,
                .user_name = user,
                .left_ms = 1500,
        };

        command_publisher_add(publisher, &command);
}

static void add(const char *id, int64_t device_id) {
        char code[16];

        snprintf(code, sizeof(code), "d%d", (int)device_id);
        add_of(id, device_id, code, "ana");
}

/* True: the broker has said of each whether it takes it. */
static bool send_all(void) {
        bool answers = false;

        assert_true(command_publisher_is_ready(publisher));
        assert_int_equal(command_publisher_send(publisher, on_told, NULL, &answers), 0);
        assert_int_equal(command_publisher_length(publisher), 0);
        strcat(sent, "--\n");
        return answers;
}

static void assert_told(const char *expected) {
        assert_string_equal(told, expected);
        told[0] = '\0';
}

static void assert_sent(const char *expected) {
        assert_string_equal(sent, expected);
        sent[0] = '\0';
}

static void test_a_parcel_goes_at_once_and_each_is_told_once(void **state) {
        (void)state;
        open_with("c/{user}/{device}", "a/{device}");
        add("c1", 1);
        add("c2", 2);
        assert_true(send_all());
        assert_told(" c1 c2");
        assert_sent("c/ana/d1:c1 c/ana/d2:c2 \n--\n");
        assert_string_equal(broker.response, "a/d2");
        assert_int_equal(broker.expiry_s, 2); /* no earlier than it is over */
}

static void test_what_is_not_on_all_topics_is_not_there(void **state) {
        (void)state;
        open_with("c/{device}, e/{device}", NULL);
        broker.denied = "e/d1";
        add("c1", 1);
        add("c2", 2);
        assert_true(send_all()); /* a no is an answer */
        assert_told(" c2");
        assert_int_equal(metric_get(METRIC_COMMANDS_DENIED), 1);
        assert_string_equal(broker.response, "");
}

/* Codes and names are free text: what is no level of a topic is named by its id, or goes nowhere.
 */
static void test_a_code_that_is_no_level_is_named_by_its_id(void **state) {
        static const char *const codes[] = { "a/b", "+", "#", "a#", "" };

        (void)state;
        open_with("c/{device}", NULL);
        for (size_t i = 0; i < N_ELEMENTS(codes); ++i) {
                add_of("c1", 7, codes[i], "ana");
                assert_true(send_all());
                assert_told(" c1");
                assert_sent("c/id:7:c1 \n--\n");
        }
        publisher = command_publisher_free(publisher);
        open_with("c/{user}/{device}", NULL);
        add_of("c1", 7, "d7", "a/b");
        add_of("c2", 7, "d7", NULL);
        assert_true(send_all());
        assert_told("");
}

static void test_who_says_nothing_has_nothing_and_is_met_anew(void **state) {
        (void)state;
        open_with("c/{device}", NULL);
        broker.is_silent = true;
        add("c1", 1);
        assert_false(send_all());
        assert_told("");
        assert_false(broker.is_online); /* so that nothing of it comes later */
        broker.is_silent = false;
        sent[0] = '\0';
        add("c1", 1);
        assert_true(send_all());
        assert_told(" c1");
        assert_int_equal(broker.n_connects, 2);
        assert_int_equal(metric_get(METRIC_COMMANDS_HUNG_UP), 0); /* nobody is to blame */
}

static void test_what_it_hangs_up_on_costs_no_other(void **state) {
        (void)state;
        open_with("c/{device}", NULL);
        broker.poison[0] = "bad";
        add("c1", 1);
        add("bad", 2);
        add("c3", 3);
        (void)send_all();
        assert_told(" c1 c3");
        assert_sent("c/d1:c1 c/d2:bad c/d3:c3 \nc/d2:bad \nc/d3:c3 \n--\n");
        assert_int_equal(metric_get(METRIC_COMMANDS_HUNG_UP), 1);

        add("bad", 2); /* from now on its device's go alone, last, and not yet */
        add("good", 2);
        add("c4", 1);
        assert_true(send_all());
        assert_told(" c4");
        assert_sent("c/d1:c4 \n--\n");
        now_us += 2001000;
        add("bad", 2);
        add("c5", 1);
        assert_true(send_all());
        assert_told(" c5");
        assert_sent("c/d1:c5 \nc/d2:bad \n--\n");
        now_us += 2001000; /* the second pause is longer */
        add("good", 2);
        assert_true(send_all());
        assert_told("");
        now_us += 2001000;
        add("good", 2);
        assert_true(send_all());
        assert_told(" good"); /* it was not the device's fault */
}

/* Who has hung up twice may not be there the third time: the rest waits for its next turn. */
static void test_of_one_parcel_it_hangs_up_twice(void **state) {
        (void)state;
        open_with("c/{device}", NULL);
        broker.poison[0] = "b1";
        broker.poison[1] = "b2";
        broker.poison[2] = "b3";
        add("b1", 1);
        add("b2", 2);
        add("b3", 3);
        add("c4", 4);
        (void)send_all();
        assert_told("");
        assert_sent("c/d1:b1 c/d2:b2 c/d3:b3 c/d4:c4 \nc/d1:b1 \nc/d2:b2 \n--\n");
        add("b3", 3);
        add("c4", 4);
        (void)send_all();
        assert_told(" c4");
        assert_int_equal(metric_get(METRIC_COMMANDS_HUNG_UP), 3);
}

static void test_a_suspect_is_forgotten_in_time_and_there_are_only_so_many(void **state) {
        char id[16];

        (void)state;
        open_with("c/{device}", NULL);
        broker.poison[0] = "bad";
        for (int device = 1; device <= 300; ++device) {
                add("bad", device);
                (void)send_all();
                sent[0] = '\0';
                ++now_us;
        }
        for (int device = 1; device <= 44; ++device) { /* those of longest ago gave way */
                snprintf(id, sizeof(id), "c%d", device);
                add(id, device);
        }
        add("held", 45);
        assert_true(send_all());
        assert_non_null(strstr(told, " c44"));
        assert_null(strstr(told, " held"));
        told[0] = sent[0] = '\0';
        now_us += INT64_C(601000000);
        add("c1", 300);
        add("c2", 299);
        assert_true(send_all());
        assert_sent("c/d300:c1 c/d299:c2 \n--\n"); /* together again */
}

static void test_a_broker_that_is_away_is_not_asked_all_the_time(void **state) {
        (void)state;
        open_with("c/{device}", NULL);
        broker.is_away = true;
        for (int i = 0; i < 100; ++i)
                assert_false(command_publisher_is_ready(publisher));
        assert_int_equal(broker.n_connects, 1);
        for (int i = 0; i < 600; ++i, now_us += 100000)
                (void)command_publisher_is_ready(publisher);
        assert_in_range(broker.n_connects, 10, 20); /* in a minute: each 5 s in the end */
        command_publisher_say(publisher, "n/1", TEXT("x"));
        assert_sent(""); /* of that nothing is kept */
        broker.is_away = false;
        now_us += 5001000;
        command_publisher_say(publisher, "n/1", TEXT("x"));
        assert_sent("say n/1\n");
}

static void test_a_fault_keeps_nothing(void **state) {
        bool answers;

        (void)state;
        open_with("c/{device}", NULL);
        assert_true(command_publisher_is_ready(publisher));
        add("c1", 1);
        broker.is_broken = true;
        assert_int_equal(command_publisher_send(publisher, on_told, NULL, &answers), -ENOMEM);
        assert_int_equal(command_publisher_length(publisher), 0);
        assert_told("");
}

static void test_templates_name_the_device(void **state) {
        static const char *const bad[] = {
                "c",
                "c/{user}",
                "c/{vehicle}/{device}",
                "c/+/{device}",
                "c/#",
                "c/{device}/#",
                "c/{device}, x",
                "{device",
                "a/{device},b/{device},c/{device},d/{device},e/{device}",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                const CommandPublisherOptions options = { .topics = bad[i], .mqtt = &mqtt };
                const CommandPublisherOptions ack = { .topics = "c/{device}",
                                                      .ack_topic = bad[i],
                                                      .mqtt = &mqtt };

                if (command_publisher_check_topics(bad[i]) ||
                    command_publisher_new(&publisher, &options) != COMMAND_PUBLISHER_E_TOPIC)
                        fail_msg("%s is taken", bad[i]);
                assert_int_equal(command_publisher_new(&publisher, &ack),
                                 COMMAND_PUBLISHER_E_TOPIC);
                assert_null(publisher);
        }
        assert_true(command_publisher_check_topics("a/{device}, b/{user}/{device}"));
        open_with("", NULL); /* sockets alone */
        assert_false(command_publisher_is_ready(publisher));
        assert_int_equal(broker.n_connects, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_parcel_goes_at_once_and_each_is_told_once),
                TEST(test_what_is_not_on_all_topics_is_not_there),
                TEST(test_a_code_that_is_no_level_is_named_by_its_id),
                TEST(test_who_says_nothing_has_nothing_and_is_met_anew),
                TEST(test_what_it_hangs_up_on_costs_no_other),
                TEST(test_of_one_parcel_it_hangs_up_twice),
                TEST(test_a_suspect_is_forgotten_in_time_and_there_are_only_so_many),
                TEST(test_a_broker_that_is_away_is_not_asked_all_the_time),
                TEST(test_a_fault_keeps_nothing),
                TEST(test_templates_name_the_device),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
