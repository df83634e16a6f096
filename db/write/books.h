#pragma once

/*
 * DbBooks: what the database says that it holds of a journal, by number.
 *
 * The transaction that moves the position also counts what it really wrote. Here that count is
 * read, compared ranges are noted as agreed or as a difference, and tables are asked which numbers
 * they have. Differences and gaps stay open until somebody settles them, over all restarts.
 *
 * Blocks, bounded by the statement time-out. 0, DB_E_OFFLINE, DB_E_REJECTED, or a fault; with an
 * epoch that the database does not know: DB_E_NOT_FOUND.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/record.h"

typedef struct DbBooks DbBooks;
typedef struct DbRange DbRange;

struct DbBooks {
        uint64_t seq;                           /* the position */
        uint64_t stored;                        /* messages counted so far */
        uint64_t checked_seq, checked_stored;   /* up to here the journal agreed with the count */
        uint64_t n_missing;                     /* of all open differences */
        uint64_t n_gaps;                        /* open */
        uint64_t open_after_seq, open_last_seq; /* around all differences that are open */
        uint64_t n_refused; /* neither rows nor letters, by a constraint; no difference: known */
        uint64_t refused_after_seq, refused_last_seq; /* around these */
};

/* Numbers (after_seq, last_seq], received between the two times. */
struct DbRange {
        uint64_t after_seq, last_seq;
        int64_t from_us, to_us;
};

typedef int (*DbBooksFn)(void *arg, uint64_t seq); /* 0, or a fault that ends it */

MUST_CHECK int db_books_read(DbConn *conn, const char *epoch, DbBooks *ret_books);

/*
 * The journal has @n_journal messages between @books->checked_seq and @books->seq: goes on from
 * there, with a difference noted if the count says another number. DB_E_BUSY: the row is locked, or
 * somebody else has checked meanwhile; read again.
 */
MUST_CHECK int db_books_check(DbConn *conn,
                              const char *epoch,
                              const DbBooks *books,
                              uint64_t n_journal);
/* What is between the two cannot be compared, as the journal has it no more. Likewise. */
MUST_CHECK int db_books_skip(DbConn *conn, const char *epoch, const DbBooks *books);
/* Once, as long as it is open. */
MUST_CHECK int db_books_note_gap(DbConn *conn,
                                 const char *epoch,
                                 uint64_t after_seq,
                                 uint64_t last_seq);
/* Closes what is open and lies in (after_seq, last_seq]; how many ranges that were. */
MUST_CHECK int db_books_settle(DbConn *conn,
                               const char *epoch,
                               uint64_t after_seq,
                               uint64_t last_seq,
                               const char *by,
                               uint64_t *ret_n);

/* The numbers of @range that are rows or letters, or letters that were taken away; ascending. */
MUST_CHECK int db_books_present(DbConn *conn,
                                const char *epoch,
                                const DbRange *range,
                                DbBooksFn fn,
                                void *arg);
/* Of the same range: @item of a list, which is a row, or a letter. A letter that was taken away, of
 * which nobody knows which item it was: as if it were each of them, with -1. */
typedef int (*DbBooksItemFn)(void *arg, uint64_t seq, int item, bool is_letter);
MUST_CHECK int db_books_items(DbConn *conn,
                              const char *epoch,
                              const DbRange *range,
                              DbBooksItemFn fn,
                              void *arg);
/* News of a command (command_ack, command_state): is it as far already, so that they left nothing?
 */
MUST_CHECK int db_books_knows_news(DbConn *conn, const Record *record, bool *ret_knows);
/* The row of the position is gone, and rows that were stored before are not: it gets back the id
 * that these have, so that they are known for what they are. @last_seq: of the journal. */
MUST_CHECK int db_books_adopt(DbConn *conn, const char *epoch, uint64_t last_seq);
/* The newest number behind @after_seq that any table has; 0 = none. */
MUST_CHECK int db_books_newest(DbConn *conn,
                               const char *epoch,
                               uint64_t after_seq,
                               uint64_t *ret_seq);
