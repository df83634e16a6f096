#pragma once

/*
 * The options of a journal as they apply: made to fit each other, or refused.
 */

#include "base/base.h"
#include "gateway/journal/journal.h"

/* 0, or JOURNAL_E_INVALID if they contradict each other; logged. */
MUST_CHECK int journal_options_fit(JournalOptions *ret_options, const JournalOptions *options);
