#pragma once

/*
 * Judge: whether a message is late is judged once, by whichever pass comes to it first.
 *
 * While the database is away, messages are shown first and stored later. What moved the latest
 * state when it was shown would be older than that state when it is stored. So the first pass
 * remembers, by number: which messages were late, and which it could not use (the second may).
 * Numbers ascend. Grows with the late and the unusable messages of an outage, 8 bytes each. One
 * thread.
 */

#include "gateway/base/base.h"

typedef struct Judge Judge;

typedef enum Verdict {
        VERDICT_NONE, /* not judged so far */
        VERDICT_NEWS,
        VERDICT_LATE,
} Verdict;

MUST_CHECK int judge_new(Judge **ret_judge);
Judge *judge_free(Judge *judge);

Verdict judge_ask(const Judge *judge, uint64_t seq);
/* @verdict NONE: it was passed over. Of numbers that were told before, nothing is kept. */
MUST_CHECK int judge_tell(Judge *judge, uint64_t seq, Verdict verdict);
void judge_forget(Judge *judge, uint64_t up_to_seq); /* it is stored */

DEFINE_CLEANUP(Judge *, judge_free);
