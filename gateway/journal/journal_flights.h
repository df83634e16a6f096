#pragma once

/*
 * JournalFlights: what of a journal is kept in the database, so that who goes on with the session
 * at the broker knows what that sends again; and what others kept there, put beside ours
 * (docs/decisions/092).
 *
 * Knows the records and the memory of packet ids, not the journal: journal_turn.c has that. Memory
 * of the caller, zeroed to begin with. Not thread-safe.
 */

#include "base/base.h"
#include "gateway/journal/segment.h"
#include "gateway/journal/sessions.h"

typedef struct JournalFlights JournalFlights;
typedef struct JournalLearner JournalLearner;
typedef struct JournalTaken JournalTaken;

struct JournalFlights {
        uint8_t *bytes; /* owned */
        size_t n_bytes, n_allocated;
};

/* Raw numbers of ours that others have stored, to be passed over. */
struct JournalTaken {
        uint64_t *seqs; /* owned */
        size_t n, n_allocated;
};

struct JournalLearner {
        Sessions *sessions;           /* borrowed */
        uint32_t seed;                /* of the checksums of our journal */
        bool is_new;                  /* it had nothing of its own */
        bool has_hole, is_first_pass; /* as of journal_learn() */
        uint64_t stored_seq;          /* raw: what of ours is behind it may not be stored yet */
};

enum { /* device_id of a SEGMENT_LEARNT */
       JOURNAL_LEARNT_HOLE = 1,
       JOURNAL_LEARNT_FIRST = 2,
       JOURNAL_LEARNT_BEGIN = 4,
       JOURNAL_LEARNT_OURS = 8,  /* held, and in our own journal as well */
       JOURNAL_LEARNT_TURN = 16, /* that is all up to a turn: its fence, of 8 bytes */
};

/* Adds what there is to say of the record, if anything. @is_late: it came before somebody else's
 * turn. False: no memory. */
bool journal_flights_add(JournalFlights *flights, const SegmentRecord *record, bool is_late);
void journal_flights_done(JournalFlights *flights);

/*
 * Flights that are *held*: on the disk of a journal that nobody takes in to any more, which has
 * them stored by and by (gateway/adoption.h). Whoever is sent one of them leaves it to that. They
 * begin with a mark that says so. False: no memory.
 */
bool journal_flights_begin_held(JournalFlights *flights);
bool journal_flights_are_held(Text flights);
/* As journal_flights_learn(), of these. What was used for another message since is left alone;
 * @noted: gets, as held ones, those that are known from now on; @ours: those that were put into
 * @taken. */
void journal_flights_hold(const JournalLearner *learner,
                          Text flights,
                          JournalTaken *taken,
                          JournalFlights *noted,
                          JournalFlights *ours);

/* @taken: gets those of ours that are among them; NULL: these are of no interest. */
void journal_flights_learn(const JournalLearner *learner, Text flights, JournalTaken *taken);
/* A record of what was learnt, at a start. */
void journal_flights_recover(Sessions *sessions,
                             uint32_t seed,
                             const SegmentRecord *record,
                             bool is_new,
                             JournalTaken *taken);

void journal_taken_sort(JournalTaken *taken);
/* Ascending numbers, one after the other; *i begins with 0. */
bool journal_taken_has(const JournalTaken *taken, size_t *i, uint64_t seq);
void journal_taken_done(JournalTaken *taken);
