#pragma once

/*
 * DbUplinks: how far the journals of gateways at the edge are stored.
 *
 * The transaction that stores moves it (tidegate_uplink_advance()); here it is read.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/edge/runs.h"
#include "model/record.h"

/* Of all of them, in place of *positionsp. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_uplinks_positions(DbConn *conn, Origin **positionsp, size_t *ret_n);
/* Of the one that these have numbered; 0: nothing of it is. *ret_is_copied: lately another copy of
 * its folder has brought something, too. */
MUST_CHECK int db_uplinks_position(DbConn *conn,
                                   int64_t device_id,
                                   const Runs *runs,
                                   uint64_t *ret_seq,
                                   bool *ret_is_copied);
