#include "gateway/decode/route.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/vec.h"
#include "model/topic_filter.h"
#include "model/topic_index.h"

struct Routes {
        _Atomic unsigned n_refs;
        Routes *base; /* owned reference; NULL: none */
        Route *items;
        size_t n_items;
        size_t n_allocated;
        bool have_each;
        bool have_merge;   /* and of which what came is laid over what is known */
        TopicIndex *index; /* of their filters, by their places */
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
        CLEANUP(routes_unref) Routes *routes = NULL;
        int r;

        routes = calloc(1, sizeof(*routes));
        if (!routes)
                return err_new(-ENOMEM);

        routes->n_refs = 1;
        memcpy(routes->doors, route_doors, sizeof(routes->doors));
        r = topic_index_new(&routes->index);
        if (r != 0)
                return err_up(r);
        *ret_routes = TAKE(&routes);
        return 0;
}

int routes_new_behind(Routes **ret_routes, Routes *base) {
        int r = routes_new(ret_routes);

        if (r != 0)
                return err_up(r);
        assert(*ret_routes && base);
        (*ret_routes)->base = routes_ref(base);
        memcpy((*ret_routes)->doors, base->doors, sizeof(base->doors));
        return 0;
}

static void route_joint_done(RouteJoint *joint) {
        free(joint->device);
        for (size_t i = 0; i < joint->n_topics; ++i)
                free(joint->topics[i]);
        free(joint->topics);
}

void route_done(Route *route) {
        free(route->name);
        free(route->origin);
        topic_template_free(route->topic);
        zone_free(route->zone);
        free(route->person);
        free(route->said_name);
        free(route->said_location);
        free(route->said_maker);
        free(route->said_model);
        free(route->said_firmware);
        for (size_t i = 0; i < route->n_ignore; ++i)
                free(route->ignore[i]);
        free(route->ignore);
        condition_free(route->when);
        json_path_free(route->each);
        map_free(route->map);
        for (size_t i = 0; i < route->n_joints; ++i)
                route_joint_done(&route->joints[i]);
        free(route->joints);
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
        topic_index_free(routes->index);
        routes_unref(routes->base);
        free(routes);
        return NULL;
}

int routes_add(Routes *routes, const Route *route) {
        int r;

        if (!VEC_HAS_ROOM(routes->items, routes->n_items, routes->n_allocated, 16))
                return err_new(-ENOMEM);
        r = topic_index_add(routes->index,
                            topic_template_pattern(route->topic),
                            (uint32_t)routes->n_items);
        if (r != 0)
                return err_up(r);
        routes->items[routes->n_items++] = *route;
        routes->have_each = routes->have_each || route->each || route->n_joints > 1;
        routes->have_merge |= route->merges;
        return 0;
}

bool routes_have_merge(const Routes *routes) {
        return routes->have_merge || (routes->base && routes->base->have_merge);
}

bool routes_have_each(const Routes *routes) {
        return routes->have_each || (routes->base && routes->base->have_each);
}

static size_t routes_n_base(const Routes *routes) {
        return routes->base ? routes_length(routes->base) : 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): a base has none itself */
size_t routes_length(const Routes *routes) {
        return routes_n_base(routes) + routes->n_items;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
const Route *routes_get(const Routes *routes, size_t i) {
        size_t n_base = routes_n_base(routes);

        if (i < n_base)
                return routes_get(routes->base, i);
        return i - n_base < routes->n_items ? &routes->items[i - n_base] : NULL;
}

bool route_ignores(const Route *route, Text topic) {
        for (size_t i = 0; i < route->n_ignore; ++i)
                if (topic_filter_takes(route->ignore[i], topic))
                        return true;
        return false;
}

static bool route_ignores_all(const Route *route, const char *filter) {
        for (size_t i = 0; i < route->n_ignore; ++i)
                if (topic_filter_covers(route->ignore[i], filter))
                        return true;
        return false;
}

bool route_meets(const Route *a, const Route *b) {
        const char *filter_a = topic_template_pattern(a->topic);
        const char *filter_b = topic_template_pattern(b->topic);

        return topic_filter_meets(filter_a, filter_b) && !route_ignores_all(a, filter_b) &&
               !route_ignores_all(b, filter_a);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static size_t routes_near(const Routes *routes, const char *filter, uint32_t ret_places[]) {
        size_t n_base = routes_n_base(routes), n_before = 0, n;

        if (routes->base)
                n_before = routes_near(routes->base, filter, ret_places);
        n = n_before + topic_index_near(routes->index, filter, ret_places + n_before);
        for (size_t i = n_before; i < n; ++i)
                ret_places[i] += (uint32_t)n_base;
        return n;
}

size_t routes_meeting(const Routes *routes, size_t place, uint32_t ret_places[]) {
        const Route *route = routes_get(routes, place);
        size_t n_near = routes_near(routes, topic_template_pattern(route->topic), ret_places);
        size_t n = 0;

        for (size_t i = 0; i < n_near; ++i)
                if (ret_places[i] != place && route_meets(route, routes_get(routes, ret_places[i])))
                        ret_places[n++] = ret_places[i];
        return n;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
size_t routes_taking(const Routes *routes,
                     Text topic,
                     const Route *ret_routes[ROUTES_MAX_TAKING],
                     bool *ret_ignored) {
        uint32_t places[ROUTES_MAX_TAKING];
        size_t n = topic_index_find(routes->index, topic, places, N_ELEMENTS(places)), n_taking = 0;
        TopicMatch match;

        *ret_ignored = false;
        if (routes->base)
                n_taking = routes_taking(routes->base, topic, ret_routes, ret_ignored);
        for (size_t i = 0; i < n && n_taking < ROUTES_MAX_TAKING; ++i) {
                const Route *route = &routes->items[places[i]];

                if (!topic_template_match(route->topic, topic, &match))
                        continue; /* a name that is empty */
                if (route_ignores(route, topic))
                        *ret_ignored = true;
                else
                        ret_routes[n_taking++] = route;
        }
        return n_taking;
}

const Route *routes_match(const Routes *routes, Text topic, TopicMatch *ret_match) {
        const Route *taking[ROUTES_MAX_TAKING];
        bool ignored;

        if (routes_taking(routes, topic, taking, &ignored) == 0 ||
            !topic_template_match(taking[0]->topic, topic, ret_match))
                return NULL;
        return taking[0];
}

const Route *routes_by_kind(const Routes *routes, Kind kind) {
        const Route *route;

        for (size_t i = 0; (route = routes_get(routes, i)); ++i)
                if (route->kind == kind)
                        return route;
        return NULL;
}

/* A map is for what devices publish to the topic of its route, and so is what takes apart. */
static const Route *routes_plain(const Routes *routes, Kind kind) {
        const Route *route;

        for (size_t i = 0; (route = routes_get(routes, i)); ++i)
                if (route->kind == kind && !route->map && !route->each &&
                    route->format.kind == FORMAT_AS_IT_IS && !route->format.is_base64)
                        return route;
        return NULL;
}

const Route *routes_door(const Routes *routes, Kind kind) {
        const Route *route = routes_plain(routes, kind);

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
