/* Understand: a record of the journal is read by the routes that it was accepted under. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "gateway/decode/former.h"
#include "gateway/journal/journal.h"
#include "gateway/store/understand.h"

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        Routes *routes;
        Former *former;
        Record record;
};

/* A table with one route of this name, for all of @topic. */
static Routes *table(const char *name, const char *topic) {
        Route route = { .name = strdup(name), .kind = KIND_TELEMETRY, .max_bytes = 64 };
        Routes *routes = NULL;

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        return routes;
}

static void fixture_init(Fixture *f) {
        *f = (Fixture){ .routes = table("now", "t/{device}") };
        assert_int_equal(arena_new(&f->arena, 4096), 0);
        assert_int_equal(former_new(&f->former), 0);
}

static void fixture_done(Fixture *f) {
        arena_free(f->arena);
        routes_unref(f->routes);
        former_free(f->former);
}

static const Record *read_entry(Fixture *f, JournalRecord entry) {
        const UnderstandContext by = { .routes = f->routes, .former = f->former };

        entry.seq = 7;
        entry.received_us = 1000000;
        assert_int_equal(understand(f->arena, &by, &entry, &f->record), 0);
        assert_int_equal(f->record.seq, 7);
        return &f->record;
}

static void test_a_topic_without_a_route_keeps_what_came(void **state) {
        const JournalRecord entry = { .topic = TEXT("x/d1"), .payload = TEXT("{}") };
        const Record *record;
        Fixture f;

        (void)state;
        fixture_init(&f);
        record = read_entry(&f, entry);
        assert_int_equal(record->reason, REASON_NO_ROUTE);
        assert_true(text_equal(record->payload, TEXT("{}")));
        fixture_done(&f);
}

static void test_what_was_accepted_before_a_reload_is_read_by_the_routes_of_then(void **state) {
        const JournalRecord entry = { .topic = TEXT("old/d1"), .payload = TEXT("{}") };
        CLEANUP(routes_unref) Routes *before = table("before", "old/{device}");
        const Record *record;
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(former_add(f.former, before, 7, 0), 0);
        record = read_entry(&f, entry);
        assert_int_equal(record->reason, REASON_NONE);
        assert_string_equal(record->route, "before");
        assert_true(text_equal(record->device, TEXT("d1")));
        fixture_done(&f);
}

static void test_what_comes_by_a_door_needs_no_route(void **state) {
        const JournalRecord entry = { .door = DOOR_WS,
                                      .kind = KIND_COMMAND_ACK,
                                      .device_id = 5,
                                      .topic = TEXT("ws/device/d5"),
                                      .payload = TEXT("{\"command_id\":"
                                                      "\"b9a54d83-07c4-4e3c-9a4e-0f2ba8f9e4d1\","
                                                      "\"status\":\"ok\"}") };
        const Record *record;
        Fixture f;

        (void)state;
        fixture_init(&f);
        record = read_entry(&f, entry);
        assert_int_equal(record->reason, REASON_NONE);
        assert_int_equal(record->kind, KIND_COMMAND_ACK);
        assert_int_equal(record->device_id, 5);
        fixture_done(&f);
}

static void test_a_letter_comes_with_its_own_topic_and_first_time(void **state) {
        const JournalRecord entry = { .door = DOOR_INTERNAL,
                                      .topic = TEXT("$letter/3/500000/t/d1"),
                                      .payload = TEXT("{}") };
        const Record *record;
        Fixture f;

        (void)state;
        fixture_init(&f);
        record = read_entry(&f, entry);
        assert_int_equal(record->reason, REASON_NONE);
        assert_string_equal(record->route, "now");
        assert_int_equal(record->letter_id, 3);
        assert_int_equal(record_first_us(record), 500000);
        assert_true(text_equal(record->topic, TEXT("t/d1")));
        fixture_done(&f);
}

/* It waits to be stored for longer than the table does that it was read by. */
static void test_a_record_outlives_the_routes_that_it_was_read_by(void **state) {
        const JournalRecord entry = { .topic = TEXT("old/d1"), .payload = TEXT("{}") };
        Routes *before = table("before", "old/{device}");
        const Record *record;
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(former_add(f.former, before, 3, 1000000), 0);
        record = read_entry(&f, entry);
        former_forget(f.former, 6, 1000001);
        routes_unref(before);
        assert_string_equal(record->route, "before");
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_topic_without_a_route_keeps_what_came),
                cmocka_unit_test(
                        test_what_was_accepted_before_a_reload_is_read_by_the_routes_of_then),
                cmocka_unit_test(test_a_record_outlives_the_routes_that_it_was_read_by),
                cmocka_unit_test(test_what_comes_by_a_door_needs_no_route),
                cmocka_unit_test(test_a_letter_comes_with_its_own_topic_and_first_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
