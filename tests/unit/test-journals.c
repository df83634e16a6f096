/* WsNumbers, WsFeed: over several journals nobody misses anything, and nobody gets anything twice,
 * wherever his cursor is from. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/query.h"
#include "tests/fake/stage.h"
#include "ws/loop/numbers.h"
#include "ws/wire/cursor.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"

/* ---- places --------------------------------------------------------------------------------- */

static void expect_seen(const WsNumbers *numbers, uint64_t place, uint64_t a, uint64_t b) {
        uint64_t seen[2];

        ws_numbers_seen(numbers, place, seen);
        assert_int_equal(seen[0], a);
        assert_int_equal(seen[1], b);
}

static void test_a_place_says_what_was_shown_by_then(void **state) {
        WsNumbers numbers = { 0 };
        uint64_t first = 0;

        (void)state;
        assert_int_equal(ws_numbers_open(&numbers, A "," B), 0);
        expect_seen(&numbers, WS_NUMBERS_FIRST, 0, 0);
        for (uint64_t i = 1; i <= 1000; ++i) { /* two of a, then one of b */
                uint64_t place = ws_numbers_step(&numbers, i % 3 == 0, i);

                first = i == 1 ? place : first;
        }
        for (uint64_t i = 3; i <= 1000; ++i)
                expect_seen(&numbers, first + i - 1, i % 3 == 0 ? i - 1 : i, i - i % 3);
        expect_seen(&numbers, numbers.last_place + 7, 1000, 999);
        ws_numbers_done(&numbers);
}

static void test_a_place_is_found_by_what_was_seen(void **state) {
        WsNumbers numbers = { 0 };

        (void)state;
        assert_int_equal(ws_numbers_open(&numbers, A "," B), 0);
        for (uint64_t i = 1; i <= 1000; ++i)
                (void)ws_numbers_step(&numbers, i % 2, i);
        for (uint64_t a = 0; a <= 1000; a += 50) {
                const uint64_t since[2] = { a, 500 };
                uint64_t seen[2], place = ws_numbers_find(&numbers, since);

                ws_numbers_seen(&numbers, place, seen);
                assert_true(seen[0] <= since[0] && seen[1] <= since[1]);
                ws_numbers_seen(&numbers, place + 1, seen);
                assert_true(seen[0] > since[0] || seen[1] > since[1]);
        }
        ws_numbers_done(&numbers);
}

/* What is given for a place of long ago may bring something again, but leaves nothing out. */
static void test_of_a_place_of_long_ago_less_is_said(void **state) {
        const uint64_t n = UINT64_C(40) * WS_NUMBERS_STEPS;
        WsNumbers numbers = { 0 };
        uint64_t seen[2];

        (void)state;
        assert_int_equal(ws_numbers_open(&numbers, A "," B), 0);
        for (uint64_t i = 1; i <= n; ++i)
                (void)ws_numbers_step(&numbers, i % 2, i);
        for (uint64_t place = WS_NUMBERS_FIRST + 1; place <= numbers.last_place; place += 99991) {
                uint64_t i = place - WS_NUMBERS_FIRST;

                ws_numbers_seen(&numbers, place, seen);
                assert_true(seen[0] <= i && seen[1] <= i);
                if (i > n / 2)
                        assert_true(seen[0] > n / 4 && seen[1] > n / 4);
        }
        ws_numbers_done(&numbers);
}

/* ---- viewers -------------------------------------------------------------------------------- */

static Stage stage;
static Viewer ana;

/* @before: what was shown before it where it comes from; 0: it is our own. */
static void push_event(unsigned slot, uint64_t epoch, uint64_t seq, uint64_t before) {
        char data[32];
        Record record = { .seq = seq,
                          .received_us = clock_now_us(),
                          .time_us = clock_now_us(),
                          .kind = KIND_RAW_LOG,
                          .vehicle_id = 1 };
        Event *event = NULL;

        snprintf(data, sizeof(data), "\"%c%d\"", slot ? 'b' : 'a', (int)seq);
        record.data = text_of(data);
        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        event->slot = (uint16_t)slot;
        event->epoch = epoch;
        event->before_seq = before;
        stage_push(&stage, event);
}

static void push_from(unsigned slot, uint64_t seq, uint64_t before) {
        push_event(slot, 0, seq, before);
}

static void push_of(uint64_t epoch, uint64_t seq, uint64_t before) {
        push_event(1, epoch, seq, before);
}

static void push(unsigned slot, uint64_t seq) {
        push_from(slot, seq, 0);
}

static void push_gap(unsigned slot, uint64_t seq) {
        Event *event = NULL;

        assert_int_equal(event_new_gap(&event, seq, 0), 0);
        event->slot = (uint16_t)slot;
        stage_push(&stage, event);
}

static void open_stage(int replay_events) {
        WsOptions options = stage_options();

        options.epoch = A "," B;
        options.replay_events = replay_events;
        options.replay_bytes = 1 << 20;
        stage_init(&stage, &options, NULL);
        stage.seq = 100;
        stage_world(&stage); /* a begins behind 100 */
        push_gap(1, 10);
}

static int set_up(void **state) {
        (void)state;
        open_stage(1000);
        return 0;
}

static int set_up_forgetful(void **state) {
        (void)state;
        open_stage(2);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        viewer_done(&ana);
        stage_done(&stage);
        return 0;
}

static const char *cursor_of(uint64_t a, uint64_t b, char text[CURSOR_TEXT_SIZE]) {
        const Cursor cursor = { .n = 2, .parts = { { A, a }, { B, b } } };

        return cursor_text(&cursor, text);
}

/* @second: the journal of the second slot. */
static void expect_cursor_of(const char *second, const Viewer *viewer, uint64_t a, uint64_t b) {
        char cursor[CURSOR_TEXT_SIZE], text[CURSOR_TEXT_SIZE + 16];
        Cursor wanted = { .n = 2, .parts = { { A, a } } };

        wanted.parts[1].seq = b;
        memcpy(wanted.parts[1].epoch, second, CURSOR_EPOCH_SIZE);
        snprintf(text, sizeof(text), "\"cursor\":\"%s\"", cursor_text(&wanted, cursor));
        if (!strstr(viewer->text, text))
                fail_msg("%s is not at %d, %d", viewer->text, (int)a, (int)b);
}

static void expect_cursor(const Viewer *viewer, uint64_t a, uint64_t b) {
        expect_cursor_of(B, viewer, a, b);
}

static void expect_push(Viewer *viewer, const char *data, uint64_t a, uint64_t b) {
        char text[64];

        snprintf(text, sizeof(text), "\"data\":\"%s\"", data);
        viewer_expect(viewer, text);
        expect_cursor(viewer, a, b);
}

static void subscribe(Viewer *viewer, const char *since) {
        char request[CURSOR_TEXT_SIZE + 128];

        snprintf(request,
                 sizeof(request),
                 since ? "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"user\"],\"since\":\"%s\"}"
                       : "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"user\"]}",
                 since);
        viewer_send(viewer, request);
}

static void test_a_cursor_names_what_was_seen_of_each(void **state) {
        char cursor[64];

        (void)state;
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, NULL);
        viewer_expect(&ana, "\"recovered\":true");
        push(0, 101);
        push(1, 11);
        push(0, 105);
        expect_push(&ana, "a101", 101, 10);
        assert_non_null(strstr(ana.text, "\"number\":\"" A ":101\""));
        expect_push(&ana, "b11", 101, 11);
        assert_non_null(strstr(ana.text, "\"number\":\"" B ":11\""));
        expect_push(&ana, "a105", 105, 11);
}

static void test_who_comes_back_gets_the_rest_once(void **state) {
        char cursor[CURSOR_TEXT_SIZE];

        (void)state;
        push(0, 101);
        push(1, 11);
        push(1, 12);
        push(0, 102);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, cursor_of(101, 10, cursor));
        viewer_expect(&ana, "\"recovered\":true");
        expect_cursor(&ana, 101, 10);
        expect_push(&ana, "b11", 101, 11);
        expect_push(&ana, "b12", 101, 12);
        expect_push(&ana, "a102", 102, 12);
        push(1, 13);
        expect_push(&ana, "b13", 102, 13);
        viewer_expect_silence(&ana);
}

/* As he was at another gateway, which showed b first. */
static void test_who_has_had_more_of_one_gets_no_more_of_it(void **state) {
        char cursor[CURSOR_TEXT_SIZE];

        (void)state;
        push(0, 101);
        push(1, 11);
        push(0, 102);
        push(1, 12);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, cursor_of(100, 12, cursor));
        viewer_expect(&ana, "\"recovered\":true");
        expect_push(&ana, "a101", 101, 12);
        expect_push(&ana, "a102", 102, 12);
        push(0, 103);
        expect_push(&ana, "a103", 103, 12);
        viewer_expect_silence(&ana);
}

/* ---- from the database ---------------------------------------------------------------------- */

static Query *next_query(void) {
        void *item = NULL;

        assert_int_equal(queue_pop(stage.queries, &item, 1, STAGE_MS), 1);
        assert_int_equal(((Query *)item)->kind, QUERY_REPLAY);
        assert_int_equal(((Query *)item)->replay->n_parts, 2);
        return item;
}

static void expect_parts(const Query *query, uint64_t a, uint64_t b) {
        assert_string_equal(query->replay->parts[0].own_epoch, A);
        assert_string_equal(query->replay->parts[1].own_epoch, B);
        assert_int_equal(query->replay->parts[0].after_seq, a);
        assert_int_equal(query->replay->parts[1].after_seq, b);
}

/* With one message of each, if it has a number. */
static void answer(Query *query, int status, const uint64_t seqs[2], uint64_t upto[2]) {
        Answer *answer = NULL;
        Event *event = NULL;

        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = status;
        answer->upto = calloc(2, sizeof(*answer->upto));
        answer->events = calloc(2, sizeof(*answer->events));
        assert_true(answer->upto && answer->events);
        answer->n_upto = 2;
        for (unsigned slot = 0; slot < 2; ++slot) {
                char data[32];
                Record record = { .seq = seqs[slot], .kind = KIND_RAW_LOG, .vehicle_id = 1 };

                answer->upto[slot] = upto[slot];
                if (seqs[slot] == 0)
                        continue;
                snprintf(data, sizeof(data), "\"%c%d\"", slot ? 'b' : 'a', (int)seqs[slot]);
                record.data = text_of(data);
                assert_int_equal(event_new_message(&answer->events[answer->n_events],
                                                   &record,
                                                   NULL,
                                                   true),
                                 0);
                answer->events[answer->n_events++]->slot = (uint16_t)slot;
        }
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        stage_push(&stage, event);
        query_free(query);
}

static void test_what_memory_lacks_comes_from_the_database(void **state) {
        char cursor[CURSOR_TEXT_SIZE];
        Query *query;

        (void)state;
        for (unsigned i = 1; i <= 3; ++i) {
                push(0, 100 + i);
                push(1, 10 + i);
        }
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, cursor_of(101, 11, cursor));
        query = next_query();
        expect_parts(query, 101, 11);
        assert_true(query->replay->is_first);
        assert_string_equal(query->replay->parts[1].epoch, B);
        answer(query, 200, (uint64_t[]){ 102, 12 }, (uint64_t[]){ 102, 13 });
        viewer_expect(&ana, "\"recovered\":true");
        expect_cursor(&ana, 101, 11);
        expect_push(&ana, "a102", 102, 11);
        expect_push(&ana, "b12", 102, 12);
        expect_push(&ana, "a103", 103, 13); /* of memory, which has b13 as well: he has had it */
        push(1, 14);
        expect_push(&ana, "b14", 103, 14);
}

static void test_he_may_be_ahead_of_what_was_shown_here(void **state) {
        char cursor[CURSOR_TEXT_SIZE];
        Query *query;

        (void)state;
        push(0, 101);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, cursor_of(101, 12, cursor)); /* stored, and not heard of here */
        query = next_query();
        answer(query, 200, (uint64_t[]){ 0, 0 }, (uint64_t[]){ 101, 12 });
        viewer_expect(&ana, "\"recovered\":true");
        push(0, 102);
        expect_push(&ana, "a102", 102, 12);
        push(1, 11);
        push(1, 12);
        push(0, 103);
        expect_push(&ana, "a103", 103, 12);
        push(1, 13);
        expect_push(&ana, "b13", 103, 13);
}

static void test_what_is_of_others_is_answered_so(void **state) {
        static const char *const foreign[] = {
                "AQL-3LqYdlQyAP7cuph2VDIBAAZgiwFfMAEAw4Q9", /* of two, but not of these */
                "cccccccccccccccc:101",
        };
        char cursor[CURSOR_TEXT_SIZE];

        (void)state;
        for (unsigned i = 0; i < N_ELEMENTS(foreign); ++i) {
                Query *query;

                viewer_open_native(&ana, &stage, "ana", cursor);
                subscribe(&ana, foreign[i]);
                query = next_query();
                assert_string_not_equal(query->replay->parts[0].epoch, A);
                answer(query, 404, (uint64_t[]){ 0, 0 }, (uint64_t[]){ 0, 0 });
                viewer_expect(&ana, "\"recovered\":false");
                viewer_expect(&ana, "\"type\":\"snapshot\"");
                push(1, 11 + i);
                expect_push(&ana, i == 0 ? "b11" : "b12", 100, 11 + i);
                viewer_done(&ana);
        }
}

/* As it was before there were several: it is older than all that the others have. */
static void test_a_cursor_of_one_journal_stays_valid(void **state) {
        char cursor[CURSOR_TEXT_SIZE];
        Query *query;

        (void)state;
        push(1, 105);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, A ":90");
        query = next_query();
        expect_parts(query, 90, 90);
        answer(query, 200, (uint64_t[]){ 95, 0 }, (uint64_t[]){ 100, 104 });
        viewer_expect(&ana, "\"recovered\":true");
        expect_push(&ana, "a95", 95, 90);
        expect_push(&ana, "b105", 100, 105);
}

/* ---- from other gateways -------------------------------------------------------------------- */

/* Of the journal that has lost something; it is asked as one. */
static Query *next_lost(const char *epoch, uint64_t after) {
        void *item = NULL;
        Query *query;

        assert_int_equal(queue_pop(stage.queries, &item, 1, STAGE_MS), 1);
        query = item;
        assert_int_equal(query->kind, QUERY_REPLAY);
        assert_int_equal(query->replay->n_parts, 0);
        assert_string_equal(query->replay->own_epoch, epoch);
        assert_int_equal(query->replay->after_seq, after);
        assert_true(query->replay->all_devices && query->replay->all_vehicles);
        assert_true(query->replay->is_stored);
        return query;
}

static void answer_lost(Query *query, uint64_t from, uint64_t upto) {
        Answer *answer = NULL;
        Event *event = NULL;

        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = from == 0 ? 503 : 200;
        answer->upto_seq = upto;
        answer->events = calloc(16, sizeof(Event *));
        assert_non_null(answer->events);
        for (uint64_t seq = from; seq != 0 && seq <= upto; ++seq) {
                char data[32];
                Record record = { .seq = seq, .kind = KIND_RAW_LOG, .vehicle_id = 1 };

                snprintf(data, sizeof(data), "\"b%d\"", (int)seq);
                record.data = text_of(data);
                assert_int_equal(event_new_message(&answer->events[answer->n_events],
                                                   &record,
                                                   NULL,
                                                   true),
                                 0);
                ++answer->n_events;
        }
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        stage_push(&stage, event);
        query_free(query);
}

/* And she watches. */
static int set_up_live(void **state) {
        char cursor[64];

        set_up(state);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, NULL);
        viewer_expect(&ana, "\"recovered\":true");
        return 0;
}

static void test_what_was_lost_is_late_and_not_missing(void **state) {
        Query *query;

        (void)state;
        push_from(1, 11, 10);
        expect_push(&ana, "b11", 100, 11);
        push_from(1, 13, 12); /* 12 has not come */
        query = next_lost(B, 11);
        push(0, 101); /* the others go on */
        expect_push(&ana, "a101", 101, 11);
        push_from(1, 14, 13);
        answer_lost(query, 12, 13);
        expect_push(&ana, "b12", 101, 12);
        expect_push(&ana, "b13", 101, 13);
        answer_lost(next_lost(B, 13), 14, 14); /* it was stored meanwhile */
        expect_push(&ana, "b14", 101, 14);
        push_from(1, 15, 14);
        expect_push(&ana, "b15", 101, 15);
        viewer_expect_silence(&ana);
}

static void test_what_comes_twice_is_shown_once(void **state) {
        (void)state;
        push_from(1, 11, 10);
        push_from(1, 11, 10);
        push_from(1, 12, 9);
        push_from(1, 11, 10);
        expect_push(&ana, "b11", 100, 11);
        expect_push(&ana, "b12", 100, 12);
        viewer_expect_silence(&ana);
}

/* It says now and then how far it is, so that nothing waits for the next that is said. */
static void test_the_last_that_was_lost_is_noticed(void **state) {
        (void)state;
        push_from(1, 11, 10);
        expect_push(&ana, "b11", 100, 11);
        push_gap(1, 12);
        answer_lost(next_lost(B, 11), 0, 0); /* it is away */
        answer_lost(next_lost(B, 11), 12, 12);
        expect_push(&ana, "b12", 100, 12);
        push_gap(1, 12);
        viewer_expect_silence(&ana);
}

/* Another gateway has the slot, and a journal of its own, on the same number line. */
static void test_a_slot_goes_over_with_its_number_line(void **state) {
        Event *event = NULL;

        (void)state;
        push_from(1, 11, 10);
        expect_push(&ana, "b11", 100, 11);
        assert_int_equal(event_new_gap(&event, 13, 0), 0);
        event->slot = 1;
        event->epoch = UINT64_C(0xdddddddddddddddd);
        stage_push(&stage, event);
        answer_lost(next_lost("dddddddddddddddd", 11), 12, 13);
        viewer_expect(&ana, "\"data\":\"b12\"");
        assert_non_null(strstr(ana.text, "\"number\":\"dddddddddddddddd:12\""));
        viewer_expect(&ana, "\"data\":\"b13\"");
        viewer_expect_silence(&ana);
}

/* The second slot goes over to another journal, which begins behind @stored. */
static void hand_over(uint64_t seq, uint64_t stored) {
        Event *event = NULL;

        assert_int_equal(event_new_gap(&event, seq, 0), 0);
        event->slot = 1;
        event->epoch = UINT64_C(0xdddddddddddddddd);
        event->before_seq = stored;
        stage_push(&stage, event);
}

/* All that the one before had stored was shown here: who was there goes on here. */
static void test_who_comes_from_a_former_owner_goes_on(void **state) {
        char cursor[CURSOR_TEXT_SIZE];

        (void)state;
        push_from(1, 11, 10);
        push_from(1, 12, 11);
        hand_over(20, 12);
        answer_lost(next_lost("dddddddddddddddd", 12), 20, 20);
        viewer_open_native(&ana, &stage, "ana", cursor);
        subscribe(&ana, cursor_of(100, 11, cursor));
        viewer_expect(&ana, "\"recovered\":true");
        viewer_expect(&ana, "\"data\":\"b12\"");
        viewer_expect(&ana, "\"data\":\"b20\"");
        viewer_expect_silence(&ana);
}

/* What it showed and did not store comes once more, and what it showed elsewhere nobody knows
 * here: the database is asked. */
static void test_who_has_seen_more_of_a_former_owner_is_told(void **state) {
        static const uint64_t seen[] = { 12, 13 };

        (void)state;
        push_from(1, 11, 10);
        push_from(1, 12, 11);
        hand_over(20, 11);
        answer_lost(next_lost("dddddddddddddddd", 12), 20, 20);
        for (size_t i = 0; i < N_ELEMENTS(seen); ++i) {
                char cursor[CURSOR_TEXT_SIZE];
                Query *query;

                viewer_open_native(&ana, &stage, "ana", cursor);
                subscribe(&ana, cursor_of(100, seen[i], cursor));
                query = next_query();
                assert_string_equal(query->replay->parts[1].epoch, B);
                answer(query, 404, (uint64_t[]){ 0, 0 }, (uint64_t[]){ 0, 0 });
                viewer_expect(&ana, "\"recovered\":false");
                viewer_done(&ana);
        }
}

/* Who had the slot before says no more whose it is. */
static void test_what_is_no_news_names_nobody(void **state) {
        Event *event = NULL;

        (void)state;
        push_from(1, 12, 10);
        expect_push(&ana, "b12", 100, 12);
        assert_int_equal(event_new_gap(&event, 12, 0), 0);
        event->slot = 1;
        event->epoch = UINT64_C(0xdddddddddddddddd);
        stage_push(&stage, event);
        push_from(1, 13, 12);
        expect_push(&ana, "b13", 100, 13);
}

/* As the owner says it, or one that was the owner. */
static void push_open(uint64_t epoch, uint64_t seq) {
        Event *event = NULL;

        assert_int_equal(event_new_open(&event, seq), 0);
        event->slot = 1;
        event->epoch = epoch;
        stage_push(&stage, event);
}

/* A cursor that is beyond it would miss it once it comes, and one that stays before it for nothing
 * brings much once more. */
static void test_what_is_open_is_said_by_whoever_has_the_slot(void **state) {
        const uint64_t owner = UINT64_C(0xbbbbbbbbbbbbbbbb), former = UINT64_C(0xdddddddddddddddd);

        (void)state;
        push_open(owner, 12);
        push_of(owner, 13, 10);
        expect_push(&ana, "b13", 100, 11);
        push_open(former, 0); /* its last words */
        push_of(owner, 14, 13);
        expect_push(&ana, "b14", 100, 11);
        push_open(owner, 0);
        push_open(former, 3);
        push_of(owner, 15, 14);
        expect_push(&ana, "b15", 100, 15);
}

static void test_what_an_owner_left_open_holds_nobody_back_behind_the_next(void **state) {
        const uint64_t owner = UINT64_C(0xbbbbbbbbbbbbbbbb), next = UINT64_C(0xdddddddddddddddd);

        (void)state;
        push_open(owner, 11);
        push_of(owner, 12, 10);
        expect_push(&ana, "b12", 100, 10);
        push_of(next, 20, 12); /* it says nothing of what is open, as nothing is */
        viewer_expect(&ana, "\"data\":\"b20\"");
        expect_cursor_of("dddddddddddddddd", &ana, 100, 20);
        push_of(owner, 23, 20); /* it has it again, and what it had left open */
        expect_push(&ana, "b23", 100, 10);
        push_open(next, 25); /* before it is known that it has it */
        push_of(next, 26, 23);
        viewer_expect(&ana, "\"data\":\"b26\"");
        expect_cursor_of("dddddddddddddddd", &ana, 100, 24);
}

/* Another gateway has just made it: who may see it is not known here yet. */
static void test_what_is_of_a_new_thing_waits_for_it(void **state) {
        Record record = {
                .seq = 11, .kind = KIND_RAW_LOG, .vehicle_id = 7, .data = TEXT("\"b11\"")
        };
        RegistryRow row = { .table = REGISTRY_VEHICLE,
                            .vehicle = {
                                    .id = 7, .user_id = 2, .code = "veh-7", .is_active = true } };
        Event *event = NULL;
        Answer *answer = NULL;
        Query *query;

        (void)state;
        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        event->slot = 1;
        event->before_seq = 10;
        stage_push(&stage, event);
        query = next_lost(B, 10);
        stage_row(&stage, &row);
        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = 200;
        answer->upto_seq = 11;
        answer->events = calloc(1, sizeof(Event *));
        assert_non_null(answer->events);
        assert_int_equal(event_new_message(&answer->events[0], &record, NULL, true), 0);
        answer->n_events = 1;
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        stage_push(&stage, event);
        query_free(query);
        expect_push(&ana, "b11", 100, 11);
}

#define CASE(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_place_says_what_was_shown_by_then),
                cmocka_unit_test(test_a_place_is_found_by_what_was_seen),
                cmocka_unit_test(test_of_a_place_of_long_ago_less_is_said),
                CASE(test_a_cursor_names_what_was_seen_of_each, set_up),
                CASE(test_who_comes_back_gets_the_rest_once, set_up),
                CASE(test_who_has_had_more_of_one_gets_no_more_of_it, set_up),
                CASE(test_what_memory_lacks_comes_from_the_database, set_up_forgetful),
                CASE(test_he_may_be_ahead_of_what_was_shown_here, set_up),
                CASE(test_what_is_of_others_is_answered_so, set_up),
                CASE(test_a_cursor_of_one_journal_stays_valid, set_up),
                CASE(test_what_was_lost_is_late_and_not_missing, set_up_live),
                CASE(test_what_comes_twice_is_shown_once, set_up_live),
                CASE(test_the_last_that_was_lost_is_noticed, set_up_live),
                CASE(test_a_slot_goes_over_with_its_number_line, set_up_live),
                CASE(test_who_comes_from_a_former_owner_goes_on, set_up),
                CASE(test_who_has_seen_more_of_a_former_owner_is_told, set_up),
                CASE(test_what_is_no_news_names_nobody, set_up_live),
                CASE(test_what_is_open_is_said_by_whoever_has_the_slot, set_up_live),
                CASE(test_what_an_owner_left_open_holds_nobody_back_behind_the_next, set_up_live),
                CASE(test_what_is_of_a_new_thing_waits_for_it, set_up_live),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
