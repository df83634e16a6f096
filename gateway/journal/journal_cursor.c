#include "gateway/journal/journal_cursor.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "base/log.h"

static Segment *journal_cursor_segment(Segment *oldest, uint64_t after_seq) {
        Segment *segment = oldest;

        while (segment) {
                Segment *next = segment_next(segment);

                if (!next || next->first_seq > after_seq)
                        break;
                segment = next;
        }
        return segment;
}

JournalPlace journal_cursor_find(const JournalCursor *cursor, Segment *oldest, uint64_t after_seq) {
        for (size_t i = 0; i < JOURNAL_CURSOR_PLACES; ++i)
                if (cursor->places[i].segment && cursor->places[i].seq == after_seq)
                        return cursor->places[i];
        return (JournalPlace){
                .segment = journal_cursor_segment(oldest, after_seq),
                .seq = after_seq,
        };
}

/* In place of the one that the read began at, so that each reader keeps one. */
void journal_cursor_keep(JournalCursor *cursor, uint64_t after_seq, const JournalPlace *place) {
        for (size_t i = 0; i < JOURNAL_CURSOR_PLACES; ++i)
                if (cursor->places[i].segment && cursor->places[i].seq == after_seq) {
                        cursor->places[i] = *place;
                        return;
                }
        cursor->places[cursor->i_next] = *place;
        cursor->i_next = (cursor->i_next + 1) % JOURNAL_CURSOR_PLACES;
}

void journal_cursor_drop(JournalCursor *cursor, const Segment *segment) {
        for (size_t i = 0; i < JOURNAL_CURSOR_PLACES; ++i)
                if (cursor->places[i].segment == segment)
                        cursor->places[i] = (JournalPlace){ 0 };
}

void journal_cursor_forget(JournalCursor *cursor) {
        *cursor = (JournalCursor){ 0 };
}

static const SegmentRecord *journal_place_read(JournalPlace *place) {
        size_t n_skipped;
        const SegmentRecord *record = place->record;

        if (record && place->seq < segment_record_last(record)) {
                ++place->seq;
                return record;
        }
        record = segment_read(place->segment, &place->offset, place->seq, &n_skipped);
        place->record = record;
        /* The place that was looked for may be between two messages of one record. */
        if (record)
                place->seq = place->seq < record->seq ? record->seq : place->seq + 1;
        /* What was damaged before the start has been reported then. */
        if (n_skipped > 0 && !place->segment->is_recovered)
                log_error("journal_damage file=%s bytes=%zu before=%" PRIu64,
                          place->segment->name,
                          n_skipped,
                          place->seq);
        return record;
}

const SegmentRecord *journal_place_next_any(JournalPlace *place) {
        while (place->segment) {
                /* Read first: once there is a next one, this one has all it will ever have. */
                Segment *next = segment_next(place->segment);
                const SegmentRecord *record = journal_place_read(place);

                if (record)
                        return record;
                if (!next)
                        return NULL;
                place->segment = next;
                place->offset = 0;
                place->record = NULL;
        }
        return NULL;
}

const SegmentRecord *journal_place_next(JournalPlace *place) {
        const SegmentRecord *record;

        do
                record = journal_place_next_any(place);
        while (record && record->type != SEGMENT_MESSAGE);
        return record;
}

uint64_t journal_cursor_count(JournalCursor *cursor,
                              Segment *oldest,
                              uint64_t *after_seq,
                              uint64_t last_seq,
                              size_t n_max) {
        JournalPlace place = journal_cursor_find(cursor, oldest, *after_seq);
        JournalPlace ahead = place;
        uint64_t n = 0;

        while (n < n_max) {
                const SegmentRecord *record = journal_place_next(&ahead);

                if (!record || ahead.seq > last_seq)
                        break;
                place = ahead;
                ++n;
        }
        if (n < n_max && place.seq < last_seq) {
                place.seq = last_seq;
                place.record = NULL;
        }
        if (place.segment)
                journal_cursor_keep(cursor, *after_seq, &place);
        *after_seq = place.seq;
        return n;
}
