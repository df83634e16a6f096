#include "model/registry.h"

#include "base/err.h"
#include "base/idlist.h"
#include "base/name.h"
#include "model/registry_graph.h"

#define REGISTRY_TOKEN sizeof(((Device *)NULL)->token_hash)

struct Registry {
        Graph graph;
        Index *names[GRAPH_KIND_COUNT]; /* user name, device and vehicle code; NULL for groups */
        Index *tokens;                  /* of devices, by hash */
        Index *identifiers;             /* of users, beside their names */
        IdList order[GRAPH_KIND_COUNT]; /* who is present */
        bool is_loaded;
        bool has_zones;
        Zones zones;
        bool narrowed; /* by the delta being applied */
};

int registry_new(Registry **ret_registry) {
        CLEANUP(registry_free) Registry *registry = NULL;
        int r;

        registry = calloc(1, sizeof(*registry));
        if (!registry)
                return err_new(-ENOMEM);

        r = graph_init(&registry->graph);
        for (size_t i = 0; i < GRAPH_KIND_COUNT && r == 0; ++i)
                if (i != GRAPH_GROUP)
                        r = index_new(&registry->names[i]);
        if (r == 0)
                r = index_new(&registry->tokens);
        if (r == 0)
                r = index_new(&registry->identifiers);
        if (r != 0)
                return err_up(r);

        *ret_registry = TAKE(&registry);
        return 0;
}

Registry *registry_free(Registry *registry) {
        if (!registry)
                return NULL;

        graph_done(&registry->graph);
        for (size_t i = 0; i < GRAPH_KIND_COUNT; ++i) {
                index_free(registry->names[i]);
                idlist_done(&registry->order[i]);
        }
        index_free(registry->tokens);
        index_free(registry->identifiers);
        free(registry);
        return NULL;
}

/* A delta may give the name to another node before it takes it from this one: leave it then. */
static void registry_forget_name(Registry *registry, GraphNode *node) {
        Text name = graph_name(node), identifier = graph_identifier(node);

        if (identifier.data &&
            index_get(registry->identifiers, identifier.data, identifier.n) == node)
                index_remove(registry->identifiers, identifier.data, identifier.n);
        if (name.data && index_get(registry->names[node->kind], name.data, name.n) == node)
                index_remove(registry->names[node->kind], name.data, name.n);
        if (graph_has_token(node) && node->is_present &&
            index_get(registry->tokens, node->device.token_hash, REGISTRY_TOKEN) == node)
                index_remove(registry->tokens, node->device.token_hash, REGISTRY_TOKEN);
}

/* After the row was copied into the node: indexes it, and marks what follows from it. */
static int registry_present(Registry *registry, GraphNode *node) {
        bool is_new = !node->is_present;
        Text name, identifier;
        int r = 0;

        node->is_present = true;
        node->generation = registry->graph.generation;
        graph_touch(&registry->graph, node);

        name = graph_name(node);
        if (name.data)
                r = index_put(registry->names[node->kind], name.data, name.n, node);
        identifier = graph_identifier(node);
        if (r == 0 && identifier.data)
                r = index_put(registry->identifiers, identifier.data, identifier.n, node);
        if (r == 0 && graph_has_token(node))
                r = index_put(registry->tokens, node->device.token_hash, REGISTRY_TOKEN, node);
        if (r == 0 && is_new)
                r = idlist_add(&registry->order[node->kind], node->id, node);
        return err_up(r);
}

static void registry_forget(Registry *registry, GraphNode *node) {
        const Audience nobody = { 0 };

        registry->narrowed = true;
        if (node->kind == GRAPH_DEVICE)
                graph_note_losses(&registry->graph, &node->device.audience, &nobody);
        if (node->kind == GRAPH_USER) /* who may come back */
                graph_note_loss(&registry->graph, node);
        if (node->kind == GRAPH_VEHICLE)
                graph_note_losses(&registry->graph, &node->vehicle.audience, &nobody);
        registry_forget_name(registry, node);
        idlist_remove(&registry->order[node->kind], node->id);
        graph_touch(&registry->graph, node);
        graph_disown(&registry->graph, node);
        node->is_present = false;
        if (node->kind == GRAPH_DEVICE)
                node->device = (Device){ .state = device_state_unknown() };
        if (node->kind == GRAPH_VEHICLE)
                node->vehicle = (Vehicle){ 0 };
}

static int registry_apply_user(Registry *registry, const User *row) {
        GraphNode *node = NULL;
        User user = *row;
        GraphTexts texts = { .texts = { &user.name, &user.identifier }, .n = 2 };
        bool was_admin;
        int r;

        user.name = user.name ? user.name : "";
        r = graph_node(&registry->graph, GRAPH_USER, row->id, &node);
        if (r != 0)
                return err_up(r);
        user.n_losses = node->user.n_losses;
        if (node->is_present &&
            ((node->user.is_active && !user.is_active) || node->user.role != user.role ||
             node->user.generation != user.generation || strcmp(node->user.name, user.name) != 0))
                registry->narrowed = true;

        registry_forget_name(registry, node);
        r = graph_keep_texts(node, &texts);
        if (r != 0)
                return err_up(r);
        was_admin = node->is_present && node->user.role == ROLE_ADMIN;
        node->user = user;
        if (was_admin && user.role != ROLE_ADMIN)
                graph_note_loss(&registry->graph, node);
        return err_up(registry_present(registry, node));
}

static int registry_apply_device(Registry *registry, const Device *row) {
        GraphNode *node = NULL;
        Device device = *row;
        GraphTexts texts = {
                .texts = { &device.key,
                           &device.code,
                           &device.name,
                           &device.product_type,
                           &device.device_type,
                           &device.firmware_version,
                           &device.location,
                           &device.manufacturer,
                           &device.model },
                .n = 9,
        };
        int r;

        device.key = device.key ? device.key : "";
        device.key_hash = thing_key_hash(device.key);
        device.code = device.code ? device.code : "";
        r = graph_node(&registry->graph, GRAPH_DEVICE, row->id, &node);
        if (r != 0)
                return err_up(r);
        if (node->is_present && !thing_is_same(node->device.key_hash, device.key_hash))
                registry_forget(registry, node);
        if (node->is_present && device_narrows(&node->device, &device))
                registry->narrowed = true;

        registry_forget_name(registry, node);
        r = graph_keep_texts(node, &texts);
        if (r == 0)
                r = graph_set_owner(&registry->graph, node, row->user_id);
        if (r != 0)
                return err_up(r);
        device.audience = node->device.audience;
        device.groups = node->device.groups;
        device.n_groups = node->device.n_groups;
        device.state = node->device.state;
        node->device = device;
        return err_up(registry_present(registry, node));
}

static int registry_apply_vehicle(Registry *registry, const Vehicle *row) {
        GraphNode *node = NULL;
        Vehicle vehicle = *row;
        GraphTexts texts = { .texts = { &vehicle.code, &vehicle.name }, .n = 2 };
        int r;

        vehicle.code = vehicle.code ? vehicle.code : "";
        r = graph_node(&registry->graph, GRAPH_VEHICLE, row->id, &node);
        if (r != 0)
                return err_up(r);
        if (node->is_present && !thing_is_same(node->vehicle.key_hash, row->key_hash))
                registry_forget(registry, node);
        if (node->is_present &&
            ((node->vehicle.user_id != 0 && node->vehicle.user_id != vehicle.user_id) ||
             (node->vehicle.is_active && !vehicle.is_active)))
                registry->narrowed = true;

        registry_forget_name(registry, node);
        r = graph_keep_texts(node, &texts);
        if (r == 0)
                r = graph_set_owner(&registry->graph, node, row->user_id);
        if (r != 0)
                return err_up(r);
        vehicle.audience = node->vehicle.audience;
        if (node->vehicle.clock.now.verdict != CLOCK_UNJUDGED) /* ahead of the database */
                vehicle.clock = node->vehicle.clock;
        node->vehicle = vehicle;
        return err_up(registry_present(registry, node));
}

static int registry_apply_group(Registry *registry, const GroupRef *row) {
        GraphNode *node = NULL;
        GroupRef group = *row;
        GraphTexts texts = { .texts = { &group.name }, .n = 1 };
        int r;

        group.name = group.name ? group.name : "";
        r = graph_node(&registry->graph, GRAPH_GROUP, row->id, &node);
        if (r == 0)
                r = graph_keep_texts(node, &texts);
        if (r != 0)
                return err_up(r);
        node->group = group;
        return err_up(registry_present(registry, node));
}

/* What the memory has may be newer: the database lags behind while it is away. */
static int registry_apply_state(Registry *registry, int64_t device_id, const DeviceState *state) {
        GraphNode *node = NULL;
        int r;

        r = graph_node(&registry->graph, GRAPH_DEVICE, device_id, &node);
        if (r != 0)
                return err_up(r);
        if (state->last_seen_us >= node->device.state.last_seen_us)
                node->device.state = *state;
        return 0;
}

static int registry_put(Registry *registry, const RegistryRow *row) {
        Graph *graph = &registry->graph;

        switch (row->table) {
        case REGISTRY_USER:
                return registry_apply_user(registry, &row->user);
        case REGISTRY_DEVICE:
                return registry_apply_device(registry, &row->device);
        case REGISTRY_DEVICE_STATE:
                return registry_apply_state(registry,
                                            row->device_state.device_id,
                                            &row->device_state.state);
        case REGISTRY_VEHICLE:
                return registry_apply_vehicle(registry, &row->vehicle);
        case REGISTRY_GROUP:
                return registry_apply_group(registry, &row->group);
        case REGISTRY_DEVICE_GROUP:
                return graph_put_member(graph,
                                        row->device_group.device_id,
                                        row->device_group.group_id);
        case REGISTRY_SHARE:
                return graph_put_share(graph, row, &registry->narrowed);
        case REGISTRY_ZONES:
                registry->zones = row->zones;
                registry->has_zones = true;
                return 0;
        default:
                return err_new(-EINVAL);
        }
}

static void registry_remove_edge(Registry *registry, GraphEdge *edge) {
        if (!edge)
                return;
        registry->narrowed = true;
        graph_remove_edge(&registry->graph, edge);
}

static void registry_remove_node(Registry *registry, GraphKind kind, int64_t id) {
        GraphNode *node = graph_find(&registry->graph, kind, id);

        if (node)
                registry_forget(registry, node);
}

static void registry_remove(Registry *registry, const RegistryRow *row) {
        Graph *graph = &registry->graph;
        GraphNode *device;

        switch (row->table) {
        case REGISTRY_USER:
                registry_remove_node(registry, GRAPH_USER, row->user.id);
                break;
        case REGISTRY_DEVICE:
                registry_remove_node(registry, GRAPH_DEVICE, row->device.id);
                break;
        case REGISTRY_DEVICE_STATE:
                device = graph_find(graph, GRAPH_DEVICE, row->device_state.device_id);
                if (device)
                        device->device.state = device_state_unknown();
                break;
        case REGISTRY_VEHICLE:
                registry_remove_node(registry, GRAPH_VEHICLE, row->vehicle.id);
                break;
        case REGISTRY_GROUP:
                registry_remove_node(registry, GRAPH_GROUP, row->group.id);
                break;
        case REGISTRY_DEVICE_GROUP:
                registry_remove_edge(registry,
                                     graph_find_member(graph,
                                                       row->device_group.device_id,
                                                       row->device_group.group_id));
                break;
        case REGISTRY_SHARE:
                registry_remove_edge(registry, graph_find_share(graph, row->share.id));
                break;
        case REGISTRY_ZONES:
                registry->has_zones = false;
                break;
        default:
                break;
        }
}

static void registry_sweep_edge(void *arg, void *value) {
        Registry *registry = arg;
        GraphEdge *edge = value;

        if (edge->generation != registry->graph.generation)
                registry_remove_edge(registry, edge);
}

static void registry_sweep_node(void *arg, void *value) {
        Registry *registry = arg;
        GraphNode *node = value;

        if (node->is_present && node->generation != registry->graph.generation)
                registry_forget(registry, node);
}

/* Removes what a whole delta did not have. */
static void registry_sweep(Registry *registry) {
        index_each(registry->graph.shares, registry_sweep_edge, registry);
        index_each(registry->graph.members, registry_sweep_edge, registry);
        for (size_t i = 0; i < GRAPH_KIND_COUNT; ++i)
                index_each(registry->graph.nodes[i], registry_sweep_node, registry);
}

int registry_apply(Registry *registry, const RegistryDelta *delta, bool *ret_narrowed) {
        const RegistryRow *row;
        int r;

        registry->narrowed = false;
        if (registry_delta_is_whole(delta)) {
                ++registry->graph.generation;
                registry->has_zones = false;
        }

        for (size_t i = 0; (row = registry_delta_row(delta, i)); ++i) {
                if (row->deleted) {
                        registry_remove(registry, row);
                        continue;
                }
                r = registry_put(registry, row);
                if (r != 0)
                        return err_up(r);
        }
        if (registry_delta_is_whole(delta)) {
                registry_sweep(registry);
                registry->is_loaded = true;
        }

        r = graph_refresh(&registry->graph);
        if (r != 0)
                return err_up(r);
        for (size_t i = 0; i < GRAPH_KIND_COUNT; ++i)
                idlist_settle(&registry->order[i]);

        *ret_narrowed = registry->narrowed;
        return 0;
}

bool registry_is_loaded(const Registry *registry) {
        return registry->is_loaded;
}

static const GraphNode *registry_named(const Registry *registry, GraphKind kind, Text name) {
        return name.data ? index_get(registry->names[kind], name.data, name.n) : NULL;
}

static const GraphNode *registry_node(const Registry *registry, GraphKind kind, int64_t id) {
        return id != 0 ? graph_find(&registry->graph, kind, id) : NULL;
}

static int64_t registry_owner(const GraphNode *node) {
        switch (node->kind) {
        case GRAPH_DEVICE:
                return node->device.user_id;
        case GRAPH_VEHICLE:
                return node->vehicle.user_id;
        default:
                return node->id; /* a user is his own */
        }
}

static bool registry_sees_node(const User *user, const GraphNode *node) {
        if (!user)
                return true;
        return node->kind == GRAPH_DEVICE ? user_sees_device(user, &node->device)
                                          : user_sees_vehicle(user, &node->vehicle);
}

/* What a text may mean: @ret_id is NULL unless that is something else than what has the name. */
static void registry_candidates(const Registry *registry,
                                GraphKind kind,
                                Text text,
                                const GraphNode **ret_named,
                                const GraphNode **ret_id) {
        const GraphNode *said = registry_node(registry, kind, name_said_id(text));

        *ret_named = name_said_id(text) != 0 ? NULL : registry_named(registry, kind, text);
        *ret_id = said ? said : registry_node(registry, kind, name_spelt_id(text));
        if (*ret_id == *ret_named)
                *ret_id = NULL;
}

/* @owner_id: whose is preferred; 0 = nobody's. What is of one owner means the code, as it did
 * before there was another id of that number. */
static const GraphNode *registry_decide(const GraphNode *named,
                                        const GraphNode *by_id,
                                        int64_t owner_id) {
        if (!named || !by_id)
                return named ? named : by_id;
        if (registry_owner(named) == registry_owner(by_id))
                return named;
        if (owner_id != 0 && registry_owner(named) == owner_id)
                return named;
        return owner_id != 0 && registry_owner(by_id) == owner_id ? by_id : NULL;
}

static const GraphNode *registry_find_of(const Registry *registry,
                                         GraphKind kind,
                                         int64_t owner_id,
                                         Text text) {
        const GraphNode *named, *by_id;

        registry_candidates(registry, kind, text, &named, &by_id);
        return registry_decide(named, by_id, owner_id);
}

static const GraphNode *registry_find_for(const Registry *registry,
                                          GraphKind kind,
                                          const User *user,
                                          Text text) {
        const GraphNode *named, *by_id;

        registry_candidates(registry, kind, text, &named, &by_id);
        if (named && by_id && !registry_sees_node(user, named))
                named = NULL;
        if (named && by_id && !registry_sees_node(user, by_id))
                by_id = NULL;
        return registry_decide(named, by_id, user ? user->id : 0);
}

const User *registry_user(const Registry *registry, int64_t id) {
        const GraphNode *node = graph_find(&registry->graph, GRAPH_USER, id);

        return node ? &node->user : NULL;
}

const User *registry_user_by_name(const Registry *registry, Text name) {
        const GraphNode *node = registry_named(registry, GRAPH_USER, name);

        return node ? &node->user : NULL;
}

const User *registry_find_user(const Registry *registry, Text text) {
        const GraphNode *node = registry_find_of(registry, GRAPH_USER, 0, text);

        if (!node)
                node = index_get(registry->identifiers, text.data, text.n);
        return node ? &node->user : NULL;
}

const Device *registry_device(const Registry *registry, int64_t id) {
        const GraphNode *node = graph_find(&registry->graph, GRAPH_DEVICE, id);

        return node ? &node->device : NULL;
}

const Device *registry_find_device(const Registry *registry, Text text) {
        return registry_find_device_of(registry, 0, text);
}

const Device *registry_find_device_of(const Registry *registry, int64_t owner_id, Text text) {
        const GraphNode *node = registry_find_of(registry, GRAPH_DEVICE, owner_id, text);

        return node ? &node->device : NULL;
}

const Device *registry_find_device_for(const Registry *registry, const User *user, Text text) {
        const GraphNode *node = registry_find_for(registry, GRAPH_DEVICE, user, text);

        return node ? &node->device : NULL;
}

const Device *registry_device_by_token(const Registry *registry, const uint8_t hash[32]) {
        const GraphNode *node = index_get(registry->tokens, hash, REGISTRY_TOKEN);

        return node ? &node->device : NULL;
}

const Vehicle *registry_vehicle(const Registry *registry, int64_t id) {
        const GraphNode *node = graph_find(&registry->graph, GRAPH_VEHICLE, id);

        return node ? &node->vehicle : NULL;
}

bool registry_has_group(const Registry *registry, int64_t id) {
        return graph_find(&registry->graph, GRAPH_GROUP, id) != NULL;
}

const Vehicle *registry_find_vehicle(const Registry *registry, Text text) {
        return registry_find_vehicle_of(registry, 0, text);
}

const Vehicle *registry_find_vehicle_of(const Registry *registry, int64_t owner_id, Text text) {
        const GraphNode *node = registry_find_of(registry, GRAPH_VEHICLE, owner_id, text);

        return node ? &node->vehicle : NULL;
}

const Vehicle *registry_find_vehicle_for(const Registry *registry, const User *user, Text text) {
        const GraphNode *node = registry_find_for(registry, GRAPH_VEHICLE, user, text);

        return node ? &node->vehicle : NULL;
}

size_t registry_n_devices(const Registry *registry) {
        const IdList *list = &registry->order[GRAPH_DEVICE];

        return list->n_items - list->n_removed;
}

size_t registry_n_devices_of(const Registry *registry, int64_t user_id) {
        const GraphNode *node = graph_find(&registry->graph, GRAPH_USER, user_id);

        return node ? node->n_devices : 0;
}

const Device *registry_next_device(const Registry *registry, int64_t after_id) {
        const GraphNode *node = idlist_next(&registry->order[GRAPH_DEVICE], after_id);

        return node ? &node->device : NULL;
}

const Vehicle *registry_next_vehicle(const Registry *registry, int64_t after_id) {
        const GraphNode *node = idlist_next(&registry->order[GRAPH_VEHICLE], after_id);

        return node ? &node->vehicle : NULL;
}

void registry_set_state(Registry *registry, int64_t device_id, const DeviceState *state) {
        GraphNode *node = graph_find(&registry->graph, GRAPH_DEVICE, device_id);

        if (node)
                node->device.state = *state;
}

void registry_set_clock(Registry *registry, int64_t vehicle_id, const VehicleClock *clock) {
        GraphNode *node = graph_find(&registry->graph, GRAPH_VEHICLE, vehicle_id);

        if (node)
                node->vehicle.clock = *clock;
}

void registry_forget_states(Registry *registry) {
        GraphNode *node;

        for (int64_t id = 0; (node = idlist_next(&registry->order[GRAPH_DEVICE], id));
             id = node->id)
                node->device.state = device_state_unknown();
        for (int64_t id = 0; (node = idlist_next(&registry->order[GRAPH_VEHICLE], id));
             id = node->id)
                node->vehicle.clock = (VehicleClock){ 0 };
}

const Zones *registry_zones(const Registry *registry) {
        return registry->has_zones ? &registry->zones : NULL;
}
