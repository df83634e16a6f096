#pragma once

/*
 * Migrate: the numbered files of schema/, built into the program, applied in order.
 *
 * Forward only, each in a transaction of its own, all under an advisory lock, recorded in
 * schema_migrations with a checksum. Waits without limit for a statement of its own to end, and
 * closes the connection when one fails (db_conn_error() says why).
 */

#include "base/base.h"
#include "db/conn.h"

int db_migrate_latest(void); /* the number of the newest migration that this program has */

/* 0, and the schema is ours; DB_E_SCHEMA: it is newer, or a migration that was applied has changed.
 */
MUST_CHECK int db_migrate_up(DbConn *conn, int *ret_from, int *ret_to);
/* The newest migration that the database has; 0: none. DB_E_SCHEMA as above. */
MUST_CHECK int db_migrate_applied(DbConn *conn, int *ret_applied);
MUST_CHECK int db_migrate_check(
        DbConn *conn); /* 0, or DB_E_SCHEMA if migrations are missing or newer */
