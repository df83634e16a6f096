#include "model/registry_graph.h"

#include "base/err.h"

typedef struct GraphMemberKey GraphMemberKey;

struct GraphMemberKey {
        int64_t device_id, group_id;
};

int graph_init(Graph *graph) {
        int r = 0;

        SLIST_INIT(&graph->dirty);
        for (size_t i = 0; i < GRAPH_KIND_COUNT && r == 0; ++i)
                r = index_new(&graph->nodes[i]);
        if (r == 0)
                r = index_new(&graph->shares);
        if (r == 0)
                r = index_new(&graph->members);
        return err_up(r);
}

void graph_node_free(GraphNode *node) {
        free(node->texts);
        free(node->audience);
        free(node->groups);
        free(node);
}

static void graph_free_node(void *arg, void *value) {
        (void)arg;
        graph_node_free(value);
}

static void graph_free_edge(void *arg, void *value) {
        (void)arg;
        free(value);
}

void graph_done(Graph *graph) {
        if (graph->members)
                index_each(graph->members, graph_free_edge, NULL);
        if (graph->shares)
                index_each(graph->shares, graph_free_edge, NULL);
        for (size_t i = 0; i < GRAPH_KIND_COUNT; ++i) {
                if (graph->nodes[i])
                        index_each(graph->nodes[i], graph_free_node, NULL);
                graph->nodes[i] = index_free(graph->nodes[i]);
        }
        graph->members = index_free(graph->members);
        graph->shares = index_free(graph->shares);
        free(graph->scratch);
        graph->scratch = NULL;
}

GraphNode *graph_find(const Graph *graph, GraphKind kind, int64_t id) {
        GraphNode *node = index_get_id(graph->nodes[kind], id);

        return node && node->is_present ? node : NULL;
}

static void graph_mark(Graph *graph, GraphNode *node) {
        if (node->is_dirty)
                return;
        node->is_dirty = true;
        SLIST_INSERT_HEAD(&graph->dirty, node, dirty_entry);
}

int graph_node(Graph *graph, GraphKind kind, int64_t id, GraphNode **ret_node) {
        GraphNode *node = index_get_id(graph->nodes[kind], id);
        int r;

        if (!node) {
                node = calloc(1, sizeof(*node));
                if (!node)
                        return err_new(-ENOMEM);
                node->kind = kind;
                node->id = id;
                if (kind == GRAPH_DEVICE)
                        node->device.state = device_state_unknown();
                LIST_INIT(&node->owned);
                LIST_INIT(&node->out);
                LIST_INIT(&node->shares);
                LIST_INIT(&node->members);
                r = index_put_id(graph->nodes[kind], id, node);
                if (r != 0) {
                        free(node);
                        return err_up(r);
                }
                graph_mark(graph, node); /* so that it goes if nothing comes to need it */
        }

        *ret_node = node;
        return 0;
}

static void graph_touch_members(Graph *graph, GraphNode *group) {
        GraphEdge *edge;

        for (edge = LIST_FIRST(&group->members); edge; edge = LIST_NEXT(edge, to_entry))
                graph_mark(graph, edge->from);
}

void graph_touch(Graph *graph, GraphNode *node) {
        GraphNode *owned;
        GraphEdge *edge;

        graph_mark(graph, node);
        if (node->kind == GRAPH_GROUP)
                graph_touch_members(graph, node);
        if (node->kind != GRAPH_USER)
                return;

        for (owned = LIST_FIRST(&node->owned); owned; owned = LIST_NEXT(owned, owned_entry))
                graph_mark(graph, owned);
        for (edge = LIST_FIRST(&node->out); edge; edge = LIST_NEXT(edge, from_entry)) {
                graph_mark(graph, edge->to);
                if (edge->to->kind == GRAPH_GROUP)
                        graph_touch_members(graph, edge->to);
        }
}

void graph_disown(Graph *graph, GraphNode *node) {
        if (!node->owner)
                return;
        graph_mark(graph, node);
        graph_mark(graph, node->owner);
        LIST_REMOVE(node, owned_entry);
        node->owner->n_devices -= node->kind == GRAPH_DEVICE;
        node->owner = NULL;
}

int graph_keep_texts(GraphNode *node, const GraphTexts *texts) {
        char *block, *at;
        size_t n = 0;

        for (size_t i = 0; i < texts->n; ++i)
                n += *texts->texts[i] ? strlen(*texts->texts[i]) + 1 : 0;
        block = malloc(n + 1);
        if (!block)
                return err_new(-ENOMEM);

        at = block;
        for (size_t i = 0; i < texts->n; ++i) {
                const char *text = *texts->texts[i];

                if (!text)
                        continue;
                *texts->texts[i] = memcpy(at, text, strlen(text) + 1);
                at += strlen(text) + 1;
        }
        free(node->texts);
        node->texts = block;
        return 0;
}

int graph_set_owner(Graph *graph, GraphNode *node, int64_t user_id) {
        GraphNode *owner = NULL;
        int r;

        if (user_id != 0) {
                r = graph_node(graph, GRAPH_USER, user_id, &owner);
                if (r != 0)
                        return err_up(r);
        }
        if (owner == node->owner)
                return 0;

        graph_disown(graph, node);
        graph_mark(graph, node);
        node->owner = owner;
        if (owner) {
                LIST_INSERT_HEAD(&owner->owned, node, owned_entry);
                owner->n_devices += node->kind == GRAPH_DEVICE;
        }
        return 0;
}

static void graph_touch_edge(Graph *graph, GraphEdge *edge) {
        graph_mark(graph, edge->from);
        graph_touch(graph, edge->to);
}

static int graph_edge_new(GraphEdge **ret_edge, GraphNode *from, GraphNode *to, bool is_share) {
        GraphEdge *edge;

        edge = calloc(1, sizeof(*edge));
        if (!edge)
                return err_new(-ENOMEM);

        edge->is_share = is_share;
        edge->from = from;
        edge->to = to;
        LIST_INSERT_HEAD(&from->out, edge, from_entry);
        if (is_share)
                LIST_INSERT_HEAD(&to->shares, edge, to_entry);
        else
                LIST_INSERT_HEAD(&to->members, edge, to_entry);
        *ret_edge = edge;
        return 0;
}

static void graph_edge_free(GraphEdge *edge) {
        LIST_REMOVE(edge, from_entry);
        LIST_REMOVE(edge, to_entry);
        free(edge);
}

GraphEdge *graph_find_share(const Graph *graph, int64_t id) {
        return index_get_id(graph->shares, id);
}

GraphEdge *graph_find_member(const Graph *graph, int64_t device_id, int64_t group_id) {
        GraphMemberKey key = { .device_id = device_id, .group_id = group_id };

        return index_get(graph->members, &key, sizeof(key));
}

void graph_remove_edge(Graph *graph, GraphEdge *edge) {
        GraphMemberKey key = { .device_id = edge->from->id, .group_id = edge->to->id };

        graph_touch_edge(graph, edge);
        if (edge->is_share)
                index_remove_id(graph->shares, edge->id);
        else
                index_remove(graph->members, &key, sizeof(key));
        graph_edge_free(edge);
}

static int graph_share_ends(Graph *graph,
                            const RegistryRow *row,
                            GraphNode **ret_from,
                            GraphNode **ret_to) {
        int r;

        r = graph_node(graph, GRAPH_USER, row->share.user_id, ret_from);
        if (r != 0)
                return err_up(r);
        if (row->share.vehicle_id != 0)
                r = graph_node(graph, GRAPH_VEHICLE, row->share.vehicle_id, ret_to);
        else if (row->share.device_id != 0)
                r = graph_node(graph, GRAPH_DEVICE, row->share.device_id, ret_to);
        else
                r = graph_node(graph, GRAPH_GROUP, row->share.group_id, ret_to);
        return err_up(r);
}

int graph_put_share(Graph *graph, const RegistryRow *row, bool *ret_narrowed) {
        GraphEdge *edge = graph_find_share(graph, row->share.id);
        GraphNode *from = NULL, *to = NULL;
        int r;

        r = graph_share_ends(graph, row, &from, &to);
        if (r != 0)
                return err_up(r);
        if (edge && (edge->from != from || edge->to != to)) {
                *ret_narrowed = true;
                graph_remove_edge(graph, edge);
                edge = NULL;
        }
        if (!edge) {
                r = graph_edge_new(&edge, from, to, true);
                if (r != 0)
                        return err_up(r);
                edge->id = row->share.id;
                r = index_put_id(graph->shares, edge->id, edge);
                if (r != 0) {
                        graph_edge_free(edge);
                        return err_up(r);
                }
                graph_touch_edge(graph, edge);
        }
        edge->generation = graph->generation;
        return 0;
}

int graph_put_member(Graph *graph, int64_t device_id, int64_t group_id) {
        GraphMemberKey key = { .device_id = device_id, .group_id = group_id };
        GraphEdge *edge = graph_find_member(graph, device_id, group_id);
        GraphNode *from = NULL, *to = NULL;
        int r;

        if (!edge) {
                r = graph_node(graph, GRAPH_DEVICE, device_id, &from);
                if (r == 0)
                        r = graph_node(graph, GRAPH_GROUP, group_id, &to);
                if (r == 0)
                        r = graph_edge_new(&edge, from, to, false);
                if (r != 0)
                        return err_up(r);
                r = index_put(graph->members, &key, sizeof(key), edge);
                if (r != 0) {
                        graph_edge_free(edge);
                        return err_up(r);
                }
                graph_mark(graph, from);
        }
        edge->generation = graph->generation;
        return 0;
}

Text graph_name(const GraphNode *node) {
        if (!node->is_present)
                return (Text){ 0 };
        switch (node->kind) {
        case GRAPH_USER:
                return text_of(node->user.name);
        case GRAPH_DEVICE:
                return text_of(node->device.code);
        case GRAPH_VEHICLE:
                return text_of(node->vehicle.code);
        default:
                return (Text){ 0 };
        }
}

Text graph_identifier(const GraphNode *node) {
        bool has_one = node->kind == GRAPH_USER && node->is_present && node->user.identifier;

        return has_one ? text_of(node->user.identifier) : (Text){ 0 };
}

bool graph_has_token(const GraphNode *node) {
        return node->kind == GRAPH_DEVICE && node->device.has_token &&
               node->device.token_form != TOKEN_BCRYPT;
}
