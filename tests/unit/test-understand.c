/* Understand: a record of the journal is read by the routes that it was accepted under. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/former.h"
#include "gateway/journal/journal.h"
#include "gateway/store/understand.h"

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        Routes *routes;
        Former *former;
        Elements elements;
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

/* The same, and it does not want this topic of them. */
static Routes *table_ignoring(const char *name, const char *topic, const char *ignored) {
        Route route = { .name = strdup(name), .kind = KIND_TELEMETRY, .max_bytes = 64 };
        Routes *routes = NULL;

        route.ignore = calloc(1, sizeof(*route.ignore));
        assert_non_null(route.ignore);
        route.ignore[route.n_ignore++] = strdup(ignored);
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
        elements_done(&f->elements);
        arena_free(f->arena);
        routes_unref(f->routes);
        former_free(f->former);
}

static const Record *read_entry(Fixture *f, JournalRecord entry) {
        const UnderstandContext by = { .routes = f->routes, .former = f->former };

        entry.seq = 7 + entry.place;
        entry.received_us = 1000000;
        assert_int_equal(understand(f->arena, &by, &entry, &f->elements, &f->record), 0);
        assert_int_equal(f->record.seq, 7 + entry.place);
        return &f->record;
}

/* The same, and each element of what comes is a message. */
static Routes *table_each(const char *name, const char *topic) {
        Route route = {
                .name = strdup(name), .kind = KIND_TELEMETRY, .max_bytes = 64, .each_max = 8
        };
        Routes *routes = NULL;

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        assert_int_equal(json_path_new(&route.each, TEXT("/")), 0);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        return routes;
}

static uint32_t count(Fixture *f, JournalRecord entry) {
        uint32_t n = 0;

        assert_int_equal(understand_count(f->arena, f->routes, &entry, &n), 0);
        return n;
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

/* It was acknowledged as a message: it is not to vanish because later ones are not wanted. */
static void test_what_a_later_table_ignores_is_read_as_it_was_accepted(void **state) {
        const JournalRecord entry = { .topic = TEXT("t/d1"), .payload = TEXT("{}") };
        CLEANUP(routes_unref) Routes *first = table("first", "t/{device}");
        CLEANUP(routes_unref) Routes *between = table_ignoring("between", "t/{device}", "t/d1");
        const Record *record;
        Fixture f;

        (void)state;
        fixture_init(&f);
        routes_unref(f.routes);
        f.routes = table_ignoring("now", "t/{device}", "t/+");
        assert_int_equal(former_add(f.former, first, 7, 0), 0);
        record = read_entry(&f, entry);
        assert_int_equal(record->reason, REASON_NONE);
        assert_false(record->ignored || record->duplicate);
        assert_string_equal(record->route, "first");

        /* Nor where one that came after it ignored it as well. */
        assert_int_equal(former_add(f.former, between, 8, 0), 0);
        record = read_entry(&f, entry);
        assert_false(record->ignored || record->duplicate);
        assert_string_equal(record->route, "first");
        fixture_done(&f);
}

/* Whatever a table of before would have done with it. */
static void test_what_was_ignored_when_it_came_stays_so(void **state) {
        const JournalRecord entry = { .topic = TEXT("t/d1"), .payload = TEXT("{}") };
        CLEANUP(routes_unref) Routes *first = table("first", "t/{device}");
        CLEANUP(routes_unref) Routes *then = table_ignoring("then", "t/{device}", "t/d1");
        Fixture f;

        (void)state;
        fixture_init(&f);
        routes_unref(f.routes);
        f.routes = table_ignoring("now", "t/{device}", "t/d1");
        /* it came when "first" was gone, and may still have been meant for it by the clock */
        assert_int_equal(former_add(f.former, first, 6, 1000000), 0);
        assert_true(read_entry(&f, entry)->ignored && f.record.duplicate);
        assert_int_equal(f.record.reason, REASON_NONE);

        assert_int_equal(former_add(f.former, then, 7, 1000000), 0);
        assert_true(read_entry(&f, entry)->ignored && f.record.duplicate);
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

static void test_messages_are_counted_as_they_will_be_read(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(count(&f,
                               (JournalRecord){ .topic = TEXT("t/d1"), .payload = TEXT("[1,2]") }),
                         1);
        routes_unref(f.routes);
        f.routes = table_each("each", "t/{device}");
        assert_int_equal(count(&f,
                               (JournalRecord){ .topic = TEXT("t/d1"), .payload = TEXT("[1,2]") }),
                         2);
        assert_int_equal(count(&f, (JournalRecord){ .topic = TEXT("t/d1"), .payload = TEXT("[]") }),
                         1);
        assert_int_equal(count(&f, (JournalRecord){ .topic = TEXT("t/d1"), .payload = TEXT("{}") }),
                         1);
        assert_int_equal(count(&f,
                               (JournalRecord){ .topic = TEXT("t/d1"), .payload = TEXT("[1,") }),
                         1);
        assert_int_equal(count(&f,
                               (JournalRecord){ .topic = TEXT("t/\x01"),
                                                .payload = TEXT("[1,2]") }),
                         1);
        assert_int_equal(count(&f, (JournalRecord){ .topic = TEXT("x"), .payload = TEXT("[1,2]") }),
                         1);
        /* A letter is what it was; of an element it is one. */
        assert_int_equal(count(&f,
                               (JournalRecord){ .door = DOOR_INTERNAL,
                                                .topic = TEXT("$letter/1/2/t/d1"),
                                                .payload = TEXT("[1,2,3]") }),
                         3);
        assert_int_equal(count(&f,
                               (JournalRecord){ .door = DOOR_INTERNAL,
                                                .topic = TEXT("$element/7/1/2/t/d1"),
                                                .payload = TEXT("[1]") }),
                         1);
        fixture_done(&f);
}

static void test_a_letter_goes_with_the_last_of_its_messages(void **state) {
        JournalRecord entry = { .door = DOOR_INTERNAL,
                                .n_messages = 2,
                                .topic = TEXT("$letter/3/500000/t/d1"),
                                .payload = TEXT("[{},{}]") };
        Fixture f;

        (void)state;
        fixture_init(&f);
        routes_unref(f.routes);
        f.routes = table_each("each", "t/{device}");
        assert_true(read_entry(&f, entry)->letter_stays);
        entry.place = 1;
        assert_false(read_entry(&f, entry)->letter_stays);
        assert_int_equal(f.record.letter_id, 3);
        assert_int_equal(f.record.reason, REASON_NONE);
        fixture_done(&f);
}

/* It has two numbers, and none more. */
static void test_a_reload_makes_neither_more_nor_less_of_what_was_accepted(void **state) {
        JournalRecord entry = { .n_messages = 2,
                                .topic = TEXT("t/d1"),
                                .payload = TEXT("[{\"n\":1},{\"n\":2}]") };
        CLEANUP(routes_unref) Routes *before = table_each("before", "t/{device}");
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(former_add(f.former, before, 8, 0), 0);
        for (entry.place = 0; entry.place < 2; ++entry.place) {
                const Record *record = read_entry(&f, entry);

                assert_int_equal(record->reason, REASON_NONE);
                assert_string_equal(record->route, "before");
                assert_int_equal(record->element, entry.place + 1);
        }
        fixture_done(&f);

        /* Nor where it was one, and the routes of now would take it apart. */
        fixture_init(&f);
        routes_unref(f.routes);
        f.routes = table_each("now", "t/{device}");
        assert_int_equal(former_add(f.former, before, 8, 0), 0);
        assert_int_equal(read_entry(&f,
                                    (JournalRecord){ .topic = TEXT("t/d1"),
                                                     .payload = TEXT("[{},{}]") })
                                 ->reason,
                         REASON_WRONG_TYPE);
        assert_true(text_equal(f.record.payload, TEXT("[{},{}]")));
        fixture_done(&f);
}

static void test_what_no_table_takes_as_it_was_is_one_letter(void **state) {
        JournalRecord entry = { .n_messages = 2,
                                .topic = TEXT("t/d1"),
                                .payload = TEXT("[{\"n\":1},{\"n\":2}]") };
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(read_entry(&f, entry)->reason, REASON_WRONG_TYPE);
        assert_true(text_equal(f.record.payload, entry.payload));
        entry.place = 1;
        assert_int_equal(read_entry(&f, entry)->reason, REASON_NONE);
        assert_true(f.record.duplicate && f.record.ignored);

        /* Also where none takes it at all: else each letter of it would come back as all of it. */
        entry = (JournalRecord){ .n_messages = 2, .topic = TEXT("x/d1"), .payload = entry.payload };
        assert_int_equal(read_entry(&f, entry)->reason, REASON_NO_ROUTE);
        assert_true(text_equal(f.record.payload, entry.payload));
        entry.place = 1;
        assert_int_equal(read_entry(&f, entry)->reason, REASON_NONE);
        assert_true(f.record.duplicate && f.record.ignored);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_topic_without_a_route_keeps_what_came),
                cmocka_unit_test(
                        test_what_was_accepted_before_a_reload_is_read_by_the_routes_of_then),
                cmocka_unit_test(test_what_a_later_table_ignores_is_read_as_it_was_accepted),
                cmocka_unit_test(test_what_was_ignored_when_it_came_stays_so),
                cmocka_unit_test(test_a_record_outlives_the_routes_that_it_was_read_by),
                cmocka_unit_test(test_what_comes_by_a_door_needs_no_route),
                cmocka_unit_test(test_a_letter_comes_with_its_own_topic_and_first_time),
                cmocka_unit_test(test_messages_are_counted_as_they_will_be_read),
                cmocka_unit_test(test_a_letter_goes_with_the_last_of_its_messages),
                cmocka_unit_test(test_a_reload_makes_neither_more_nor_less_of_what_was_accepted),
                cmocka_unit_test(test_what_no_table_takes_as_it_was_is_one_letter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
