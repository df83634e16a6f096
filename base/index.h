#pragma once

/*
 * Index: finds pointers by a key of bytes, such as an id or a code.
 *
 * A hash table (uthash) that copies its keys and borrows its values. One thread.
 */

#include "base/base.h"

typedef struct Index Index;
typedef void (*IndexFn)(void *arg, void *value);

MUST_CHECK int index_new(Index **ret_index);
Index *index_free(Index *index);

/* Replaces what the key stood for before. */
MUST_CHECK int index_put(Index *index, const void *key, size_t n_key, void *value);
void *index_get(const Index *index, const void *key, size_t n_key); /* NULL if there is none */
void index_remove(Index *index, const void *key, size_t n_key);
void index_each(Index *index, IndexFn fn, void *arg); /* @fn may remove the value it is given */
size_t index_length(const Index *index);

static inline MUST_CHECK int index_put_id(Index *index, int64_t id, void *value) {
        return index_put(index, &id, sizeof(id), value);
}

static inline void *index_get_id(const Index *index, int64_t id) {
        return index_get(index, &id, sizeof(id));
}

static inline void index_remove_id(Index *index, int64_t id) {
        index_remove(index, &id, sizeof(id));
}

DEFINE_CLEANUP(Index *, index_free);
