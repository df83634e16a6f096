#pragma once

/*
 * DbRollups: counts what charts show of minutes and hours that are over, of some things and one
 * piece of a day after the other, so that a chart of a year need not read its rows (decision 075).
 *
 * What is written into later is counted again, before all else; then the newest day that lacks
 * something. Each step is a transaction of its own, which holds up nobody who writes: only for the
 * moment in which a day, or one more hour, begins to be watched. Blocks.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbRollups DbRollups;

struct DbRollups {
        int64_t n_steps;   /* done */
        int64_t n_skipped; /* of these: the rows of that thing and day are read, as before */
        bool has_more;     /* the time was up */
};

/* Begins no step once @budget_ms are over. 0, DB_E_OFFLINE, DB_E_REJECTED: not even to skip. */
MUST_CHECK int db_rollups_make(DbConn *conn, int budget_ms, DbRollups *ret_rollups);
