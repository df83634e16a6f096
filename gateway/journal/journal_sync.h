#pragma once

/*
 * JournalSync: brings what was appended to the disk, once an interval, on a thread of its own.
 *
 * Sleeps while nothing is appended. Follows the list of segments from the one that it was given;
 * what it has passed is on the disk. Takes no lock: it sees what has been published.
 */

#include "base/base.h"
#include "gateway/journal/fill_level.h"
#include "gateway/journal/segment.h"

#include <pthread.h>

typedef struct JournalSync JournalSync;

struct JournalSync {
        FillLevel *water; /* borrowed: told of a failure */
        int interval_ms;
        int fd;
        bool is_running;
        unsigned place; /* metrics.h */
        pthread_t thread;
        Segment *segment;         /* {thread} reference: all before it are on the disk */
        _Atomic(Segment *) first; /* reference; where the thread begins */
        _Atomic bool is_dirty;
        _Atomic bool is_closing;
};

#define JOURNAL_SYNC_INIT \
        { .fd = -1 }

MUST_CHECK int journal_sync_start(JournalSync *sync, FillLevel *water, int interval_ms);
void journal_sync_done(JournalSync *sync); /* writes what is left; also when it never ran */

void journal_sync_begin_at(JournalSync *sync, Segment *segment); /* takes a reference of its own */
void journal_sync_note(JournalSync *sync); /* any thread: something was appended; never waits */

/* One segment, now: 0, or JOURNAL_E_FULL if the disk does not take it. */
MUST_CHECK int journal_sync_segment(FillLevel *water, Segment *segment);
