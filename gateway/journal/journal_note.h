#pragma once

/*
 * JournalNote: a number in a file of the journal. Never synced, as nothing but what follows hangs
 * on it.
 *
 * `stored`: how far the database had been when we last knew. One that is behind it is older than
 * the journal: it is filled again, and what was shown is not shown again. Written once a second at
 * most, only ever grows. Belongs to the reader's thread.
 *
 * `newest`: the index of the newest segment, so that a start misses it should it be gone: nothing
 * comes behind it that would say so. 0: nobody needs what is in it. Belongs to who appends.
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

void journal_note_open(JournalNote *note, int dir_fd, const char *name);
void journal_note_set(JournalNote *note, uint64_t seq);
void journal_note_put(JournalNote *note, uint64_t seq); /* at once, whatever it was */
void journal_note_close(JournalNote *note);
