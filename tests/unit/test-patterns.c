/* Patterns: few filters for many topics. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/discover/patterns.h"

#define N_TOPICS 3000

typedef struct Topics Topics;

struct Topics {
        char texts[N_TOPICS][40];
        Text items[N_TOPICS];
        size_t n;
};

static void add(Topics *topics, const char *tail, int number) {
        assert_true(topics->n < N_TOPICS);
        snprintf(topics->texts[topics->n], sizeof(topics->texts[0]), "%d%s", number, tail);
        topics->items[topics->n] = text_of(topics->texts[topics->n]);
        ++topics->n;
}

static void expect_all_taken(const Patterns *patterns, const Topics *topics) {
        for (size_t i = 0; i < topics->n; ++i)
                assert_true(patterns_take(patterns, topics->items[i]));
}

static void test_few_stay_as_they_are(void **state) {
        static Topics topics;
        Patterns patterns;

        (void)state;
        for (int i = 0; i < 20; ++i)
                add(&topics, "/state", i);
        assert_int_equal(patterns_make(&patterns, topics.items, topics.n), 0);
        assert_int_equal(patterns.n, 20);
        expect_all_taken(&patterns, &topics);
        assert_false(patterns_take(&patterns, TEXT("20/state")));
        patterns_done(&patterns);
}

static void test_siblings_become_one(void **state) {
        static Topics topics;
        Patterns patterns;

        (void)state;
        for (int i = 0; i < 1000; ++i) {
                add(&topics, "/state", i);
                add(&topics, "/lwt", i);
        }
        add(&topics, "/alone/it/is", 1);
        assert_int_equal(patterns_make(&patterns, topics.items, topics.n), 0);
        assert_int_equal(patterns.n, 3);
        expect_all_taken(&patterns, &topics);
        assert_false(patterns_take(&patterns, TEXT("1/other")));
        patterns_done(&patterns);
}

static void test_there_are_never_many(void **state) {
        static Topics topics;
        Patterns patterns;
        char tail[32];

        (void)state;
        for (int i = 0; i < N_TOPICS; ++i) {
                snprintf(tail, sizeof(tail), "/x%d/y%d", i, i);
                add(&topics, tail, i);
        }
        assert_int_equal(patterns_make(&patterns, topics.items, topics.n), 0);
        assert_true(patterns.n <= PATTERNS_MOST);
        expect_all_taken(&patterns, &topics);
        patterns_done(&patterns);
}

static void test_none_is_none(void **state) {
        Patterns patterns;

        (void)state;
        assert_int_equal(patterns_make(&patterns, NULL, 0), 0);
        assert_int_equal(patterns.n, 0);
        patterns_done(&patterns);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_few_stay_as_they_are),
                cmocka_unit_test(test_siblings_become_one),
                cmocka_unit_test(test_there_are_never_many),
                cmocka_unit_test(test_none_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
