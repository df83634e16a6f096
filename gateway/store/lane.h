#pragma once

/*
 * Lane: the batches on their way into the database, in the order of the journal.
 *
 * One is under way and the next may wait behind it, decoded; behind these wait, as they were
 * decoded, records that were shown ahead of the store (lane_show_on()). The store takes them from
 * here when it comes to them, so that a record is decoded, and judged, once. There is room for
 * LANE_AHEAD_BYTES of them: in a longer outage what comes first is kept, and what finds no room is
 * decoded again when it is its turn; how it was judged is remembered then by its number (Judge). So
 * are the two batches in front, if the connection is lost.
 *
 * A batch leaves the lane in one place
 * only, lane_stored(), and only when each of its records is in a range that the database has taken;
 * no other event (an answer, a loss, a return) moves the line. What was loaded is counted against
 * what was stored, so that a record which got lost in here stops the process, and is read again
 * after the start, instead of being passed by the position. Belongs to the processor's thread.
 */

#include "base/base.h"
#include "gateway/store/batch.h"
#include "gateway/store/commit.h"

#define LANE_AHEAD_BYTES ((size_t)32 * 1024 * 1024)

typedef struct Lane Lane;

MUST_CHECK int lane_new(Lane **ret_lane, DbConn *conn, DbStore *store, size_t capacity);
Lane *lane_free(Lane *lane);

void lane_start(Lane *lane, uint64_t position); /* empty so far: everything up to here is stored */

/* Empty again in front, at another place of the journal: what is not stored is read anew, but what
 * was decoded ahead. Not while a transaction is under way on a connection that is alive. */
void lane_restart(Lane *lane, uint64_t position);
/* The records have other numbers, or the world is another one: all is read anew. */
void lane_forget_ahead(Lane *lane);

/* Reads on behind what was loaded, into the batch that is free (lane_has_room()); the span's
 * after_seq is the lane's to say. Where nothing is up to the span's until_seq, that is behind us.
 */
MUST_CHECK int lane_load(Lane *lane, const BatchContext *context, const BatchSpan *span);
bool lane_has_room(const Lane *lane);

/* Decodes some of what comes behind the span's after_seq, to be shown ahead of the store: the
 * records of *ret_batch from *ret_from on. Borrowed until the next call of anything here. */
MUST_CHECK int lane_show_on(Lane *lane,
                            const BatchContext *context,
                            const BatchSpan *span,
                            const Batch **ret_batch,
                            size_t *ret_from);

/* The rest of the current batch; only when idle and not empty. As commit_begin(). */
MUST_CHECK int lane_begin(Lane *lane, const Registry *registry);
MUST_CHECK int lane_poll(Lane *lane, CommitRange *ret_range); /* as commit_poll() */
MUST_CHECK int lane_again(Lane *lane);                        /* as commit_again() */
MUST_CHECK int lane_resume(Lane *lane, uint64_t position, CommitRange *ret_range);

/* After each range that was returned, and before anything else: it is counted and shown. True: the
 * batch is done with and was let go; the next one has moved up. */
bool lane_stored(Lane *lane, const CommitRange *range);

bool lane_is_idle(const Lane *lane);
int64_t lane_age_us(const Lane *lane); /* as commit_age_us() */
const Batch *lane_current(const Lane *lane);
const Batch *lane_next(const Lane *lane);
uint64_t lane_stored_seq(const Lane *lane);
uint64_t lane_loaded_seq(const Lane *lane);

DEFINE_CLEANUP(Lane *, lane_free);
