/* Showing: each message is shown once, in its order, and what was open behind it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/journal/journal.h"
#include "gateway/memory/judge.h"
#include "gateway/store/lane.h"
#include "gateway/store/outbox.h"
#include "gateway/store/showing.h"
#include "tests/fake/batch.h"
#include "tests/fake/store.h"

typedef struct Fixture Fixture;

struct Fixture {
        DbStore store;
        Lane *lane;
        Judge *judge;
        Showing *showing;
};

static char said[256]; /* to the outbox */

static void say(const char *what, uint64_t from, uint64_t to) {
        size_t n = strlen(said);

        (void)snprintf(said + n,
                       sizeof(said) - n,
                       "%s %llu-%llu;",
                       what,
                       (unsigned long long)from,
                       (unsigned long long)to);
}

static void expect_said(const char *text) {
        assert_string_equal(said, text);
        said[0] = '\0';
}

/* ---- in place of the journal ---- */

static uint64_t others_seq, waiting_seq;

uint64_t journal_others_seq(const Journal *journal) {
        (void)journal;
        return others_seq;
}

uint64_t journal_count_some(Journal *journal,
                            uint64_t *after_seq,
                            uint64_t last_seq,
                            size_t n_max) {
        (void)journal;
        (void)n_max;
        return waiting_seq > *after_seq && waiting_seq <= last_seq;
}

/* ---- in place of the outbox ---- */

int outbox_show(Outbox *outbox, const Batch *batch, size_t from, size_t to, bool persisted) {
        (void)outbox;
        say(persisted ? "stored" : "ahead",
            batch_record(batch, from)->seq,
            batch_record(batch, to - 1)->seq);
        return 0;
}

int outbox_show_behind(Outbox *outbox, const Batch *batch, size_t i) {
        (void)outbox;
        say("behind", batch_record(batch, i)->seq, batch_record(batch, i)->seq);
        return 0;
}

int outbox_show_open(Outbox *outbox, uint64_t seq) {
        (void)outbox;
        say("open", seq, seq);
        return 0;
}

int outbox_show_position(Outbox *outbox, uint64_t seq, uint64_t last_seq) {
        (void)outbox;
        say("others", seq, last_seq);
        return 0;
}

/* ---- */

/* Three of eight messages are loaded. */
static void fixture_init(Fixture *f) {
        BatchSpan span = { .until_seq = 3, .n_max = FAKE_BATCH_MAX };

        *f = (Fixture){ 0 };
        said[0] = '\0';
        others_seq = waiting_seq = 0;
        fake_batch_end = 8;
        assert_int_equal(lane_new(&f->lane, NULL, &f->store, FAKE_BATCH_MAX), 0);
        lane_start(f->lane, 0);
        assert_int_equal(lane_load(f->lane, NULL, &span), 0);
        assert_int_equal(judge_new(&f->judge), 0);
        assert_int_equal(showing_new(&f->showing, NULL, f->judge, NULL), 0);
}

static void fixture_done(Fixture *f) {
        showing_free(f->showing);
        judge_free(f->judge);
        lane_free(f->lane);
}

static void stored(Fixture *f, size_t from, size_t to) {
        const CommitRange range = { .from = from, .to = to };

        assert_int_equal(showing_stored(f->showing, lane_current(f->lane), &range), 0);
        assert_int_equal(showing_settle(f->showing, to), 0);
}

static void test_what_is_shown_ahead_is_not_shown_again(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(showing_go_ahead(f.showing, f.lane, NULL), 0);
        expect_said("ahead 1-3;ahead 4-8;");
        stored(&f, 0, 3);
        assert_int_equal(showing_go_ahead(f.showing, f.lane, NULL), 0);
        expect_said("");
        assert_int_equal(showing_seq(f.showing), 8);
        fixture_done(&f);
}

static void test_what_another_life_has_shown_is_not_shown(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        showing_begin(f.showing, 2);
        stored(&f, 0, 2);
        expect_said("");
        stored(&f, 2, 3);
        expect_said("stored 3-3;");
        fixture_done(&f);
}

/* Each once, also if the same range comes again: the database was an older one. */
static void test_what_was_open_is_shown_behind_once(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(judge_tell(f.judge, 1, VERDICT_NEWS), 0);
        assert_int_equal(judge_tell(f.judge, 2, VERDICT_OPEN), 0);
        assert_int_equal(judge_tell(f.judge, 3, VERDICT_OPEN), 0);
        assert_int_equal(showing_go_ahead(f.showing, f.lane, NULL), 0);
        expect_said("ahead 1-3;open 2-2;ahead 4-8;");
        stored(&f, 0, 2);
        expect_said("behind 2-2;open 3-3;");
        stored(&f, 0, 2);
        expect_said("");
        stored(&f, 2, 3);
        expect_said("behind 3-3;open 0-0;");
        fixture_done(&f);
}

static void test_numbers_that_move_take_along_what_was_shown(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        showing_begin(f.showing, 5);
        showing_move(f.showing, 3, 100, 97); /* 4 and 5 are 101 and 102 */
        assert_int_equal(showing_seq(f.showing), 102);
        showing_move(f.showing, 102, 200, 98); /* nothing was behind it */
        assert_int_equal(showing_seq(f.showing), 200);
        fixture_done(&f);
}

static void test_what_was_open_is_shown_behind_under_its_new_number(void **state) {
        BatchSpan span = { .until_seq = 102, .n_max = FAKE_BATCH_MAX };
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(judge_tell(f.judge, 1, VERDICT_NEWS), 0);
        assert_int_equal(judge_tell(f.judge, 2, VERDICT_OPEN), 0);
        assert_int_equal(showing_go_ahead(f.showing, f.lane, NULL), 0);
        expect_said("ahead 1-3;open 2-2;ahead 4-8;");
        showing_move(f.showing, 0, 100, 100);
        lane_forget_ahead(f.lane);
        lane_restart(f.lane, 100);
        fake_batch_end = 108;
        assert_int_equal(lane_load(f.lane, NULL, &span), 0);
        assert_int_equal(showing_stored(f.showing, lane_current(f.lane), &(CommitRange){ 0, 2 }),
                         0);
        assert_int_equal(showing_settle(f.showing, 102), 0);
        expect_said("behind 102-102;open 0-0;");
        fixture_done(&f);
}

static void test_the_turn_of_others_is_told_between_ours(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        others_seq = 2;
        assert_int_equal(showing_go_ahead(f.showing, f.lane, NULL), 0);
        expect_said("ahead 1-2;others 2-2;ahead 3-3;ahead 4-8;");
        assert_int_equal(showing_pass_others(f.showing), 0);
        expect_said("");
        others_seq = 100;
        assert_int_equal(showing_pass_others(f.showing), 0);
        assert_int_equal(showing_pass_others(f.showing), 0);
        expect_said("others 100-100;"); /* once */
        fixture_done(&f);
}

static void test_what_waits_from_before_is_shown_first(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        others_seq = 100;
        waiting_seq = 8;
        stored(&f, 0, 3);
        assert_int_equal(showing_pass_others(f.showing), 0);
        expect_said("stored 1-3;");
        assert_int_equal(showing_go_ahead(f.showing, f.lane, NULL), 0);
        expect_said("ahead 4-8;");
        assert_int_equal(showing_pass_others(f.showing), 0);
        expect_said("others 100-100;");
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_shown_ahead_is_not_shown_again),
                cmocka_unit_test(test_what_another_life_has_shown_is_not_shown),
                cmocka_unit_test(test_what_was_open_is_shown_behind_once),
                cmocka_unit_test(test_what_was_open_is_shown_behind_under_its_new_number),
                cmocka_unit_test(test_numbers_that_move_take_along_what_was_shown),
                cmocka_unit_test(test_the_turn_of_others_is_told_between_ours),
                cmocka_unit_test(test_what_waits_from_before_is_shown_first),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
