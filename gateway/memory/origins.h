#pragma once

/*
 * Origins: which messages of edges (model/edge/uplink.h) are here for the first time, and in turn.
 *
 * An edge sends again what it has not heard to be stored, so the journal may hold a message of it
 * twice. One counts whose number at the edge is above all before it in our journal, and above the
 * position that the database had for that edge's journal when it was opened. The same is answered
 * whenever a place of our journal is read again, by whichever pass. Grows with the reconnects of
 * edges whose messages are not stored yet, 16 bytes each. Belongs to the processor's thread.
 *
 * Each says what its edge has sent before it, or was told that we have. Where that is more than is
 * known here, another gateway has stored it, if the edge was told so by the database as it is now:
 * each state of that has a *view*, a name for what it says of edges. Else it was in a database that
 * is gone (put back to an older state), the message comes too early, and counts no more than one
 * that is here twice: who brought it is sent away, and begins where the database is.
 */

#include "base/base.h"
#include "model/record.h"

typedef struct Origins Origins;

/* @view: where its view can be read by any thread; borrowed. NULL: nobody does. */
MUST_CHECK int origins_new(Origins **ret_origins, _Atomic uint64_t *view);
Origins *origins_free(Origins *origins);

/* @at_seq: its number in our journal; @place: of several messages in one, which it is. */
MUST_CHECK int origins_judge(Origins *origins,
                             const Origin *origin,
                             uint64_t at_seq,
                             uint32_t place,
                             bool *ret_is_new);
/* Is it to be judged again: stored by another gateway, as is known since, or never judged for good?
 * @origins NULL, or no origin: no. */
bool origins_is_open(const Origins *origins, const Origin *origin, uint64_t at_seq);
/* All that the database has, each time that it is opened. Where that is less than it was, all is
 * forgotten first. */
MUST_CHECK int origins_tell(Origins *origins, const Origin *positions, size_t n);
/* It is an older database: all behind its position is judged again, and what edges were told is not
 * true any more. */
void origins_forget(Origins *origins);
uint64_t origins_view(const Origins *origins);
void origins_stored(Origins *origins, uint64_t seq); /* all up to here is, of our journal */
/* What is behind @stored_seq of it has numbers that are larger by @by from here on. */
void origins_move(Origins *origins, uint64_t stored_seq, uint64_t by);

DEFINE_CLEANUP(Origins *, origins_free);
