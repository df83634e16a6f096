#pragma once

/*
 * Commit: brings one batch into the database, whatever is in it.
 *
 * The whole batch is one transaction. If PostgreSQL refuses it, the batch is halved until the row
 * is found that is not taken. That one is tried once more behind a row that is surely good: only if
 * that is taken and this is not, it becomes a dead letter; its neighbours are stored. If the good
 * one is refused, too, or if the refusal is not about data (no rights, no table, no disk), it is an
 * outage instead and costs no message.
 *
 * What goes beside a row (RecordSide: a clock, a note) is tried alike, behind a good one for its
 * own table; refused, the row goes without it, with a note that says so.
 *
 * A refused state of a device costs the state only: the rows go without, and the states after them,
 * halved as well. Those that are refused are owed (Debts): they come again, with what the device is
 * by then. Belongs to the processor's thread.
 *
 * What is sent of the range whose turn it is, by what became of it:
 *
 *              on DONE   on WAITS   on STATE   on ROWS   on ROW   on PASSED   on AGAIN
 *      ALL     ALL       -          BARE       ALL       TRIAL    -           ALL
 *      BARE    ALL       STATES     -          ALL       TRIAL    -           BARE
 *      STATES  ALL       STATES     -          -         -        -           STATES
 *      TRIAL   ALL       -          -          -         ALL      ALL         ALL
 *
 * -: cannot be, is logged, and is a fault: what waits is read again after the start.
 */

#include "base/base.h"
#include "db/write/store.h"
#include "model/registry.h"

typedef struct Batch Batch;
typedef struct Commit Commit;
typedef struct CommitRange CommitRange;

typedef enum CommitPhase {
        COMMIT_ALL,    /* rows and states */
        COMMIT_BARE,   /* without the states: one of them is refused */
        COMMIT_STATES, /* stored; now the states, without the rows */
        COMMIT_TRIAL,  /* a single row that is refused, behind a good one: is it the row? */
        COMMIT_PHASES
} CommitPhase;

typedef enum CommitEvent {
        COMMIT_ON_DONE,   /* stored, and no state waits: on to the next range */
        COMMIT_ON_WAITS,  /* stored; states are still to be sent */
        COMMIT_ON_STATE,  /* a state is refused */
        COMMIT_ON_ROWS,   /* one of several rows is refused: half of them */
        COMMIT_ON_ROW,    /* the only row is refused; on trial: and becomes a dead letter */
        COMMIT_ON_PASSED, /* on trial it was taken */
        COMMIT_ON_AGAIN,  /* after an outage, or a new connection */
        COMMIT_EVENTS
} CommitEvent;

/* False: it cannot be. */
bool commit_step(CommitPhase *phase, CommitEvent event);

/* Records [from, to) of the batch. */
struct CommitRange {
        size_t from, to;
};

MUST_CHECK int commit_new(Commit **ret_commit, DbConn *conn, DbStore *store, size_t capacity);
Commit *commit_free(Commit *commit);

/* Begins; the batch is borrowed until commit_is_idle(). 0, DB_E_OFFLINE (resume it then). */
MUST_CHECK int commit_begin(Commit *commit, const Batch *batch, const Registry *registry);

/* 0: *ret_range is committed, ask again; DB_E_BUSY; DB_E_OFFLINE; DB_E_FENCED; DB_E_REFUSED: an
 * outage, but the connection is there (commit_again() later). Not to be called when idle. */
MUST_CHECK int commit_poll(Commit *commit, CommitRange *ret_range);

/* The connection is back and says that @position is stored: 0, and if *ret_range is not empty it
 * had got in. DB_E_OFFLINE, DB_E_FENCED. */
MUST_CHECK int commit_resume(Commit *commit,
                             uint64_t stored_seq,
                             uint64_t position,
                             CommitRange *ret_range);

/* Idle: nothing of the batch is wanted any more. Only without a connection, or on a new one. */
void commit_abandon(Commit *commit);

/* After DB_E_REFUSED: sends again what was refused. 0, DB_E_OFFLINE. */
MUST_CHECK int commit_again(Commit *commit);

bool commit_is_idle(const Commit *commit);
int64_t commit_age_us(
        const Commit *commit); /* how long the transaction under way has taken; 0 when idle */

DEFINE_CLEANUP(Commit *, commit_free);
