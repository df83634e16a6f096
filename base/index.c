#include "base/index.h"

/* Out of memory is reported by a node that is in no table, instead of by exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/err.h"

typedef struct IndexNode IndexNode;

struct IndexNode {
        UT_hash_handle hh;
        void *value; /* borrowed */
        char key[];
};

struct Index {
        IndexNode *nodes;
};

/* NOLINTBEGIN(readability-function-size): uthash's macros nest deeply, these functions do not. */

static IndexNode *index_find(const Index *index, const void *key, size_t n_key) {
        IndexNode *node = NULL;

        HASH_FIND(hh, index->nodes, key, n_key, node);
        return node;
}

static void index_add(Index *index, IndexNode *node, size_t n_key) {
        HASH_ADD_KEYPTR(hh, index->nodes, node->key, n_key, node);
}

static void index_delete(Index *index, IndexNode *node) {
        HASH_DELETE(hh, index->nodes, node);
        free(node);
}

/* NOLINTEND(readability-function-size) */

int index_new(Index **ret_index) {
        Index *index;

        index = calloc(1, sizeof(*index));
        if (!index)
                return err_new(-ENOMEM);

        *ret_index = index;
        return 0;
}

Index *index_free(Index *index) {
        IndexNode *node, *next;

        if (!index)
                return NULL;

        node = index->nodes;
        HASH_CLEAR(hh, index->nodes);
        for (; node; node = next) {
                next = node->hh.next;
                free(node);
        }
        free(index);
        return NULL;
}

int index_put(Index *index, const void *key, size_t n_key, void *value) {
        IndexNode *node;

        node = index_find(index, key, n_key);
        if (node) {
                node->value = value;
                return 0;
        }

        node = calloc(1, sizeof(*node) + n_key);
        if (!node)
                return err_new(-ENOMEM);
        memcpy(node->key, key, n_key);
        node->value = value;
        index_add(index, node, n_key);
        if (!node->hh.tbl) {
                free(node);
                return err_new(-ENOMEM);
        }
        return 0;
}

void *index_get(const Index *index, const void *key, size_t n_key) {
        IndexNode *node = index_find(index, key, n_key);

        return node ? node->value : NULL;
}

void index_remove(Index *index, const void *key, size_t n_key) {
        IndexNode *node = index_find(index, key, n_key);

        if (node)
                index_delete(index, node);
}

void index_each(Index *index, IndexFn fn, void *arg) {
        IndexNode *next;

        for (IndexNode *node = index->nodes; node; node = next) {
                next = node->hh.next;
                fn(arg, node->value);
        }
}

size_t index_length(const Index *index) {
        return HASH_COUNT(index->nodes);
}
