#pragma once

/*
 * DbNodes: what all nodes of a cluster say of themselves, and what that comes to (schema/0053).
 *
 * One statement. Blocks, on the threads of a lane.
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/conn.h"

/* One JSON object, as docs/protocol.md has it for scope=cluster. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_nodes_read(DbConn *conn, const char *cluster, Buf *ret_body);
