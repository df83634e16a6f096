/* Journal: the end that is read, confirmed and let go. */

#include <inttypes.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_state.h"
#include "model/metrics.h"

/* Cut to what was written, so that a start finds no unused end, and the disk has it back. */
static void journal_seal_active(Journal *journal) {
        Segment *active = journal->active;

        if (!active)
                return;
        if (active->last_seq == 0)
                segment_unlink_file(active);
        else
                segment_end_at(active, active->end, active->last_seq, true);
        journal->active = segment_unref(active);
}

void journal_seal(Journal *journal) {
        uint64_t missing_seq = journal_numbers_shifted(&journal->numbers, journal->missing_seq);
        uint64_t stored_seq = journal->note.seq;

        journal_seal_active(journal);
        /* Who takes the files away now takes nothing. */
        if (stored_seq >= journal_last_seq(journal) && stored_seq >= missing_seq)
                journal_note_put(&journal->newest_note, 0);
}

/* @raw_seq: of which message of it. */
static void journal_fill(const Journal *journal,
                         JournalRecord *ret_record,
                         const SegmentRecord *record,
                         uint64_t raw_seq) {
        bool is_several = (record->flags & SEGMENT_SEVERAL) != 0;

        *ret_record = (JournalRecord){
                .seq = journal_numbers_shifted(&journal->numbers, raw_seq),
                .received_us = record->received_us,
                .door = (Door)record->door,
                .kind = (Kind)record->kind,
                .device_id = is_several ? 0 : record->device_id,
                .sender_key = segment_sender_key(record),
                .place = (uint32_t)(raw_seq - record->seq),
                .n_messages = (uint32_t)segment_record_messages(record),
                .is_retained = (record->flags & SEGMENT_RETAINED) != 0,
                .topic = segment_topic(record),
                .payload = segment_payload(record),
        };
}

size_t journal_read(Journal *journal,
                    uint64_t after_seq,
                    JournalRecord ret_records[],
                    size_t n_max,
                    size_t max_bytes) {
        Segment *oldest = atomic_load(&journal->oldest);
        uint64_t after_raw = journal_numbers_raw(&journal->numbers, after_seq);
        JournalPlace place = journal_cursor_find(&journal->cursor, oldest, after_raw);
        size_t n = 0, n_bytes = 0;

        while (n < n_max) {
                JournalPlace ahead = place;
                const SegmentRecord *record = journal_place_next(&ahead);
                size_t n_more = record ? record->length / segment_record_messages(record) : 0;

                if (record && n > 0 && n_bytes + n_more > max_bytes)
                        break;
                if (!record) {
                        ahead.seq = place.seq;
                        ahead.record = NULL;
                }
                place = ahead;
                if (!record)
                        break;
                journal_fill(journal, &ret_records[n++], record, place.seq);
                n_bytes += n_more;
        }
        if (place.segment)
                journal_cursor_keep(&journal->cursor, after_raw, &place);
        return n;
}

uint64_t journal_count_after(Journal *journal, uint64_t after_seq) {
        Segment *oldest = atomic_load(&journal->oldest);
        uint64_t after_raw = journal_numbers_raw(&journal->numbers, after_seq);
        JournalPlace place = journal_cursor_find(&journal->cursor, oldest, after_raw);
        uint64_t n = 0;

        while (journal_place_next(&place))
                ++n;
        return n;
}

static int journal_numbers_failed(Journal *journal, int r) {
        log_error("journal_numbers_failed errno=%d", -r);
        if (!fill_level_passes(-r))
                fill_level_break(&journal->water, "numbers", -r);
        return JOURNAL_E_FULL;
}

int journal_doubt(Journal *journal) {
        int r;

        pthread_mutex_lock(&journal->lock);
        r = journal_numbers_doubt(&journal->numbers, journal->next_seq);
        pthread_mutex_unlock(&journal->lock);
        return r == 0 ? 0 : journal_numbers_failed(journal, r);
}

/* {lock} Of the first message behind it, which may be far behind; or that will be given out next.
 */
static uint64_t journal_raw_behind(const Journal *journal, uint64_t after_raw) {
        Segment *oldest = atomic_load(&journal->oldest);
        JournalPlace place = journal_cursor_find(&journal->cursor, oldest, after_raw);

        return journal_place_next(&place) ? place.seq : journal->next_seq;
}

int journal_confirm(Journal *journal, uint64_t stored_seq, uint64_t position, uint64_t *ret_by) {
        uint64_t stored_raw = journal_numbers_raw(&journal->numbers, stored_seq);
        uint64_t from, to;
        int r;

        pthread_mutex_lock(&journal->lock);
        from = to = journal->next_seq;
        if (stored_seq == 0 && position < journal->shown_seq)
                position = journal->shown_seq;
        r = journal_numbers_judge(&journal->numbers,
                                  stored_seq > 0 ? journal_raw_behind(journal, stored_raw) : 0,
                                  from,
                                  position,
                                  &to,
                                  ret_by);
        journal->next_seq = to;
        /* So that what has been shifted can go one day, and its shift with it. */
        if (r == 0 && *ret_by > 0 && journal_numbers_are_many(&journal->numbers))
                journal->active = segment_unref(journal->active);
        pthread_mutex_unlock(&journal->lock);

        if (r != 0)
                return journal_numbers_failed(journal, r);
        if (to != from) /* whoever knows what is stored says himself what that means */
                log_write(stored_seq == 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                          "journal_behind_database position=%" PRIu64 " next=%" PRIu64
                          " continues_at=%" PRIu64 " renumbered=%s",
                          position,
                          from,
                          to,
                          *ret_by > 0 ? "yes" : "no");
        return 0;
}

int journal_poll_fd(Journal *journal, uint64_t after_seq) {
        eventfd_t ignored;

        (void)eventfd_read(journal->wake_fd, &ignored);
        atomic_store(&journal->is_reader_waiting, true);
        if (journal_last_seq(journal) <= after_seq)
                return journal->wake_fd;
        atomic_store(&journal->is_reader_waiting, false);
        return -1;
}

static void journal_drop_oldest(Journal *journal, Segment *oldest) {
        Segment *next = segment_next(oldest);
        size_t offset = 0, n_skipped;
        const SegmentRecord *first;

        do
                first = segment_read(next, &offset, 0, &n_skipped);
        while (first && first->type != SEGMENT_MESSAGE);
        if (first)
                atomic_store(&journal->first_seq, first->seq);
        journal_cursor_drop(&journal->cursor, oldest);
        journal_cursor_drop(&journal->counting, oldest);
        journal_cursor_drop(&journal->flying, oldest);
        journal_keep_drop(&journal->keep, oldest);
        atomic_store(&journal->oldest, segment_ref(next));
        journal_space_add(&journal->space, -(int64_t)oldest->n_map, -1);
        segment_unlink_file(oldest);
        segment_unref(oldest);
}

bool journal_is_tight(const Journal *journal) {
        uint64_t n_bytes = journal->options.segment_bytes;

        return journal_space_allocated(&journal->space, &journal->keep) + n_bytes >
                       journal->water.high_bytes ||
               fill_level_wants_room(&journal->water);
}

static void journal_prune_numbers(Journal *journal) {
        pthread_mutex_lock(&journal->lock);
        journal_numbers_prune(&journal->numbers, atomic_load(&journal->first_seq));
        pthread_mutex_unlock(&journal->lock);
}

/*
 * What may yet be redelivered is among the newest records, as much as one full segment of them,
 * and has to be found again after a restart. Where shifts are to be forgotten, the newest segment
 * must do: it begins with it.
 */
void journal_commit(Journal *journal, uint64_t seq) {
        uint64_t raw = journal_numbers_raw(&journal->numbers, seq);
        bool is_short = journal_numbers_are_many(&journal->numbers);
        Segment *oldest = atomic_load(&journal->oldest);
        bool is_tight;

        journal_keep_pass(&journal->keep,
                          oldest,
                          raw,
                          is_short ? 0 : journal->options.segment_bytes);
        while (journal_keep_may_drop(&journal->keep,
                                     oldest,
                                     is_tight = is_short || journal_is_tight(journal))) {
                metric_add(METRIC_JOURNAL_KEPT_DROPPED, is_tight);
                journal_drop_oldest(journal, oldest);
                if (is_short)
                        journal_prune_numbers(journal);
                is_short = journal_numbers_are_many(&journal->numbers);
                oldest = atomic_load(&journal->oldest);
        }
        (void)journal_is_high(journal);
}

void journal_look(Journal *journal, int64_t now_us) {
        Segment *oldest = atomic_load(&journal->oldest);

        if (!journal_gone_look(&journal->gone,
                               &journal->dir,
                               oldest,
                               journal_stored_seq(journal),
                               now_us))
                return;
        pthread_mutex_lock(&journal->lock);
        if (journal->active && journal->active->is_gone)
                journal->active = segment_unref(journal->active);
        pthread_mutex_unlock(&journal->lock);
}

void journal_rewind(Journal *journal, uint64_t seq) {
        journal_keep_forget(&journal->keep);
        journal_commit(journal, seq);
}

void journal_note_stored(Journal *journal, uint64_t seq) {
        journal_note_set(&journal->note, seq);
        atomic_store_explicit(&journal->stored_seq,
                              journal_numbers_raw(&journal->numbers, seq),
                              memory_order_relaxed);
}

uint64_t journal_stored_seq(const Journal *journal) {
        return atomic_load_explicit(&journal->stored_seq, memory_order_relaxed);
}

uint64_t journal_noted_seq(const Journal *journal) {
        return journal->note.seq;
}

void journal_begin_writer(Journal *journal, const char *id) {
        journal_writers_begin(&journal->writers,
                              journal->dir.fd,
                              id,
                              journal_recovered_seq(journal));
}

/* Of a new journal it is known where the numbers begin. */
void journal_begin_run(Journal *journal, const char *id) {
        uint64_t last_seq = journal_recovered_seq(journal);

        journal_writers_begin_run(&journal->writers,
                                  journal->dir.fd,
                                  id,
                                  last_seq > 0 ? last_seq : journal_begin_seq(journal));
}

JournalWriters *journal_writers(Journal *journal) {
        return &journal->writers;
}

void journal_hold(Journal *journal, uint64_t seq) {
        journal->keep.hold_seq =
                seq == UINT64_MAX ? seq : journal_numbers_raw(&journal->numbers, seq);
}

bool journal_find_hole(const Journal *journal,
                       uint64_t after_seq,
                       uint64_t *ret_after_seq,
                       uint64_t *ret_last_seq) {
        uint64_t raw = journal_numbers_raw(&journal->numbers, after_seq);
        uint64_t after, last;

        if (!journal_keep_find_hole(atomic_load(&journal->oldest),
                                    journal->missing_seq,
                                    raw,
                                    &after,
                                    &last))
                return false;
        *ret_after_seq =
                after == raw ? after_seq : journal_numbers_shifted(&journal->numbers, after);
        *ret_last_seq = journal_numbers_shifted(&journal->numbers, last);
        return true;
}

uint64_t journal_count_some(Journal *journal,
                            uint64_t *after_seq,
                            uint64_t last_seq,
                            size_t n_max) {
        uint64_t last_raw = journal_numbers_raw(&journal->numbers, last_seq);
        uint64_t raw = journal_numbers_raw(&journal->numbers, *after_seq);
        Segment *oldest = atomic_load(&journal->oldest);
        uint64_t n;

        n = journal_cursor_count(&journal->counting, oldest, &raw, last_raw, n_max);
        *after_seq = raw == last_raw ? last_seq : journal_numbers_shifted(&journal->numbers, raw);
        return n;
}
