#pragma once

/*
 * Row: one thing as a file names it: some columns, each with a text. Pure.
 */

#include "base/base.h"

#define ROW_CELLS_MAX  64
#define ROW_VALUE_MAX  1024
#define ROW_COLUMN_MAX 64

typedef struct Row Row;
typedef struct RowCell RowCell;
typedef struct RowHandler RowHandler;

typedef enum RowKind {
        ROW_USERS,
        ROW_DEVICES,
        ROW_VEHICLES,
        ROW_GROUPS,
        ROW_SHARES,
        ROW_KIND_COUNT
} RowKind;

struct RowCell {
        char column[ROW_COLUMN_MAX];
        char value[ROW_VALUE_MAX]; /* UTF-8 */
        bool is_number;            /* of JSON, not a text */
};

struct Row {
        RowKind kind;
        size_t line;
        size_t n_cells; /* those that have something; an empty one is not there */
        RowCell cells[ROW_CELLS_MAX];
};

struct RowHandler {
        int (*row)(void *arg, const Row *row); /* not 0: no more */
        /* What cannot be read: @column may be "". @is_over: and nothing behind it is. */
        void (*fault)(void *arg, size_t line, const char *column, const char *why);
        void *arg;
        /* Is it of use? What is in one that is not can refuse no row. NULL: all are. */
        bool (*wants)(void *arg, RowKind kind, const char *column);
};

const char *row_kind_name(RowKind kind); /* "users" */
RowKind row_kind_of(Text name);          /* ROW_KIND_COUNT: none is called so */
RowKind row_kind_near(const char *name); /* the one that was meant; ROW_KIND_COUNT: none */

/* One cell more; an empty one is left out, and of one that nobody wants what is in it where that is
 * no text that a cell can have. False: it was told why not. */
bool row_put(Row *row, Text column, Text value, bool is_number, const RowHandler *handler);
/* The same of what is no text at all, as @why says. */
bool row_put_unfit(Row *row, Text column, const char *why, const RowHandler *handler);
