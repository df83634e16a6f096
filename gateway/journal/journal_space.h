#pragma once

/*
 * JournalSpace: how much of the disk a journal has, and how much of that counts.
 *
 * What is only kept (journal_keep.h) is room, and what the active segment has not used yet is none
 * of what is full. Any thread: each number is right, and together they are as of a moment ago.
 */

#include <stdatomic.h>

#include "base/base.h"
#include "gateway/journal/journal_keep.h"

typedef struct JournalSpace JournalSpace;

struct JournalSpace {
        _Atomic uint64_t n_allocated; /* bytes of all files */
        _Atomic uint64_t n_unused;    /* of them behind the end of the active one */
        _Atomic uint64_t n_segments;
};

void journal_space_add(JournalSpace *space, int64_t n_bytes, int64_t n_segments);
/* Of what the journal may have. */
uint64_t journal_space_allocated(const JournalSpace *space, const JournalKeep *keep);
/* Of records that are not stored yet. */
uint64_t journal_space_used(const JournalSpace *space, const JournalKeep *keep);
