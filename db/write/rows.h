#pragma once

/*
 * DbRows: the records of a batch, turned into columns: one sheet of binary arrays for each
 * statement of DbStore.
 *
 * Knows the sheets, not the connection. One thread. For the files of db/ only.
 */

#include "base/base.h"
#include "db/array.h"
#include "db/write/sheet.h"
#include "model/account.h"
#include "model/record.h"

typedef struct DbParams DbParams;
typedef struct DbRows DbRows;

struct DbParams {
        int n;
        const char *values[DB_SHEET_MAX_PARAMS];
        int lengths[DB_SHEET_MAX_PARAMS];
        int formats[DB_SHEET_MAX_PARAMS];
};

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
