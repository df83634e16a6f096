#pragma once

/*
 * Stored: what follows when records are in the database, whoever told us.
 *
 * Whether an answer did or, after a loss, the position: here they are counted and shown, and only
 * then, and only here, let go by the lane, the journal and whoever remembers them. Belongs to the
 * processor's thread.
 */

#include "base/base.h"
#include "gateway/store/commit.h"

typedef struct Desk Desk;

/* Records of the lane's current batch. */
MUST_CHECK int stored_take(Desk *desk, const CommitRange *range);
