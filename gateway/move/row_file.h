#pragma once

/*
 * RowFile: a file of users, devices, vehicles, groups or shares, as rows of named texts.
 *
 * CSV with a header line, of one kind of thing; or JSON: a list of objects of one kind, or an
 * object with a list for each ("users": [...], "devices": [...]). The file is in memory, its rows
 * one at a time. One thread, the command line's.
 */

#include "gateway/move/row.h"

#define ROW_FILE_MAX (256 << 20)

typedef struct RowFile RowFile;

enum {
        ROW_FILE_E_UNREADABLE = 1, /* not there, no file, no right, or larger than ROW_FILE_MAX */
        ROW_FILE_E_KIND,           /* neither its name nor what stands before it says what it has */
};

/* @operand: "users=FILE", or a file that is called users.csv, users.json, or *.json. */
MUST_CHECK int row_file_open(RowFile **ret_file, const char *operand);
RowFile *row_file_free(RowFile *file); /* wipes: there are hashes in it */
const char *row_file_name(const RowFile *file);

/* The rows of this kind in order; what the handler says. */
MUST_CHECK int row_file_each(RowFile *file, RowKind kind, const RowHandler *handler);

DEFINE_CLEANUP(RowFile *, row_file_free);
