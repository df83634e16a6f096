#pragma once

/*
 * DbSheet: the statements that write a batch, each with whole columns as its parameters: their SQL,
 * and the types of the columns.
 *
 * Constant. For the files of db/ only.
 */

#include "base/base.h"
#include "db/array.h"

#define DB_SHEET_MAX_PARAMS 18

typedef struct DbSheetInfo DbSheetInfo;

/* In the order in which a batch runs them. */
typedef enum DbSheet {
        DB_SHEET_ORIGINS, /* how far the journals of edges are stored with it */
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
        DB_SHEET_REPLAYS, /* which is told to who asked */
        DB_SHEET_DEAD_LETTERS,
        DB_SHEET_REFUSED,   /* those that are not taken either: the journal keeps their messages */
        DB_SHEET_ROW_NOTES, /* what of the stored was set aside */
        DB_SHEET_NAMES,     /* what devices call themselves */
        DB_SHEET_BIRTHS,    /* of Sparkplug: the last one of each thing */
        DB_SHEET_MERGED,    /* what changes of telemetry come to, of each device */
        DB_SHEET_CLOCKS,    /* of vehicles */
        DB_SHEET_STATES,
        DB_SHEET_COUNT
} DbSheet;

struct DbSheetInfo {
        const char *name, *sql;
        const char *columns; /* one letter a column, see db_sheet_type() */
        bool has_journal;    /* $1 is the journal's id, the columns follow */
};

const DbSheetInfo *db_sheet(DbSheet sheet);
DbType db_sheet_type(char letter);
int db_sheet_types(DbSheet sheet, uint32_t ret_types[DB_SHEET_MAX_PARAMS]); /* how many */
