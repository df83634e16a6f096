/* Topic: templates, filters, captures, and topics that only look alike. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/topic.h"

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
                "a/+/b",
                "a/#",
                "a/{planet}/b",
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
                cmocka_unit_test(test_length_is_bounded),
                cmocka_unit_test(test_expand_is_the_inverse_of_match),
                cmocka_unit_test(test_expand_refuses_what_is_not_one_level),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
