/* Elements: a message whose elements are messages of their own is taken apart, and each is judged
 * alone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/elements.h"

#define RECEIVED_US INT64_C(1760800000000000)

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        Route route;
        Elements elements;
        Record envelope;
};

static char name[] = "r";

/* A route of telemetry of gw/{device}, and these lines of its map, up to a NULL. */
static void route_of(Fixture *f, const char *each, const char *const lines[][2]) {
        char why[MAP_WHY_SIZE];

        f->route.name = NULL;
        route_done(&f->route);
        f->route = (Route){ .name = name,
                            .kind = KIND_TELEMETRY,
                            .max_bytes = 4096,
                            .each_max = ROUTE_EACH_MAX_DEFAULT };
        assert_int_equal(topic_template_new(&f->route.topic, "gw/{device}"), 0);
        assert_int_equal(json_path_new(&f->route.each, text_of(each)), 0);
        if (!lines)
                return;
        assert_int_equal(map_new(&f->route.map, f->route.kind), 0);
        for (; (*lines)[0]; ++lines)
                if (map_add(f->route.map,
                            f->route.topic,
                            text_of((*lines)[0]),
                            text_of((*lines)[1]),
                            why) != 0)
                        fail_msg("%s: %s", (*lines)[0], why);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(arena_new(&f->arena, 4096), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        elements_done(&f->elements);
        f->route.name = NULL;
        route_done(&f->route);
        arena_free(f->arena);
        free(f);
        return 0;
}

static uint32_t open_text(Fixture *f, Text payload) {
        TopicMatch match;

        f->envelope = (Record){ .received_us = RECEIVED_US,
                                .topic = TEXT("gw/g1"),
                                .payload = payload,
                                .element = f->envelope.element };
        assert_true(topic_template_match(f->route.topic, f->envelope.topic, &match));
        assert_int_equal(elements_open(&f->elements,
                                       f->arena,
                                       &f->route,
                                       &match,
                                       &f->envelope,
                                       NULL),
                         0);
        return elements_count(&f->elements);
}

static uint32_t open(Fixture *f, const char *payload) {
        return open_text(f, text_of(payload));
}

static Record nth(Fixture *f, size_t i) {
        Record record;

        f->envelope.seq = 100 + i;
        assert_int_equal(elements_decode(&f->elements, f->arena, i, &f->envelope, &record), 0);
        assert_int_equal(record.seq, 100 + i);
        return record;
}

static void check_text(Text text, const char *expected) {
        if (!text_equal(text, text_of(expected)))
                fail_msg("'%.*s' is not '%s'", (int)text.n, text.data, expected);
}

static void check_letter(const Record *record, Reason reason, const char *detail) {
        assert_int_equal(record->reason, reason);
        check_text(record->detail, detail);
}

static void test_each_is_a_message_of_its_own(void **state) {
        Fixture *f = *state;
        static const char *const lines[][2] = { { "time", "/ts | time unix_s" },
                                                { "serial", "^/serial" },
                                                { "n", "each.index" },
                                                { 0 } };
        Record record;

        route_of(f, "/readings", lines);
        assert_int_equal(open(f,
                              "{\"serial\":\"S1\",\"readings\":[{\"ts\":1760799999,\"t\":1.50},"
                              "{\"t\":2}]}"),
                         2);
        record = nth(f, 0);
        assert_int_equal(record.reason, REASON_NONE);
        assert_int_equal(record.time_us, INT64_C(1760799999000000));
        check_text(record.device, "g1");
        check_text(record.data, "{\"ts\":1760799999,\"t\":1.50,\"serial\":\"S1\",\"n\":0}");
        assert_int_equal(record.element, 1);
        record = nth(f, 1);
        check_text(record.data, "{\"t\":2,\"serial\":\"S1\",\"n\":1}");
        assert_int_equal(record.time_us, RECEIVED_US);
        /* In whatever order somebody asks. */
        record = nth(f, 0);
        assert_int_equal(record.element, 1);
}

static void test_a_bad_one_is_a_letter_of_its_own_that_can_come_again(void **state) {
        Fixture *f = *state;
        Record record;

        route_of(f, "/readings", NULL);
        assert_int_equal(open(f,
                              "{\"serial\":\"S1\",\"readings\":[{\"t\":1},5,{\"t\":3}],\"x\":[7]}"),
                         3);
        record = nth(f, 0);
        assert_int_equal(record.reason, REASON_NONE);
        record = nth(f, 1);
        check_letter(&record, REASON_BAD_JSON, "/readings/1: not an object: 5");
        check_text(record.payload, "{\"serial\":\"S1\",\"readings\":[5],\"x\":[7]}");
        assert_int_equal(record.element, 2);
        record = nth(f, 2);
        assert_int_equal(record.reason, REASON_NONE);

        /* Alone, it is still the second, wherever it stands now. */
        f->envelope.element = 2;
        assert_int_equal(open(f, "{\"serial\":\"S1\",\"readings\":[5],\"x\":[7]}"), 1);
        record = nth(f, 0);
        check_letter(&record, REASON_BAD_JSON, "/readings/1: not an object: 5");
        assert_int_equal(record.element, 2);
}

static void test_an_odd_member_says_where_it_was(void **state) {
        Fixture *f = *state;
        static const char *const lines[][2] = { { "t", "/t | number" },
                                                { "v", "^/v | number" },
                                                { 0 } };
        Record record;

        route_of(f, "/a/list", lines);
        assert_int_equal(open(f, "{\"v\":\"w\",\"a\":{\"list\":[{},{\"t\":\"x\"}]}}"), 2);
        record = nth(f, 1);
        assert_int_equal(record.n_notes, 2);
        check_text(record.notes[0].member, "/a/list/1/t");
        check_text(record.notes[1].member, "/v");
}

static void test_formats_are_read_once_and_kept_as_json(void **state) {
        Fixture *f = *state;
        static const char *const lines[][2] = { { "value", "/ | number" },
                                                { "channel", "each.index" },
                                                { 0 } };
        Record record;

        route_of(f, "/", lines);
        assert_true(format_from_name(TEXT("csv"), &f->route.format));
        assert_int_equal(open(f, "7,,2.5"), 3);
        record = nth(f, 2);
        check_text(record.data, "{\"value\":2.5,\"channel\":2}");
        check_text(record.payload, "[2.5]");
        record = nth(f, 1); /* an element that is null has nothing to say */
        assert_true(record.ignored && record.duplicate);
        assert_int_equal(record.reason, REASON_NONE);
        f->envelope.element = 3;
        assert_int_equal(open(f, "[2.5]"), 1);
        record = nth(f, 0);
        check_text(record.data, "{\"value\":2.5,\"channel\":2}");
        f->envelope.element = 0;

        assert_true(format_from_name(TEXT("cbor"), &f->route.format));
        assert_int_equal(open_text(f, TEXT("\x82\x01\x02")), 2);
        record = nth(f, 1);
        check_text(record.payload, "[2]");
        assert_true(format_from_name(TEXT("base64+json"), &f->route.format));
        assert_int_equal(open(f, "WzEsMl0="), 2);
}

static void test_members_of_an_object_have_their_names(void **state) {
        Fixture *f = *state;
        static const char *const lines[][2] = { { "sensor", "each.key" }, { 0 } };
        Record record;

        route_of(f, "/sensors", lines);
        assert_int_equal(open(f, "{\"sensors\":{\"a/b\":{\"t\":1},\"c\":2}}"), 1);
        record = nth(f, 0);
        check_letter(&record, REASON_WRONG_TYPE, "/sensors: not an array: {...}");
        f->route.each_members = true;
        assert_int_equal(open(f, "{\"sensors\":{\"a/b\":{\"t\":1},\"c\":2}}"), 2);
        record = nth(f, 0);
        check_text(record.data, "{\"t\":1,\"sensor\":\"a/b\"}");
        record = nth(f, 1);
        check_text(record.payload, "{\"sensors\":{\"c\":2}}");
        assert_int_equal(open(f, "{\"sensors\":[{\"t\":1}]}"), 1);
        record = nth(f, 0);
        check_text(record.data, "{\"t\":1}");
}

static void test_what_cannot_be_taken_apart_is_one_letter(void **state) {
        Fixture *f = *state;
        static const struct {
                const char *payload;
                Reason reason;
                const char *detail;
        } cases[] = {
                { "{\"readings\":5}", REASON_WRONG_TYPE, "/readings: not an array: 5" },
                { "{\"readings\":null}", REASON_MISSING_MEMBER, "/readings: missing" },
                { "{}", REASON_MISSING_MEMBER, "/readings: missing" },
                { "[]", REASON_MISSING_MEMBER, "/readings: missing" },
                { "{\"readings\":[1,2,3,4]}",
                  REASON_TOO_LARGE,
                  "/readings: 4 elements, each_max allows 3" },
        };
        Record record;

        route_of(f, "/readings", NULL);
        f->route.each_max = 3;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_int_equal(open(f, cases[i].payload), 1);
                record = nth(f, 0);
                check_letter(&record, cases[i].reason, cases[i].detail);
                check_text(record.payload, cases[i].payload);
                assert_int_equal(record.element, 0);
        }
        assert_int_equal(open(f, "{\"readings\":["), 1);
        record = nth(f, 0);
        assert_int_equal(record.reason, REASON_BAD_JSON);
}

static void test_an_empty_array_leaves_nothing(void **state) {
        Fixture *f = *state;
        Record record;

        route_of(f, "/readings", NULL);
        assert_int_equal(open(f, "{\"readings\":[]}"), 1);
        record = nth(f, 0);
        assert_int_equal(record.reason, REASON_NONE);
        assert_true(record.ignored && record.duplicate);
}

/* One that is accepted as one message, and comes to be several: not by the route of then. */
static void test_several_are_not_read_as_one(void **state) {
        Fixture *f = *state;
        Record record, envelope = { .topic = TEXT("gw/g1"), .payload = TEXT("[{},{}]") };

        route_of(f, "/", NULL);
        assert_int_equal(decode(f->arena, &f->route, NULL, &envelope, &record), 0);
        check_letter(&record,
                     REASON_WRONG_TYPE,
                     "/: 2 elements, and it was accepted as one message");
        check_text(record.payload, "[{},{}]");
        envelope.payload = TEXT("[{\"t\":1}]");
        assert_int_equal(decode(f->arena, &f->route, NULL, &envelope, &record), 0);
        check_text(record.data, "{\"t\":1}");
}

/* A thousand letters of a message are not to be a thousand times as much. */
static void test_what_stands_beside_is_kept_while_there_is_room(void **state) {
        Fixture *f = *state;
        CLEANUP_BUF Buf payload = { 0 };
        Record record;
        size_t n_bytes = 0;

        route_of(f, "/a/1/r", NULL);
        buf_append_string(&payload, "{\"x\":\"");
        for (size_t i = 0; i < 1000; ++i)
                buf_append_char(&payload, 'y');
        buf_append_string(&payload, "\",\"a\":[5,{\"k\":6,\"r\":[0");
        for (size_t i = 1; i < 500; ++i)
                buf_printf(&payload, ",%zu", i);
        buf_append_string(&payload, "]}]}");
        assert_int_equal(open_text(f, buf_text(&payload)), 500);
        for (size_t i = 0; i < 500; ++i) {
                record = nth(f, i);
                assert_int_equal(record.reason, REASON_BAD_JSON);
                n_bytes += record.payload.n;
        }
        check_text(record.payload, "{\"a\":[null,{\"r\":[499]}]}");
        assert_true(n_bytes < 500 * 60);
        assert_int_equal(open(f, "{\"x\":\"yyy\",\"a\":[5,{\"k\":6,\"r\":[0,1]}]}"), 2);
        record = nth(f, 1);
        check_text(record.payload, "{\"x\":\"yyy\",\"a\":[5,{\"k\":6,\"r\":[1]}]}");
}

/* The message is @before, 200 times @beside, 500 elements that are letters, and @after. */
static void check_letters(Fixture *f,
                          const char *each,
                          const char *const message[3],
                          const char *expected) {
        CLEANUP_BUF Buf payload = { 0 };
        size_t n_bytes = 0;

        route_of(f, each, NULL);
        buf_append_string(&payload, message[0]);
        for (size_t i = 0; i < 200; ++i)
                buf_append_string(&payload, message[1]);
        buf_append_string(&payload, message[2]);
        for (size_t i = 0; i < 500; ++i)
                buf_append_string(&payload, i > 0 ? ",0" : "[0");
        buf_append_string(&payload, *message[0] == '[' ? "]}]" : "]}}");
        assert_int_equal(open_text(f, buf_text(&payload)), 500);
        for (size_t i = 0; i < 500; ++i)
                n_bytes += nth(f, i).payload.n;
        assert_true(n_bytes < 500 * 40);
        check_text(nth(f, 7).payload, expected);
        assert_int_equal(open_text(f, nth(f, 7).payload), 1);
}

static void test_names_and_places_beside_are_not_written_for_each(void **state) {
        Fixture *f = *state;
        static const char *const names[] = { "{", "\"name\":1,", "\"a\":{\"r\":" };
        static const char *const any_name[] = { "{\"", "name", "\":{\"r\":" };
        static const char *const any_place[] = { "[", "1,", "{\"r\":" };

        check_letters(f, "/a/r", names, "{\"a\":{\"r\":[0]}}");
        check_letters(f, "/*/r", any_name, "{\"\":{\"r\":[0]}}");
        check_letters(f, "/*/r", any_place, "[{\"r\":[0]}]");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_each_is_a_message_of_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_bad_one_is_a_letter_of_its_own_that_can_come_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_an_odd_member_says_where_it_was,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_formats_are_read_once_and_kept_as_json,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_members_of_an_object_have_their_names,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_cannot_be_taken_apart_is_one_letter,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_an_empty_array_leaves_nothing,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_several_are_not_read_as_one, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_stands_beside_is_kept_while_there_is_room,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_names_and_places_beside_are_not_written_for_each, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
