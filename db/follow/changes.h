#pragma once

/*
 * DbChanges: the rows of the registry's tables that changed, and have not been read yet.
 *
 * Triggers of the schema tell of each row by "<table> <op> <id> [<id>]". What is told of twice is
 * read once; what cannot be understood, or is more than there is room for, means that everything is
 * to be read again. Memory of the caller, zeroed to begin with; one thread.
 */

#include "base/base.h"
#include "model/registry_delta.h"

typedef struct Buf Buf;
typedef struct DbChange DbChange;
typedef struct DbChanges DbChanges;

#define DB_CHANGES_MAX 500

struct DbChange {
        RegistryTable table;
        int64_t id, other_id; /* device_groups: device, group */
};

struct DbChanges {
        DbChange items[DB_CHANGES_MAX];
        size_t n;
        bool too_many; /* read everything */
};

void db_changes_reset(DbChanges *changes); /* all has been read */
void db_changes_hear(DbChanges *changes, const char *text);
void db_changes_settle(DbChanges *changes, RegistryTable table); /* its rows have been read */
/* "{1,2,3}": the rows of @table that changed; false if none. */
bool db_changes_ids(const DbChanges *changes, RegistryTable table, Buf *ret_ids);
