/* JournalOptions: whatever is asked for, the segments are small against the whole. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "gateway/journal/journal_options.h"
#include "gateway/journal/segment.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static JournalOptions usual(void) {
        return (JournalOptions){ .dir = "/nowhere",
                                 .max_bytes = GIB,
                                 .segment_bytes = 64 * MIB,
                                 .reserve_bytes = 128 * MIB,
                                 .fsync = JOURNAL_FSYNC_INTERVAL,
                                 .fsync_interval_ms = 10 };
}

static void test_what_fits_stays_as_it_is(void **state) {
        const JournalOptions options = usual();
        JournalOptions fit;

        (void)state;
        assert_int_equal(journal_options_fit(&fit, &options), 0);
        assert_string_equal(fit.dir, options.dir);
        assert_int_equal(fit.max_bytes, options.max_bytes);
        assert_int_equal(fit.segment_bytes, options.segment_bytes);
        assert_int_equal(fit.reserve_bytes, options.reserve_bytes);
        assert_int_equal(fit.fsync_interval_ms, options.fsync_interval_ms);
}

static void test_what_contradicts_itself_is_refused_and_nothing_is_answered(void **state) {
        JournalOptions bad[] = { usual(), usual(), usual(), usual(), usual(), usual() };

        (void)state;
        bad[0].dir = NULL;
        bad[1].max_bytes = 8 * SEGMENT_MIN_BYTES - 1;
        bad[2].segment_bytes = SEGMENT_MIN_BYTES - 1;
        bad[3].segment_bytes = (uint64_t)UINT32_MAX + 1;
        bad[4].reserve_bytes = bad[4].max_bytes;
        bad[5].fsync_interval_ms = 0;
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                JournalOptions fit = { .keep_ms = 4711 };

                assert_int_equal(journal_options_fit(&fit, &bad[i]), JOURNAL_E_INVALID);
                assert_int_equal(fit.keep_ms, 4711);
        }
}

static void test_an_interval_matters_to_who_has_one(void **state) {
        JournalOptions options = usual(), fit;

        (void)state;
        options.fsync_interval_ms = 0;
        options.fsync = JOURNAL_FSYNC_ALWAYS;
        assert_int_equal(journal_options_fit(&fit, &options), 0);
        options.fsync = JOURNAL_FSYNC_NEVER;
        assert_int_equal(journal_options_fit(&fit, &options), 0);
}

/* Else what is kept for redeliveries would hold it at high water for ever. */
static void test_whatever_the_sizes_there_are_eight_segments_and_room_behind_high_water(
        void **state) {
        (void)state;
        for (uint64_t max = 8 * SEGMENT_MIN_BYTES; max < 64 * GIB; max = max * 3 / 2 + 1)
                for (uint64_t segment = SEGMENT_MIN_BYTES; segment <= GIB;
                     segment = segment * 2 + 1)
                        for (uint64_t reserve = 0; reserve < max; reserve = reserve * 4 + 1) {
                                JournalOptions options = usual(), fit;

                                options.max_bytes = max;
                                options.segment_bytes = segment;
                                options.reserve_bytes = reserve;
                                assert_int_equal(journal_options_fit(&fit, &options), 0);
                                assert_true(fit.max_bytes <= max && fit.segment_bytes <= segment);
                                assert_true(fit.max_bytes / fit.segment_bytes >= 8);
                                assert_int_equal(fit.max_bytes % fit.segment_bytes, 0);
                                assert_int_equal(fit.segment_bytes % 4096, 0);
                                assert_true(fit.reserve_bytes >= fit.segment_bytes);
                                assert_true(fit.reserve_bytes <= fit.max_bytes / 2);
                        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_fits_stays_as_it_is),
                cmocka_unit_test(test_what_contradicts_itself_is_refused_and_nothing_is_answered),
                cmocka_unit_test(test_an_interval_matters_to_who_has_one),
                cmocka_unit_test(
                        test_whatever_the_sizes_there_are_eight_segments_and_room_behind_high_water),
        };

        log_set_level(LOG_LEVEL_ERROR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
