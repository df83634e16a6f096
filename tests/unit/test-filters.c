/* MqttFilters and MqttBroker: what the source knows of the broker, without a broker. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "model/topic_filter.h"
#include "mqtt/broker.h"
#include "mqtt/candidates.h"
#include "mqtt/door.h"
#include "mqtt/filters.h"

static MqttFilters *make(const char *a, const char *b) {
        const char *texts[] = { a, b };
        MqttFilters *filters = NULL;

        assert_int_equal(mqtt_filters_new(&filters, texts, b ? 2 : 1), 0);
        return filters;
}

static size_t count(MqttFilters *filters, MqttFilterState state) {
        MqttFilter *items[8];

        return mqtt_filters_pick(filters, state, items, N_ELEMENTS(items));
}

static void set_all(MqttFilters *filters, MqttFilterState state) {
        for (size_t i = 0; i < filters->n_items; ++i)
                filters->items[i].state = state;
}

static void test_repeated_filter_is_one(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/#", "a/#");

        (void)state;
        assert_int_equal(count(filters, MQTT_FILTER_WANTED), 1);
}

static void test_change_keeps_what_stays_and_marks_what_goes(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/#", "b/#");
        CLEANUP(mqtt_filters_free) MqttFilters *next = make("b/#", "c/#");

        (void)state;
        set_all(filters, MQTT_FILTER_SUBSCRIBED);
        assert_int_equal(mqtt_filters_replace(&filters, &next), 0);
        assert_null(next);
        assert_int_equal(count(filters, MQTT_FILTER_SUBSCRIBED), 1);
        assert_int_equal(count(filters, MQTT_FILTER_WANTED), 1);
        assert_int_equal(count(filters, MQTT_FILTER_STALE), 1);

        next = make("a/#", NULL); /* wanted again before it was unsubscribed */
        assert_int_equal(mqtt_filters_replace(&filters, &next), 0);
        assert_int_equal(count(filters, MQTT_FILTER_WANTED), 1);
        assert_int_equal(count(filters, MQTT_FILTER_STALE), 2); /* "c/#" is on its way, perhaps */
}

static void test_each_connection_subscribes_to_all_that_is_wanted(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/#", "b/#");

        (void)state;
        set_all(filters, MQTT_FILTER_SUBSCRIBED);
        filters->items[1].state = MQTT_FILTER_REFUSED;
        mqtt_filters_reset(filters, false);
        assert_int_equal(count(filters, MQTT_FILTER_WANTED), 2);
}

static void test_a_wide_filter_brings_what_a_narrow_one_would(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("site/+/tele", "+/+/tele");

        (void)state;
        mqtt_filters_reset(filters, true);
        mqtt_filters_cover(filters);
        assert_int_equal(filters->items[0].state, MQTT_FILTER_COVERED);
        assert_int_equal(filters->items[1].state, MQTT_FILTER_WANTED);

        filters->items[1].state = MQTT_FILTER_REFUSED;
        mqtt_filters_cover(filters);
        assert_int_equal(filters->items[0].state, MQTT_FILTER_WANTED);
        filters->items[0].state = filters->items[1].state = MQTT_FILTER_SUBSCRIBED;
        mqtt_filters_cover(filters);
        assert_int_equal(filters->items[0].state, MQTT_FILTER_DOUBLED);

        mqtt_filters_reset(filters, false); /* the session may have both */
        mqtt_filters_cover(filters);
        assert_int_equal(filters->items[0].state, MQTT_FILTER_DOUBLED);
}

static void test_filters_that_meet_are_joined(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/+/c", "+/b/c");
        CLEANUP(mqtt_filters_free) MqttFilters *later = make("d", NULL);
        CLEANUP(mqtt_door_free) MqttDoor *door = NULL, *next = NULL;
        char path[] = "/tmp/tidegate-filters-XXXXXX";
        MqttFilter *items[8];
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        mqtt_filters_cover(filters);
        assert_int_equal(mqtt_filters_pick(filters, MQTT_FILTER_WANTED, items, 8), 1);
        assert_string_equal(items[0]->text, "+/+/c");
        assert_int_equal(count(filters, MQTT_FILTER_COVERED), 2);

        assert_int_equal(mqtt_door_new(&door, filters, &next), 0);
        assert_true(mqtt_door_takes(door, TEXT("a/x/c")));
        assert_true(mqtt_door_takes(door, TEXT("x/b/c")));
        assert_false(mqtt_door_takes(door, TEXT("x/y/c")));
        next = door;
        assert_int_equal(mqtt_door_new(&door, filters, &next), 0);
        assert_null(next); /* the same again is the same one */

        items[0]->state = MQTT_FILTER_REFUSED; /* then each for itself */
        mqtt_filters_cover(filters);
        assert_int_equal(count(filters, MQTT_FILTER_WANTED), 2);

        mqtt_filters_save(filters, path, "gateway"); /* of the next process nothing is joined, */
        assert_true(mqtt_filters_load(later, path, "gateway"));
        assert_int_equal(count(later, MQTT_FILTER_STALE), 3);
        next = door;
        assert_int_equal(mqtt_door_new(&door, later, &next), 0);
        assert_true(mqtt_door_takes(door, TEXT("a/x/c"))); /* but the session may have it yet */
        assert_false(mqtt_door_takes(door, TEXT("x/y/c")));
        mqtt_filters_reset(later, true);
        next = door;
        assert_int_equal(mqtt_door_new(&door, later, &next), 0);
        assert_true(mqtt_door_takes(door, TEXT("x/y/c")));
        unlink(path);
}

/* Some of few levels, so that they meet. */
static void random_filter(unsigned *seed, char ret[32]) {
        static const char *const levels[] = { "a", "b", "c", "+", "+" };
        static const char *const ends[] = { "", "", "/#", "/#/a", "/#/+/b" };
        unsigned n = 1 + (unsigned)rand_r(seed) % 3;
        size_t at = 0;

        for (unsigned i = 0; i < n; ++i)
                at += (size_t)snprintf(ret + at,
                                       32 - at,
                                       "%s%s",
                                       i > 0 ? "/" : "",
                                       levels[(unsigned)rand_r(seed) % N_ELEMENTS(levels)]);
        snprintf(ret + at, 32 - at, "%s", ends[(unsigned)rand_r(seed) % N_ELEMENTS(ends)]);
}

static size_t subscribe_all(MqttFilters *filters, MqttFilter *items[64]) {
        size_t n;

        mqtt_filters_cover(filters);
        n = mqtt_filters_pick(filters, MQTT_FILTER_WANTED, items, 64);
        for (size_t i = 0; i < n; ++i)
                for (size_t k = 0; k < i; ++k)
                        if (topic_filter_meets(items[i]->text, items[k]->text))
                                fail_msg("%s and %s", items[i]->text, items[k]->text);
        return n;
}

/* A broker with a copy for each subscription has one for each topic, whatever the routes are. */
static void test_no_topic_is_of_two_subscriptions(void **state) {
        unsigned seed = 11;

        (void)state;
        for (int round = 0; round < 2000; ++round) {
                CLEANUP(mqtt_filters_free) MqttFilters *filters = NULL, *next = NULL;
                char text[2][6][32];
                const char *texts[2][6];
                MqttFilter *items[64];
                size_t n;

                for (size_t i = 0; i < 12; ++i) {
                        random_filter(&seed, text[i / 6][i % 6]);
                        texts[i / 6][i % 6] = text[i / 6][i % 6];
                }
                assert_int_equal(mqtt_filters_new(&filters, texts[0], 6), 0);
                n = subscribe_all(filters, items);
                for (size_t i = 0; i < n; ++i)
                        items[i]->state = MQTT_FILTER_SUBSCRIBED;
                assert_int_equal(mqtt_filters_new(&next, texts[1], 6), 0); /* a reload */
                assert_int_equal(mqtt_filters_replace(&filters, &next), 0);
                mqtt_filters_reset(filters, true); /* and another session */
                (void)subscribe_all(filters, items);
        }
}

/* z/#/state: no broker knows such a filter, and what else z/# brings is not wanted. */
static void test_a_rest_in_the_middle_is_judged_by_us(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("z/#/state", "z/x");
        CLEANUP(mqtt_filters_free) MqttFilters *later = make("y", NULL);
        CLEANUP(mqtt_filters_free) MqttFilters *next = make("y", NULL);
        CLEANUP(mqtt_door_free) MqttDoor *door = NULL, *before = NULL;
        char path[] = "/tmp/tidegate-filters-XXXXXX";
        MqttFilter *items[8];
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        mqtt_filters_cover(filters);
        assert_int_equal(mqtt_filters_pick(filters, MQTT_FILTER_WANTED, items, 8), 1);
        assert_string_equal(items[0]->text, "z/#");
        assert_int_equal(mqtt_door_new(&door, filters, &before), 0);
        assert_true(mqtt_door_takes(door, TEXT("z/a/b/state")));
        assert_true(mqtt_door_takes(door, TEXT("z/x")));
        assert_false(mqtt_door_takes(door, TEXT("z/state")));
        assert_false(mqtt_door_takes(door, TEXT("z/a")));

        mqtt_filters_save(filters, path, "gateway"); /* the next process may yet get some of it, */
        assert_true(mqtt_filters_load(later, path, "gateway"));
        assert_int_equal(count(later, MQTT_FILTER_STALE), 2);
        before = door;
        assert_int_equal(mqtt_door_new(&door, later, &before), 0);
        assert_true(mqtt_door_takes(door, TEXT("z/a/state")));
        unlink(path);

        assert_int_equal(mqtt_filters_replace(&filters, &next),
                         0); /* as this one after a reload, */
        before = door;
        assert_int_equal(mqtt_door_new(&door, filters, &before), 0);
        assert_true(mqtt_door_takes(door, TEXT("z/a/state")));
        set_all(filters, MQTT_FILTER_GONE); /* until it is unsubscribed */
        mqtt_filters_drop_gone(filters);
        assert_int_equal(filters->n_patterns, 0);
}

static void test_new_session_has_nothing_to_lose(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/#", "b/#");

        (void)state;
        filters->items[0].state = MQTT_FILTER_SUBSCRIBED;
        filters->items[1].state = MQTT_FILTER_STALE;
        mqtt_filters_reset(filters, false);
        assert_int_equal(count(filters, MQTT_FILTER_STALE), 1);
        mqtt_filters_reset(filters, true);
        assert_int_equal(filters->n_items, 1);
        assert_int_equal(count(filters, MQTT_FILTER_WANTED), 1);
}

static void test_what_the_broker_refuses_stays_refused_until_it_is_granted(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/#", NULL);
        MqttFilter *filter = &filters->items[0];

        (void)state;
        mqtt_filter_answered(filter, 0x87, 1);
        assert_int_equal(filter->state, MQTT_FILTER_REFUSED);
        mqtt_filters_reset(filters, false);
        assert_int_equal(mqtt_filters_n_refused(filters), 1);
        mqtt_filter_answered(filter, 0, 1); /* less than was asked for */
        assert_int_equal(filter->state, MQTT_FILTER_SUBSCRIBED);
        assert_true(filter->is_reported);
        assert_true(filter->may_be_there);
        assert_int_equal(mqtt_filters_n_refused(filters), 0);
        mqtt_filter_answered(filter, 1, 1);
        assert_false(filter->is_reported);
}

static void test_file_tells_the_next_process_what_the_session_has(void **state) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/#", "b/+/c");
        CLEANUP(mqtt_filters_free) MqttFilters *later = make("b/+/c", "d");
        CLEANUP(mqtt_filters_free) MqttFilters *other = make("a/#", NULL);
        char path[] = "/tmp/tidegate-filters-XXXXXX";
        struct stat file;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        assert_false(mqtt_filters_load(later, path, "gateway")); /* empty */
        mqtt_filters_save(filters, path, "gateway");
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);

        assert_true(mqtt_filters_load(later, path, "gateway"));
        assert_int_equal(count(later, MQTT_FILTER_WANTED), 2);
        assert_int_equal(count(later, MQTT_FILTER_STALE), 1);
        assert_false(mqtt_filters_load(other, path, "another")); /* not its session */
        assert_int_equal(count(other, MQTT_FILTER_WANTED), 1);
        unlink(path);
        assert_false(mqtt_filters_load(other, path, "gateway"));
}

/* Each of them in an UNSUBSCRIBE would end the connection, again and again. */
static void test_damage_in_the_file_is_not_said_to_the_broker(void **state) {
        static const char text[] = "gateway\n\tjoined\na/#/b\n+x\nb\xc3(\ny\x01\nold/#\n";
        CLEANUP(mqtt_filters_free) MqttFilters *filters = make("a/#", NULL);
        char path[] = "/tmp/tidegate-filters-XXXXXX";
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
        close(fd);
        assert_true(mqtt_filters_load(filters, path, "gateway"));
        assert_int_equal(count(filters, MQTT_FILTER_STALE), 1);
        assert_string_equal(filters->items[1].text, "old/#");
        unlink(path);
}

static void test_urls_become_addresses(void **state) {
        static const char *const good[][2] = {
                { "mqtt://broker", "tcp://broker:1883" },  { "mqtt://broker:1", "tcp://broker:1" },
                { "mqtts://broker", "ssl://broker:8883" }, { "mqtts://[::1]", "ssl://[::1]:8883" },
                { "mqtt://[::1]:77", "tcp://[::1]:77" },
        };
        static const char *const bad[] = { "",        "broker",    "tcp://b",
                                           "mqtt://", "mqtt://:1", "mqtt://a/b" };
        char uri[64];
        bool is_tls;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(good); ++i) {
                assert_true(mqtt_broker_uri(good[i][0], uri, sizeof(uri), &is_tls));
                assert_string_equal(uri, good[i][1]);
                assert_int_equal(is_tls, uri[0] == 's');
        }
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_false(mqtt_broker_uri(bad[i], uri, sizeof(uri), &is_tls));
        assert_false(mqtt_broker_uri(NULL, uri, sizeof(uri), &is_tls));
        assert_false(mqtt_broker_uri("mqtt://broker", uri, 8, &is_tls));
}

static void test_brokers_come_in_turn_and_then_there_is_a_pause(void **state) {
        MqttCandidates c;

        (void)state;
        assert_true(mqtt_candidates_init(&c, "mqtt://a , mqtts://b:1", 5));
        assert_string_equal(c.uri, "tcp://a:1883");
        mqtt_candidates_fail(&c, MQTT_FAULT_OTHER);
        assert_string_equal(c.uri, "ssl://b:1");
        assert_true(c.is_tls && !c.is_round_over);
        mqtt_candidates_fail(&c, MQTT_FAULT_VERSION);
        assert_string_equal(c.url, "mqtt://a");
        assert_true(c.is_round_over && c.version == 5);
        assert_false(mqtt_candidates_init(&c, "mqtt://a,", 5));
        assert_false(mqtt_candidates_init(&c, "mqtt://a", 3));
}

static void test_other_addresses_of_a_name_come_before_the_next_broker(void **state) {
        MqttCandidates c;

        (void)state;
        assert_true(mqtt_candidates_init(&c, "mqtt://a,mqtts://b", 5));
        assert_false(mqtt_candidates_is_wide(&c));
        mqtt_candidates_widen(&c, "::1", "1883");
        mqtt_candidates_widen(&c, "192.0.2.7", "1883");
        assert_true(mqtt_candidates_is_wide(&c));
        mqtt_candidates_fail(&c, MQTT_FAULT_OTHER);
        assert_string_equal(c.uri, "tcp://[::1]:1883");
        assert_string_equal(c.url, "mqtt://a");
        mqtt_candidates_succeed(&c); /* and it is what is next again */
        assert_string_equal(c.uri, "tcp://[::1]:1883");
        mqtt_candidates_fail(&c, MQTT_FAULT_OTHER);
        assert_string_equal(c.uri, "tcp://192.0.2.7:1883");
        assert_false(c.is_round_over);
        mqtt_candidates_fail(&c, MQTT_FAULT_OTHER);
        assert_string_equal(c.uri, "ssl://b:8883");
        assert_false(mqtt_candidates_is_wide(&c));
        for (int i = 0; i < 2 * MQTT_CANDIDATES_ADDRESSES; ++i)
                mqtt_candidates_widen(&c, "192.0.2.8", "8883");
        for (int i = 0; i < MQTT_CANDIDATES_ADDRESSES; ++i) {
                mqtt_candidates_fail(&c, MQTT_FAULT_OTHER);
                assert_string_equal(c.uri, "ssl://192.0.2.8:8883");
        }
        mqtt_candidates_fail(&c, MQTT_FAULT_OTHER);
        assert_string_equal(c.uri, "tcp://a:1883");
        assert_true(c.is_round_over);
}

static void test_each_new_reason_of_each_broker_is_news_once(void **state) {
        MqttSaid said[MQTT_CANDIDATES_MAX] = { 0 };

        (void)state;
        assert_true(mqtt_said_is_news(said, "mqtt://a", "refused"));
        assert_false(mqtt_said_is_news(said, "mqtt://a", "refused"));
        assert_true(mqtt_said_is_news(said, "mqtt://b", "refused"));
        assert_true(mqtt_said_is_news(said, "mqtt://a", "timeout"));
        assert_false(mqtt_said_is_news(said, "mqtt://b", "refused"));
        assert_false(mqtt_said_is_news(said, "mqtt://a", "refused")); /* the two take turns */
}

static void test_who_does_not_speak_5_is_spoken_to_in_3(void **state) {
        MqttCandidates c;

        (void)state;
        assert_true(mqtt_candidates_init(&c, "mqtt://a", 0));
        assert_int_equal(c.version, 5);
        mqtt_candidates_fail(&c, MQTT_FAULT_VERSION);
        assert_int_equal(c.version, 4);
        assert_false(c.is_round_over);
        mqtt_candidates_succeed(&c);
        assert_int_equal(c.version, 4);

        assert_true(mqtt_candidates_init(&c, "mqtt://a", 0));
        mqtt_candidates_fail(&c, MQTT_FAULT_CLOSED); /* it may be coming up */
        assert_int_equal(c.version, 5);
        mqtt_candidates_fail(&c, MQTT_FAULT_CLOSED);
        assert_int_equal(c.version, 4);
        mqtt_candidates_succeed(&c);
        assert_int_equal(c.version, 5);
}

static void test_refusals_are_told_in_words(void **state) {
        char reason[64];

        (void)state;
        assert_string_equal(mqtt_broker_refusal(5), "not authorized");
        assert_string_equal(mqtt_broker_refusal(0x87), "Not authorized");
        assert_non_null(mqtt_broker_refusal(4711));
        mqtt_broker_tls_error("C0:error:0A:SSL:verify:certificate verify failed:../x.c:1:",
                              reason,
                              sizeof(reason));
        assert_string_equal(reason, "TLS: certificate verify failed");
        mqtt_broker_tls_error("no colons", reason, sizeof(reason));
        assert_string_equal(reason, "TLS: no colons");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_repeated_filter_is_one),
                cmocka_unit_test(test_change_keeps_what_stays_and_marks_what_goes),
                cmocka_unit_test(test_each_connection_subscribes_to_all_that_is_wanted),
                cmocka_unit_test(test_a_wide_filter_brings_what_a_narrow_one_would),
                cmocka_unit_test(test_filters_that_meet_are_joined),
                cmocka_unit_test(test_no_topic_is_of_two_subscriptions),
                cmocka_unit_test(test_a_rest_in_the_middle_is_judged_by_us),
                cmocka_unit_test(test_new_session_has_nothing_to_lose),
                cmocka_unit_test(test_what_the_broker_refuses_stays_refused_until_it_is_granted),
                cmocka_unit_test(test_file_tells_the_next_process_what_the_session_has),
                cmocka_unit_test(test_damage_in_the_file_is_not_said_to_the_broker),
                cmocka_unit_test(test_urls_become_addresses),
                cmocka_unit_test(test_brokers_come_in_turn_and_then_there_is_a_pause),
                cmocka_unit_test(test_other_addresses_of_a_name_come_before_the_next_broker),
                cmocka_unit_test(test_each_new_reason_of_each_broker_is_news_once),
                cmocka_unit_test(test_who_does_not_speak_5_is_spoken_to_in_3),
                cmocka_unit_test(test_refusals_are_told_in_words),
        };

        return cmocka_run_group_tests_name("filters", tests, NULL, NULL);
}
