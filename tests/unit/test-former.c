/* Former: what was accepted before a reload is read by the newest table that it may be from. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/former.h"

/* A table with one route of this name, for all topics t/{device}. */
static Routes *table(const char *name) {
        Route route = { .name = strdup(name), .kind = KIND_TELEMETRY, .max_bytes = 1 };
        Routes *routes = NULL;

        assert_int_equal(topic_template_new(&route.topic, "t/{device}"), 0);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        return routes;
}

static void add(Former *former, const char *name, uint64_t until_seq, int64_t until_us) {
        CLEANUP(routes_unref) Routes *routes = table(name);

        assert_int_equal(former_add(former, routes, until_seq, until_us), 0);
}

static const char *match(const Former *former, uint64_t seq, int64_t received_us) {
        TopicMatch match;
        const Route *route = former_match(former, seq, received_us, TEXT("t/x"), &match);

        return route ? route->name : "none";
}

static void test_the_newest_that_may_have_been_in_force_counts(void **state) {
        CLEANUP(former_free) Former *former = NULL;

        (void)state;
        assert_int_equal(former_new(&former), 0);
        assert_string_equal(match(former, 1, 1), "none");
        add(former, "first", 10, 100);
        add(former, "second", 20, 200);
        add(former, "third", 20, 300);
        assert_string_equal(match(former, 5, 50), "third");
        assert_string_equal(match(former, 21, 300), "third"); /* under way when it was taken back */
        assert_string_equal(match(former, 21, 301), "none");
}

static void test_a_table_goes_when_all_that_it_may_be_for_is_stored(void **state) {
        CLEANUP(former_free) Former *former = NULL;

        (void)state;
        assert_int_equal(former_new(&former), 0);
        add(former, "first", 10, 100);
        add(former, "second", 20, 200);
        former_forget(former, 9, 500);
        former_forget(former, 10, 100);
        assert_string_equal(match(former, 10, 500), "second");
        former_forget(former, 20, 200);
        assert_string_equal(match(former, 10, 500), "second");
        former_forget(former, 20, 201);
        assert_string_equal(match(former, 10, 500), "none");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_newest_that_may_have_been_in_force_counts),
                cmocka_unit_test(test_a_table_goes_when_all_that_it_may_be_for_is_stored),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
