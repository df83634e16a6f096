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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_batches_follow_each_other),
                cmocka_unit_test(test_lost_answer_leaves_the_next_batch_where_it_is),
                cmocka_unit_test(test_loss_between_two_batches_costs_neither),
                cmocka_unit_test(test_lost_answers_of_a_halved_batch_move_it_by_its_parts),
                cmocka_unit_test(test_stretch_without_records_is_passed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
