#pragma once

/*
 * DbPooler: is the session behind a connection our own?
 *
 * A pooler that lends server processes by the transaction gives each of our transactions another
 * session: what was prepared, set and listened to is not there any more, and nobody says so.
 */

#include "base/base.h"
#include "db/conn.h"

/*
 * 0: it is, as far as one can tell; DB_E_POOLED: a transaction of @probe, which this connects and
 * disconnects, has run in it. Blocks. DB_E_OFFLINE, DB_E_REJECTED.
 */
MUST_CHECK int db_pooler_check(DbConn *conn, DbConn *probe);
