/* WsCatching: of what other gateways show nothing is missed, and nothing shown twice. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/queue.h"
#include "model/metrics.h"
#include "tests/fake/asks.h"
#include "ws/hub/catching.h"
#include "ws/loop/loop.h"

#define EPOCHS    "aaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbb"
#define SECOND_US INT64_C(1000000)
#define BOAT      7 /* that everybody knows of */
#define NEW_BOAT  8 /* that nobody has heard of yet */

static int64_t now_us;
static WsQuestions questions;
static WsLoop loop;
static WsCatching catching;
static Queue *asked;
static uint64_t shown[64];
static size_t n_shown;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

static int show(void *arg, Event *event) {
        WsLoop *where = arg;

        assert_true(n_shown < N_ELEMENTS(shown));
        shown[n_shown++] = event->seq;
        if (ws_numbers_are_several(&where->numbers))
                (void)ws_numbers_step(&where->numbers, event->slot, event->seq);
        return 0;
}

static void add_vehicle(int64_t id) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        const RegistryRow row = { .table = REGISTRY_VEHICLE,
                                  .vehicle = { .id = id, .code = "v", .is_active = true } };
        bool is_narrowed = false;

        assert_int_equal(registry_delta_new(&delta, id == BOAT), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        assert_int_equal(registry_apply(loop.registry, delta, &is_narrowed), 0);
}

static int set_up_with(const char *epochs) {
        now_us = 1000 * SECOND_US;
        n_shown = 0;
        memset(&loop, 0, sizeof(loop));
        metrics_reset();
        assert_int_equal(registry_new(&loop.registry), 0);
        add_vehicle(BOAT);
        assert_int_equal(ws_numbers_open(&loop.numbers, epochs), 0);
        assert_int_equal(ws_questions_init(&questions), 0);
        assert_int_equal(queue_new(&asked, 1, asks_free), 0);
        questions.ask = asks_keep;
        questions.ask_arg = asked;
        loop.questions = &questions;
        ws_catching_init(&catching, &loop, show, &loop);
        for (size_t i = 0; i < loop.numbers.n; ++i) { /* both begin behind 10 */
                loop.numbers.journals[i].last_seq = 10;
                loop.numbers.journals[i].is_begun = true;
        }
        return 0;
}

static int set_up(void **state) {
        (void)state;
        return set_up_with(EPOCHS);
}

static int tear_down(void **state) {
        (void)state;
        ws_catching_done(&catching);
        asked = queue_free(asked);
        ws_questions_done(&questions);
        ws_numbers_done(&loop.numbers);
        loop.registry = registry_free(loop.registry);
        return 0;
}

static Event *event_of(unsigned slot, uint64_t seq, uint64_t before_seq, int64_t vehicle_id) {
        const Record record = {
                .seq = seq, .kind = KIND_RAW_LOG, .vehicle_id = vehicle_id, .data = TEXT("\"x\"")
        };
        Event *event = NULL;

        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        event->slot = (uint16_t)slot;
        event->before_seq = before_seq;
        return event;
}

static bool comes_of(unsigned slot, uint64_t seq, uint64_t before_seq, int64_t vehicle_id) {
        CLEANUP(event_unref) Event *event = event_of(slot, seq, before_seq, vehicle_id);
        bool is_taken = ws_catching_takes(&catching, event);

        if (is_taken)
                assert_int_equal(show(&loop, event), 0);
        return is_taken;
}

static bool comes_from(uint64_t epoch, uint64_t seq, uint64_t before_seq) {
        CLEANUP(event_unref) Event *event = event_of(1, seq, before_seq, BOAT);
        bool is_taken;

        event->epoch = epoch;
        is_taken = ws_catching_takes(&catching, event);
        if (is_taken)
                assert_int_equal(show(&loop, event), 0);
        return is_taken;
}

static bool comes(uint64_t seq, uint64_t before_seq) {
        return comes_of(1, seq, before_seq, BOAT);
}

/* As the hub does with each: how many numbers are in vain. */
static uint64_t is_forked_by(const Event *event, uint64_t *ret_seen) {
        uint64_t place = 0, seen[CURSOR_MAX];
        uint64_t n = ws_catching_forks(&catching, event, &place);

        if (n > 0) {
                ws_numbers_seen(&loop.numbers, place, seen);
                *ret_seen = seen[1];
        }
        return n;
}

static uint64_t forks(uint64_t seq, uint64_t before_seq, uint64_t epoch, uint64_t *ret_seen) {
        CLEANUP(event_unref) Event *event = event_of(1, seq, before_seq, BOAT);

        event->epoch = epoch;
        return is_forked_by(event, ret_seen);
}

/* How far the slot is: as its owner says it, or, with @before_seq, the database. */
static uint64_t head_forks(uint64_t seq, uint64_t before_seq, uint64_t epoch, uint64_t *ret_seen) {
        CLEANUP(event_unref) Event *gap = NULL;
        uint64_t n;

        assert_int_equal(event_new_gap(&gap, seq, 0), 0);
        gap->slot = 1;
        gap->epoch = epoch;
        gap->before_seq = before_seq;
        n = is_forked_by(gap, ret_seen);
        assert_false(ws_catching_goes_on(&catching, gap));
        return n;
}

static bool gap_comes(uint64_t seq, uint32_t n_items) {
        CLEANUP(event_unref) Event *gap = NULL;

        assert_int_equal(event_new_gap(&gap, seq, n_items), 0);
        gap->slot = 1;
        if (!ws_catching_goes_on(&catching, gap))
                return false;
        (void)ws_numbers_step(&loop.numbers, 1, seq);
        return true;
}

static void turn(void) {
        assert_int_equal(ws_catching_turn(&catching, now_us / 1000), 0);
}

static bool is_asked(void) {
        turn();
        return queue_length(asked) > 0;
}

/* With these messages, of @vehicle_id; up to 0: a status alone. */
static void answer(uint64_t after_seq, int64_t vehicle_id, uint64_t from, uint64_t upto) {
        CLEANUP(event_unref) Event *event = NULL;
        Answer *answer = NULL;
        void *query = NULL;

        turn();
        assert_int_equal(queue_pop(asked, &query, 1, 0), 1);
        assert_int_equal(((Query *)query)->replay->after_seq, after_seq);
        assert_string_equal(((Query *)query)->replay->own_epoch, "bbbbbbbbbbbbbbbb");
        assert_true(((Query *)query)->replay->all_vehicles &&
                    ((Query *)query)->replay->all_devices);
        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = upto > 0 ? 200 : 503;
        answer->upto_seq = upto;
        answer->events = calloc(16, sizeof(*answer->events));
        for (uint64_t seq = from; upto > 0 && seq <= upto; ++seq)
                answer->events[answer->n_events++] = event_of(0, seq, 0, vehicle_id);
        query_free(query);
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        assert_int_equal(ws_questions_answer(&questions, event), 0);
}

/* Of one number that two journals have given, and of one that one journal has in two rows. */
static void answer_equal(uint64_t after_seq,
                         const uint64_t seqs[],
                         const int64_t journals[],
                         int n) {
        CLEANUP(event_unref) Event *event = NULL;
        Answer *answer = NULL;
        void *query = NULL;

        turn();
        assert_int_equal(queue_pop(asked, &query, 1, 0), 1);
        assert_int_equal(((Query *)query)->replay->after_seq, after_seq);
        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = 200;
        answer->upto_seq = seqs[n - 1];
        answer->events = calloc((size_t)n, sizeof(*answer->events));
        for (int i = 0; i < n; ++i) {
                Event *row = event_of(0, seqs[i], 0, BOAT);

                row->journal_id = journals[i];
                answer->events[answer->n_events++] = row;
        }
        query_free(query);
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        assert_int_equal(ws_questions_answer(&questions, event), 0);
}

static void expect_shown(size_t n, const uint64_t wanted[]) {
        assert_int_equal(n_shown, n);
        for (size_t i = 0; i < n; ++i)
                assert_int_equal(shown[i], wanted[i]);
}

static void test_one_journal_alone_has_nothing_to_catch_up_with(void **state) {
        (void)state;
        set_up_with("bbbbbbbbbbbbbbbb");
        assert_true(comes_of(0, 99, 50, NEW_BOAT));
        assert_true(comes_of(0, 5, 0, BOAT));
        assert_false(is_asked());
}

static void test_what_follows_on_the_last_is_shown_and_what_was_shown_is_not(void **state) {
        (void)state;
        assert_true(comes(12, 10)); /* 11 was none of theirs to show */
        assert_false(comes(12, 10));
        assert_false(comes(9, 8));
        assert_true(comes(13, 12));
        assert_false(is_asked());
}

static void test_what_was_lost_comes_from_the_database_with_what_came_meanwhile(void **state) {
        (void)state;
        assert_false(comes(13, 12));            /* 11 and 12 are missing */
        assert_true(comes_of(0, 11, 10, BOAT)); /* which is no matter to the other slot */
        assert_false(comes(14, 13));
        answer(10, BOAT, 11, 14);
        expect_shown(5, (uint64_t[]){ 11, 11, 12, 13, 14 });
        assert_int_equal(metric_get(METRIC_LIVE_CAUGHT), 4);
        assert_false(comes(14, 13));
        assert_true(comes(15, 14));
        assert_false(is_asked());
}

/* No two owners give one number; should they, both are messages. */
static void test_what_two_journals_have_under_one_number_is_shown_twice_and_said(void **state) {
        (void)state;
        assert_false(comes(13, 12));
        answer_equal(10,
                     (uint64_t[]){ 11, 11, 12, 12, 13, 13 },
                     (int64_t[]){ 1, 2, 1, 1, 2, 1 },
                     6);
        expect_shown(5, (uint64_t[]){ 11, 11, 12, 13, 13 });
        assert_int_equal(metric_get(METRIC_LIVE_EQUAL), 2);
        assert_false(comes(13, 12)); /* what comes live says no more than its number */
        assert_true(comes(14, 13));
        assert_false(is_asked());
}

/* The next owner begins behind what is stored: what is beyond that, it was perhaps sent as well. */
static void test_what_a_former_owner_had_shown_and_not_stored_is_in_vain(void **state) {
        const uint64_t ours = UINT64_C(0xbbbbbbbbbbbbbbbb), first = UINT64_C(0xdddddddddddddddd);
        const uint64_t next = UINT64_C(0xcccccccccccccccc);
        uint64_t seen = 0;

        (void)state;
        for (uint64_t seq = 11; seq <= 20; ++seq) {
                assert_int_equal(forks(seq, seq - 1, ours, &seen), 0);
                assert_true(comes(seq, seq - 1));
        }
        assert_int_equal(forks(22, 20, first, &seen), 0); /* in order */
        assert_true(comes(22, 20));
        assert_int_equal(forks(22, 17, next, &seen), 0); /* late */
        assert_int_equal(forks(90, 17, next, &seen), 5);
        assert_int_equal(seen, 17);
        assert_string_equal(loop.numbers.journals[1].epoch, "cccccccccccccccc");
        assert_true(comes(90, 17));
        assert_int_equal(forks(91, 90, next, &seen), 0); /* once */
        assert_int_equal(metric_get(METRIC_LIVE_FORKED), 1);
}

static void show_until(uint64_t last_seq, uint64_t epoch) {
        uint64_t seen;

        for (uint64_t seq = 11; seq <= last_seq; ++seq) {
                assert_int_equal(forks(seq, seq - 1, epoch, &seen), 0);
                assert_true(comes_from(epoch, seq, seq - 1));
        }
}

/* What would have said where it begins was lost: the database knows it. */
static void test_where_the_first_word_of_the_next_owner_is_lost_the_database_says_it(void **state) {
        const uint64_t ours = UINT64_C(0xbbbbbbbbbbbbbbbb), next = UINT64_C(0xcccccccccccccccc);
        uint64_t seen = 0;

        (void)state;
        show_until(20, ours);
        assert_int_equal(head_forks(17, 17, next, &seen), 0); /* it has nothing yet */
        assert_int_equal(forks(91, 90, next, &seen), 0);
        assert_false(comes_from(next, 91, 90));
        (void)ws_numbers_step(&loop.numbers, 1, 91); /* read from the database */
        assert_false(ws_numbers_know(&loop.numbers, 1, "bbbbbbbbbbbbbbbb", 17));
        assert_int_equal(head_forks(90, 17, next, &seen), 3);
        assert_int_equal(seen, 17);
        assert_true(ws_numbers_know(&loop.numbers, 1, "bbbbbbbbbbbbbbbb", 17));
        assert_false(ws_numbers_know(&loop.numbers, 1, "bbbbbbbbbbbbbbbb", 18));
        assert_int_equal(head_forks(91, 17, next, &seen), 0); /* once */
        assert_int_equal(metric_get(METRIC_LIVE_FORKED), 1);
}

static void test_likewise_where_its_beat_comes_first(void **state) {
        const uint64_t ours = UINT64_C(0xbbbbbbbbbbbbbbbb), next = UINT64_C(0xcccccccccccccccc);
        uint64_t seen = 0;

        (void)state;
        show_until(20, ours);
        assert_int_equal(head_forks(91, 0, next, &seen), 0);
        assert_int_equal(head_forks(91, 17, next, &seen), 3);
        assert_int_equal(seen, 17);
}

static void test_nothing_is_told_where_the_former_owner_had_stored_all_of_it(void **state) {
        const uint64_t ours = UINT64_C(0xbbbbbbbbbbbbbbbb), next = UINT64_C(0xcccccccccccccccc);
        uint64_t seen = 0;

        (void)state;
        show_until(20, ours);
        assert_int_equal(forks(91, 90, next, &seen), 0);
        assert_int_equal(head_forks(91, 22, next, &seen), 0); /* two of which were lost as well */
        assert_true(ws_numbers_know(&loop.numbers, 1, "bbbbbbbbbbbbbbbb", 20));
        assert_int_equal(metric_get(METRIC_LIVE_FORKED), 0);
}

/* No two owners give one number. Should they, nobody misses the next one's messages without a word:
 * not those either with whose numbers others were shown. */
static void test_what_an_owner_to_come_says_under_numbers_that_were_shown_is_told_of(void **state) {
        const uint64_t ours = UINT64_C(0xbbbbbbbbbbbbbbbb), next = UINT64_C(0xcccccccccccccccc);
        uint64_t seen = 0;

        (void)state;
        for (uint64_t seq = 11; seq <= 20; ++seq) {
                assert_int_equal(forks(seq, seq - 1, ours, &seen), 0);
                assert_true(comes_from(ours, seq, seq - 1));
        }
        assert_false(comes_from(ours, 15, 14)); /* once more */
        assert_false(comes_from(next, 18, 17));
        assert_false(comes_from(next, 20, 18));
        assert_int_equal(forks(21, 20, next, &seen), 3);
        assert_int_equal(seen, 17);
        assert_true(comes_from(next, 21, 20));
        assert_false(comes_from(ours, 20, 19)); /* the last words of the former one */
        assert_int_equal(forks(22, 21, next, &seen), 0);
        assert_int_equal(metric_get(METRIC_LIVE_FORKED), 1);
}

/* It had shown something while it was in doubt whose the numbers are, and gave it others. */
static void test_one_that_gives_other_numbers_to_what_it_had_shown_says_so(void **state) {
        const uint64_t ours = UINT64_C(0xbbbbbbbbbbbbbbbb);
        uint64_t seen = 0;

        (void)state;
        for (uint64_t seq = 11; seq <= 14; ++seq) {
                assert_int_equal(forks(seq, seq - 1, ours, &seen), 0);
                assert_true(comes(seq, seq - 1));
        }
        assert_int_equal(forks(90, 12, ours, &seen), 2);
        assert_int_equal(seen, 12);
        assert_true(comes(90, 12));
        assert_int_equal(forks(91, 90, ours, &seen), 0);
        assert_true(comes(91, 90));
        assert_false(comes(95, 94)); /* what is read leaves no trace: it may have shown nothing */
        answer(91, BOAT, 94, 97);
        assert_int_equal(forks(98, 96, ours, &seen), 0);
        assert_true(comes(98, 96));
}

static void test_nor_is_what_it_had_shown_where_nothing_was_ever_stored(void **state) {
        uint64_t seen = 1;

        (void)state;
        loop.numbers.journals[1].last_seq = 0;
        assert_true(comes(5, 0));
        assert_int_equal(forks(90, 0, UINT64_C(0xcccccccccccccccc), &seen), 5);
        assert_int_equal(seen, 0);
}

/* It is stored before it is shown, but perhaps not where we read. */
static void test_while_the_database_is_behind_it_is_asked_again_and_not_at_once(void **state) {
        (void)state;
        assert_false(comes(13, 12));
        answer(10, BOAT, 11, 12);
        answer(12, BOAT, 13, 12); /* which has got on: at once, and has nothing new yet */
        assert_false(is_asked());
        now_us += SECOND_US / 10;
        answer(12, BOAT, 13, 13);
        expect_shown(3, (uint64_t[]){ 11, 12, 13 });
        now_us += SECOND_US;
        assert_false(is_asked());
}

static void test_a_database_that_is_away_is_asked_ten_times_a_second_at_most(void **state) {
        (void)state;
        assert_false(comes(13, 12));
        answer(10, BOAT, 0, 0);
        assert_false(is_asked());
        now_us += SECOND_US / 10 - 1000;
        assert_false(is_asked());
        now_us += 1000;
        answer(10, BOAT, 11, 13);
        expect_shown(3, (uint64_t[]){ 11, 12, 13 });
}

static void test_a_lane_without_a_place_is_asked_later(void **state) {
        Query *query = NULL;

        (void)state;
        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        assert_int_equal(asks_keep(asked, &query), 0);
        assert_false(comes(13, 12));
        turn();
        (void)queue_pop(asked, (void **)&query, 1, 0);
        query_free(query);
        assert_false(is_asked());
        now_us += SECOND_US / 10;
        assert_true(is_asked());
}

/* Its gateway has just made it: it is told of soon. */
static void test_what_is_of_a_thing_not_known_yet_waits_until_it_is(void **state) {
        (void)state;
        assert_false(comes_of(1, 11, 10, NEW_BOAT));
        now_us += SECOND_US / 10;
        answer(10, NEW_BOAT, 11, 11);
        expect_shown(0, NULL);
        add_vehicle(NEW_BOAT);
        now_us += SECOND_US / 10;
        answer(10, NEW_BOAT, 11, 11);
        expect_shown(1, (uint64_t[]){ 11 });
        assert_true(comes_of(1, 12, 11, NEW_BOAT));
}

static void test_for_two_seconds_at_most_and_the_next_one_not_again(void **state) {
        (void)state;
        assert_false(comes_of(1, 11, 10, NEW_BOAT));
        now_us += 2 * SECOND_US - 1000;
        answer(10, NEW_BOAT, 11, 11);
        expect_shown(0, NULL);
        now_us += SECOND_US / 10;
        answer(10, NEW_BOAT, 11, 11);
        expect_shown(1, (uint64_t[]){ 11 });
        assert_true(comes_of(1, 12, 11, NEW_BOAT)); /* whom nobody has told of for so long */
        now_us += 13 * SECOND_US;
        assert_false(comes_of(1, 13, 12, NEW_BOAT)); /* and now it may be another one */
}

static void test_behind_a_gap_of_others_nothing_is_missed(void **state) {
        (void)state;
        assert_false(gap_comes(10, 0)); /* that was shown */
        assert_true(gap_comes(12, 2));  /* they had no room: viewers of theirs miss it, too */
        assert_false(gap_comes(14, 0)); /* how far they are: it was lost on the way */
        answer(12, BOAT, 13, 14);
        expect_shown(2, (uint64_t[]){ 13, 14 });
}

/* Of a journal that has just begun here nothing was missed, as nobody was there. */
static void test_a_journal_that_has_not_begun_has_lost_nothing(void **state) {
        (void)state;
        loop.numbers.journals[1].is_begun = false;
        assert_true(comes(99, 98));
        assert_true(gap_comes(120, 0));
        assert_false(is_asked());
}

static void test_an_answer_for_who_has_gone_is_for_nobody(void **state) {
        (void)state;
        assert_false(comes(13, 12));
        assert_true(is_asked());
        ws_catching_done(&catching);
        assert_int_equal(ws_questions_turn(&questions, INT64_MAX / 2), 0);
        assert_int_equal(n_shown, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_one_journal_alone_has_nothing_to_catch_up_with,
                                          tear_down),
                TEST(test_what_follows_on_the_last_is_shown_and_what_was_shown_is_not),
                TEST(test_what_was_lost_comes_from_the_database_with_what_came_meanwhile),
                TEST(test_what_two_journals_have_under_one_number_is_shown_twice_and_said),
                TEST(test_what_a_former_owner_had_shown_and_not_stored_is_in_vain),
                TEST(test_where_the_first_word_of_the_next_owner_is_lost_the_database_says_it),
                TEST(test_likewise_where_its_beat_comes_first),
                TEST(test_nothing_is_told_where_the_former_owner_had_stored_all_of_it),
                TEST(test_what_an_owner_to_come_says_under_numbers_that_were_shown_is_told_of),
                TEST(test_one_that_gives_other_numbers_to_what_it_had_shown_says_so),
                TEST(test_nor_is_what_it_had_shown_where_nothing_was_ever_stored),
                TEST(test_while_the_database_is_behind_it_is_asked_again_and_not_at_once),
                TEST(test_a_database_that_is_away_is_asked_ten_times_a_second_at_most),
                TEST(test_a_lane_without_a_place_is_asked_later),
                TEST(test_what_is_of_a_thing_not_known_yet_waits_until_it_is),
                TEST(test_for_two_seconds_at_most_and_the_next_one_not_again),
                TEST(test_behind_a_gap_of_others_nothing_is_missed),
                TEST(test_a_journal_that_has_not_begun_has_lost_nothing),
                TEST(test_an_answer_for_who_has_gone_is_for_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
