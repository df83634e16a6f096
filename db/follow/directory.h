#pragma once

/*
 * DbDirectory: reads users, devices, vehicles, groups and shares for the registry, and follows
 * their changes by LISTEN (triggers of the schema NOTIFY `tidegate_registry`).
 *
 * Has a connection to itself, which should have a lock time-out: a table that somebody has locked
 * is read when it can be, and the news of the others do not wait for it. Blocks, bounded by the
 * statement time-out. Every function: 0, DB_E_OFFLINE, DB_E_REJECTED, or a fault.
 */

#include "base/arena.h"
#include "base/base.h"
#include "db/conn.h"
#include "db/follow/pulse.h"
#include "model/record.h"
#include "model/registry.h"

typedef struct DbDirectory DbDirectory;
typedef void (*DbRestoredFn)(void *arg, const Record *record);
typedef int (*DbMergedFn)(void *arg, int64_t device_id, uint64_t seq, Text payload);
typedef int (*DbBirthFn)(void *arg, Text thing, uint64_t seq, Text payload);
typedef int (*DbSensorFn)(void *arg, int64_t vehicle_id, int32_t sensor_id); /* 0 or a fault */

/* @pulse hears of its beats by what arrives here; borrowed, may be NULL. */
MUST_CHECK int db_directory_new(DbDirectory **ret_directory, DbConn *conn, DbPulse *pulse);
DbDirectory *db_directory_free(DbDirectory *directory);

/* After each connect: LISTEN first, then everything, so that no change falls between. DB_E_BUSY: a
 * table is locked. */
MUST_CHECK int db_directory_open(DbDirectory *directory, RegistryDelta **ret_delta);

/* Reads what has arrived, without waiting for more, then the rows that changed. After DB_E_OFFLINE:
 * connect and open. What changed since the last call; *ret_delta NULL if nothing. Many changes at
 * once come as a whole delta. */
MUST_CHECK int db_directory_poll(DbDirectory *directory, RegistryDelta **ret_delta);
/* Something changed that could not be read yet: poll again in a while. */
bool db_directory_is_behind(const DbDirectory *directory);

/* By db_directory_open(): is anything (but states) other than when it was called before? */
bool db_directory_differs(const DbDirectory *directory);

/* A round trip: afterwards poll hears of everything that was committed before this call. */
MUST_CHECK int db_directory_sync(DbDirectory *directory);

/* All there is, in one snapshot. */
MUST_CHECK int db_directory_load(DbConn *conn, RegistryDelta **ret_delta);
/* The device of that code; DB_E_NOT_FOUND. */
MUST_CHECK int db_directory_find(DbConn *conn, const char *code, RegistryDelta **ret_delta);
/* Likewise of a JSON list of objects with a `code` each; DB_E_NOT_FOUND: none of them. */
MUST_CHECK int db_directory_find_all(DbConn *conn, const char *list, RegistryDelta **ret_delta);

/* The newest telemetry of each device and the newest vehicle_log of each vehicle, as records (data,
 * ids, times, seq). The texts are in @arena. */
MUST_CHECK int db_directory_restore(DbConn *conn, Arena *arena, DbRestoredFn fn, void *arg);

/* Each sensor that a vehicle has, or, with @vehicle_ids, that one of these has. */
MUST_CHECK int db_directory_sensors(DbConn *conn,
                                    const int64_t vehicle_ids[], /* NULL: all */
                                    size_t n,
                                    DbSensorFn fn,
                                    void *arg);

/* The last birth of each node and device of Sparkplug. */
MUST_CHECK int db_directory_births(DbConn *conn, DbBirthFn fn, void *arg);

/* What changes of telemetry come to, of each device. */
MUST_CHECK int db_directory_merged(DbConn *conn, DbMergedFn fn, void *arg);

DEFINE_CLEANUP(DbDirectory *, db_directory_free);
