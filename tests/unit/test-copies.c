/* MqttCopies: the copies of one message for several filters are told from equal messages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "mqtt/copies.h"

/* Each letter is a message: `a` to `c` for filter 1, `A` to `C` the same for filter 2, `-` an
 * answer of the broker, `0` an `a` that says no filter. How many are stored. */
static size_t n_stored(const char *stream) {
        MqttCopies copies = { 0 };
        unsigned n_answers = 0;
        size_t n = 0;

        for (const char *c = stream; *c; ++c) {
                bool is_second = *c >= 'A' && *c <= 'Z';
                char payload[2] = { *c == '0' ? 'a' : (char)(*c | 0x20), '\0' };
                const Inbound inbound = { .topic = TEXT("t"),
                                          .qos = 1,
                                          .subscription = *c == '0'   ? 0
                                                          : is_second ? 2
                                                                      : 1,
                                          .payload = text_of(payload) };

                if (*c == '-')
                        ++n_answers;
                else
                        n += !mqtt_copies_hear(&copies, &inbound, n_answers);
        }
        mqtt_copies_done(&copies);
        return n;
}

static void test_copies_for_two_filters_are_one_message(void **state) {
        int64_t before = metric_get(METRIC_MQTT_COPIES);

        (void)state;
        assert_int_equal(n_stored("aAbBCc"), 3);
        assert_int_equal(metric_get(METRIC_MQTT_COPIES) - before, 3);
}

static void test_equal_messages_are_all_kept(void **state) {
        (void)state;
        assert_int_equal(n_stored("aaa"), 3);
        assert_int_equal(n_stored("aAaA"), 2);
        assert_int_equal(n_stored("aAAa"), 2); /* whichever copy comes first */
        assert_int_equal(n_stored("abA"), 3);  /* copies come one behind the other */
}

static void test_what_came_for_another_filter_before_an_answer_is_another_message(void **state) {
        (void)state;
        assert_int_equal(n_stored("a-A"), 2);
        assert_int_equal(n_stored("aA-A"), 2);
}

static void test_without_identifiers_nothing_is_a_copy(void **state) {
        (void)state;
        assert_int_equal(n_stored("00"), 2);
        assert_int_equal(n_stored("a0A"), 3);
}

static void test_another_topic_or_another_length_is_another_message(void **state) {
        MqttCopies copies = { 0 };
        Inbound inbound = { .topic = TEXT("ab"), .payload = TEXT("c"), .subscription = 1 };

        (void)state;
        assert_false(mqtt_copies_hear(&copies, &inbound, 0));
        inbound = (Inbound){ .topic = TEXT("a"), .payload = TEXT("bc"), .subscription = 2 };
        assert_false(mqtt_copies_hear(&copies, &inbound, 0));
        inbound = (Inbound){ .topic = TEXT("a"), .payload = { 0 }, .subscription = 1 };
        assert_false(mqtt_copies_hear(&copies, &inbound, 0));
        inbound.subscription = 2;
        assert_true(mqtt_copies_hear(&copies, &inbound, 0));
        mqtt_copies_forget(&copies); /* the connection has gone */
        inbound.subscription = 3;
        assert_false(mqtt_copies_hear(&copies, &inbound, 0));
        mqtt_copies_done(&copies);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_copies_for_two_filters_are_one_message),
                cmocka_unit_test(test_equal_messages_are_all_kept),
                cmocka_unit_test(
                        test_what_came_for_another_filter_before_an_answer_is_another_message),
                cmocka_unit_test(test_without_identifiers_nothing_is_a_copy),
                cmocka_unit_test(test_another_topic_or_another_length_is_another_message),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
