#include "gateway/journal/journal_copy.h"

#include <stdatomic.h>

#include "base/err.h"

/* Up to the last whole record: behind it is what was never written. */
static void journal_copy_end(Segment *segment) {
        size_t offset = 0, end = SEGMENT_HEADER_BYTES, n_skipped;
        const SegmentRecord *record;
        uint64_t last_seq = 0;

        while ((record = segment_read(segment, &offset, last_seq, &n_skipped))) {
                end = offset;
                last_seq = segment_record_last(record);
        }
        segment_end_at(segment, end, last_seq, false);
}

int journal_copy_segments(const JournalDir *dir, Segment **ret_oldest) {
        CLEANUP(segment_unref) Segment *oldest = NULL;
        Segment *newest = NULL;

        for (size_t i = 0; i < dir->n_names; ++i) {
                CLEANUP(segment_unref) Segment *segment = NULL;
                int r;

                r = segment_copy(&segment, dir->fd, dir->names[i], &dir->identity);
                if (r == -ENOENT || r == SEGMENT_E_INVALID)
                        continue;
                if (r != 0)
                        return err_up(r);
                journal_copy_end(segment);
                if (atomic_load(&segment->last_seq) == 0)
                        continue;
                if (newest)
                        segment_link(newest, segment);
                else
                        oldest = segment_ref(segment);
                newest = segment;
        }
        *ret_oldest = TAKE(&oldest);
        return 0;
}
