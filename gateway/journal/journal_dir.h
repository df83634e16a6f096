#pragma once

/*
 * JournalDir: the directory of a journal: its lock, its name, and the list of its segments.
 *
 * `lock`, and the directory itself, are held (flock) as long as it is open. `identity` has epoch
 * and salt; if it is lost, any segment's header has them too.
 */

#include "base/base.h"
#include "gateway/journal/segment.h"

typedef struct JournalDir JournalDir;

struct JournalDir {
        int fd;
        int lock_fd;
        SegmentIdentity identity;
        char (*names)[SEGMENT_NAME_SIZE]; /* of the segments, oldest first */
        size_t n_names;
};

#define JOURNAL_DIR_INIT \
        { .fd = -1, .lock_fd = -1 }

/* 0, JOURNAL_E_LOCKED or JOURNAL_E_INVALID (logged). */
MUST_CHECK int journal_dir_open(JournalDir *dir, const char *path);
/* Without the lock, and without changing anything. JOURNAL_E_INVALID: no journal is there (logged).
 */
MUST_CHECK int journal_dir_look(JournalDir *dir, const char *path);
/* Where it lies: a running kernel and a folder on it, so that whoever has the lock on that is the
 * only one there. False: that cannot be told. */
bool journal_dir_place(const char *path, char *ret_place, size_t n);
void journal_dir_close(JournalDir *dir);
