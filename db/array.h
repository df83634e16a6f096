#pragma once

/*
 * DbArray: one column of many rows, as PostgreSQL's binary array of one dimension.
 *
 * Appends grow it; out of memory sticks and shows in db_array_finish(). One thread.
 * For the files of db/ only.
 */

#include "base/base.h"

typedef struct DbArray DbArray;

typedef enum DbType { /* the OIDs of pg_type.dat: fixed for ever */
                      DB_TYPE_BOOL = 16,
                      DB_TYPE_BYTEA = 17,
                      DB_TYPE_INT8 = 20,
                      DB_TYPE_INT2 = 21,
                      DB_TYPE_INT4 = 23,
                      DB_TYPE_TEXT = 25,
                      DB_TYPE_JSON = 114,
                      DB_TYPE_FLOAT8 = 701,
                      DB_TYPE_TIMESTAMPTZ = 1184,
                      DB_TYPE_JSONB = 3802,
} DbType;

struct DbArray {
        char *data;
        size_t n, capacity;
        DbType type;
        int32_t n_items;
        bool has_null, failed;
};

uint32_t db_type_array(DbType type); /* the OID of its array type */

void db_array_init(DbArray *array, DbType type);
void db_array_done(DbArray *array);
void db_array_reset(DbArray *array); /* empty; keeps the memory, unless it is huge */

void db_array_null(DbArray *array);
void db_array_bool(DbArray *array, int8_t value);    /* -1 = null */
void db_array_int(DbArray *array, int64_t value);    /* INT2, INT4, INT8 */
void db_array_id(DbArray *array, int64_t value);     /* 0 = null */
void db_array_double(DbArray *array, double value);  /* NAN = null */
void db_array_time(DbArray *array, int64_t time_us); /* CLOCK_UNKNOWN = null */
void db_array_bytes(DbArray *array, Text bytes);     /* TEXT, JSON, JSONB, BYTEA; absent = null */
void db_array_lossy(DbArray *array, Text text); /* TEXT; what is not UTF-8, or NUL, becomes '?' */

int db_array_finish(DbArray *array); /* 0, -ENOMEM; then data and n are the parameter */
