#include "gateway/journal/fill_level.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <sys/statvfs.h>

#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"

#define FILL_LEVEL_CHECK_US 250000

static void fill_level_look(FillLevel *water) {
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

void fill_level_init(FillLevel *water, int dir_fd, uint64_t high_bytes, uint64_t min_free_bytes) {
        *water = (FillLevel){
                .dir_fd = dir_fd,
                .high_bytes = high_bytes,
                .low_bytes = high_bytes - high_bytes / 10,
                .min_free_bytes = min_free_bytes,
        };
        fill_level_look(water);
        metric_set(METRIC_JOURNAL_FULL, 0);
}

/* Whoever moves the time of the last look is the one to look. */
static void fill_level_check(FillLevel *water, int64_t now_us) {
        int64_t checked_us = atomic_load_explicit(&water->checked_us, memory_order_relaxed);

        if (now_us - checked_us < FILL_LEVEL_CHECK_US && now_us >= checked_us)
                return;
        if (atomic_compare_exchange_strong(&water->checked_us, &checked_us, now_us))
                fill_level_look(water);
}

static const char *fill_level_reason(const FillLevel *water) {
        if (water->is_broken)
                return "failed";
        return water->is_disk_low ? "disk" : "max_bytes";
}

bool fill_level_is_high(FillLevel *water, uint64_t used_bytes, int64_t now_us) {
        bool was_high = atomic_load_explicit(&water->is_high, memory_order_relaxed);
        bool is_high;

        fill_level_check(water, now_us);
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
                            fill_level_reason(water),
                            used_bytes,
                            water->high_bytes,
                            water->free_bytes);
        else
                log_info("journal_low used=%" PRIu64 " free=%" PRIu64,
                         used_bytes,
                         water->free_bytes);
        return is_high;
}

bool fill_level_allows(FillLevel *water, uint64_t n_bytes) {
        fill_level_look(water);
        return water->free_bytes >= n_bytes + water->min_free_bytes / 2;
}

bool fill_level_wants_room(const FillLevel *water) {
        return atomic_load_explicit(&water->free_bytes, memory_order_relaxed) <
               water->min_free_bytes + water->min_free_bytes / 10;
}

void fill_level_break(FillLevel *water, const char *what, int error) {
        if (atomic_exchange(&water->is_broken, true))
                return;
        metric_set(METRIC_JOURNAL_FAILED, 1);
        log_error("journal_failed at=%s error=\"%s\" hint=\"check the disk; what was acknowledged "
                  "is "
                  "in the journal, and the next start reads it\"",
                  what,
                  err_text(-error));
}

bool fill_level_passes(int error) {
        return error == ENOSPC || error == EDQUOT || error == EFBIG || error == EMFILE ||
               error == ENFILE || error == ENOMEM || error == EAGAIN || error == EINTR;
}

bool fill_level_is_broken(const FillLevel *water) {
        return atomic_load_explicit(&water->is_broken, memory_order_relaxed);
}
