/* Slot: a thing's messages go to one slot, which is the same for every gateway and version. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "model/slot.h"

/* These are in databases and at brokers: whoever has to change them has to move what is there. */
static void test_the_numbers_are_those_of_always(void **state) {
        static const struct {
                Text key;
                unsigned of_3, of_4, of_64;
        } known[] = {
                { { "", 0 }, 2, 2, 38 },
                { { "USV-1", 5 }, 0, 1, 21 },
                { { "USV-2", 5 }, 0, 3, 23 },
                { { "dev-1", 5 }, 0, 2, 14 },
                { { "K\xc3\xbc"
                    "che",
                    6 },
                  0,
                  1,
                  1 },
                { { "a\xff\0b", 4 }, 1, 0, 52 },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(known); ++i) {
                assert_int_equal(slot_of(known[i].key, 1), 0);
                assert_int_equal(slot_of(known[i].key, 3), known[i].of_3);
                assert_int_equal(slot_of(known[i].key, 4), known[i].of_4);
                assert_int_equal(slot_of(known[i].key, 64), known[i].of_64);
        }
}

static void test_names_that_are_counted_up_are_spread(void **state) {
        static const unsigned slots[] = { 2, 3, 4, 7, 16 };
        static const char *const names[] = { "USV-", "dev", "shellyplus1-" };
        enum { N_NAMES = 64000 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(slots) * N_ELEMENTS(names); ++i) {
                unsigned n_slots = slots[i % N_ELEMENTS(slots)];
                unsigned counts[SLOT_MAX] = { 0 };

                for (int n = 0; n < N_NAMES; ++n) {
                        char name[32];

                        snprintf(name, sizeof(name), "%s%d", names[i / N_ELEMENTS(slots)], n);
                        ++counts[slot_of(text_of(name), n_slots)];
                }
                for (unsigned slot = 0; slot < n_slots; ++slot)
                        assert_in_range(counts[slot],
                                        N_NAMES / n_slots * 95 / 100,
                                        N_NAMES / n_slots * 105 / 100);
        }
}

static void expect_key(const char *template_text, const char *topic, const char *key) {
        CLEANUP(topic_template_free) TopicTemplate *template = NULL;
        TopicMatch match;
        Text found;

        assert_int_equal(topic_template_new(&template, template_text), 0);
        assert_true(topic_template_match(template, text_of(topic), &match));
        found = slot_key(&match, text_of(topic));
        assert_int_equal(found.n, strlen(key));
        assert_memory_equal(found.data, key, found.n);
}

static void test_it_is_whom_the_topic_names(void **state) {
        (void)state;
        expect_key("seano/{vehicle}/raw_log", "seano/USV-1/raw_log", "USV-1");
        expect_key("users/{user}/devices/{device}/status", "users/ana/devices/d/status", "d");
        expect_key("{vehicle}/on/{device}/x", "USV-1/on/d/x", "USV-1"); /* the one around it */
        expect_key("cameras/{camera}/event", "cameras/c/event", "c");
        expect_key("a/{device...}/x", "a/b/c/x", "b/c");
        expect_key("users/{user}/alert", "users/ana/alert", "users/ana/alert"); /* nobody */
        expect_key("log/+/{area}", "log/1/yard", "log/1/yard");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_numbers_are_those_of_always),
                cmocka_unit_test(test_names_that_are_counted_up_are_spread),
                cmocka_unit_test(test_it_is_whom_the_topic_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
