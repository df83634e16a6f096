#pragma once

/*
 * DbAdopt: a journal is stored by somebody else than its gateway, while others have its slot
 * (schema/0047).
 *
 * Between db_adopt_begin() and db_adopt_commit() whoever has the slot stores nothing, so what it
 * has stored (db_slots_flights()) is all that there is, and what is held is read by it before it
 * goes on. Blocks, bounded by the statement time-out; with a connection of the caller's own. Every
 * function: 0, DB_E_OFFLINE, DB_E_REJECTED (also: somebody was in the way, try again), or a fault;
 * after any of these nothing of it has happened.
 */

#include "base/base.h"
#include "db/conn.h"

/* Has the journal more to store, and another gateway, which is alive, its slot? Without a schema
 * for it: no. */
MUST_CHECK int db_adopt_is_due(DbConn *conn, const char *epoch, bool *ret_is_due);
/* Also DB_E_NOT_FOUND: this database has no such journal; DB_E_BUSY: the slot is its own gateway's.
 * *ret_seq: the position. */
MUST_CHECK int db_adopt_begin(DbConn *conn, const char *epoch, int *ret_slot, uint64_t *ret_seq);
/* @held: as journal_held() made it. */
MUST_CHECK int db_adopt_commit(DbConn *conn, const char *epoch, Text held);
void db_adopt_cancel(DbConn *conn);
/* All up to @last_seq is stored, and nobody waits for it any more; false: it is not. */
MUST_CHECK int db_adopt_end(DbConn *conn, const char *epoch, uint64_t last_seq, bool *ret_is_done);
