#pragma once

/*
 * JournalCursor: where readers are in the list of segments.
 *
 * Readers name a place by its number; this remembers the places where the last few reads ended, so
 * that each of them goes on without a search. Belongs to the reader's thread.
 */

#include "base/base.h"
#include "gateway/journal/segment.h"

#define JOURNAL_CURSOR_PLACES 4

typedef struct JournalCursor JournalCursor;
typedef struct JournalPlace JournalPlace;

struct JournalPlace {
        Segment *segment; /* borrowed from the list; NULL = no place */
        size_t offset;    /* behind the record with the number @seq */
        uint64_t seq;
        const SegmentRecord *record; /* that record, where its last message may not be the one with
                                        that number; NULL = look at what is behind */
};

struct JournalCursor {
        JournalPlace places[JOURNAL_CURSOR_PLACES];
        size_t i_next; /* to be overwritten */
};

/* The place behind @after_seq. @oldest may be NULL: nothing is there. */
JournalPlace journal_cursor_find(const JournalCursor *cursor, Segment *oldest, uint64_t after_seq);
void journal_cursor_keep(JournalCursor *cursor, uint64_t after_seq, const JournalPlace *place);
void journal_cursor_drop(JournalCursor *cursor, const Segment *segment); /* it goes */

void journal_cursor_forget(JournalCursor *cursor);

/* See journal_count_some(). */
uint64_t journal_cursor_count(JournalCursor *cursor,
                              Segment *oldest,
                              uint64_t *after_seq,
                              uint64_t last_seq,
                              size_t n_max);

/* As the next, and any other record as well, which a number of its own names. */
const SegmentRecord *journal_place_next_any(JournalPlace *place);
/* The record of the next message, whose number is place->seq then, from segment to segment; NULL:
 * none yet. */
const SegmentRecord *journal_place_next(JournalPlace *place);
