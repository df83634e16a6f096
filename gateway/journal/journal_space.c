#include "gateway/journal/journal_space.h"

#include "model/metrics.h"

void journal_space_add(JournalSpace *space, int64_t n_bytes, int64_t n_segments) {
        uint64_t allocated = atomic_fetch_add(&space->n_allocated, (uint64_t)n_bytes);
        uint64_t segments = atomic_fetch_add(&space->n_segments, (uint64_t)n_segments);

        metric_set(METRIC_JOURNAL_BYTES, (int64_t)allocated + n_bytes);
        metric_set(METRIC_JOURNAL_SEGMENTS, (int64_t)segments + n_segments);
}

uint64_t journal_space_allocated(const JournalSpace *space, const JournalKeep *keep) {
        uint64_t n_excess = atomic_load_explicit(&keep->n_excess, memory_order_relaxed);
        uint64_t n_allocated = atomic_load_explicit(&space->n_allocated, memory_order_relaxed);

        return n_allocated > n_excess ? n_allocated - n_excess : 0;
}

uint64_t journal_space_used(const JournalSpace *space, const JournalKeep *keep) {
        uint64_t n_unused = atomic_load_explicit(&space->n_unused, memory_order_relaxed) +
                            atomic_load_explicit(&keep->n_bytes, memory_order_relaxed) +
                            atomic_load_explicit(&keep->n_excess, memory_order_relaxed);
        uint64_t n_allocated = atomic_load_explicit(&space->n_allocated, memory_order_relaxed);

        return n_allocated > n_unused ? n_allocated - n_unused : 0;
}
