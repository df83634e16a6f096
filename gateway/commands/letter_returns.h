#pragma once

/*
 * LetterReturns: dead letters that somebody asked for are taken in again (docs/decisions/026).
 *
 * On the thread of the dispatcher, page by page, so that commands do not wait behind a thousand of
 * them. One that no journal takes is refused with its reason. What was journalled and not stored is
 * claimed once more by the next start of the gateway, by its session.
 */

#include "base/base.h"
#include "base/secret.h"

typedef struct CommandNotes CommandNotes;
typedef struct DbConn DbConn;
typedef struct LetterReturns LetterReturns;

struct LetterReturns {
        const CommandNotes *notes; /* borrowed, as is the next */
        DbConn *conn;
        char session[SECRET_ID_SIZE]; /* of this start */
        int64_t letter_id;            /* the one that was looked at last; 0 = none */
        size_t n_page;
        int fault; /* of a letter */
};

/* -EIO: no randomness. */
MUST_CHECK int letter_returns_init(LetterReturns *returns, const CommandNotes *notes, DbConn *conn);
/* Some pages. *ret_more: there may be more. 0, INBOUND_E_FULL, what the database answers. */
MUST_CHECK int letter_returns_turn(LetterReturns *returns, const char *epoch, bool *ret_more);
