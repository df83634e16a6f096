#pragma once

/*
 * DbHeads: how far each slot of a cluster is stored, and of which journal that is: of whoever has
 * the slot, once it stores, else of the one that is furthest.
 *
 * One statement over the rows of positions, which are few. Blocks.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbHead DbHead;

struct DbHead {
        int slot;
        uint64_t epoch;      /* of the journal */
        uint64_t seq;        /* what has no higher number can be read */
        uint64_t before_seq; /* how far any other journal of the slot is */
};

/* Of the slots from @first on, in their order, those of which something is known, @n_max at most.
 * 0, DB_E_OFFLINE, DB_E_REJECTED (there are no slots yet). */
MUST_CHECK int db_heads_read(DbConn *conn,
                             int first,
                             size_t n_max,
                             DbHead ret_heads[],
                             size_t *ret_n);
