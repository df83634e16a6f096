#pragma once

/*
 * JournalGone: files of the journal that somebody removes beneath the running process.
 *
 * What is mapped can still be read, and is stored as ever, if the process lives until then: so it
 * is said, once a file, and what is not stored is written to a file of that name again. Until then,
 * or until it is stored, it is counted (tidegate_journal_files_gone). Nothing more is to be added
 * to it. Belongs to the reader's thread, but for the count.
 */

#include <stdatomic.h>

#include "base/base.h"
#include "gateway/journal/journal_dir.h"
#include "gateway/journal/segment.h"

#define JOURNAL_GONE_FILES 3 /* that are looked for by name */

typedef struct JournalGone JournalGone;

struct JournalGone {
        int64_t looked_us; /* monotonic */
        bool was_there[JOURNAL_GONE_FILES];
        _Atomic size_t n_waiting; /* segments without a file that are not stored */
};

/* At most once a second. @stored_raw: the last number that is stored. True: some were not known to
 * be gone, and is_gone is set in them. */
bool journal_gone_look(JournalGone *gone,
                       const JournalDir *dir,
                       Segment *oldest,
                       uint64_t stored_raw,
                       int64_t now_us);
