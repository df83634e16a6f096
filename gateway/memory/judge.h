#pragma once

/*
 * Judge: whether a message is late is judged once, by whichever pass comes to it first.
 *
 * While the database is away, messages are shown first and stored later. What moved the latest
 * state when it was shown would be older than that state when it is stored. So the first pass
 * remembers, by number: which messages were late, which it could not use (the second may), and
 * which of these are open: only the database knows whether they can be used. Numbers ascend. Where
 * the database is an older one, what it lacks is judged once more, in its order. Grows
 * with the late and the unusable messages of an outage, 8 bytes each (16 if open). One thread.
 */

#include "base/base.h"

typedef struct Judge Judge;

typedef enum Verdict {
        VERDICT_NONE, /* not judged so far */
        VERDICT_NEWS,
        VERDICT_LATE,
        VERDICT_OPEN, /* only told: as NONE, and it may be used yet */
} Verdict;

MUST_CHECK int judge_new(Judge **ret_judge);
Judge *judge_free(Judge *judge);

Verdict judge_ask(const Judge *judge, uint64_t seq);
/* @verdict NONE: it was passed over. Of numbers that were told before, nothing is kept, unless they
 * are judged again. */
MUST_CHECK int judge_tell(Judge *judge, uint64_t seq, Verdict verdict);
bool judge_is_open(const Judge *judge, uint64_t seq);
uint64_t judge_first_open(const Judge *judge); /* 0: none is */
/* The latest state is that of a database which ends with @position: what is behind it, and was
 * judged, is to be judged again. What is open stays so. */
void judge_again(Judge *judge, uint64_t position);
bool judge_is_again(const Judge *judge, uint64_t seq); /* and has not been so far */
/* What is behind @stored_seq has numbers that are larger by @by from here on. */
void judge_move(Judge *judge, uint64_t stored_seq, uint64_t by);
void judge_forget(Judge *judge, uint64_t up_to_seq); /* it is stored */

DEFINE_CLEANUP(Judge *, judge_free);
