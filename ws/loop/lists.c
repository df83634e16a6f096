#include "ws/loop/lists.h"

#include <sys/queue.h>

#include "base/err.h"
#include "base/index.h"
#include "base/vec.h"

typedef struct WsListKey WsListKey;

/* No padding: it is hashed as bytes. */
struct WsListKey {
        int64_t id;
        int32_t dialect;
        int32_t scope;
};

struct WsList {
        WsListKey key;
        WsSpot **spots;
        size_t n, capacity;
        TAILQ_ENTRY(WsList) entry;
};

struct WsIndex {
        Index *by_key;
        TAILQ_HEAD(, WsList) lists;
};

int ws_index_new(WsIndex **ret_index) {
        CLEANUP(ws_index_free) WsIndex *index = NULL;
        int r;

        index = calloc(1, sizeof(*index));
        if (!index)
                return err_new(-ENOMEM);

        TAILQ_INIT(&index->lists);
        r = index_new(&index->by_key);
        if (r < 0)
                return err_up(r);

        *ret_index = TAKE(&index);
        return 0;
}

static void ws_index_drop(WsIndex *index, WsList *list) {
        index_remove(index->by_key, &list->key, sizeof(list->key));
        TAILQ_REMOVE(&index->lists, list, entry);
        free(list->spots);
        free(list);
}

WsIndex *ws_index_free(WsIndex *index) {
        WsList *list;

        if (!index)
                return NULL;

        while ((list = TAILQ_FIRST(&index->lists)))
                ws_index_drop(index, list);
        index_free(index->by_key);
        free(index);
        return NULL;
}

static WsList *ws_index_add(WsIndex *index, const WsListKey *key) {
        WsList *list = calloc(1, sizeof(*list));

        if (!list)
                return NULL;

        list->key = *key;
        if (index_put(index->by_key, key, sizeof(*key), list) < 0) {
                free(list);
                return NULL;
        }
        TAILQ_INSERT_TAIL(&index->lists, list, entry);
        return list;
}

int ws_index_join(WsIndex *index, WsSpot *spot, int dialect, WsScope scope, int64_t id) {
        WsListKey key = { .id = id, .dialect = dialect, .scope = (int32_t)scope };
        WsList *list;

        assert(!spot->list);

        list = index_get(index->by_key, &key, sizeof(key));
        if (!list)
                list = ws_index_add(index, &key);
        if (!list)
                return err_new(-ENOMEM);
        if (!VEC_HAS_ROOM(list->spots, list->n, list->capacity, 2)) {
                if (list->n == 0)
                        ws_index_drop(index, list);
                return err_new(-ENOMEM);
        }

        spot->list = list;
        spot->at = list->n;
        list->spots[list->n++] = spot;
        return 0;
}

void ws_index_leave(WsIndex *index, WsSpot *spot) {
        WsList *list = spot->list;

        if (!list)
                return;

        list->spots[spot->at] = list->spots[--list->n];
        list->spots[spot->at]->at = spot->at;
        spot->list = NULL;
        if (list->n == 0)
                ws_index_drop(index, list);
}

const WsList *ws_index_find(const WsIndex *index, int dialect, WsScope scope, int64_t id) {
        WsListKey key = { .id = id, .dialect = dialect, .scope = (int32_t)scope };

        return index_get(index->by_key, &key, sizeof(key));
}

const WsList *ws_index_next(const WsIndex *index, const WsList *list) {
        return list ? TAILQ_NEXT(list, entry) : TAILQ_FIRST(&index->lists);
}

int ws_list_dialect(const WsList *list) {
        return list->key.dialect;
}

WsScope ws_list_scope(const WsList *list) {
        return (WsScope)list->key.scope;
}

int64_t ws_list_id(const WsList *list) {
        return list->key.id;
}

size_t ws_list_length(const WsList *list) {
        return list ? list->n : 0;
}

WsClient *ws_list_at(const WsList *list, size_t i) {
        return list->spots[i]->client;
}
