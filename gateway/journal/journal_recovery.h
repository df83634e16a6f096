#pragma once

/*
 * JournalRecovery: what a journal finds on the disk when it is opened.
 *
 * Reads every record of every segment once: passes damage and reports it, cuts the torn tail,
 * removes segments without a record, and fills the memory of packet ids. A segment that is missing,
 * or another's, is reported and left out.
 */

#include "base/base.h"
#include "gateway/journal/journal_dir.h"
#include "gateway/journal/journal_flights.h"
#include "gateway/journal/segment.h"
#include "gateway/journal/sessions.h"

typedef struct JournalRecovery JournalRecovery;

struct JournalRecovery {
        Segment *oldest; /* owned; NULL = nothing is there */
        Segment *newest;
        size_t n_segments;
        uint64_t n_bytes;           /* of the files */
        uint64_t last_index;        /* of a segment */
        uint64_t empty_index;       /* of the last one that was removed; 0 = none */
        uint64_t last_seq;          /* used by any record */
        uint64_t first_message_seq; /* 0 = no message */
        uint64_t last_message_seq;
        uint64_t last_taken_seq;    /* of what was passed over, as others had stored it; 0 */
        uint64_t late_seq;          /* up to here it came before others had their turn */
        uint64_t known_turn;        /* up to which others' flights were learnt; 0 */
        uint64_t damaged_after_seq; /* damage lies behind this number ... */
        uint64_t damaged_until_seq; /* ... and before this one; 0 = there is none */
        size_t n_damaged_most;      /* records that it can have cost */
};

/* The newest was the one of @noted_index (0: not known): is it missing? Then that is reported, and
 * the next one follows it. */
bool journal_recover_misses(JournalRecovery *recovery, uint64_t noted_index);

/* @taken: gets what others were known to have stored of it, of which some may not be noted yet;
 * NULL: of no interest. */
MUST_CHECK int journal_recover(const JournalDir *dir,
                               Sessions *sessions,
                               JournalTaken *taken,
                               JournalRecovery *ret_recovery);
