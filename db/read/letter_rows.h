#pragma once

/*
 * DbLetterRows: dead letters, and notes on rows, as people look at them: one by one, newest first,
 * or in groups, most first. As rows, or as the JSON that HTTP and `--json` give.
 *
 * Only reads. Blocks. 0, DB_E_NOT_FOUND, DB_E_OFFLINE, DB_E_REJECTED.
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/conn.h"
#include "model/letter_query.h"

typedef struct DbLetterRow DbLetterRow;

/* Strings are NUL-terminated; NULL: there is none, or the group is not by that. */
struct DbLetterRow {
        int64_t id; /* of a group: of its newest */
        int64_t n, n_bytes;
        int64_t first_us, last_us; /* when they first came; of one: the same */
        int item;                  /* of the message; -1 = all of it */
        uint64_t seq;
        const char *reason, *route, *device, *topic, *detail;
        const char *member, *kind; /* of notes on rows, whose number is seq */
        Text payload;              /* of one that was asked for by its id; else absent */
};

/* Borrowed for the length of the call. */
typedef void (*DbLetterRowFn)(void *arg, const DbLetterRow *row);

#define DB_LETTER_ROWS_MORE (-1) /* groups than were asked for: they have no next page */

/* *ret_cursor: where the next page begins; 0: there is no more; of groups DB_LETTER_ROWS_MORE. */
MUST_CHECK int db_letter_rows(DbConn *conn,
                              const LetterQuery *query,
                              DbLetterRowFn fn,
                              void *arg,
                              int64_t *ret_cursor);
MUST_CHECK int db_letter_row(DbConn *conn, int64_t id, DbLetterRowFn fn, void *arg);

/* Appends {"items":[…],"cursor":…,"more":…}, or the one as an object with its payload. */
MUST_CHECK int db_letter_rows_json(DbConn *conn, const LetterQuery *query, Buf *body);
MUST_CHECK int db_letter_row_json(DbConn *conn, int64_t id, Buf *body);
