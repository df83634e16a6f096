#include "gateway/journal/journal_keep.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "model/metrics.h"

void journal_keep_init(JournalKeep *keep, int keep_ms) {
        *keep = (JournalKeep){ .keep_us = keep_ms * INT64_C(1000), .hold_seq = UINT64_MAX };
}

static void journal_keep_account(JournalKeep *keep, uint64_t n_bytes) {
        atomic_store(&keep->n_bytes, n_bytes);
        metric_set(METRIC_JOURNAL_KEPT_BYTES, (int64_t)n_bytes);
}

/* Bytes of the segments behind @segment; of the newest only what it holds. */
static uint64_t journal_keep_bytes_behind(const Segment *segment) {
        uint64_t n = 0;

        while ((segment = segment_next(segment)))
                n += segment_next(segment) ? segment->n_map : atomic_load(&segment->end);
        return n;
}

static uint64_t journal_keep_excess(const Segment *at, uint64_t seq, uint64_t tail_bytes) {
        uint64_t n = 0;

        for (; at && at->is_recovered && atomic_load(&at->last_seq) <= seq; at = segment_next(at))
                n += at->n_map;
        return n > 2 * tail_bytes ? n - 2 * tail_bytes : 0;
}

void journal_keep_pass(JournalKeep *keep, Segment *oldest, uint64_t seq, uint64_t tail_bytes) {
        Segment *at = keep->needed ? keep->needed : oldest;
        uint64_t n_bytes = atomic_load(&keep->n_bytes);

        while (at && segment_next(at) && atomic_load(&at->last_seq) <= seq &&
               journal_keep_bytes_behind(at) >= tail_bytes) {
                at->stored_us = clock_mono_us();
                n_bytes += at->n_map;
                at = segment_next(at);
        }
        keep->needed = at;
        atomic_store(&keep->n_excess, journal_keep_excess(at, seq, tail_bytes));
        journal_keep_account(keep, n_bytes);
}

void journal_keep_forget(JournalKeep *keep) {
        keep->needed = NULL;
        atomic_store(&keep->n_excess, 0);
        journal_keep_account(keep, 0);
}

bool journal_keep_may_drop(const JournalKeep *keep, const Segment *oldest, bool is_room_needed) {
        if (!keep->needed || oldest == keep->needed)
                return false;
        if (is_room_needed)
                return true;
        return atomic_load(&oldest->last_seq) <= keep->hold_seq &&
               clock_mono_us() - oldest->stored_us >= keep->keep_us;
}

void journal_keep_drop(JournalKeep *keep, const Segment *oldest) {
        journal_keep_account(keep, atomic_load(&keep->n_bytes) - oldest->n_map);
}

/* Each segment says what the last number before it was, so that nothing has to be guessed. */
bool journal_keep_find_hole(const Segment *oldest,
                            uint64_t used_seq,
                            uint64_t after_seq,
                            uint64_t *ret_after_seq,
                            uint64_t *ret_last_seq) {
        uint64_t have_seq = 0;
        const Segment *at = oldest;

        for (;;) {
                uint64_t from = have_seq > after_seq ? have_seq : after_seq;
                uint64_t before = at ? at->before_seq : used_seq;

                /* A version that did not say has written it: only the very first has none. */
                if (at && before == 0 && at == oldest && at->index != 1)
                        before = at->first_seq - 1;
                if (before > from) {
                        *ret_after_seq = from;
                        *ret_last_seq = before;
                        return true;
                }
                if (!at)
                        return false;
                have_seq = atomic_load(&at->last_seq);
                at = segment_next(at);
        }
}
