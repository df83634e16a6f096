#pragma once

/*
 * DbTakeover: a connection becomes the one that writes for a journal.
 *
 * The row of its epoch in journal_positions names a session: who takes it over counts that up, and
 * whatever an older connection may still send is refused from then on. Blocks, bounded by the
 * statement time-out. Every function: 0, DB_E_OFFLINE, DB_E_REJECTED, or a fault.
 */

#include "base/base.h"
#include "db/conn.h"
#include "db/write/slots.h"

typedef struct DbPosition DbPosition;

struct DbPosition {
        uint32_t journal_id; /* in network order, as is the session */
        uint64_t session;
        uint64_t seq;        /* stored so far; host order */
        uint64_t own_seq;    /* likewise, of ours, before others had their turn */
        uint64_t forked_seq; /* see db_store_forked_seq() */
};

/* Ends sessions that hold the position for somebody who is gone. */
MUST_CHECK int db_takeover_end_stuck(DbConn *conn);
/* Also DB_E_STANDBY: the slot is another's. *ret_floor: see db_store_open(). */
MUST_CHECK int db_takeover(DbConn *conn,
                           const char *epoch,
                           const DbHolder *holder, /* NULL: whoever has the slot */
                           DbPosition *ret_position,
                           uint64_t *ret_floor);
/* What the journal had behind @after_seq, up to @until_seq, others have stored, some of it at
 * least: who has seen that under these numbers may see it once more (db/read/missed.c). What was
 * said before stays true where both meet. */
MUST_CHECK int db_takeover_note_taken(DbConn *conn,
                                      const char *epoch,
                                      uint64_t after_seq,
                                      uint64_t until_seq);
/* Says whose folder of the journal is stored from now on. */
MUST_CHECK int db_takeover_name_writer(DbConn *conn,
                                       const char *epoch,
                                       const DbHolder *holder,
                                       DbPosition *position);
