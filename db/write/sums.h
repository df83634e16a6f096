#pragma once

/*
 * DbSums: counts days of detections that are over, so that statistics of long times need not read
 * their rows (decision 054).
 *
 * A day is over an hour after its end, by the database's clock. The newest first, each in a
 * transaction of its own, which holds up nobody who writes: only for the moment in which the day
 * begins to be watched. What was written into later is counted again. Blocks.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbSums DbSums;

struct DbSums {
        int64_t n_days;
        bool has_more; /* the time was up, or somebody else counts */
};

/* Begins no other day once @budget_ms are over. 0, DB_E_OFFLINE, DB_E_REJECTED: a day could not be
 * counted; all others were. */
MUST_CHECK int db_sums_count(DbConn *conn, int budget_ms, DbSums *ret_sums);
