#pragma once

/*
 * IdList: things in ascending order of their ids.
 *
 * A sorted array. Adding a larger id than all others and removing are cheap; ids
 * that come out of order cost one sort at the next settle. One thread.
 */

#include "base/base.h"

typedef struct IdItem IdItem;
typedef struct IdList IdList;

struct IdItem {
        int64_t id;
        void *value; /* borrowed; NULL = removed */
};

struct IdList { /* memory of the caller, zeroed */
        IdItem *items;
        size_t n_items, n_removed, capacity;
        bool is_unsorted;
};

void idlist_done(IdList *list);

MUST_CHECK int idlist_add(IdList *list, int64_t id, void *value); /* not twice the same id */
void idlist_remove(IdList *list, int64_t id);
void idlist_settle(IdList *list); /* after changes, before idlist_next() */

void *idlist_next(const IdList *list, int64_t after_id); /* NULL ends */
