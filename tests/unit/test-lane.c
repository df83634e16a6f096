/* Lane: no event but "these are stored" moves a batch on, whatever the connection does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/store/lane.h"
#include "tests/fake/batch.h"
#include "tests/fake/store.h"

typedef struct Fixture Fixture;

struct Fixture {
        DbStore store;
        Registry *registry;
        Lane *lane;
        size_t n_stored; /* as the owner was told */
};

static void fixture_init(Fixture *f) {
        fake_batch_decoded = 0;
        fake_batch_bytes = 1;
        fake_batch_wanting = UINT64_MAX;
        *f = (Fixture){ .store = { .sqlstate = "22P05" } };
        assert_int_equal(registry_new(&f->registry), 0);
        assert_int_equal(lane_new(&f->lane, NULL, &f->store, FAKE_BATCH_MAX), 0);
        lane_start(f->lane, 0);
}

static void fixture_done(Fixture *f) {
        lane_free(f->lane);
        registry_free(f->registry);
}

/* Into whichever batch is free: the numbers up to @until. */
static void fixture_load(Fixture *f, uint64_t until) {
        BatchSpan span = { .until_seq = until, .n_max = FAKE_BATCH_MAX };

        assert_true(lane_has_room(f->lane));
        assert_int_equal(lane_load(f->lane, NULL, &span), 0);
        assert_int_equal(lane_loaded_seq(f->lane), until);
}

static void fixture_take(Fixture *f, const CommitRange *range) {
        for (size_t i = range->from; i < range->to; ++i)
                assert_int_equal(batch_record(lane_current(f->lane), i)->seq, ++f->n_stored);
        (void)lane_stored(f->lane, range);
}

static int fixture_poll(Fixture *f) {
        CommitRange range;
        int r = 0;

        while ((r == 0 || r == DB_E_BUSY) && !lane_is_idle(f->lane)) {
                r = lane_poll(f->lane, &range);
                if (r == 0)
                        fixture_take(f, &range);
        }
        return r;
}

static int fixture_resume(Fixture *f, uint64_t position) {
        CommitRange range;
        int r;

        f->store.is_offline = false;
        r = lane_resume(f->lane, position, &range);
        if (range.to > range.from)
                fixture_take(f, &range);
        return r;
}

static void fixture_begin(Fixture *f) {
        assert_int_equal(lane_begin(f->lane, f->registry), 0);
}

static void fixture_expect_stored(const Fixture *f, size_t n) {
        assert_int_equal(lane_stored_seq(f->lane), n);
        assert_int_equal(f->n_stored, n);
        assert_int_equal(f->store.n_stored, n);
        for (size_t i = 0; i < n; ++i)
                assert_int_equal(f->store.stored[i], i + 1);
}

static void test_batches_follow_each_other(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_load(&f, 3);
        fixture_begin(&f);
        fixture_load(&f, 5);
        assert_int_equal(fixture_poll(&f), 0);
        assert_int_equal(batch_length(lane_current(f.lane)), 2);
        fixture_begin(&f);
        assert_int_equal(fixture_poll(&f), 0);
        assert_int_equal(batch_length(lane_current(f.lane)), 0);
        fixture_expect_stored(&f, 5);
        fixture_done(&f);
}

/* The COMMIT took effect, its answer was lost, and the next batch was decoded meanwhile. */
static void test_lost_answer_leaves_the_next_batch_where_it_is(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_load(&f, 3);
        fixture_begin(&f);
        fixture_load(&f, 5);
        fake_store_take(&f.store);
        f.store.is_offline = true;
        assert_int_equal(fixture_poll(&f), DB_E_OFFLINE);

        assert_int_equal(fixture_resume(&f, 3), 0);
        assert_true(lane_is_idle(f.lane));
        assert_int_equal(fixture_poll(&f), 0); /* idle: says nothing about the batch that waits */
        assert_int_equal(batch_length(lane_current(f.lane)), 2);
        fixture_begin(&f);
        assert_int_equal(fixture_poll(&f), 0);
        fixture_expect_stored(&f, 5);
        fixture_done(&f);
}

/* The batch that moved up was not begun when the connection went. */
static void test_loss_between_two_batches_costs_neither(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_load(&f, 3);
        fixture_begin(&f);
        fixture_load(&f, 5);
        assert_int_equal(fixture_poll(&f), 0);
        for (int i = 0; i < 3; ++i) /* however often it comes and goes */
                assert_int_equal(fixture_resume(&f, 3), 0);
        assert_int_equal(batch_length(lane_current(f.lane)), 2);
        fixture_begin(&f);
        assert_int_equal(fixture_poll(&f), 0);
        fixture_expect_stored(&f, 5);
        fixture_done(&f);
}

/* A halved batch whose parts lose their answers one by one, and the next one behind it. */
static void test_lost_answers_of_a_halved_batch_move_it_by_its_parts(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        f.store.poison_seq = 2;
        fixture_load(&f, 4);
        fixture_begin(&f);
        fixture_load(&f, 6);
        while (!lane_is_idle(f.lane)) {
                CommitRange range;
                int r;

                f.store.is_offline = fake_store_take(&f.store); /* each part that gets in */
                r = lane_poll(f.lane, &range);
                if (r == DB_E_OFFLINE)
                        assert_int_equal(fixture_resume(&f, f.store.stored[f.store.n_stored - 1]),
                                         0);
                else
                        assert_int_equal(r, DB_E_BUSY);
        }
        fixture_expect_stored(&f, 4);
        assert_int_equal(f.store.reasons[1], REASON_DB_REJECTED);
        fixture_begin(&f);
        assert_int_equal(fixture_poll(&f), 0);
        fixture_expect_stored(&f, 6);
        fixture_done(&f);
}

static void test_stretch_without_records_is_passed(void **state) {
        BatchSpan span = { .until_seq = 9, .n_max = FAKE_BATCH_MAX };
        Fixture f;

        (void)state;
        fixture_init(&f);
        fake_batch_end = 3;
        fixture_load(&f, 3);
        fixture_begin(&f);
        assert_int_equal(lane_load(f.lane, NULL, &span), 0);
        fake_batch_end = UINT64_MAX;
        assert_int_equal(lane_loaded_seq(f.lane), 9);
        assert_int_equal(lane_stored_seq(f.lane), 0);
        fixture_done(&f);
}

/* Shows what has the numbers (after, until], ahead of the store. */
static void fixture_show(Fixture *f, uint64_t after, uint64_t until) {
        BatchSpan span = { .after_seq = after, .until_seq = until, .n_max = FAKE_BATCH_MAX };
        const Batch *batch;
        size_t from;

        assert_int_equal(lane_show_on(f->lane, NULL, &span, &batch, &from), 0);
        assert_int_equal(batch_length(batch) - from, until - after);
        for (size_t i = from; i < batch_length(batch); ++i)
                assert_int_equal(batch_record(batch, i)->seq, ++after);
}

/* All that is behind the lane, up to @until. */
static void fixture_store_all(Fixture *f, uint64_t until) {
        BatchSpan span = { .until_seq = until, .n_max = FAKE_BATCH_MAX };

        while (lane_stored_seq(f->lane) < until) {
                if (batch_length(lane_current(f->lane)) == 0)
                        assert_int_equal(lane_load(f->lane, NULL, &span), 0);
                fixture_begin(f);
                if (lane_has_room(f->lane) && lane_loaded_seq(f->lane) < until)
                        assert_int_equal(lane_load(f->lane, NULL, &span), 0);
                assert_int_equal(fixture_poll(f), 0);
        }
        fixture_expect_stored(f, until);
}

static void test_what_was_shown_ahead_is_stored_without_being_decoded_again(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_load(&f, 3);
        fixture_show(&f, 3, 5);
        fixture_show(&f, 5, 8);  /* on in the same batch */
        fixture_show(&f, 8, 19); /* and on until it is full */
        fixture_show(&f, 19, 22);
        fixture_store_all(&f, 22);
        assert_int_equal(fake_batch_decoded, 22);
        fixture_done(&f);
}

static void test_what_finds_no_room_is_decoded_again_and_in_its_order(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_show(&f, 0, 2);
        fake_batch_bytes = LANE_AHEAD_BYTES;
        fixture_show(&f, 2, 5);
        fixture_show(&f, 5, 7);
        fake_batch_bytes = 1;
        fixture_show(&f, 7, 9);
        fixture_store_all(&f, 11);
        assert_int_equal(fake_batch_decoded, 11 + 5);
        fixture_done(&f);
}

static void test_what_has_to_be_asked_about_is_loaded_anew_behind_those_before_it(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_show(&f, 0, 6);
        fake_batch_wanting = 4;
        fixture_load(&f, 3);
        fixture_store_all(&f, 6);
        assert_int_equal(fake_batch_decoded, 6 + 3);
        fake_batch_wanting = 7;
        fixture_show(&f, 6, 8);
        fixture_load(&f, 8); /* the first one: all of it */
        fixture_store_all(&f, 8);
        fixture_done(&f);
}

/* Some of it was read otherwise meanwhile. */
static void test_a_new_start_keeps_what_is_ahead_unless_it_is_to_be_forgotten(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_load(&f, 3);
        fixture_show(&f, 3, 6);
        lane_restart(f.lane, 0);
        fixture_store_all(&f, 6);
        assert_int_equal(fake_batch_decoded, 6 + 3);
        fixture_show(&f, 6, 9);
        lane_forget_ahead(f.lane);
        lane_restart(f.lane, 6);
        fixture_store_all(&f, 9);
        assert_int_equal(fake_batch_decoded, 12 + 3);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_batches_follow_each_other),
                cmocka_unit_test(test_lost_answer_leaves_the_next_batch_where_it_is),
                cmocka_unit_test(test_loss_between_two_batches_costs_neither),
                cmocka_unit_test(test_lost_answers_of_a_halved_batch_move_it_by_its_parts),
                cmocka_unit_test(test_stretch_without_records_is_passed),
                cmocka_unit_test(test_what_was_shown_ahead_is_stored_without_being_decoded_again),
                cmocka_unit_test(test_what_finds_no_room_is_decoded_again_and_in_its_order),
                cmocka_unit_test(
                        test_what_has_to_be_asked_about_is_loaded_anew_behind_those_before_it),
                cmocka_unit_test(test_a_new_start_keeps_what_is_ahead_unless_it_is_to_be_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
