#include "gateway/journal/journal_options.h"

#include <inttypes.h>

#include "base/log.h"
#include "gateway/journal/segment.h"

#define JOURNAL_MIN_BYTES (8 * SEGMENT_MIN_BYTES)
#define JOURNAL_PAGE      4096

/*
 * Segments must be small against the whole, or what is kept for redeliveries would hold the
 * journal at high water for ever: at least eight of them, and the reserve at most half.
 */
int journal_options_fit(JournalOptions *ret_options, const JournalOptions *options) {
        JournalOptions o = *options;

        if (!o.dir || o.max_bytes < JOURNAL_MIN_BYTES || o.segment_bytes < SEGMENT_MIN_BYTES ||
            o.segment_bytes > UINT32_MAX || o.reserve_bytes >= o.max_bytes ||
            (o.fsync == JOURNAL_FSYNC_INTERVAL && o.fsync_interval_ms <= 0)) {
                log_error("journal_options_invalid max_bytes=%" PRIu64 " segment_bytes=%" PRIu64
                          " reserve_bytes=%" PRIu64 " allowed=max_bytes>=%" PRIu64 ", "
                          "segment_bytes>=%" PRIu64 ", reserve_bytes<max_bytes",
                          o.max_bytes,
                          o.segment_bytes,
                          o.reserve_bytes,
                          JOURNAL_MIN_BYTES,
                          SEGMENT_MIN_BYTES);
                return JOURNAL_E_INVALID;
        }
        if (o.segment_bytes > o.max_bytes / 8)
                o.segment_bytes = o.max_bytes / 8;
        o.segment_bytes -= o.segment_bytes % JOURNAL_PAGE;
        o.max_bytes -= o.max_bytes % o.segment_bytes;
        if (o.reserve_bytes > o.max_bytes / 2)
                o.reserve_bytes = o.max_bytes / 2;
        if (o.reserve_bytes < o.segment_bytes) /* full must not come before high */
                o.reserve_bytes = o.segment_bytes;
        if (o.segment_bytes + JOURNAL_PAGE < options->segment_bytes ||
            o.reserve_bytes < options->reserve_bytes)
                log_warning("journal_options_adjusted segment_bytes=%" PRIu64
                            " reserve_bytes=%" PRIu64,
                            o.segment_bytes,
                            o.reserve_bytes);
        *ret_options = o;
        return 0;
}
