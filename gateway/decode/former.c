#include "gateway/decode/former.h"

#include "base/err.h"
#include "base/vec.h"

typedef struct FormerTable FormerTable;

struct FormerTable {
        Routes *routes; /* owned reference */
        uint64_t until_seq;
        int64_t until_us;
};

struct Former {
        FormerTable *tables; /* the oldest first */
        size_t n, capacity;
};

int former_new(Former **ret_former) {
        *ret_former = calloc(1, sizeof(**ret_former));
        return *ret_former ? 0 : err_new(-ENOMEM);
}

Former *former_free(Former *former) {
        if (!former)
                return NULL;
        for (size_t i = 0; i < former->n; ++i)
                routes_unref(former->tables[i].routes);
        free(former->tables);
        free(former);
        return NULL;
}

void former_drop(Former *former, size_t i) {
        routes_unref(former->tables[i].routes);
        --former->n;
        memmove(former->tables + i,
                former->tables + i + 1,
                (former->n - i) * sizeof(*former->tables));
}

static void former_bound(Former *former) {
        size_t n_routes = 0;

        for (size_t i = 0; i < former->n; ++i)
                n_routes += routes_length(former->tables[i].routes);
        for (; n_routes > FORMER_MAX_ROUTES && former->n > 1; former_drop(former, 0))
                n_routes -= routes_length(former->tables[0].routes);
}

int former_add(Former *former, Routes *routes, uint64_t until_seq, int64_t until_us) {
        if (!VEC_HAS_ROOM(former->tables, former->n, former->capacity, 2))
                return err_new(-ENOMEM);
        former->tables[former->n++] = (FormerTable){
                .routes = routes_ref(routes),
                .until_seq = until_seq,
                .until_us = until_us,
        };
        former_bound(former);
        return 0;
}

const Routes *former_routes(const Former *former, uint64_t seq, int64_t received_us, size_t nth) {
        for (size_t i = former->n; i > 0; --i) {
                const FormerTable *table = &former->tables[i - 1];

                if ((seq <= table->until_seq || received_us <= table->until_us) && nth-- == 0)
                        return table->routes;
        }
        return NULL;
}

size_t former_count_later(const Former *former, uint64_t seq) {
        size_t n = 0;

        for (size_t i = 0; i < former->n; ++i)
                n += seq <= former->tables[i].until_seq;
        return n;
}

const Route *former_match(const Former *former,
                          uint64_t seq,
                          int64_t received_us,
                          Text topic,
                          TopicMatch *ret_match) {
        const Routes *routes;
        const Route *route = NULL;

        for (size_t i = 0; !route && (routes = former_routes(former, seq, received_us, i)); ++i)
                route = routes_match(routes, topic, ret_match);
        return route;
}

/* What is gone needs no table, and what came in the meantime has been given its time. */
void former_forget(Former *former, uint64_t gone_seq, int64_t now_us) {
        size_t n = 0;

        for (size_t i = 0; i < former->n; ++i) {
                FormerTable table = former->tables[i];

                if (gone_seq >= table.until_seq && now_us > table.until_us)
                        routes_unref(table.routes);
                else
                        former->tables[n++] = table;
        }
        former->n = n;
}

size_t former_length(const Former *former) {
        return former->n;
}

const Routes *former_table(const Former *former, size_t i, uint64_t *ret_until_seq) {
        assert(i < former->n);
        *ret_until_seq = former->tables[i].until_seq;
        return former->tables[i].routes;
}
