#pragma once

/*
 * DbVerdict: whose fault it is that a batch was refused, by the step that was and by what the
 * server said. Pure, any thread. For the files of db/ only.
 */

#include "base/base.h"
#include "db/trouble.h"
#include "db/write/sheet.h"
#include "model/record.h"

struct pg_result;

/* What a statement of a batch is for, beside the sheets. */
enum {
        DB_STEP_OTHER = DB_SHEET_COUNT,
        DB_STEP_PROBE,
        DB_STEP_COMMIT,
};

/* DB_E_REJECTED (the rows'), DB_E_STATES, DB_E_REFUSED (an outage). */
int db_verdict(int step, DbTrouble trouble);
/* The same of a row that is tried alone, since each probe was there already. */
int db_verdict_unproved(int step, DbTrouble trouble);

/* What of the rows: they themselves, or what goes beside them. */
RecordSide db_verdict_side(int step);

/* Another transaction was in the way, a device was deleted, or a partition dropped, meanwhile. */
bool db_verdict_may_pass(const struct pg_result *error, DbTrouble trouble);
/* An error of a statement, after which the session goes on: no disk, no memory, no locks. */
bool db_verdict_is_short(const struct pg_result *error);
/* A row like it is there already, by an index that says so. */
bool db_verdict_is_taken(const struct pg_result *error, DbTrouble trouble);
