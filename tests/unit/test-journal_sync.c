/* JournalSync: what was appended reaches the disk, in order, and a disk that fails is said to. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal_options.h"
#include "gateway/journal/journal_sync.h"
#include "model/metrics.h"

#define PATIENCE_US INT64_C(20000000)

static char dir[64];
static int dir_fd;
static FillLevel water;
static JournalSync sync_;
static Segment *segments[2];
static _Atomic bool is_broken;

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
        (void)fd;
        if (atomic_load(&is_broken)) {
                errno = EIO;
                return -1;
        }
        return 0;
}

static Segment *new_segment(uint64_t index) {
        const SegmentIdentity identity = { .epoch = 1, .salt = 2 };
        const SegmentSpec spec = { .index = index,
                                   .first_seq = 1000 * index,
                                   .before_seq = 1,
                                   .size = SEGMENT_MIN_BYTES };
        Segment *segment = NULL;

        assert_int_equal(segment_create(&segment, dir_fd, &identity, &spec), 0);
        return segment;
}

static void append(Segment *segment, uint64_t seq) {
        SegmentRecord record = { .type = SEGMENT_MESSAGE, .seq = seq };
        const SegmentBody body = { .topic = TEXT("a/b"), .payload = TEXT("1") };

        segment_append(segment, &record, segment_body_crc(segment->seed, &body), &body);
        journal_sync_note(&sync_);
}

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1);
        metrics_reset();
        atomic_store(&is_broken, false);
        strcpy(dir, "/tmp/tidegate-sync-XXXXXX");
        assert_non_null(mkdtemp(dir));
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fill_level_init(&water, dir_fd, 1 << 30, 0);
        segments[0] = new_segment(1);
        segments[1] = NULL;
        sync_ = (JournalSync)JOURNAL_SYNC_INIT;
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        journal_sync_done(&sync_);
        for (size_t i = 0; i < 2; ++i) {
                if (segments[i])
                        segment_unlink_file(segments[i]);
                segment_unref(segments[i]);
        }
        close(dir_fd);
        rmdir(dir);
        return 0;
}

static void start(void) {
        assert_int_equal(journal_sync_start(&sync_, &water, 1), 0);
        journal_sync_begin_at(&sync_, segments[0]);
}

/* Until the disk was asked so often, as is counted. */
static void wait_for(int64_t n) {
        int64_t until_us = clock_mono_us() + PATIENCE_US;

        while (metric_get(METRIC_JOURNAL_FSYNCS) < n && clock_mono_us() < until_us)
                sched_yield();
        assert_int_equal(metric_get(METRIC_JOURNAL_FSYNCS), n);
}

static void test_what_was_appended_is_on_the_disk_soon(void **state) {
        (void)state;
        start();
        append(segments[0], 1000);
        wait_for(1);
        append(segments[0], 1001);
        wait_for(2);
        assert_false(fill_level_is_broken(&water));
}

/* A segment that has a next one is complete, and is written before it. */
static void test_it_follows_from_segment_to_segment(void **state) {
        (void)state;
        start();
        segments[1] = new_segment(2);
        append(segments[0], 1000);
        segment_link(segments[0], segments[1]);
        append(segments[1], 2000);
        journal_sync_done(&sync_);
        assert_int_equal(segments[0]->n_synced, atomic_load(&segments[0]->end));
        assert_int_equal(segments[1]->n_synced, atomic_load(&segments[1]->end));
}

static void test_the_end_writes_what_is_left(void **state) {
        (void)state;
        start();
        for (uint64_t i = 0; i < 50; ++i)
                append(segments[0], 1000 + i);
        journal_sync_done(&sync_);
        assert_int_equal(segments[0]->n_synced, atomic_load(&segments[0]->end));
        journal_sync_done(&sync_); /* twice is once */
        journal_sync_note(&sync_); /* and nobody is told any more */
}

static void test_one_that_never_ran_ends_as_well(void **state) {
        (void)state;
        journal_sync_note(&sync_);
        journal_sync_done(&sync_);
        assert_int_equal(metric_get(METRIC_JOURNAL_FSYNCS), 0);
}

/* What the kernel could not write it may have forgotten: only a new start reads what is there. */
static void test_a_disk_that_does_not_take_it_is_broken_for_good(void **state) {
        (void)state;
        append(segments[0], 1000);
        atomic_store(&is_broken, true);
        assert_int_equal(journal_sync_segment(&water, segments[0]), JOURNAL_E_FULL);
        assert_true(fill_level_is_broken(&water));
        atomic_store(&is_broken, false);
        assert_int_equal(journal_sync_segment(&water, segments[0]), 0);
        assert_true(fill_level_is_broken(&water));
        assert_int_equal(metric_get(METRIC_JOURNAL_FSYNCS), 1);
        assert_int_equal(journal_sync_segment(&water, segments[0]), 0); /* there is nothing to do */
        assert_int_equal(metric_get(METRIC_JOURNAL_FSYNCS), 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_what_was_appended_is_on_the_disk_soon),
                CASE(test_it_follows_from_segment_to_segment),
                CASE(test_the_end_writes_what_is_left),
                CASE(test_one_that_never_ran_ends_as_well),
                CASE(test_a_disk_that_does_not_take_it_is_broken_for_good),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
