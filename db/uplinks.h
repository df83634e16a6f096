#pragma once

/*
 * DbUplinks: how far the journals of gateways at the edge are stored.
 *
 * The transaction that stores moves it (tidegate_uplink_advance()); here it is read.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/record.h"

/* Of all of them, in place of *positionsp. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_uplinks_positions(DbConn *conn, Origin **positionsp, size_t *ret_n);
/* Of one; 0: nothing of it is. */
MUST_CHECK int db_uplinks_position(DbConn *conn,
                                   int64_t device_id,
                                   uint64_t epoch,
                                   uint64_t *ret_seq);
