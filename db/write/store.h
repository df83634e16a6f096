#pragma once

/*
 * DbStore: writes a batch of records, the latest state that follows from it, and the
 * journal position, in one transaction and one round trip (a libpq pipeline of prepared statements
 * with binary arrays for unnest). Either all of the batch is stored or nothing of it.
 *
 * Belongs to the processor's thread. One batch at a time; the records stay valid until it ends.
 * Records with a reason become dead letters. A record of kind command_ack or
 * command_state for which there is no command becomes one in the same transaction: its reason is
 * then set. One that did not move its command on is marked `unchanged`.
 * Partitions that the batch needs are made on the way, and what lost against another transaction is
 * tried again.
 *
 * DB_E_REJECTED is only said of what the rows are to blame for (SQLSTATE classes 22, 23, 44, 54,
 * P0): halve the batch. All other trouble (disk full, read-only, shutdown, time-out, a table that
 * is not there) is DB_E_OFFLINE with its reason in db_conn_error(), and closes the connection.
 * After it db_store_open() tells whether the batch got in: it waits for what is left of the old
 * connection inside the server, and whatever that still sends is refused.
 */

#include "base/base.h"
#include "db/conn.h"
#include "db/write/slots.h"
#include "model/account.h"
#include "model/record.h"

typedef struct DbBatch DbBatch;
typedef struct DbStateRow DbStateRow;
typedef struct DbStore DbStore;

struct DbStateRow {
        int64_t device_id;
        DeviceState state;
};

struct DbBatch {
        Record *const *records;
        size_t n_records;
        const DbStateRow *states; /* one a device that the batch touched; older than the stored one:
                                     left alone */
        size_t n_states;
        uint64_t seq; /* the position to commit: all up to here is stored */

        /* Nothing is to be stored: would it be, now? A row of the same kind that is surely good
         * goes first, so that a table which takes nothing is told from a row that is not taken. */
        bool is_trial;
        RecordSide side; /* of a trial: it is this that is in doubt, and its table is asked */
};

MUST_CHECK int db_store_new(DbStore **ret_store, DbConn *conn, const char *epoch);
DbStore *db_store_free(DbStore *store);
/* How many names of people one camera may have counted, from the next open on; 0 = no limit. */
void db_store_limit_people(DbStore *store, int n_max);
/* How many notes on rows are kept of one device or vehicle and day, likewise; 0 = none. */
void db_store_limit_notes(DbStore *store, int n_max);

/* What of (after_seq, last_seq] the broker might send again, to be kept with the batch that is
 * sent; borrowed until the next one. NULL: no memory, as if the connection were lost. */
typedef const Text *(*DbFlightsFn)(void *arg, uint64_t after_seq, uint64_t last_seq);
void db_store_keep_flights(DbStore *store, DbFlightsFn fn, void *arg);

/* Call after each connect: prepares the statements, takes over the position of our epoch and reads
 * it (0 and a new row if none), if the slot is @holder's (NULL: whoever has it). *ret_floor: how
 * far any journal of that slot is. Blocks, bounded by the statement time-out. 0, DB_E_STANDBY,
 * DB_E_OFFLINE, DB_E_REJECTED (the schema is not what we need). */
MUST_CHECK int db_store_open(DbStore *store,
                             const DbHolder *holder,
                             uint64_t *ret_seq,
                             uint64_t *ret_floor);

/* As it was opened: behind which number nothing of our journal's folder is stored, as a copy of it
 * has stored since; 0: none has. */
uint64_t db_store_forked_seq(const DbStore *store);
/* As it was opened: how far the journals of edges are stored. Borrowed until the next one. */
size_t db_store_origins(const DbStore *store, const Origin **ret_positions);
/* As it was opened: the position that our own records had reached; others may have moved it on. */
uint64_t db_store_own_seq(const DbStore *store);

MUST_CHECK int db_store_begin(DbStore *store, const DbBatch *batch); /* 0, DB_E_OFFLINE */
/* 0 committed, DB_E_BUSY, DB_E_OFFLINE, DB_E_FENCED; rolled back, and the connection is usable:
 * DB_E_REJECTED (perhaps by a row: halve it, then try it), DB_E_STATES, DB_E_REFUSED. Of a trial:
 * DB_E_PASSED, or DB_E_REJECTED: it is the row. */
MUST_CHECK int db_store_poll(DbStore *store);
/* After DB_E_REJECTED: what of a record was refused. */
RecordSide db_store_side(const DbStore *store);

/* After db_store_open() said that @batch got in, whose answer is lost: marks its records as that
 * would have. 0, DB_E_OFFLINE. */
MUST_CHECK int db_store_recall(DbStore *store, const DbBatch *batch);

DEFINE_CLEANUP(DbStore *, db_store_free);
