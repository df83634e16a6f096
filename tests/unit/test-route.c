/* Routes: the first that matches wins, and the table outlives whoever made it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/decode/route.h"

static void add(Routes *routes, const char *name, const char *template, Kind kind) {
        Route route = { .name = strdup(name), .kind = kind, .max_bytes = 65536 };

        assert_non_null(route.name);
        assert_int_equal(topic_template_new(&route.topic, template), 0);
        assert_int_equal(routes_add(routes, &route), 0);
}

static Routes *make(void) {
        Routes *routes = NULL;

        assert_int_equal(routes_new(&routes), 0);
        add(routes, "status", "devices/{device}/status", KIND_DEVICE_STATUS);
        add(routes, "special", "ems/{device}/telemetry", KIND_TELEMETRY);
        add(routes, "general", "{user}/{device}/telemetry", KIND_TELEMETRY);
        return routes;
}

static void test_first_route_that_matches_wins(void **state) {
        CLEANUP(routes_unref) Routes *routes = make();
        const Route *route;
        TopicMatch match;

        (void)state;
        route = routes_match(routes, TEXT("ems/ems_001/telemetry"), &match);
        assert_non_null(route);
        assert_string_equal(route->name, "special");
        assert_true(text_equal(match.device, TEXT("ems_001")));
        route = routes_match(routes, TEXT("ana/ems_001/telemetry"), &match);
        assert_non_null(route);
        assert_string_equal(route->name, "general");
        assert_true(text_equal(match.user, TEXT("ana")));
}

static void test_unknown_topic_has_no_route(void **state) {
        CLEANUP(routes_unref) Routes *routes = make();
        TopicMatch match;

        (void)state;
        assert_null(routes_match(routes, TEXT("devices/d1/other"), &match));
        assert_null(routes_match(routes, TEXT(""), &match));
}

static void test_kind_finds_the_first_of_its_routes(void **state) {
        CLEANUP(routes_unref) Routes *routes = make();
        const Route *route = routes_by_kind(routes, KIND_TELEMETRY);

        (void)state;
        assert_non_null(route);
        assert_string_equal(route->name, "special");
        assert_null(routes_by_kind(routes, KIND_ALERT));
}

static void test_table_lives_as_long_as_its_last_reference(void **state) {
        Routes *routes = make();
        Routes *held = routes_ref(routes);

        (void)state;
        routes = routes_unref(routes);
        assert_null(routes);
        assert_int_equal(routes_length(held), 3);
        assert_string_equal(routes_get(held, 2)->name, "general");
        assert_null(routes_get(held, 3));
        routes_unref(held);
}

static void test_table_grows(void **state) {
        CLEANUP(routes_unref) Routes *routes = NULL;

        (void)state;
        assert_int_equal(routes_new(&routes), 0);
        for (int i = 0; i < 100; ++i)
                add(routes, "r", "a/{device}", KIND_ALERT);
        assert_int_equal(routes_length(routes), 100);
}

static bool meets(const char *a, const char *b, const char *ignored_by_a) {
        char filter[32], *filters[] = { filter };
        Route one = { 0 }, other = { 0 };
        bool is_met;

        snprintf(filter, sizeof(filter), "%s", ignored_by_a);
        one.ignore = filters;
        one.n_ignore = *ignored_by_a != '\0';
        assert_int_equal(topic_template_new(&one.topic, a), 0);
        assert_int_equal(topic_template_new(&other.topic, b), 0);
        is_met = route_meets(&one, &other);
        assert_int_equal(route_meets(&other, &one), is_met);
        topic_template_free(one.topic);
        topic_template_free(other.topic);
        return is_met;
}

static void test_what_is_ignored_is_shared_with_nobody(void **state) {
        (void)state;
        assert_true(meets("a/{device...}", "a/b/{device}", ""));
        assert_true(meets("a/{device...}", "a/b/{device}", "a/b/c"));
        assert_true(meets("a/{device...}", "a/b/{device}", "a/c/#"));
        assert_false(meets("a/{device...}", "a/b/{device}", "a/b/+"));
        assert_false(meets("a/{device...}", "a/b/{device}", "a/#"));
        assert_false(meets("a/{device}", "a/b/{device}", ""));
        assert_false(meets("a/{device...}/x", "a/{device...}/y", ""));
        assert_true(meets("a/{device...}/x", "a/{device...}", "a/b/+"));
        assert_true(meets("a/{device...}/x", "a/b/{device}/x", ""));
}

/* Only routes that take a topic count among those that are asked. */
static void test_a_rest_in_the_middle_is_no_burden_to_others(void **state) {
        CLEANUP(routes_unref) Routes *routes = NULL;
        char topic[40], name[16];
        TopicMatch match;
        const Route *route;

        (void)state;
        assert_int_equal(routes_new(&routes), 0);
        for (int i = 0; i < 3 * ROUTES_MAX_TAKING; ++i) {
                snprintf(topic, sizeof(topic), "a/{device...}/x%d", i);
                snprintf(name, sizeof(name), "r%d", i);
                add(routes, name, topic, KIND_ALERT);
        }
        route = routes_match(routes, TEXT("a/b/c/x95"), &match);
        assert_non_null(route);
        assert_string_equal(route->name, "r95");
        assert_true(text_equal(match.device, TEXT("b/c")));
        assert_null(routes_match(routes, TEXT("a/b/c"), &match));
}

static void test_a_table_may_stand_behind_another(void **state) {
        CLEANUP(routes_unref) Routes *base = make(), *routes = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(routes_new_behind(&routes, base), 0);
        add(routes, "later", "ems/{device}/telemetry", KIND_TELEMETRY);
        add(routes, "more", "more/{device}", KIND_ALERT);
        base = routes_unref(base); /* it lives as long as who stands behind it */
        assert_int_equal(routes_length(routes), 5);
        assert_string_equal(routes_get(routes, 2)->name, "general");
        assert_string_equal(routes_get(routes, 3)->name, "later");
        assert_null(routes_get(routes, 5));
        assert_string_equal(routes_match(routes, TEXT("ems/x/telemetry"), &match)->name, "special");
        assert_string_equal(routes_match(routes, TEXT("more/x"), &match)->name, "more");
        assert_string_equal(routes_by_kind(routes, KIND_ALERT)->name, "more");
        assert_string_equal(routes_door(routes, KIND_TELEMETRY)->name, "special");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_route_that_matches_wins),
                cmocka_unit_test(test_unknown_topic_has_no_route),
                cmocka_unit_test(test_kind_finds_the_first_of_its_routes),
                cmocka_unit_test(test_table_lives_as_long_as_its_last_reference),
                cmocka_unit_test(test_table_grows),
                cmocka_unit_test(test_a_table_may_stand_behind_another),
                cmocka_unit_test(test_what_is_ignored_is_shared_with_nobody),
                cmocka_unit_test(test_a_rest_in_the_middle_is_no_burden_to_others),
        };

        return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
