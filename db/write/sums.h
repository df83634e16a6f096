#pragma once

/*
 * DbSums: counts detections of days that are over, and of yesterday's and today's hours that are,
 * so that statistics need not read their rows (decisions 054 and 065); and raw logs and faces of
 * days that have been over for an hour (084).
 *
 * An hour is over a minute after its end, by the database's clock; yesterday becomes one piece an
 * hour after today has ended. The newest first, each in a transaction of its own, which holds up
 * nobody who writes: only for the moment in which a day, or one more hour, begins to be watched.
 * What was written into later is counted again. Blocks.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbSums DbSums;

typedef enum DbSumsOf {
        DB_SUMS_DETECTIONS,
        DB_SUMS_PAGES, /* raw logs and faces */
} DbSumsOf;

struct DbSums {
        int64_t n_days; /* also those of which hours were */
        bool has_more;  /* the time was up, or somebody else counts */
};

/* Begins no other day once @budget_ms are over. 0, DB_E_OFFLINE, DB_E_REJECTED: a day could not be
 * counted; all others were. */
MUST_CHECK int db_sums_count(DbConn *conn, DbSumsOf of, int budget_ms, DbSums *ret_sums);
