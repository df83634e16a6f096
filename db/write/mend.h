#pragma once

/*
 * DbMend: stores messages that the position has passed and that are missing, one transaction after
 * another, beside the gateway that writes or without one.
 *
 * While a transaction is open the row of the position is locked: the gateway's batches wait, nobody
 * else mends, and what is found to be missing stays so until it is written. The position and the
 * count of what was stored stay as they are. As db/write/books.h answers; after anything but 0 the
 * transaction is rolled back. DB_E_REFUSED: not all that was to be stored got into its table, as a
 * trigger kept it out without a word.
 */

#include "db/write/books.h"
#include "db/write/store.h"

typedef struct DbMend DbMend;

MUST_CHECK int db_mend_new(DbMend **ret_mend, DbConn *conn, const char *epoch);
DbMend *db_mend_free(DbMend *mend);

MUST_CHECK int db_mend_begin(DbMend *mend,
                             uint64_t *ret_seq); /* the position, which stands still */
MUST_CHECK int db_mend_store(DbMend *mend, const DbBatch *batch); /* its seq is not looked at */
MUST_CHECK int db_mend_commit(DbMend *mend);

/* Everything up to the position was compared by number, and is there: the books go on from here. */
MUST_CHECK int db_mend_agree(DbMend *mend);

DEFINE_CLEANUP(DbMend *, db_mend_free);
