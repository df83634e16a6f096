/* TopicIndex: what takes a topic, as if each filter were asked. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "model/topic_filter.h"
#include "model/topic_index.h"

static void check_found(const TopicIndex *index, const char *topic, const char *expected) {
        uint32_t ids[8];
        size_t n = topic_index_find(index, text_of(topic), ids, N_ELEMENTS(ids));
        char said[64] = "";

        for (size_t i = 0; i < n; ++i)
                snprintf(said + strlen(said), sizeof(said) - strlen(said), "%u ", ids[i]);
        assert_string_equal(said, expected);
}

static TopicIndex *index_of(const char *const filters[], size_t n) {
        TopicIndex *index = NULL;

        assert_int_equal(topic_index_new(&index), 0);
        for (size_t i = 0; i < n; ++i)
                assert_int_equal(topic_index_add(index, filters[i], (uint32_t)i), 0);
        return index;
}

static void test_every_filter_that_takes_a_topic_is_found(void **state) {
        static const char *const filters[] = {
                "a/+/c", "a/#", "a/b/c", "+/b/+", "a/b", "#", "a/b/c"
        };
        CLEANUP(topic_index_free) TopicIndex *index = index_of(filters, N_ELEMENTS(filters));

        (void)state;
        check_found(index, "a/b/c", "0 1 2 3 5 6 ");
        check_found(index, "a/b", "1 4 5 ");
        check_found(index, "a", "1 5 ");
        check_found(index, "x/b/", "3 5 ");
        check_found(index, "a//c", "0 1 5 ");
        check_found(index, "x", "5 ");
        check_found(index, "", "");
}

static void test_wildcards_leave_what_is_the_brokers(void **state) {
        static const char *const filters[] = { "#", "+/x", "$SYS/#", "$SYS/+" };
        CLEANUP(topic_index_free) TopicIndex *index = index_of(filters, N_ELEMENTS(filters));

        (void)state;
        check_found(index, "$SYS/x", "2 3 ");
        check_found(index, "$SYS", "2 ");
        check_found(index, "a/x", "0 1 ");
}

static void test_an_empty_index_finds_nothing(void **state) {
        CLEANUP(topic_index_free) TopicIndex *index = index_of(NULL, 0);

        (void)state;
        check_found(index, "a/b", "");
}

static void test_of_too_many_the_lowest_are_found(void **state) {
        CLEANUP(topic_index_free) TopicIndex *index = NULL;
        uint32_t ids[3];

        (void)state;
        assert_int_equal(topic_index_new(&index), 0);
        for (uint32_t i = 10; i-- > 0;) {
                assert_int_equal(topic_index_add(index, i % 2 ? "a/+" : "a/b", i), 0);
                assert_int_equal(topic_index_add(index, "#", i), 0);
        }
        assert_int_equal(topic_index_find(index, TEXT("a/b"), ids, 3), 3);
        for (uint32_t i = 0; i < 3; ++i)
                assert_int_equal(ids[i], i);
        assert_int_equal(topic_index_find(index, TEXT("a/b"), ids, 0), 0);
}

/* Some of few levels, so that they meet. */
static void random_topic(unsigned *seed, bool is_filter, char ret[64]) {
        static const char *const levels[] = { "a", "b", "c", "", "$d", "+", "+" };
        unsigned n = 1 + (unsigned)rand_r(seed) % 4;
        size_t at = 0;

        ret[0] = '\0';
        for (unsigned i = 0; i < n; ++i)
                at += (size_t)snprintf(ret + at,
                                       64 - at,
                                       "%s%s",
                                       i > 0 ? "/" : "",
                                       levels[(unsigned)rand_r(seed) % (is_filter ? 7 : 5)]);
        if (is_filter && rand_r(seed) % 4 == 0)
                at += (size_t)snprintf(ret + at, 64 - at, "/#");
        if (is_filter && ret[at - 1] == '#' && rand_r(seed) % 2 == 0)
                snprintf(ret + at,
                         64 - at,
                         "/%s%s",
                         levels[(unsigned)rand_r(seed) % 7],
                         rand_r(seed) % 2 == 0 ? "/b" : "");
}

static void test_it_finds_what_asking_each_filter_would(void **state) {
        static char filters[300][64];
        CLEANUP(topic_index_free) TopicIndex *index = NULL;
        unsigned seed = 7;

        (void)state;
        assert_int_equal(topic_index_new(&index), 0);
        for (uint32_t i = 0; i < N_ELEMENTS(filters); ++i) {
                do
                        random_topic(&seed, true, filters[i]);
                while (!topic_filter_is_valid(text_of(filters[i])) && !strstr(filters[i], "/#/"));
                assert_int_equal(topic_index_add(index, filters[i], i), 0);
        }
        for (int round = 0; round < 2000; ++round) {
                uint32_t ids[N_ELEMENTS(filters)];
                size_t n, n_expected = 0;
                char topic[64];

                random_topic(&seed, false, topic);
                n = topic_index_find(index, text_of(topic), ids, N_ELEMENTS(ids));
                for (uint32_t i = 0; i < N_ELEMENTS(filters); ++i) {
                        if (!topic_filter_takes(filters[i], text_of(topic)))
                                continue;
                        if (n_expected >= n || ids[n_expected] != i)
                                fail_msg("%s does not find %s", topic, filters[i]);
                        if (!topic_filter_meets(filters[i], filters[ids[0]]) ||
                            !topic_filter_meets(filters[ids[0]], filters[i]))
                                fail_msg("%s: %s and %s", topic, filters[i], filters[ids[0]]);
                        ++n_expected;
                }
                assert_int_equal(n, n_expected);
        }
}

static void test_near_a_filter_is_what_meets_it(void **state) {
        static char filters[300][64];
        CLEANUP(topic_index_free) TopicIndex *index = NULL;
        unsigned seed = 11;

        (void)state;
        assert_int_equal(topic_index_new(&index), 0);
        for (uint32_t i = 0; i < N_ELEMENTS(filters); ++i) {
                do
                        random_topic(&seed, true, filters[i]);
                while (!topic_filter_is_valid(text_of(filters[i])) && !strstr(filters[i], "/#/"));
                assert_int_equal(topic_index_add(index, filters[i], i), 0);
        }
        for (uint32_t i = 0; i < N_ELEMENTS(filters); ++i) {
                uint32_t ids[N_ELEMENTS(filters)];
                size_t n = topic_index_near(index, filters[i], ids), at = 0;

                for (uint32_t k = 0; k < N_ELEMENTS(filters); ++k) {
                        bool is_near = at < n && ids[at] == k;

                        bool is_odd = strstr(filters[i], "/#/") || strstr(filters[k], "/#/") ||
                                      *filters[i] == '$' || *filters[k] == '$';

                        at += is_near;
                        if (topic_filter_meets(filters[i], filters[k]) ? !is_near
                                                                       : is_near && !is_odd)
                                fail_msg("%s, and %s", filters[k], filters[i]);
                }
                assert_int_equal(at, n); /* ascending, each once */
        }
}

static void test_who_shares_no_level_is_not_near(void **state) {
        static const char *const filters[] = { "a/x/t", "b/+/t", "a/+/u", "c/#", "a/x/t/+" };
        CLEANUP(topic_index_free) TopicIndex *index = index_of(filters, N_ELEMENTS(filters));
        uint32_t ids[N_ELEMENTS(filters)];

        (void)state;
        assert_int_equal(topic_index_near(index, "a/+/t", ids), 1);
        assert_int_equal(ids[0], 0);
        assert_int_equal(topic_index_near(index, "+/x/t", ids), 3);
        assert_int_equal(topic_index_near(index, "d/#", ids), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_filter_that_takes_a_topic_is_found),
                cmocka_unit_test(test_wildcards_leave_what_is_the_brokers),
                cmocka_unit_test(test_an_empty_index_finds_nothing),
                cmocka_unit_test(test_of_too_many_the_lowest_are_found),
                cmocka_unit_test(test_it_finds_what_asking_each_filter_would),
                cmocka_unit_test(test_near_a_filter_is_what_meets_it),
                cmocka_unit_test(test_who_shares_no_level_is_not_near),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
