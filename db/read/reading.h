#pragma once

/*
 * DbReading: one answer from the past, of any length, read piece by piece.
 *
 * A read-only transaction with a cursor in it: what is read is one moment's truth, the statement
 * time-out is of each piece and not of the reader's patience, and no more than one piece is in
 * memory. Uses the connection alone until it is freed, which ends the transaction. A History with a
 * user_id is answered with what that user may see; for one vehicle or device the caller has
 * checked.
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/conn.h"
#include "model/history_query.h"

typedef struct DbReading DbReading;

/* DB_E_NOT_FOUND: the cursor is of no journal that is known. @history is borrowed. */
MUST_CHECK int db_reading_new(DbReading **ret_reading, DbConn *conn, const History *history);
DbReading *db_reading_free(DbReading *reading);

/* Appends the next piece of the body to @body. *ret_is_last: that was all. */
MUST_CHECK int db_reading_next(DbReading *reading, Buf *body, bool *ret_is_last);

DEFINE_CLEANUP(DbReading *, db_reading_free);
