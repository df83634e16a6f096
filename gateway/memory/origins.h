#pragma once

/*
 * Origins: which messages of edges (model/edge/uplink.h) are here for the first time.
 *
 * An edge sends again what it has not heard to be stored, so the journal may hold a message of it
 * twice. One counts whose number at the edge is above all before it in our journal, and above the
 * position that the database had for that edge's journal when it was opened. The same is answered
 * whenever a place of our journal is read again, by whichever pass. Grows with the reconnects of
 * edges whose messages are not stored yet, 16 bytes each. Belongs to the processor's thread.
 */

#include "base/base.h"
#include "model/record.h"

typedef struct Origins Origins;

MUST_CHECK int origins_new(Origins **ret_origins);
Origins *origins_free(Origins *origins);

/* @at_seq: its number in our journal; @place: of several messages in one, which it is. */
MUST_CHECK int origins_judge(Origins *origins,
                             const Origin *origin,
                             uint64_t at_seq,
                             uint32_t place,
                             bool *ret_is_new);
/* Was it stored when the database was opened last? @origins NULL, or no origin: no. */
bool origins_has_stored(const Origins *origins, const Origin *origin);
/* All that the database has, each time that it is opened. */
MUST_CHECK int origins_tell(Origins *origins, const Origin *positions, size_t n);
/* It is an older database: all behind its position is judged again. */
void origins_forget(Origins *origins);
void origins_stored(Origins *origins, uint64_t seq); /* all up to here is, of our journal */
/* What is behind @stored_seq of it has numbers that are larger by @by from here on. */
void origins_move(Origins *origins, uint64_t stored_seq, uint64_t by);

DEFINE_CLEANUP(Origins *, origins_free);
