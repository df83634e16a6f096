#pragma once

/*
 * Columns: what the columns of a row mean, in our words and in those of other systems. Pure.
 */

#include "base/base.h"
#include "db/edit/import.h"
#include "gateway/move/row.h"

#define COLUMN_TEXT_MAX  (ROW_VALUE_MAX + 80)
#define COLUMNS_MAX      24  /* that we have */
#define COLUMN_LABEL_MAX 256 /* of one for people */

typedef struct Columns Columns;

/* One row, ready for db_import_row(). */
struct Columns {
        const char *values[DB_IMPORT_VALUE_COUNT]; /* NULL, or of @texts */
        char texts[DB_IMPORT_VALUE_COUNT][COLUMN_TEXT_MAX];
        const char *said[COLUMNS_MAX]; /* borrowed: by which column of the row each of ours was */
        const char *column;            /* what the answer is about */
        const char *why;
        char reason[ROW_COLUMN_MAX + 64]; /* of @why, where it names another */
};

enum {
        COLUMNS_E_UNKNOWN = 1, /* no column of ours: it is left out */
        COLUMNS_E_REFUSED,     /* @why: the row cannot be taken */
        COLUMNS_E_NOTED,       /* @why: it is, without this */
};

bool columns_know(const char *from);
bool columns_want(const char *from, RowKind kind, const char *column); /* one that is taken */
void columns_begin(Columns *columns);
/* @cell stays until the next columns_begin(). */
MUST_CHECK int columns_put(Columns *columns, const char *from, RowKind kind, const RowCell *cell);
/* What is left to say once all were put: fills in what has a default. */
MUST_CHECK int columns_end(Columns *columns, const char *from, RowKind kind);
