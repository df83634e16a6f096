#include "gateway/decode/route.h"

#include <stdatomic.h>

#include "base/err.h"
#include "base/vec.h"

struct Routes {
        _Atomic unsigned n_refs;
        Route *items;
        size_t n_items;
        size_t n_allocated;
};

int routes_new(Routes **ret_routes) {
        Routes *routes;

        routes = calloc(1, sizeof(*routes));
        if (!routes)
                return err_new(-ENOMEM);

        routes->n_refs = 1;
        *ret_routes = routes;
        return 0;
}

static void route_done(Route *route) {
        free(route->name);
        free(route->origin);
        topic_template_free(route->topic);
        zone_free(route->zone);
        free(route->person);
}

Routes *routes_ref(Routes *routes) {
        if (routes)
                atomic_fetch_add_explicit(&routes->n_refs, 1, memory_order_relaxed);
        return routes;
}

Routes *routes_unref(Routes *routes) {
        if (!routes || atomic_fetch_sub_explicit(&routes->n_refs, 1, memory_order_acq_rel) > 1)
                return NULL;

        for (size_t i = 0; i < routes->n_items; ++i)
                route_done(&routes->items[i]);
        free(routes->items);
        free(routes);
        return NULL;
}

int routes_add(Routes *routes, const Route *route) {
        if (!VEC_HAS_ROOM(routes->items, routes->n_items, routes->n_allocated, 16))
                return err_new(-ENOMEM);
        routes->items[routes->n_items++] = *route;
        return 0;
}

size_t routes_length(const Routes *routes) {
        return routes->n_items;
}

const Route *routes_get(const Routes *routes, size_t i) {
        return i < routes->n_items ? &routes->items[i] : NULL;
}

const Route *routes_match(const Routes *routes, Text topic, TopicMatch *ret_match) {
        for (size_t i = 0; i < routes->n_items; ++i)
                if (topic_template_match(routes->items[i].topic, topic, ret_match))
                        return &routes->items[i];
        return NULL;
}

const Route *routes_by_kind(const Routes *routes, Kind kind) {
        for (size_t i = 0; i < routes->n_items; ++i)
                if (routes->items[i].kind == kind)
                        return &routes->items[i];
        return NULL;
}
