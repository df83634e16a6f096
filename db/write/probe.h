#pragma once

/*
 * DbProbe: a row that a table surely takes, if it takes any.
 *
 * A copy of one that it has taken lately, of another device if there is one among the first that it
 * holds, else of the same; of an empty table a plain one. It goes the way of the real ones, through
 * the same columns, triggers and constraints, into the partition of the record that is in doubt.
 * The caller rolls it back. For the files of db/ only.
 */

#include "db/conn.h"
#include "model/record.h"

/* Queues the statement; false: the connection is lost. */
bool db_probe_send(DbConn *conn, const Record *record, uint32_t journal_id);
