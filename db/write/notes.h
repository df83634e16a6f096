#pragma once

/*
 * DbNotes: what the statement that stores news of commands said about some of them: that there is
 * no such command, so that they became letters, or that they did not change theirs.
 *
 * Memory of the store, released by db_notes_done(). Applied only once the transaction got in.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/record.h"

typedef struct DbNote DbNote;
typedef struct DbNotes DbNotes;

struct DbNote {
        int32_t record; /* its place in the batch */
        bool is_unknown;
};

struct DbNotes {
        DbNote *notes;
        size_t n, capacity;
};

void db_notes_done(DbNotes *notes);

MUST_CHECK int db_notes_keep(DbNotes *notes, const struct pg_result *result);
void db_notes_apply(const DbNotes *notes, Record *const records[], size_t n);

/* The transaction got in and its answers are lost: what they said is read from what it left.
 * Blocks. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_notes_recall(DbConn *conn,
                               uint32_t journal_id,
                               Record *const records[],
                               size_t n);
