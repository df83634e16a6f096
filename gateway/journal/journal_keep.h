#pragma once

/*
 * JournalKeep: which segments stay although all of them is stored, and when they go.
 *
 * They are what a database that is older than the journal is filled from again. They stay for a
 * time, which is counted from when they were found to be stored and by a clock that nobody sets,
 * and give way, the oldest first, as soon as their room is needed. The newest, in which what may
 * yet be redelivered is looked for, are not among them. Belongs to the reader's thread.
 */

#include "base/base.h"
#include "gateway/journal/segment.h"

typedef struct JournalKeep JournalKeep;

struct JournalKeep {
        int64_t keep_us;
        uint64_t hold_seq;        /* what is behind it stays longer */
        Segment *needed;          /* borrowed: the first that is not only kept; NULL = look again */
        _Atomic uint64_t n_bytes; /* of those that are only kept */
        /* Of the newest, when another configuration made them larger than what is to be kept of
         * them: they hold up nothing, or a journal that was made smaller would never take a message
         * again that would push them out. */
        _Atomic uint64_t n_excess;
};

void journal_keep_init(JournalKeep *keep, int keep_ms);

/* Everything up to @seq is stored. @tail_bytes: as much of the newest is needed anyway. */
void journal_keep_pass(JournalKeep *keep, Segment *oldest, uint64_t seq, uint64_t tail_bytes);
void journal_keep_forget(JournalKeep *keep); /* nothing is stored, so far as we know */

/* May the oldest one go? @is_room_needed: also before its time. */
bool journal_keep_may_drop(const JournalKeep *keep, const Segment *oldest, bool is_room_needed);
void journal_keep_drop(JournalKeep *keep, const Segment *oldest); /* it goes now */

/* See journal_find_hole(). @used_seq: may have been used before the first that is to come. */
bool journal_keep_find_hole(const Segment *oldest,
                            uint64_t used_seq,
                            uint64_t after_seq,
                            uint64_t *ret_after_seq,
                            uint64_t *ret_last_seq);
