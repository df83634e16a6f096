#pragma once

/*
 * DbRegistration: a device that reports itself becomes one.
 *
 * Whoever else registers the same device at the same time, all end with the one that is there.
 * Blocks, bounded by the time-outs of the connection.
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/conn.h"
#include "model/registry.h"

typedef struct DbRegistration DbRegistration;

struct DbRegistration {
        Text code, name; /* no name: absent */
        int64_t user_id; /* its owner; 0 = nobody */
        const char *device_type;
};

/* 0: the delta has the device, ours or whoever's was first. DB_E_REJECTED: this one is not taken,
 * but others are. DB_E_REFUSED: try again later (a lock, a time-out, a table that takes nobody).
 * DB_E_OFFLINE. */
MUST_CHECK int db_register_device(DbConn *conn,
                                  const DbRegistration *registration,
                                  RegistryDelta **ret_delta);

/* Several in one statement: all of them or, with DB_E_REJECTED, none. @list is made by
 * db_registration_add() and ended by "]". */
void db_registration_add(Buf *list, const DbRegistration *registration);
MUST_CHECK int db_register_devices(DbConn *conn, const char *list, RegistryDelta **ret_delta);
