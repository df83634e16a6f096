#pragma once

/*
 * Position: how far the database is, and what follows from that at each connection.
 *
 * Behind a crash or a cut only the database knows what of ours got in. It may be where we left it,
 * or further, by what was under way or by what others have stored; or it is older than what was
 * stored, and gets that again. Then the lane, the journal, what was shown and what is known are
 * brought into line, and nothing is stored or shown twice. Belongs to the processor's thread.
 */

#include "base/base.h"

typedef struct Desk Desk;

/* Before anything else is read: @floor is how far any journal of our slot is. 0, or DB_E_OFFLINE:
 * nothing may be stored yet. */
MUST_CHECK int position_take(Desk *desk, uint64_t position, uint64_t floor);
/* Last: what was under way when the connection was lost is settled, or goes out again. 0, or
 * DB_E_OFFLINE, DB_E_FENCED. */
MUST_CHECK int position_resume(Desk *desk, uint64_t position);
/* Once, between the two of the first connection that came so far: what an earlier run has left. */
void position_count_recovered(Desk *desk);
