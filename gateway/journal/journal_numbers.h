#pragma once

/*
 * JournalNumbers: which numbers a journal may give out, and what those it gave out stand for.
 *
 * Numbers are reserved in blocks, in the file `numbers`, before the first of a block is used: a
 * start continues behind all that can have been in use, also when a power cut took the end of the
 * journal, and whatever the clock says. The file has two places that are written in turn and
 * synced, so that one of them is always whole and writing never needs more of the disk.
 *
 * Where a run begins without having heard from the database, its numbers are unconfirmed: a journal
 * that was put back from a copy, or lost that file, can give out some that the database has passed
 * already. Nothing of them is stored or shown before journal_numbers_judge() was told the position.
 * If they are not above it, all of them are shifted there at once: the records stay as they are,
 * and the reader adds. That, too, is in the file before anything of it is stored, and what a run
 * could not have confirmed before it ended is judged again at the next start.
 *
 * "Raw" is a number as it is in a record. The append lock covers all but raw <-> shifted, which is
 * the reader's.
 */

#include "base/base.h"

#define JOURNAL_NUMBERS_SHIFTS 32

typedef struct JournalNumbers JournalNumbers;
typedef struct JournalShift JournalShift;

struct JournalShift {
        uint64_t from, to, by; /* each shift counts on top of those before it */
};

struct JournalNumbers {
        int dir_fd; /* borrowed */
        int fd;     /* -1 = not written yet */
        uint64_t epoch;
        uint64_t generation; /* of the file; 0 = there is none yet */
        uint64_t reserved;   /* all up to here may have been given out */
        uint64_t
                unconfirmed; /* the first raw number of which nothing can be stored yet; 0 = none */
        bool is_confirmed;   /* this run's */
        JournalShift shifts[JOURNAL_NUMBERS_SHIFTS]; /* never changed once they are counted */
        _Atomic size_t n_shifts;
};

#define JOURNAL_NUMBERS_INIT \
        { .fd = -1 }

/* Reads what is there: 0, or JOURNAL_E_INVALID (logged) if it cannot be read. Damage is logged. */
MUST_CHECK int journal_numbers_open(JournalNumbers *numbers, int dir_fd, uint64_t epoch);
void journal_numbers_close(JournalNumbers *numbers);

/* Where this start continues. @first_raw and @last_raw: of the records that are there; or 0. */
uint64_t journal_numbers_begin(JournalNumbers *numbers,
                               uint64_t first_raw,
                               uint64_t last_raw,
                               int64_t now_us);

/*
 * Shifts that no record is left of are forgotten: @first_raw is the first that is there. Where they
 * are many, what is only kept is let go for it. There is an end to them, which a run does not
 * outlive; the next start makes one of those of which nothing is stored.
 */
bool journal_numbers_are_many(const JournalNumbers *numbers);
void journal_numbers_prune(JournalNumbers *numbers, uint64_t first_raw);

/* All of [@next, @next + @n) will be given out, perhaps. 0, or a negative errno: not to be used. */
MUST_CHECK int journal_numbers_reserve(JournalNumbers *numbers, uint64_t next, uint64_t n);

/* None behind @last was given out yet, and none below @after will be: what is unconfirmed begins
 * there, if it began behind @last. 0, or a negative errno: nothing has changed. */
MUST_CHECK int journal_numbers_skip(JournalNumbers *numbers, uint64_t last, uint64_t after);

/* From @next on they are unconfirmed. 0, or a negative errno: nothing has changed. */
MUST_CHECK int journal_numbers_doubt(JournalNumbers *numbers, uint64_t next);

/*
 * The database is at @position, and nothing of the raw numbers from @from_raw on is stored there
 * (0: of those that are unconfirmed). @next: would be given out next; *ret_next: is, instead.
 * *ret_by: what they are shifted by. 0, or a negative errno: nothing has changed.
 */
MUST_CHECK int journal_numbers_judge(JournalNumbers *numbers,
                                     uint64_t from_raw,
                                     uint64_t next,
                                     uint64_t position,
                                     uint64_t *ret_next,
                                     uint64_t *ret_by);

/* *ret_next as that would say it, of those that are unconfirmed. */
uint64_t journal_numbers_next(const JournalNumbers *numbers, uint64_t next, uint64_t position);

uint64_t journal_numbers_shifted(const JournalNumbers *numbers, uint64_t raw);
/* The last raw number that is at or below @seq when it is shifted. */
uint64_t journal_numbers_raw(const JournalNumbers *numbers, uint64_t seq);
