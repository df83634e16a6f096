#pragma once

/*
 * DbDirectory: reads users, devices, vehicles, groups and shares for the registry, and follows
 * their changes by LISTEN (triggers of the schema NOTIFY `tidegate_registry`).
 *
 * Uses the connection of its owner while no batch is under way. Blocks, bounded by the statement
 * time-out. Every function: 0, DB_E_OFFLINE, DB_E_REJECTED, or a fault.
 */

#include "db/conn.h"
#include "gateway/base/arena.h"
#include "gateway/base/base.h"
#include "gateway/base/record.h"
#include "gateway/base/registry.h"

typedef void (*DbRestoredFn)(void *arg, const Record *record);

/* LISTEN first, then everything, so that no change falls between. */
MUST_CHECK int db_directory_load(DbConn *conn, RegistryDelta **ret_delta);

/* Reads what has arrived, without waiting for more, then the rows that changed. After DB_E_OFFLINE:
 * connect and load. What changed since the last call; *ret_delta NULL if nothing. Many changes at
 * once come as a whole delta. */
MUST_CHECK int db_directory_poll(DbConn *conn, RegistryDelta **ret_delta);

/* A round trip: afterwards poll knows of everything that was committed before this call. */
MUST_CHECK int db_directory_sync(DbConn *conn);

/* The newest telemetry of each device and the newest vehicle_log of each vehicle, as records (data,
 * ids, times, seq). The texts are in @arena. */
MUST_CHECK int db_directory_restore(DbConn *conn, Arena *arena, DbRestoredFn fn, void *arg);

/* Creates a device that reports itself. DB_E_EXISTS: somebody was faster; poll will bring it.
 * DB_E_REJECTED: this one is not taken, but others are. DB_E_REFUSED: try again later (a lock, a
 * time-out, a table that takes nobody). The delta has its row. */
MUST_CHECK int db_directory_register(DbConn *conn,
                                     Text code,
                                     int64_t user_id,
                                     Text name,
                                     const char *device_type,
                                     RegistryDelta **ret_delta);
