#pragma once

/*
 * DbMissed: what came after a cursor, page by page, over all log tables, in the order of the
 * sequence numbers.
 *
 * A page is complete: nothing that matches is missing between where it begins and what it says it
 * reaches (*ret_upto_seq): the number of its last row if it is full, else what the journal's
 * position says is stored. A playback's may end before, with the row that fills its max_bytes.
 * Numbers begin at the clock whenever a journal is opened, so that those
 * of an older journal are below ours, and so that a number tells before which time its row cannot
 * have been received: older partitions are not looked at.
 *
 * DB_E_NOT_FOUND: no such epoch. DB_E_EXISTS: rows after the cursor are gone already (retention).
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/account.h"
#include "model/query.h"
#include "model/record.h"

/* @slot: 0 with one journal. @state: of a device_status; else NULL. Texts are borrowed, for the
 * call. 0, or a fault. */
typedef int (*DbMissedFn)(void *arg, size_t slot, const Record *record, const DeviceState *state);

/* The same of several journals (replay->parts), merged by number; @ret_upto has room for all. What
 * is full of one of them ends the page for all, but for what is below its end: *ret_is_cut. */
MUST_CHECK int db_missed_several(DbConn *conn,
                                 const QueryReplay *replay,
                                 DbMissedFn fn,
                                 void *arg,
                                 uint64_t ret_upto[],
                                 bool *ret_is_cut);
MUST_CHECK int db_missed(DbConn *conn,
                         const QueryReplay *replay,
                         DbMissedFn fn,
                         void *arg,
                         uint64_t *ret_upto_seq);
