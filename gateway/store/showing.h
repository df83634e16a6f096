#pragma once

/*
 * Showing: what has been handed to the viewers, so that each message is shown once, in its order.
 *
 * While the store lags, what the journal has is shown ahead of it, and what is stored later is not
 * shown again. What could not be used when it was its turn is passed over; where only the database
 * knows whether it can be, it is open: nobody may go on from a later number until it is stored, and
 * then it is shown behind those. Belongs to the processor's thread.
 */

#include "base/base.h"
#include "gateway/store/commit.h"

typedef struct BatchContext BatchContext;
typedef struct Journal Journal;
typedef struct Judge Judge;
typedef struct Lane Lane;
typedef struct Outbox Outbox;
typedef struct Showing Showing;

MUST_CHECK int showing_new(Showing **ret_showing, Outbox *outbox, Judge *judge, Journal *journal);
Showing *showing_free(Showing *showing);

/* All up to @seq was shown in another life, or is nobody's any more. */
void showing_begin(Showing *showing, uint64_t seq);
uint64_t showing_seq(const Showing *showing); /* all up to here was shown or passed over */
/* What is behind @stored_seq has numbers above @position from here on, that are larger by @by. */
void showing_move(Showing *showing, uint64_t stored_seq, uint64_t position, uint64_t by);

/* Others have had their turn (journal_others_seq()): viewers that come back from before it ask the
 * database for theirs. Told before anything behind it is shown; and here, if all of ours from
 * before it has been. */
MUST_CHECK int showing_pass_others(Showing *showing);

/* What the lane has loaded first, then some of what comes behind it. */
MUST_CHECK int showing_go_ahead(Showing *showing, Lane *lane, const BatchContext *context);

/* These records of the batch are in the database: what of them is not shown yet. */
MUST_CHECK int showing_stored(Showing *showing, const Batch *batch, const CommitRange *range);
/* All up to @seq is: what was open of it is settled. */
MUST_CHECK int showing_settle(Showing *showing, uint64_t seq);

DEFINE_CLEANUP(Showing *, showing_free);
