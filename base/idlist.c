#include "base/idlist.h"

#include "base/err.h"
#include "base/vec.h"

void idlist_done(IdList *list) {
        free(list->items);
        *list = (IdList){ 0 };
}

int idlist_add(IdList *list, int64_t id, void *value) {
        bool is_behind = list->n_items > 0 && list->items[list->n_items - 1].id >= id;

        if (!VEC_HAS_ROOM(list->items, list->n_items, list->capacity, 64))
                return err_new(-ENOMEM);
        list->is_unsorted = list->is_unsorted || is_behind;
        list->items[list->n_items++] = (IdItem){ .id = id, .value = value };
        return 0;
}

static int idlist_compare(const void *a, const void *b) {
        const IdItem *x = a, *y = b;

        return (x->id > y->id) - (x->id < y->id);
}

static void idlist_compact(IdList *list) {
        size_t n = 0;

        for (size_t i = 0; i < list->n_items; ++i)
                if (list->items[i].value)
                        list->items[n++] = list->items[i];
        list->n_items = n;
        list->n_removed = 0;
}

void idlist_settle(IdList *list) {
        /* What is removed may be here a second time: it must be gone before the sort. */
        if (list->n_removed > 0 && (list->is_unsorted || list->n_removed > list->n_items / 2))
                idlist_compact(list);
        if (list->is_unsorted)
                qsort(list->items, list->n_items, sizeof(list->items[0]), idlist_compare);
        list->is_unsorted = false;
}

/* Index of the first item whose id is not less than @id. */
static size_t idlist_search(const IdList *list, int64_t id) {
        size_t low = 0, high = list->n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (list->items[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void idlist_remove(IdList *list, int64_t id) {
        size_t i;

        if (list->is_unsorted)
                idlist_settle(list);
        i = idlist_search(list, id);
        if (i < list->n_items && list->items[i].id == id && list->items[i].value) {
                list->items[i].value = NULL;
                ++list->n_removed;
        }
}

void *idlist_next(const IdList *list, int64_t after_id) {
        if (after_id == INT64_MAX)
                return NULL;
        for (size_t i = idlist_search(list, after_id + 1); i < list->n_items; ++i)
                if (list->items[i].value)
                        return list->items[i].value;
        return NULL;
}
