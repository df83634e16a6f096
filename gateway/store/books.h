#pragma once

/*
 * Books: does the database hold what its position has passed?
 *
 * Walks the journal's records behind the stored position, a little at a time, and compares their
 * number with the count that the transactions themselves kept (db/write/books.h): now and then, and
 * after each connect. A difference is logged with its range, stays in the database until it is
 * settled, and is what tidegate_accounting_drift says. What the journal has not got any more,
 * although it is still to be stored, is a gap, and is noted likewise. Belongs to the processor's
 * thread, and uses its connection while no batch is under way.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct Books Books;
typedef struct Journal Journal;

MUST_CHECK int books_new(Books **ret_books, Journal *journal, DbConn *conn, int interval_ms);
Books *books_free(Books *books);

void books_close(Books *books); /* the database is another one, or older: until it is opened */
/* After each connect, with the position that the database has, and with that which our own records
 * had reached: another gateway may have had its turn since. As db/ answers. */
MUST_CHECK int books_open(Books *books, uint64_t position, uint64_t own_seq);

/* Some records on, as far as @stored_seq; true once it is there. */
bool books_walk(Books *books, uint64_t stored_seq);
bool books_is_due(Books *books, uint64_t stored_seq); /* to be compared */
/* A letter was refused, and is noted as that: to be said soon, if that is news. */
void books_hurry(Books *books);
/* Compares, if it is time, and the connection is free. As db/ answers. */
MUST_CHECK int books_check(Books *books, uint64_t stored_seq);

/* The journal may let go what is accounted for; when room is needed, what is counted. */
uint64_t books_done_seq(const Books *books);

DEFINE_CLEANUP(Books *, books_free);
