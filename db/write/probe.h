#pragma once

/*
 * DbProbe: a row that a table surely takes, if it takes any.
 *
 * There are several candidates, since what is wrong with one record may be wrong with a good one as
 * well: its device, or that it is there already. A copy of one that the table has taken lately of
 * another device, among the first that it holds; of the same; a plain one of another device that
 * the registry has; and of the same. Others are picked at random, so that who tries again gets past
 * one that is refused, too. It goes the way of the real ones, through the same columns, triggers
 * and constraints, into the partition of the record that is in doubt. The caller rolls it back. For
 * the files of db/ only.
 */

#include "db/conn.h"
#include "model/record.h"

enum {
        DB_PROBES = 4,
};

/* Queues the @nth candidate, from 0, or the next one that there is, for the table of the record or
 * of what goes beside it; false: the connection is lost. */
bool db_probe_send(DbConn *conn,
                   const Record *record,
                   uint32_t journal_id,
                   int nth,
                   RecordSide side);
