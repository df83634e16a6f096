/* Topic: templates, filters, captures, and topics that only look alike. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/topic.h"
#include "model/topic_filter.h"
#include "model/topic_level.h"

static bool matches(const TopicTemplate *template, const char *topic, TopicMatch *ret_match) {
        return topic_template_match(template, text_of(topic), ret_match);
}

static void assert_text(Text text, const char *expected) {
        assert_non_null(text.data);
        assert_int_equal(text.n, strlen(expected));
        assert_memory_equal(text.data, expected, text.n);
}

static void test_template_captures_and_makes_its_filter(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(topic_template_new(&template, "users/{user}/devices/{device}/status"), 0);
        assert_string_equal(topic_template_text(template), "users/{user}/devices/{device}/status");
        assert_string_equal(topic_template_filter(template), "users/+/devices/+/status");
        assert_true(topic_template_has(template, "user"));
        assert_true(topic_template_has(template, "device"));
        assert_false(topic_template_has(template, "vehicle"));
        assert_false(topic_template_has(template, "nonsense"));

        assert_true(matches(template, "users/7/devices/pump-1/status", &match));
        assert_text(match.user, "7");
        assert_text(match.device, "pump-1");
        assert_null(match.vehicle.data);
}

static void test_camera_is_a_device(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(topic_template_new(&template, "surveillance/camera/{camera}/event"), 0);
        assert_true(topic_template_has(template, "device"));
        assert_true(matches(template, "surveillance/camera/mock_cam_1/event", &match));
        assert_text(match.device, "mock_cam_1");
}

static void test_only_the_whole_topic_matches(void **state) {
        static const char *const others[] = {
                "",
                "seano",
                "seano/1",
                "seano/1/raw_log/x",
                "seano/1/raw_log/",
                "/seano/1/raw_log",
                "seano/1/raw_lo",
                "seano/1/raw_logs",
                "seano//raw_log",
                "seano/1/2/raw_log",
                "Seano/1/raw_log",
        };
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match = { .user = TEXT("untouched") };

        (void)state;
        assert_int_equal(topic_template_new(&template, "seano/{vehicle}/raw_log"), 0);
        for (size_t i = 0; i < N_ELEMENTS(others); ++i)
                assert_false(matches(template, others[i], &match));
        assert_false(topic_template_match(template, (Text){ 0 }, &match));
        assert_text(match.user, "untouched");
        assert_true(matches(template, "seano/ü/raw_log", &match));
        assert_text(match.vehicle, "ü");
}

static void test_what_is_no_template_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "a/#/b",
                "#/b",
                "a/b#",
                "a/b+",
                "a/{rest...}/b/#",
                "a/{rest...}/b/{device...}",
                "a/{...}",
                "a/{Planet}/b",
                "a/{1st}/b",
                "a/{my-name}/b",
                "a/{planet}/{planet}",
                "a/{device}/{device...}",
                "{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}",
                "{abcdefghijklmnopqrstuvwxyzabcdefghijklmno}",
                "a/{user}/{user}",
                "a/x{user}",
                "{device}/{camera}",
                "a/{}",
                "a/{user",
                "a/user}",
                "a/{ user }",
                "a\xff/{user}",
                "a\t/{user}",
                "a\xc2\x80/{user}",
        };
        TopicTemplate *template = NULL;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i) {
                assert_int_equal(topic_template_new(&template, texts[i]), TOPIC_E_INVALID);
                assert_null(template);
        }
}

static void test_other_names_are_captured_in_their_order(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(topic_template_new(&template, "{room}/{device}/+/{field}/state"), 0);
        assert_string_equal(topic_template_filter(template), "+/+/+/+/state");
        assert_int_equal(topic_template_other(template, TEXT("room")), 0);
        assert_int_equal(topic_template_other(template, TEXT("field")), 1);
        assert_int_equal(topic_template_other(template, TEXT("device")), -1);
        assert_true(matches(template, "attic/esp-1//temperature/state", &match));
        assert_text(match.device, "esp-1");
        assert_text(match.others[0], "attic");
        assert_text(match.others[1], "temperature");
        assert_false(matches(template, "attic/esp-1/x//state", &match));
}

static void test_a_rest_takes_all_levels_that_are_left(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(topic_template_new(&template, "zigbee2mqtt/{device...}"), 0);
        assert_string_equal(topic_template_filter(template), "zigbee2mqtt/#");
        assert_true(topic_template_has(template, "device"));
        assert_true(matches(template, "zigbee2mqtt/first floor/lamp", &match));
        assert_text(match.device, "first floor/lamp");
        assert_true(matches(template, "zigbee2mqtt/lamp", &match));
        assert_text(match.device, "lamp");
        assert_false(matches(template, "zigbee2mqtt/", &match));
        assert_false(matches(template, "zigbee2mqtt", &match));
}

static void test_a_rest_may_be_in_the_middle(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(topic_template_new(&template, "zigbee2mqtt/{device...}/{what}/state"), 0);
        assert_string_equal(topic_template_filter(template), "zigbee2mqtt/#");
        assert_string_equal(topic_template_pattern(template), "zigbee2mqtt/#/+/state");
        assert_true(matches(template, "zigbee2mqtt/first floor/lamp/light/state", &match));
        assert_text(match.device, "first floor/lamp");
        assert_text(match.others[0], "light");
        assert_true(matches(template, "zigbee2mqtt/lamp/light/state", &match));
        assert_text(match.device, "lamp");
        assert_false(matches(template, "zigbee2mqtt/light/state", &match));
        assert_false(matches(template, "zigbee2mqtt//light/state", &match));
        assert_false(matches(template, "zigbee2mqtt/lamp//state", &match));
        assert_false(matches(template, "zigbee2mqtt/lamp/light/state/", &match));
        assert_false(matches(template, "zigbee2mqtt", &match));
}

static void test_what_nobody_asks_about_is_passed_over(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(topic_template_new(&template, "a/+/{device}/#"), 0);
        assert_string_equal(topic_template_filter(template), "a/+/+/#");
        assert_true(matches(template, "a//d", &match));
        assert_true(matches(template, "a/x/d/and/more", &match));
        assert_text(match.device, "d");
        assert_false(matches(template, "a/x", &match));
}

static void test_no_wildcard_at_the_beginning_takes_what_is_the_brokers(void **state) {
        static const char *const texts[] = { "#", "+/b", "{device}/b", "{device...}" };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i) {
                CLEANUP(topic_template_free) TopicTemplate *template = NULL;
                TopicMatch match;

                assert_int_equal(topic_template_new(&template, texts[i]), 0);
                assert_true(matches(template, "a/b", &match));
                assert_false(matches(template, "$a/b", &match));
        }
}

static void test_only_a_plain_template_is_for_publishing(void **state) {
        static const char *const texts[] = { "a/+", "a/#", "a/{field}", "a/{device...}" };
        TopicMatch values = { .device = TEXT("d"), .others = { TEXT("f") } };
        char *topic = NULL;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i) {
                CLEANUP(topic_template_free) TopicTemplate *template = NULL;

                assert_int_equal(topic_template_new(&template, texts[i]), 0);
                assert_false(topic_template_is_plain(template));
                assert_int_equal(topic_template_expand(template, &values, &topic), TOPIC_E_INVALID);
        }
}

static void test_levels_are_bounded(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        char text[2 * TOPIC_MAX_LEVELS + 2];

        (void)state;
        for (size_t i = 0; i <= TOPIC_MAX_LEVELS; ++i)
                memcpy(text + 2 * i, "a/", 2);
        text[2 * TOPIC_MAX_LEVELS + 1] = '\0';
        assert_int_equal(topic_template_new(&template, text), TOPIC_E_INVALID);
        text[2 * TOPIC_MAX_LEVELS - 1] = '\0';
        assert_int_equal(topic_template_new(&template, text), 0);
}

static void test_length_is_bounded(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        static char text[65537];

        (void)state;
        memset(text, 'a', 65536);
        assert_int_equal(topic_template_new(&template, text), TOPIC_E_INVALID);
        text[65535] = '\0';
        assert_int_equal(topic_template_new(&template, text), 0);
}

static void test_expand_is_the_inverse_of_match(void **state) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch values = { .user = TEXT("ana"), .device = TEXT("cam-1") };
        char *topic = NULL;

        (void)state;
        assert_int_equal(topic_template_new(&template, "{user}/{camera}/a//b"), 0);
        assert_int_equal(topic_template_expand(template, &values, &topic), 0);
        assert_string_equal(topic, "ana/cam-1/a//b");
        assert_true(matches(template, topic, &values));
        free(topic);
}

static void test_expand_refuses_what_is_not_one_level(void **state) {
        static const Text bad[] = { TEXT(""),
                                    TEXT("a/b"),
                                    TEXT("+"),
                                    TEXT("a#b"),
                                    TEXT("a\0b"),
                                    TEXT("a\nb"),
                                    TEXT("a\x7f"),
                                    TEXT("a\xc2\x85"),
                                    TEXT("\xff"),
                                    TEXT("\xef\xbf\xbe"),
                                    TEXT("\xf0\x9f\xbf\xbf"),
                                    { .data = NULL } };
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        char *topic = NULL;

        (void)state;
        assert_int_equal(topic_template_new(&template, "devices/{device}/commands"), 0);
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                TopicMatch values = { .device = bad[i] };

                assert_int_equal(topic_template_expand(template, &values, &topic), TOPIC_E_INVALID);
                assert_null(topic);
        }
}

static void test_what_is_a_filter(void **state) {
        static const char *const good[] = { "a", "/", "+", "#", "a/+/b/#", "+/+", "$share/g/a" };
        static const char *const bad[] = { "",   "a#",    "a/#/b", "+a",   "a/b+",
                                           "##", "a\xff", "a/#/",  "a\x7f" };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(good); ++i)
                assert_true(topic_filter_is_valid(text_of(good[i])));
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_false(topic_filter_is_valid(text_of(bad[i])));
        assert_false(topic_filter_is_valid((Text){ "a\0b", 3 }));
        assert_true(topic_pattern_is_valid(TEXT("a/+/b/#")));
        assert_true(topic_pattern_is_valid(TEXT("a/#/b")));
        assert_true(topic_pattern_is_valid(TEXT("#/b/+")));
        assert_false(topic_pattern_is_valid(TEXT("a/#/b/#")));
        assert_false(topic_pattern_is_valid(TEXT("a/#/")));
        assert_false(topic_pattern_is_valid(TEXT("a/#/b+")));
        assert_false(topic_pattern_is_valid(TEXT("a#/b")));
}

static void test_filters_cover_and_meet(void **state) {
        static const struct {
                const char *a, *b;
                bool covers, meets;
        } cases[] = {
                { "a/b", "a/b", true, true },        { "a/+", "a/b", true, true },
                { "a/b", "a/+", false, true },       { "+/+/c", "a/+/c", true, true },
                { "a/+/c", "+/b/c", false, true },   { "a/+", "a/b/c", false, false },
                { "a/+/c", "b/+/c", false, false },  { "#", "a/b", true, true },
                { "a/#", "a", true, true },          { "a/+", "a/#", false, true },
                { "a/#", "b/#", false, false },      { "+/b", "$SYS/b", false, false },
                { "#", "$share/g/a", false, false }, { "a//b", "a/+/b", false, true },
                { "a/#", "a/#/b", true, true },      { "a/#/b", "a/#/b", true, true },
                { "a/#/b", "a/#/c", false, false },  { "a/#/b", "a/x/b", false, true },
                { "a/#/b", "a/b", false, false },    { "a/#/+/c", "a/b/#/c", false, true },
                { "#/b", "a/+", false, true },       { "#/b", "$SYS/b", false, false },
                { "a/#/b", "a/#", false, true },     { "+/x/#/b", "a/y/#", false, false },
                { "#/", "a/#", false, true },        { "a/#/b/c", "a/b/c", false, false },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_int_equal(topic_filter_covers(cases[i].a, cases[i].b), cases[i].covers);
                assert_int_equal(topic_filter_meets(cases[i].a, cases[i].b), cases[i].meets);
                assert_int_equal(topic_filter_meets(cases[i].b, cases[i].a), cases[i].meets);
        }
}

static void test_filters_are_joined_to_the_narrowest_that_takes_both(void **state) {
        static const char *const cases[][3] = {
                { "a/+/c", "+/b/c", "+/+/c" },     { "a/+", "a/#", "a/#" },
                { "a/+/c/#", "a/b/+", "a/+/+/#" }, { "+/b/#", "a/+", "+/+/#" },
                { "a/+/#", "a/b/c/+", "a/+/#" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                char *join = NULL, *other = NULL;

                assert_int_equal(topic_filter_join(cases[i][0], cases[i][1], &join), 0);
                assert_int_equal(topic_filter_join(cases[i][1], cases[i][0], &other), 0);
                assert_string_equal(join, cases[i][2]);
                assert_string_equal(other, cases[i][2]);
                assert_true(topic_filter_covers(join, cases[i][0]));
                assert_true(topic_filter_covers(join, cases[i][1]));
                free(join);
                free(other);
        }
}

static void test_a_filter_takes_topics(void **state) {
        static const struct {
                const char *filter, *topic;
                bool takes;
        } cases[] = {
                { "a/+/c", "a/b/c", true },   { "a/+/c", "a/b/d", false },
                { "a/+/c", "a/b", false },    { "a/+/c", "a/b/c/d", false },
                { "a/#", "a", true },         { "a/#", "a/b/c", true },
                { "a/#", "b/a", false },      { "+/b", "/b", true },
                { "+", "a", true },           { "+/x", "$SYS/x", false },
                { "$SYS/x", "$SYS/x", true }, { "$share/g/a/+", "a/b", true },
                { "a/+", "a/", true },        { "a/+", "a", false },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                assert_int_equal(topic_filter_takes(cases[i].filter, text_of(cases[i].topic)),
                                 cases[i].takes);
}

static void test_levels_come_off_both_ends(void **state) {
        Text front = TEXT("a//b"), back = TEXT("a//b"), rest = TEXT("a/b/c/d"), levels;

        (void)state;
        assert_int_equal(topic_count_levels(front), 3);
        assert_text(topic_take_level(&front), "a");
        assert_text(topic_take_level(&front), "");
        assert_text(topic_take_level(&front), "b");
        assert_null(front.data);
        assert_null(topic_take_level(&front).data);
        assert_text(topic_take_last(&back), "b");
        assert_text(topic_take_last(&back), "");
        assert_text(topic_take_last(&back), "a");
        assert_null(back.data);
        assert_true(topic_split(rest, 2, &front, &levels));
        assert_text(front, "a/b");
        assert_text(levels, "c/d");
        assert_false(topic_split(rest, 4, &front, &levels));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_a_filter),
                cmocka_unit_test(test_filters_cover_and_meet),
                cmocka_unit_test(test_filters_are_joined_to_the_narrowest_that_takes_both),
                cmocka_unit_test(test_a_filter_takes_topics),
                cmocka_unit_test(test_template_captures_and_makes_its_filter),
                cmocka_unit_test(test_camera_is_a_device),
                cmocka_unit_test(test_only_the_whole_topic_matches),
                cmocka_unit_test(test_what_is_no_template_is_refused),
                cmocka_unit_test(test_other_names_are_captured_in_their_order),
                cmocka_unit_test(test_a_rest_takes_all_levels_that_are_left),
                cmocka_unit_test(test_a_rest_may_be_in_the_middle),
                cmocka_unit_test(test_what_nobody_asks_about_is_passed_over),
                cmocka_unit_test(test_no_wildcard_at_the_beginning_takes_what_is_the_brokers),
                cmocka_unit_test(test_only_a_plain_template_is_for_publishing),
                cmocka_unit_test(test_levels_are_bounded),
                cmocka_unit_test(test_length_is_bounded),
                cmocka_unit_test(test_expand_is_the_inverse_of_match),
                cmocka_unit_test(test_expand_refuses_what_is_not_one_level),
                cmocka_unit_test(test_levels_come_off_both_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
