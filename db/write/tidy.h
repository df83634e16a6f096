#pragma once

/*
 * DbTidy: deletes what is old in tables that have no days: commands that are over, marks of letters
 * that were taken away (30 d), what became of replays (a day), and how many notes days had.
 *
 * By the day that retention goes by (partitions.h). A thousand rows a statement, so that nobody
 * waits for us for long. Blocks.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbTidyDays DbTidyDays;

struct DbTidyDays {
        int commands, notes; /* 0 = for ever */
};

/* 0, DB_E_OFFLINE, DB_E_REJECTED: the rest is for the next time. */
MUST_CHECK int db_tidy(DbConn *conn,
                       int64_t day_us,
                       const DbTidyDays *days,
                       int64_t *ret_n_deleted);
