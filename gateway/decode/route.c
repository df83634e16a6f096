#include "gateway/decode/route.h"

#include <stdatomic.h>

#include "base/err.h"
#include "base/vec.h"

struct Routes {
        _Atomic unsigned n_refs;
        Route *items;
        size_t n_items;
        size_t n_allocated;
        Route doors[KIND_COUNT];
};

static char route_door[] = "door"; /* the name of those that nobody configured */

/* By kind; of one that no other door takes there is none. */
static const Route route_doors[KIND_COUNT] = {
        [KIND_BLE_DETECTIONS] = { .name = route_door,
                                  .kind = KIND_BLE_DETECTIONS,
                                  .max_bytes = ROUTE_DOOR_BYTES,
                                  .near_dbm = ROUTE_NEAR_DBM,
                                  .medium_dbm = ROUTE_MEDIUM_DBM },
        [KIND_TELEMETRY] = { .name = route_door,
                             .kind = KIND_TELEMETRY,
                             .max_bytes = ROUTE_DOOR_BYTES },
        [KIND_COMMAND_ACK] = { .name = route_door,
                               .kind = KIND_COMMAND_ACK,
                               .max_bytes = ROUTE_DOOR_BYTES },
        [KIND_COMMAND_STATE] = { .name = route_door,
                                 .kind = KIND_COMMAND_STATE,
                                 .max_bytes = ROUTE_DOOR_BYTES },
};

int routes_new(Routes **ret_routes) {
        Routes *routes;

        routes = calloc(1, sizeof(*routes));
        if (!routes)
                return err_new(-ENOMEM);

        routes->n_refs = 1;
        memcpy(routes->doors, route_doors, sizeof(routes->doors));
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

const Route *routes_door(const Routes *routes, Kind kind) {
        const Route *route = routes_by_kind(routes, kind);

        if (!route && kind < KIND_COUNT && routes->doors[kind].name)
                route = &routes->doors[kind];
        return route;
}

void routes_set_door_time(Routes *routes, int64_t max_ahead_us, int64_t max_age_us) {
        for (size_t i = 0; i < N_ELEMENTS(routes->doors); ++i) {
                routes->doors[i].max_ahead_us = max_ahead_us;
                routes->doors[i].max_age_us = max_age_us;
        }
}
