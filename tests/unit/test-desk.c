/*
 * The rooms that decide what the processor does, turn by turn, with a PostgreSQL that does as it is
 * told: what waits, and for how long (storing), what follows when it is stored (stored), what a
 * position means that is not where we left it (position), and until when nothing is to be done
 * (waiting). The model (test-model) does all of it at random.
 */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/store/batch.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/opening.h"
#include "gateway/store/position.h"
#include "gateway/store/showing.h"
#include "gateway/store/stored.h"
#include "gateway/store/storing.h"
#include "gateway/store/waiting.h"
#include "model/event.h"
#include "model/metrics.h"
#include "tests/fake/server.h"

#define TURN_US   INT64_C(1000)
#define TURNS_MAX 20000
#define SHOWN_MAX 64

typedef struct Fixture Fixture;

struct Fixture {
        char dir[64];
        Journal *journal;
        Queue *outbox;
        Desk *desk;
        Opening opening;
        ProcessorStanding standing;
        bool is_ending;
        char shown[512]; /* "+1" stored, "-1" ahead of that, "<1" behind */
};

static int64_t now_us;
static Fixture *said_while_counting; /* what the doors bring while somebody counts */

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_now_us(void);
uint64_t __real_journal_count_after(Journal *journal, uint64_t after_seq);
uint64_t __wrap_journal_count_after(Journal *journal, uint64_t after_seq);
uint64_t __real_journal_count_some(Journal *journal,
                                   uint64_t *after_seq,
                                   uint64_t last_seq,
                                   size_t n_max);
uint64_t __wrap_journal_count_some(Journal *journal,
                                   uint64_t *after_seq,
                                   uint64_t last_seq,
                                   size_t n_max);

int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

int64_t __wrap_clock_now_us(void) {
        return INT64_C(1735689600000000) + now_us;
}

/* ---- */

static void take_events(Fixture *f) {
        void *events[SHOWN_MAX];
        size_t n = queue_pop(f->outbox, events, SHOWN_MAX, 0);

        for (size_t i = 0; i < n; ++i) {
                Event *event = events[i];
                size_t at = strlen(f->shown);

                if (event->type == EVENT_MESSAGE)
                        (void)snprintf(f->shown + at,
                                       sizeof(f->shown) - at,
                                       "%c%d ",
                                       event->behind      ? '<'
                                       : event->persisted ? '+'
                                                          : '-',
                                       (int)fake_server_number(event->data));
                event_unref(event);
        }
}

static void expect_shown(Fixture *f, const char *text) {
        assert_string_equal(f->shown, text);
        f->shown[0] = '\0';
}

/* As the processor's loop does it. */
static void turn(Fixture *f) {
        Desk *desk = f->desk;
        bool is_answered;

        now_us += TURN_US;
        assert_int_equal(known_follow(desk->known, &is_answered), 0);
        assert_int_equal(opening_take_errand(&f->opening, desk), 0);
        assert_int_equal(opening_turn(&f->opening, desk, f->standing), 0);
        assert_int_equal(opening_settle(&f->opening, desk, storing_turn(desk, f->is_ending)), 0);
        stall_note(&desk->stall, storing_age_us(desk), desk->options.stall_ms * INT64_C(1000));
        if (storing_is_passed(desk)) {
                BatchContext context = desk_context(desk, false);

                assert_int_equal(showing_go_ahead(desk->showing, desk->lane, &context), 0);
        }
        take_events(f);
}

static void turns(Fixture *f, int n) {
        while (n-- > 0)
                turn(f);
}

static void turns_until_stored(Fixture *f, uint64_t n) {
        for (int i = 0; fake_server.n_passed < n || metric_get(METRIC_IN_JOURNAL) > 0; ++i) {
                assert_true(i < TURNS_MAX);
                turn(f);
        }
}

static void turns_until_ready(Fixture *f) {
        for (int i = 0; !f->desk->was_ready; ++i) {
                assert_true(i < TURNS_MAX);
                turn(f);
        }
}

static void say_to(Fixture *f, const char *topic) {
        char payload[32];
        Inbound inbound = { .door = DOOR_MQTT, .topic = text_of(topic) };
        uint64_t seq;

        snprintf(payload, sizeof(payload), "{\"n\":%d}", (int)fake_server.n_messages + 1);
        inbound.payload = text_of(payload);
        assert_int_equal(journal_append(f->journal, &inbound, &seq), 0);
        metric_add(METRIC_IN_JOURNAL, 1);
        fake_server_add_message(seq);
}

static void say(Fixture *f, int n) {
        while (n-- > 0)
                say_to(f, "t/d1");
}

/* The doors are open while the processor counts: two messages come before each count, and two
 * behind it. */
uint64_t __wrap_journal_count_after(Journal *journal, uint64_t after_seq) {
        uint64_t n;

        if (said_while_counting)
                say(said_while_counting, 2);
        n = __real_journal_count_after(journal, after_seq);
        if (said_while_counting)
                say(said_while_counting, 2);
        return n;
}

uint64_t __wrap_journal_count_some(Journal *journal,
                                   uint64_t *after_seq,
                                   uint64_t last_seq,
                                   size_t n_max) {
        uint64_t n;

        if (said_while_counting)
                say(said_while_counting, 2);
        n = __real_journal_count_some(journal, after_seq, last_seq, n_max);
        if (said_while_counting)
                say(said_while_counting, 2);
        return n;
}

static void go_down(Fixture *f) {
        fake_server.is_down = true;
        fake_server_cut();
        turns(f, 10);
}

static void free_event(void *event) {
        event_unref(event);
}

static void fixture_open(Fixture *f) {
        ProcessorOptions options = {
                .holder = { .instance = "desk" },
                .max_batch = 8,
                .max_delay_ms = 50,
                .stall_ms = 100,
                .timeout_ms = 400,
                .check_ms = 1000000,
        };
        Route route = { .name = strdup("t"), .kind = KIND_TELEMETRY, .max_bytes = 64 };
        CLEANUP(routes_unref) Routes *routes = NULL;

        assert_int_equal(journal_open(&f->journal,
                                      &(JournalOptions){ .dir = f->dir,
                                                         .max_bytes = UINT64_C(1) << 20,
                                                         .segment_bytes = UINT64_C(1) << 16,
                                                         .reserve_bytes = UINT64_C(1) << 16,
                                                         .keep_ms = 60000,
                                                         .fsync = JOURNAL_FSYNC_NEVER }),
                         0);
        assert_int_equal(topic_template_new(&route.topic, "t/{device}"), 0);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        assert_int_equal(queue_new(&f->outbox, 1024, free_event), 0);
        assert_int_equal(desk_new(&f->desk, &options, f->journal, routes, f->outbox), 0);
        journal_begin_writer(f->journal, options.holder.instance);
}

static void fixture_close(Fixture *f) {
        f->desk = desk_free(f->desk);
        f->outbox = queue_free(f->outbox);
        f->journal = journal_close(f->journal);
}

static void fixture_init(Fixture *f) {
        *f = (Fixture){ .standing = PROCESSOR_STORES };
        now_us = CLOCK_DAY_US;
        log_set_level((LogLevel)-1);
        metrics_reset();
        fake_server = (FakeServer){ .dice = { 1 } };
        snprintf(f->dir, sizeof(f->dir), "/tmp/tidegate-desk-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        fixture_open(f);
        turns_until_ready(f);
}

static void fixture_done(Fixture *f) {
        DIR *stream;
        struct dirent *entry;

        fixture_close(f);
        stream = opendir(f->dir);
        while ((entry = readdir(stream)))
                (void)unlinkat(dirfd(stream), entry->d_name, 0);
        closedir(stream);
        assert_int_equal(rmdir(f->dir), 0);
        free(fake_server.messages);
}

/* ---- storing ---- */

static void test_a_small_batch_waits_for_more_and_no_longer_than_it_may(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say(&f, 1);
        turns(&f, 20);
        assert_int_equal(fake_server.n_passed, 0);
        assert_in_range(storing_delay_us(f.desk), 1, 50000 - 20 * TURN_US);
        say(&f, 1);
        turns(&f, 40);
        assert_int_equal(fake_server.n_passed, 2); /* together */
        expect_shown(&f, "+1 +2 ");
        fixture_done(&f);
}

static void test_a_full_batch_and_an_end_wait_for_nothing(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say(&f, 8);
        turns(&f, 10);
        assert_int_equal(fake_server.n_passed, 8);
        say(&f, 1);
        f.is_ending = true;
        turns(&f, 10);
        assert_int_equal(fake_server.n_passed, 9);
        fixture_done(&f);
}

static void test_live_does_not_wait_for_a_server_that_is_away(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        go_down(&f);
        assert_true(storing_lags(f.desk));
        say(&f, 3);
        turns(&f, 1);
        expect_shown(&f, "-1 -2 -3 ");
        fake_server.is_down = false;
        turns_until_stored(&f, 3);
        expect_shown(&f, ""); /* once */
        assert_false(storing_lags(f.desk));
        say(&f, 8);
        turns_until_stored(&f, 11);
        expect_shown(&f, "+4 +5 +6 +7 +8 +9 +10 +11 ");
        fixture_done(&f);
}

/* ---- stored ---- */

static void test_what_is_stored_is_counted_by_what_became_of_it(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say(&f, 2);
        say_to(&f, "nowhere");
        say_to(&f, "t/stranger");
        turns_until_stored(&f, 4);
        assert_int_equal(metric_get(METRIC_COMMITTED), 2);
        assert_int_equal(metric_get_dead_letter(REASON_NO_ROUTE), 1);
        assert_int_equal(metric_get_dead_letter(REASON_UNKNOWN_DEVICE), 1);
        expect_shown(&f, "+1 +2 ");
        assert_int_equal(journal_stored_seq(f.journal), fake_server.seq);
        fixture_done(&f);
}

/* ---- position ---- */

static void test_what_others_have_stored_meanwhile_goes_first(void **state) {
        Fixture f;
        uint64_t others;

        (void)state;
        fixture_init(&f);
        say(&f, 8);
        turns_until_stored(&f, 8);
        expect_shown(&f, "+1 +2 +3 +4 +5 +6 +7 +8 ");
        f.standing = PROCESSOR_WAITS;
        turns(&f, 5);
        others = fake_server.others_seq = fake_server.seq + UINT64_C(1000000000000);
        f.standing = PROCESSOR_STORES;
        turns(&f, 200);
        say(&f, 8);
        turns_until_stored(&f, 16);
        assert_true(fake_server.messages[9].seq > others);
        for (int i = 10; i <= 16; ++i)
                assert_true(fake_server.messages[i].seq > fake_server.messages[i - 1].seq);
        fixture_done(&f);
}

static void test_an_older_database_is_filled_again_and_nothing_is_shown_twice(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say(&f, 8);
        turns_until_stored(&f, 8);
        say(&f, 8);
        turns_until_stored(&f, 16);
        f.shown[0] = '\0';
        go_down(&f);
        fake_server_go_back(8, false);
        fake_server.is_down = false;
        say(&f, 1);
        turns_until_stored(&f, 17);
        expect_shown(&f, "-17 ");
        assert_int_equal(metric_get(METRIC_DB_OLDER), 1);
        assert_int_equal(metric_get(METRIC_RECEIVED_RECOVERED), 8);
        assert_int_equal(metric_get(METRIC_COMMITTED), 17 + 8);
        fixture_done(&f);
}

/* The COMMIT took effect, its answer was lost. */
static void test_what_had_got_in_when_the_link_went_is_not_stored_again(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (int i = 0; i < 40; ++i) { /* some before, some after it */
                uint64_t n = fake_server.n_messages + 8;

                say(&f, 8);
                turns(&f, 1 + i % 3);
                fake_server_cut();
                turns_until_stored(&f, n); /* the server fails who stores twice, or passes one */
        }
        assert_int_equal(metric_get(METRIC_COMMITTED) + metric_get_dead_letters(), 320);
        fixture_done(&f);
}

/* Whoever counts up to an open end, and then from another one, has a difference of its own. */
static void test_what_comes_while_what_was_left_is_counted_is_none_of_it(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say(&f, 8);
        turns_until_stored(&f, 8);
        say(&f, 5); /* and the process ends */
        fixture_close(&f);
        fake_server_cut();
        metrics_reset();
        f.opening = (Opening){ 0 };
        fixture_open(&f);
        said_while_counting = &f;
        turns_until_ready(&f);
        said_while_counting = NULL;
        assert_int_equal(metric_get(METRIC_RECEIVED_RECOVERED), 5);
        assert_true(fake_server.n_messages > 13);
        turns(&f, 2000);
        assert_int_equal(fake_server.n_passed, fake_server.n_messages);
        assert_int_equal(metric_get(METRIC_IN_JOURNAL), 0);
        fixture_done(&f);
}

/* ---- waiting ---- */

static void test_it_sleeps_until_something_is_due(void **state) {
        const Waiting waiting = { 0 }, by = { .stands_by = true };
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(waiting_ms(&waiting, f.desk), 1000);
        say(&f, 1);
        turns(&f, 20);
        assert_int_equal(waiting_ms(&waiting, f.desk), 30); /* a small batch waits for more */
        assert_int_equal(waiting_ms(&by, f.desk), 1000);    /* it is for others to store it */
        go_down(&f);
        while (database_pause_us(f.desk->database) == 0)
                turn(&f);
        assert_int_equal(waiting_ms(&waiting, f.desk),
                         (database_pause_us(f.desk->database) + 999) / 1000);
        fixture_done(&f);
}

static void test_an_end_is_not_slept_through(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(waiting_ms(&(Waiting){ .stop_at_us = now_us + 4001 }, f.desk), 5);
        assert_int_equal(waiting_ms(&(Waiting){ .stop_at_us = now_us - 1 }, f.desk), 0);
        assert_int_equal(waiting_ms(&(Waiting){ .stop_at_us = now_us + CLOCK_DAY_US }, f.desk),
                         1000);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_small_batch_waits_for_more_and_no_longer_than_it_may),
                cmocka_unit_test(test_a_full_batch_and_an_end_wait_for_nothing),
                cmocka_unit_test(test_live_does_not_wait_for_a_server_that_is_away),
                cmocka_unit_test(test_what_is_stored_is_counted_by_what_became_of_it),
                cmocka_unit_test(test_what_others_have_stored_meanwhile_goes_first),
                cmocka_unit_test(test_an_older_database_is_filled_again_and_nothing_is_shown_twice),
                cmocka_unit_test(test_what_had_got_in_when_the_link_went_is_not_stored_again),
                cmocka_unit_test(test_what_comes_while_what_was_left_is_counted_is_none_of_it),
                cmocka_unit_test(test_it_sleeps_until_something_is_due),
                cmocka_unit_test(test_an_end_is_not_slept_through),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
