#include "gateway/journal/journal_water.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <sys/statvfs.h>

#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"

#define JOURNAL_WATER_CHECK_US 250000

static void journal_water_look(JournalWater *water) {
        struct statvfs st;
        uint64_t n_free;

        if (fstatvfs(water->dir_fd, &st) < 0)
                return;
        n_free = (uint64_t)st.f_bavail * st.f_frsize;
        water->free_bytes = n_free;
        if (n_free < water->min_free_bytes)
                water->is_disk_low = true;
        else if (n_free >= water->min_free_bytes + water->min_free_bytes / 10)
                water->is_disk_low = false;
}

void journal_water_init(JournalWater *water,
                        int dir_fd,
                        uint64_t high_bytes,
                        uint64_t min_free_bytes) {
        *water = (JournalWater){
                .dir_fd = dir_fd,
                .high_bytes = high_bytes,
                .low_bytes = high_bytes - high_bytes / 10,
                .min_free_bytes = min_free_bytes,
        };
        journal_water_look(water);
        metric_set(METRIC_JOURNAL_FULL, 0);
}

/* Whoever moves the time of the last look is the one to look. */
static void journal_water_check(JournalWater *water, int64_t now_us) {
        int64_t checked_us = atomic_load_explicit(&water->checked_us, memory_order_relaxed);

        if (now_us - checked_us < JOURNAL_WATER_CHECK_US && now_us >= checked_us)
                return;
        if (atomic_compare_exchange_strong(&water->checked_us, &checked_us, now_us))
                journal_water_look(water);
}

static const char *journal_water_reason(const JournalWater *water) {
        if (water->is_broken)
                return "failed";
        return water->is_disk_low ? "disk" : "max_bytes";
}

bool journal_water_is_high(JournalWater *water, uint64_t used_bytes, int64_t now_us) {
        bool was_high = atomic_load_explicit(&water->is_high, memory_order_relaxed);
        bool is_high;

        journal_water_check(water, now_us);
        is_high = atomic_load_explicit(&water->is_broken, memory_order_relaxed) ||
                  atomic_load_explicit(&water->is_disk_low, memory_order_relaxed) ||
                  used_bytes >= (was_high ? water->low_bytes : water->high_bytes);
        if (is_high == was_high ||
            !atomic_compare_exchange_strong(&water->is_high, &was_high, is_high))
                return is_high;

        metric_set(METRIC_JOURNAL_FULL, is_high && !water->is_broken);
        if (is_high)
                log_warning("journal_high reason=%s used=%" PRIu64 " high=%" PRIu64
                            " free=%" PRIu64,
                            journal_water_reason(water),
                            used_bytes,
                            water->high_bytes,
                            water->free_bytes);
        else
                log_info("journal_low used=%" PRIu64 " free=%" PRIu64,
                         used_bytes,
                         water->free_bytes);
        return is_high;
}

bool journal_water_allows(JournalWater *water, uint64_t n_bytes) {
        journal_water_look(water);
        return water->free_bytes >= n_bytes + water->min_free_bytes / 2;
}

bool journal_water_wants_room(const JournalWater *water) {
        return atomic_load_explicit(&water->free_bytes, memory_order_relaxed) <
               water->min_free_bytes + water->min_free_bytes / 10;
}

void journal_water_break(JournalWater *water, const char *what, int error) {
        if (atomic_exchange(&water->is_broken, true))
                return;
        metric_set(METRIC_JOURNAL_FAILED, 1);
        log_error("journal_failed at=%s error=\"%s\" hint=\"check the disk; what was acknowledged "
                  "is "
                  "in the journal, and the next start reads it\"",
                  what,
                  err_text(-error));
}

bool journal_water_passes(int error) {
        return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE ||
               error == ENOMEM || error == EAGAIN || error == EINTR;
}

bool journal_water_is_broken(const JournalWater *water) {
        return atomic_load_explicit(&water->is_broken, memory_order_relaxed);
}
