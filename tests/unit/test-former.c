/* Former: what was accepted before a reload is read by the newest table that it may be from. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/decode/former.h"
#include "gateway/decode/route_note.h"

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

        assert_int_equal(route_note_add(former, routes, until_seq, until_us), 0);
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

static void test_a_table_that_comes_again_and_again_pushes_no_other_out(void **state) {
        CLEANUP(former_free) Former *former = NULL;

        (void)state;
        assert_int_equal(former_new(&former), 0);
        add(former, "needed", 5, 50);
        for (uint64_t seq = 10; seq < 100; ++seq)
                add(former, seq % 2 ? "odd" : "even", seq, (int64_t)seq);
        assert_int_equal(former_length(former), 3);
        assert_string_equal(match(former, 99, 1000), "odd");
        assert_string_equal(match(former, 100, 99), "odd");
}

static void test_tables_are_bounded_by_their_routes(void **state) {
        CLEANUP(former_free) Former *former = NULL;
        CLEANUP(routes_unref) Routes *large = table("large");
        char topic[32];

        (void)state;
        assert_int_equal(former_new(&former), 0);
        for (size_t i = routes_length(large); i < FORMER_MAX_ROUTES - 1; ++i) {
                Route route = { .name = strdup("large"), .kind = KIND_TELEMETRY, .max_bytes = 1 };

                snprintf(topic, sizeof(topic), "t/%zu/{device}", i);
                assert_int_equal(topic_template_new(&route.topic, topic), 0);
                assert_int_equal(routes_add(large, &route), 0);
        }
        add(former, "first", 10, 10);
        assert_int_equal(former_add(former, large, 20, 20), 0);
        assert_int_equal(former_length(former), 2);
        add(former, "last", 30, 30);
        assert_int_equal(former_length(former), 2);
        assert_string_equal(match(former, 1, 1), "last");
}

static Routes *make_routes(const char *name, const char *topic, const char *zone) {
        Route route = { .name = strdup(name),
                        .kind = KIND_TELEMETRY,
                        .max_bytes = 1000,
                        .near_dbm = -60.5,
                        .medium_dbm = -75,
                        .person = zone ? strdup("who, face_name") : NULL };
        Routes *routes = NULL;

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        if (zone)
                assert_int_equal(zone_new(&route.zone, zone), 0);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        return routes;
}

static Former *load(const char *path, Routes *routes, uint64_t first_seq) {
        Former *former = NULL;

        assert_int_equal(former_new(&former), 0);
        assert_int_equal(route_note_load(path, former, routes, first_seq, 100, 7000), 0);
        return former;
}

static void test_the_next_process_knows_what_was_in_force(void **state) {
        CLEANUP(routes_unref) Routes *oldest = make_routes("oldest", "o/{device}", NULL);
        CLEANUP(routes_unref) Routes *old = make_routes("old", "t/{device}", "Asia/Jakarta");
        CLEANUP(routes_unref) Routes *same = make_routes("old", "t/{device}", "Asia/Jakarta");
        CLEANUP(routes_unref) Routes *now = make_routes("now", "n/{device}", NULL);
        CLEANUP(former_free) Former *former = NULL, *next = NULL, *later = NULL, *none = NULL;
        char path[] = "/tmp/tidegate-routes-XXXXXX";
        TopicMatch match_of;
        const Route *route;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        none = load(path, now, 1); /* an empty file says nothing */
        assert_int_equal(former_length(none), 0);
        assert_int_equal(former_new(&former), 0);
        assert_int_equal(former_add(former, oldest, 50, 0), 0);
        route_note_save(path, former, old);

        later = load(path, same, 1); /* nothing has changed */
        assert_int_equal(former_length(later), 1);
        next = load(path, now, 51); /* what the oldest one was for is gone */
        assert_int_equal(former_length(next), 1);
        route = former_match(next, 100, 9000, TEXT("t/x"), &match_of);
        assert_non_null(route);
        assert_string_equal(route->name, "old");
        assert_int_equal(route->kind, KIND_TELEMETRY);
        assert_string_equal(zone_name(route->zone), "Asia/Jakarta");
        assert_int_equal(route->max_bytes, 1000);
        assert_true(route->near_dbm == -60.5 && route->medium_dbm == -75);
        assert_string_equal(route->person, "who, face_name");
        assert_non_null(former_match(next, 101, 7000, TEXT("t/x"), &match_of));
        assert_null(former_match(next, 101, 7001, TEXT("t/x"), &match_of));
        unlink(path);
}

static void test_a_note_of_a_version_without_the_last_member_is_read(void **state) {
        static const char note[] =
                "tidegate routes 1\nin force\n"
                "old\tt/{device}\ttelemetry\t0\t-\t0\t0\t1000\t-60.5\t-75\n"
                "few\tf/{device}\ttelemetry\t0\t-\t0\t0\t1000\t-60.5\n"
                "many\tm/{device}\ttelemetry\t0\t-\t0\t0\t1000\t-60.5\t-75\t-\tx\n";
        CLEANUP(routes_unref) Routes *now = make_routes("now", "n/{device}", NULL);
        CLEANUP(former_free) Former *former = NULL;
        char path[] = "/tmp/tidegate-routes-XXXXXX";
        TopicMatch match_of;
        const Route *route;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, note, sizeof(note) - 1), sizeof(note) - 1);
        close(fd);
        former = load(path, now, 1);
        route = former_match(former, 100, 6000, TEXT("t/x"), &match_of);
        assert_non_null(route);
        assert_string_equal(route->name, "old");
        assert_null(route->person);
        assert_null(former_match(former, 100, 6000, TEXT("f/x"), &match_of));
        assert_null(former_match(former, 100, 6000, TEXT("m/x"), &match_of));
        unlink(path);
}

static void test_what_was_taken_apart_is_taken_apart_by_the_next_process(void **state) {
        Route each = {
                .name = strdup("old"), .kind = KIND_TELEMETRY, .each_members = true, .each_max = 7
        };
        CLEANUP(routes_unref) Routes *old = NULL, *now = make_routes("now", "n/{device}", NULL);
        CLEANUP(former_free) Former *former = NULL, *next = NULL;
        char path[] = "/tmp/tidegate-routes-XXXXXX";
        TopicMatch match_of;
        const Route *route;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(topic_template_new(&each.topic, "t/{device}"), 0);
        assert_int_equal(json_path_new(&each.each, TEXT("/a/b")), 0);
        assert_int_equal(routes_new(&old), 0);
        assert_int_equal(routes_add(old, &each), 0);
        assert_int_equal(former_new(&former), 0);
        route_note_save(path, former, old);
        next = load(path, now, 1);
        route = former_match(next, 100, 6000, TEXT("t/x"), &match_of);
        assert_non_null(route);
        assert_string_equal(json_path_text(route->each), "/a/b");
        assert_true(route->each_members);
        assert_int_equal(route->each_max, 7);
        unlink(path);
}

static void test_what_merged_is_merged_by_the_next_process(void **state) {
        Route merging = { .name = strdup("old"), .kind = KIND_TELEMETRY, .merges = true };
        CLEANUP(routes_unref) Routes *old = NULL, *now = make_routes("now", "n/{device}", NULL);
        CLEANUP(former_free) Former *former = NULL, *next = NULL;
        char path[] = "/tmp/tidegate-routes-XXXXXX";
        TopicMatch match_of;
        const Route *route;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(topic_template_new(&merging.topic, "t/{device}"), 0);
        assert_int_equal(routes_new(&old), 0);
        assert_int_equal(routes_add(old, &merging), 0);
        assert_int_equal(former_new(&former), 0);
        route_note_save(path, former, old);
        next = load(path, now, 1);
        route = former_match(next, 100, 6000, TEXT("t/x"), &match_of);
        assert_non_null(route);
        assert_true(route->merges);
        assert_null(route->each);
        unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_table_that_comes_again_and_again_pushes_no_other_out),
                cmocka_unit_test(test_tables_are_bounded_by_their_routes),
                cmocka_unit_test(test_the_next_process_knows_what_was_in_force),
                cmocka_unit_test(test_a_note_of_a_version_without_the_last_member_is_read),
                cmocka_unit_test(test_what_was_taken_apart_is_taken_apart_by_the_next_process),
                cmocka_unit_test(test_what_merged_is_merged_by_the_next_process),
                cmocka_unit_test(test_the_newest_that_may_have_been_in_force_counts),
                cmocka_unit_test(test_a_table_goes_when_all_that_it_may_be_for_is_stored),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
