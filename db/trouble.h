#pragma once

/*
 * DbTrouble: what an SQLSTATE says of a statement that failed. The one place that knows their
 * classes; what follows from it is for whoever sent the statement to decide. Pure, any thread.
 */

#include "base/base.h"

typedef enum DbTrouble {
        DB_TROUBLE_OTHER,  /* also "": there is none */
        DB_TROUBLE_SERVER, /* its connection, its shutdown, a standby, a session that forgot */
        DB_TROUBLE_SHORT,  /* of disk, memory or connections */
        DB_TROUBLE_LOCKED, /* somebody's lock, or a time-out: that passes */
        DB_TROUBLE_RACE,   /* lost against another transaction: again */
        DB_TROUBLE_DENIED, /* no right, or no such table */
        DB_TROUBLE_FENCED, /* another gateway stores */
        /* From here on it may be the rows. */
        DB_TROUBLE_ROWS,
        DB_TROUBLE_VALUE,     /* a value that its type does not take */
        DB_TROUBLE_REFERENCE, /* to what is not there, or not any more */
        DB_TROUBLE_CHECK,     /* a constraint, or no partition for it */
        DB_TROUBLE_TAKEN,     /* what has to be unique is there already */
} DbTrouble;

DbTrouble db_trouble(const char *sqlstate);
bool db_trouble_is_timeout(const char *sqlstate); /* the statement's own took too long */

/* Whatever surely is not the rows' is the server's matter: nothing is set aside for it. */
static inline bool db_trouble_may_be_rows(DbTrouble trouble) {
        return trouble >= DB_TROUBLE_ROWS;
}
