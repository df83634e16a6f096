#pragma once

/*
 * The inside of a Journal, for the two who know it: journal.c, which opens it and appends, and
 * journal_reader.c, which reads, confirms and lets go.
 *
 * What the reader alone touches is {reader}; what appending touches is {lock}. The rest is set once
 * when it is opened, or atomic.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/journal/fill_level.h"
#include "gateway/journal/journal_cursor.h"
#include "gateway/journal/journal_dir.h"
#include "gateway/journal/journal_flights.h"
#include "gateway/journal/journal_gone.h"
#include "gateway/journal/journal_keep.h"
#include "gateway/journal/journal_note.h"
#include "gateway/journal/journal_numbers.h"
#include "gateway/journal/journal_options.h"
#include "gateway/journal/journal_space.h"
#include "gateway/journal/journal_sync.h"
#include "gateway/journal/journal_writers.h"
#include "gateway/journal/segment.h"
#include "gateway/journal/sessions.h"

typedef struct Journal Journal;

struct Journal {
        JournalOptions options; /* as they apply; dir is not kept */
        char epoch[JOURNAL_EPOCH_SIZE];
        JournalDir dir;
        uint32_t seed;

        /*
         * The append lock, the one mutex: doors append from several threads. The reader and the
         * sync thread never take it; they see what has been published.
         */
        pthread_mutex_t lock;
        Segment *active;      /* {lock} NULL = the next append makes one; reference */
        Segment *newest;      /* {lock} end of the list; reference; may be the active one */
        uint64_t next_seq;    /* {lock} */
        uint64_t begin_seq;   /* next_seq - 1 at the start */
        uint64_t used_seq;    /* {lock} the last number that a record has */
        uint64_t missing_seq; /* raw: what was at the end, and is gone, was not above it; 0 = all is
                                 there */
        uint64_t recovered_seq; /* raw: of the last message that was there then */
        uint64_t damaged_after_seq, damaged_until_seq; /* raw; until 0: no damage was found */
        size_t n_damaged_most;
        JournalNumbers numbers;   /* {lock} but for shifting */
        uint64_t last_index;      /* {lock} */
        int64_t last_received_us; /* {lock} */
        int64_t failed_us;        /* {lock} the last time that no segment could be made */
        bool forget_pending;      /* {lock} the mark of a new session found no room */
        Sessions *sessions;       /* {lock} */
        JournalTaken taken;       /* {lock} */
        uint64_t taken_seq;       /* {lock} raw: of the last that was passed over so; 0 = none */
        bool is_new;              /* {lock} it had nothing of its own as it learnt */
        bool has_unkept;          /* {lock} something that it learnt is not in it */
        uint64_t known_turn;      /* {lock} up to which what it learnt is in it; 0 = not known */
        bool is_over;             /* {lock} the connection to the broker: others had its session */

        FillLevel water;
        JournalSpace space;
        _Atomic uint64_t others_seq; /* of others of our slot, before our turn came again */
        _Atomic uint64_t stored_seq; /* raw, of the database */
        uint64_t shown_seq;          /* {lock} others may have shown up to here */
        _Atomic uint64_t until_seq;  /* and we may alone up to here */
        _Atomic bool is_unsure;      /* whether what comes is ours alone */
        _Atomic uint64_t turn;       /* the fence with which others' flights were learnt */
        _Atomic uint64_t late_seq;   /* raw: up to here it came before others had their turn */
        _Atomic uint64_t first_seq;  /* raw, as all numbers here but those that readers see */
        _Atomic uint64_t last_seq;   /* of a message */

        _Atomic(Segment *) oldest; /* reference; {reader} once it is set */
        JournalCursor cursor;      /* {reader} */
        JournalCursor counting;    /* {reader} */
        JournalCursor flying;      /* {reader} */
        JournalFlights flights;    /* {reader} */
        Text flights_text;         /* {reader} of these */
        JournalKeep keep;          /* {reader} */
        JournalNote note;          /* {reader} how far the database is */
        JournalNote newest_note;   /* {lock} */
        JournalGone gone;          /* {reader} but for its count */
        JournalWriters writers;    /* {reader} */
        int wake_fd;
        _Atomic bool is_reader_waiting;

        JournalSync sync; /* runs with fsync=interval */
};

/* The end of all appending: what is on the disk is for the next start. */
void journal_seal(Journal *journal);

/* {lock} What is no message, with a number of its own. 0, JOURNAL_E_FULL. */
MUST_CHECK int journal_write_record(Journal *journal, SegmentRecord *record, Text body);
