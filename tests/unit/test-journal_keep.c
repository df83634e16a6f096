/* JournalKeep: what is stored stays for its time, and gives way to what needs the room. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/journal/journal_keep.h"
#include "model/metrics.h"

#define N       5
#define BYTES   1000
#define KEEP_MS 60000

static int64_t now_us;
static Segment segments[N]; /* each has the numbers 10 * i + 1 to 10 * i + 10 */
static JournalKeep keep;
static uint64_t used; /* before the first that is to come */

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

static int set_up(void **state) {
        (void)state;
        now_us = 1000000;
        memset(segments, 0, sizeof(segments));
        for (size_t i = 0; i < N; ++i) {
                segments[i].n_map = BYTES;
                segments[i].index = i + 1;
                segments[i].first_seq = 10 * i + 1;
                segments[i].before_seq = 10 * i;
                atomic_store(&segments[i].last_seq, 10 * i + 10);
                atomic_store(&segments[i].end, 500); /* of the newest that counts */
                atomic_store(&segments[i].next, i + 1 < N ? &segments[i + 1] : NULL);
        }
        used = 0;
        metrics_reset();
        journal_keep_init(&keep, KEEP_MS);
        return 0;
}

static size_t n_to_go(bool is_room_needed) {
        size_t n = 0;

        while (n < N && journal_keep_may_drop(&keep, &segments[n], is_room_needed))
                ++n;
        return n;
}

static void test_nothing_goes_before_it_is_known_what_is_stored(void **state) {
        (void)state;
        now_us += KEEP_MS * INT64_C(1000);
        assert_int_equal(n_to_go(true), 0);
        journal_keep_pass(&keep, segments, 40, 0);
        assert_int_equal(n_to_go(true), 4);
        journal_keep_forget(&keep); /* the database is another one */
        assert_int_equal(n_to_go(true), 0);
        assert_int_equal(metric_get(METRIC_JOURNAL_KEPT_BYTES), 0);
}

static void test_what_is_stored_stays_for_its_time_or_until_its_room_is_needed(void **state) {
        (void)state;
        journal_keep_pass(&keep, segments, 25, 0); /* the third is stored in part */
        assert_int_equal(metric_get(METRIC_JOURNAL_KEPT_BYTES), 2 * BYTES);
        assert_int_equal(n_to_go(false), 0);
        assert_int_equal(n_to_go(true), 2);
        now_us += KEEP_MS * INT64_C(1000) - 1;
        assert_int_equal(n_to_go(false), 0);
        now_us += 1;
        assert_int_equal(n_to_go(false), 2);
}

/* It is counted from when each was found to be stored. */
static void test_a_later_one_stays_longer(void **state) {
        (void)state;
        journal_keep_pass(&keep, segments, 10, 0);
        now_us += KEEP_MS * INT64_C(500);
        journal_keep_pass(&keep, segments, 30, 0);
        now_us += KEEP_MS * INT64_C(500);
        assert_int_equal(n_to_go(false), 1);
        now_us += KEEP_MS * INT64_C(500);
        assert_int_equal(n_to_go(false), 3);
}

static void test_the_newest_is_needed_and_so_is_the_tail(void **state) {
        (void)state;
        journal_keep_pass(&keep, segments, 50, 0);
        assert_int_equal(n_to_go(true), 4); /* never the one that is written */
        set_up(NULL);
        journal_keep_pass(&keep, segments, 50, 1500); /* one whole, and half of the newest */
        assert_int_equal(n_to_go(true), 3);
        set_up(NULL);
        journal_keep_pass(&keep, segments, 50, 1501);
        assert_int_equal(n_to_go(true), 2);
}

/* From it something that is missing is to be settled. */
static void test_what_is_held_outlives_its_time_but_not_the_need_for_room(void **state) {
        (void)state;
        journal_keep_pass(&keep, segments, 40, 0);
        keep.hold_seq = 20;
        now_us += KEEP_MS * INT64_C(1000);
        assert_int_equal(n_to_go(false), 2);
        assert_int_equal(n_to_go(true), 4);
}

static void test_what_goes_is_not_kept_any_more(void **state) {
        (void)state;
        journal_keep_pass(&keep, segments, 40, 0);
        journal_keep_drop(&keep, &segments[0]);
        assert_int_equal(metric_get(METRIC_JOURNAL_KEPT_BYTES), 3 * BYTES);
        journal_keep_pass(&keep, &segments[1], 50, 0); /* nothing is counted twice */
        assert_int_equal(metric_get(METRIC_JOURNAL_KEPT_BYTES), 3 * BYTES);
}

/* Segments of another configuration hold up nothing. */
static void test_of_recovered_ones_what_is_more_than_two_tails_is_no_fill(void **state) {
        (void)state;
        journal_keep_pass(&keep, segments, 50, 1000);
        assert_int_equal(atomic_load(&keep.n_excess), 0); /* they are of this run */
        set_up(NULL);
        for (size_t i = 0; i < N - 1; ++i)
                segments[i].is_recovered = true;
        journal_keep_pass(&keep, segments, 50, 700); /* of the last two; the fourth was recovered */
        assert_int_equal(atomic_load(&keep.n_excess), 0);
        set_up(NULL);
        for (size_t i = 0; i < N - 1; ++i)
                segments[i].is_recovered = true;
        segments[3].n_map = 10 * BYTES;
        journal_keep_pass(&keep, segments, 50, 700);
        assert_int_equal(atomic_load(&keep.n_excess), 10 * BYTES - 2 * 700);
}

static bool hole(size_t from, uint64_t after, uint64_t wanted_after, uint64_t wanted_last) {
        uint64_t after_seq = 0, last_seq = 0;

        if (!journal_keep_find_hole(&segments[from], used, after, &after_seq, &last_seq))
                return false;
        assert_int_equal(after_seq, wanted_after);
        assert_int_equal(last_seq, wanted_last);
        return true;
}

static void test_a_hole_is_what_no_segment_has(void **state) {
        (void)state;
        assert_false(hole(0, 0, 0, 0));
        assert_true(hole(2, 0, 0, 20)); /* the first two are gone */
        assert_true(hole(2, 15, 15, 20));
        assert_false(hole(2, 20, 0, 0));
        atomic_store(&segments[1].next, &segments[3]); /* the third was lost in the middle */
        assert_true(hole(0, 0, 20, 30));
        assert_true(hole(0, 25, 25, 30));
        assert_false(hole(0, 30, 0, 0));
}

/* The newest file is gone, and a later start remembers how far it went. */
static void test_what_was_used_behind_the_newest_is_a_hole_too(void **state) {
        (void)state;
        used = 10 * N;
        assert_false(hole(0, 0, 0, 0));
        used = 10 * N + 7;
        assert_true(hole(0, 0, 10 * N, 10 * N + 7));
        assert_true(hole(0, 10 * N + 3, 10 * N + 3, 10 * N + 7));
        assert_false(hole(0, 10 * N + 7, 0, 0));
}

/* A version that did not say what came before has written it. */
static void test_of_an_old_segment_the_numbers_tell(void **state) {
        (void)state;
        for (size_t i = 0; i < N; ++i)
                segments[i].before_seq = 0;
        assert_false(hole(0, 0, 0, 0)); /* the very first has none before it */
        assert_true(hole(1, 0, 0, 10));
        assert_false(hole(1, 10, 0, 0));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup(name, set_up)
        const struct CMUnitTest tests[] = {
                CASE(test_nothing_goes_before_it_is_known_what_is_stored),
                CASE(test_what_is_stored_stays_for_its_time_or_until_its_room_is_needed),
                CASE(test_a_later_one_stays_longer),
                CASE(test_the_newest_is_needed_and_so_is_the_tail),
                CASE(test_what_is_held_outlives_its_time_but_not_the_need_for_room),
                CASE(test_what_goes_is_not_kept_any_more),
                CASE(test_of_recovered_ones_what_is_more_than_two_tails_is_no_fill),
                CASE(test_a_hole_is_what_no_segment_has),
                CASE(test_what_was_used_behind_the_newest_is_a_hole_too),
                CASE(test_of_an_old_segment_the_numbers_tell),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
