#pragma once

/*
 * Adoption: what the journal of a dead node has left is stored by whoever has its folder, while
 * others have its slot (docs/decisions/095).
 *
 * Under the journal's own position and lock, by a processor as in a gateway, with the numbers and
 * times of receipt that the messages had. What others were sent as well and have stored is passed
 * over; what the broker may still send to them is made known to them first. Ends as soon as
 * anything of the database is lost or is somebody else's: called again, it goes on where it was.
 * Blocks.
 */

#include "base/base.h"
#include "gateway/config/config.h"
#include "gateway/journal/journal_options.h"

typedef struct Adopted Adopted;
typedef struct DbConn DbConn;

struct Adopted {
        char epoch[JOURNAL_EPOCH_SIZE]; /* of the journal */
        int slot;
        uint64_t n_taken; /* messages that others have stored */
        uint64_t n_stored, n_left;
        uint64_t n_again; /* were there, as they were sent twice: by an edge, or a broker */
        /* Up to so many between two numbers cannot be read any more; 0: none. */
        uint64_t n_damaged, damaged_after_seq, damaged_until_seq;
        /* Places where files, or the ends of some, are missing: what they had between two numbers
         * is in nobody's hands. */
        uint64_t n_gaps, gap_after_seq, gap_last_seq;
};

enum {
        ADOPTION_E_NO_JOURNAL = 1, /* or not of a version that we know */
        ADOPTION_E_LOCKED,         /* a gateway uses it, or another adoption */
        ADOPTION_E_DISK,           /* what is to be noted there cannot be written */
        ADOPTION_E_UNKNOWN,  /* the database has no such journal; *ret_adopted names it, as in the
                                next three */
        ADOPTION_E_OWNED,    /* its slot is its own gateway's */
        ADOPTION_E_SLOT,     /* its slot is none of those that are configured */
        ADOPTION_E_ENDED,    /* some was stored, or none: n_left is what is not */
        ADOPTION_E_DATABASE, /* as db_conn_error() of @conn says */
        ADOPTION_E_EMPTY,    /* nothing ever came there, and it never had its turn */
};

/* @dir: of one journal. @conn: to the database of @config, and nobody else's meanwhile. What is not
 * stored after @max_ms is left: ADOPTION_E_ENDED. */
MUST_CHECK int adoption_run(const Config *config,
                            const char *dir,
                            DbConn *conn,
                            int max_ms,
                            Adopted *ret_adopted);
/* Of our own journal, before it is opened: if another gateway has its slot, what it has left is
 * stored now, as far as that comes in @max_ms. Says in the log what came of it; no reason not to
 * start. */
void adoption_at_start(const Config *config, const char *dir, DbConn *conn, int max_ms);
