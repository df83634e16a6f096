#pragma once

/*
 * JournalCopy: the segments of a journal as they are at one moment, for those who only look.
 *
 * Takes no lock and changes nothing, so that it works beside the process that writes them. What is
 * being written now, or goes now, is not in it.
 */

#include "base/base.h"
#include "gateway/journal/journal_dir.h"
#include "gateway/journal/segment.h"

/* *ret_oldest: the list, a reference; NULL = there is none. */
MUST_CHECK int journal_copy_segments(const JournalDir *dir, Segment **ret_oldest);
