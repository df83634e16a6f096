#pragma once

/*
 * JournalOptions: what a journal is given, made to fit together, and the answers that it has.
 */

#include "base/base.h"

#define JOURNAL_EPOCH_SIZE 17 /* 16 hex digits and NUL */

typedef struct JournalOptions JournalOptions;

typedef enum JournalFsync {
        JOURNAL_FSYNC_ALWAYS,   /* before the append returns */
        JOURNAL_FSYNC_INTERVAL, /* every fsync_interval_ms, by a thread of the journal's own */
        JOURNAL_FSYNC_NEVER,
} JournalFsync;

struct JournalOptions {
        const char *dir;    /* created, mode 0700, if its parent exists */
        uint64_t max_bytes; /* of all segments together */
        uint64_t segment_bytes;
        uint64_t reserve_bytes; /* below max_bytes: room for what is in flight when the source stops
                                   at high water */
        uint64_t min_free_bytes; /* of the file system */
        int keep_ms;             /* how long a segment stays once it is stored, room permitting */
        JournalFsync fsync;
        int fsync_interval_ms;
};

enum {
        JOURNAL_E_LOCKED = 1, /* open: another process has it */
        JOURNAL_E_INVALID,    /* open: not a journal of a version that we know, or the options
                                 contradict each other; logged */
        JOURNAL_E_FULL,       /* append: max_bytes or the disk; nothing was written */
        JOURNAL_E_DUPLICATE,  /* append: a redelivery of what is here already; acknowledge it again
                               */
        JOURNAL_E_STALE, /* append: of a connection that is over, see journal_end_connection() */
        JOURNAL_E_TOO_LARGE, /* append: does not fit a segment */
        JOURNAL_E_UNSYNCED,  /* append: written, and will be stored; not to be acknowledged */
};

/* 0, or JOURNAL_E_INVALID if they contradict each other; logged. */
MUST_CHECK int journal_options_fit(JournalOptions *ret_options, const JournalOptions *options);
