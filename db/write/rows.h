#pragma once

/*
 * DbRows: the records of a batch, turned into columns: one sheet of binary arrays for each
 * statement of DbStore.
 *
 * Knows the SQL and the types, not the connection. One thread. For the files of db/ only.
 */

#include "base/base.h"
#include "db/array.h"
#include "model/account.h"
#include "model/record.h"

#define DB_ROWS_MAX_PARAMS 17

typedef struct DbParams DbParams;
typedef struct DbRows DbRows;

/* In the order in which a batch runs them. */
typedef enum DbSheet {
        DB_SHEET_SENSORS,
        DB_SHEET_RAW_LOGS,
        DB_SHEET_SENSOR_LOGS,
        DB_SHEET_VEHICLE_LOGS,
        DB_SHEET_BLE_DETECTIONS,
        DB_SHEET_TELEMETRY,
        DB_SHEET_CAMERA_EVENTS,
        DB_SHEET_ALERTS,
        DB_SHEET_STATUS_LOGS,
        DB_SHEET_ACKS,    /* of commands, and their states: answers with the `ord` of those that no
                             command waits for (true) and of those that changed nothing (false) */
        DB_SHEET_LETTERS, /* those that were taken in again go, whatever became of them */
        DB_SHEET_DEAD_LETTERS,
        DB_SHEET_NAMES, /* what devices call themselves */
        DB_SHEET_STATES,
        DB_SHEET_COUNT
} DbSheet;

struct DbParams {
        int n;
        const char *values[DB_ROWS_MAX_PARAMS];
        int lengths[DB_ROWS_MAX_PARAMS];
        int formats[DB_ROWS_MAX_PARAMS];
};

const char *db_rows_name(DbSheet sheet);
const char *db_rows_sql(DbSheet sheet);
int db_rows_types(DbSheet sheet, uint32_t ret_types[DB_ROWS_MAX_PARAMS]); /* how many */

MUST_CHECK int db_rows_new(DbRows **ret_rows);
DbRows *db_rows_free(DbRows *rows);

void db_rows_reset(DbRows *rows);
void db_rows_add(DbRows *rows, const Record *record, size_t index); /* index: the `ord` of an ack */
/* What is to be added to the number of rows that begin a message for there to be one of them. */
int db_rows_without(const Record *record);
Text db_rows_state(const AckRecord *ack); /* what a command is by what its device says */
void db_rows_add_state(DbRows *rows, int64_t device_id, const DeviceState *state);

/* Sensors, and what devices call themselves, are written once and then remembered (names for a
 * minute): forget them when a batch was rolled back. */
void db_rows_forget(DbRows *rows);

bool db_rows_has(const DbRows *rows, DbSheet sheet);
/* Borrowed until the next reset. @journal_id is in network order, and outlives the parameters. */
MUST_CHECK int db_rows_params(DbRows *rows,
                              DbSheet sheet,
                              const uint32_t *journal_id,
                              DbParams *ret_params);

DEFINE_CLEANUP(DbRows *, db_rows_free);
