#pragma once

/*
 * JournalNote: how far the database had been when we last knew, in the file `stored` of the
 * journal.
 *
 * A database that is behind it is older than the journal: it is filled again, and what was shown
 * is not shown again. Written once a second at most and never synced, as it decides nothing else.
 * Only ever grows. Belongs to the reader's thread.
 */

#include "base/base.h"

typedef struct JournalNote JournalNote;

struct JournalNote {
        int fd; /* -1 = cannot be written */
        uint64_t seq, written_seq;
        int64_t written_us; /* monotonic */
};

#define JOURNAL_NOTE_INIT \
        { .fd = -1 }

void journal_note_open(JournalNote *note, int dir_fd);
void journal_note_set(JournalNote *note, uint64_t seq);
void journal_note_close(JournalNote *note);
