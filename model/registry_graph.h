#pragma once

/*
 * RegistryGraph: users, devices, vehicles and groups, and the edges between them: who owns what,
 * what is shared with whom, which device is in which group.
 *
 * Inside of the registry only. An edge may come before the nodes that it joins: they are then made
 * without being present, and go when nothing needs them any more. A change marks the devices and
 * vehicles whose audience or group list may follow from it; graph_refresh() computes those again.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "base/index.h"
#include "model/account.h"
#include "model/registry_delta.h"

typedef struct GraphEdge GraphEdge;
typedef struct GraphNode GraphNode;
typedef struct Graph Graph;
typedef struct GraphTexts GraphTexts;

typedef enum GraphKind {
        GRAPH_USER,
        GRAPH_DEVICE,
        GRAPH_VEHICLE,
        GRAPH_GROUP,
        GRAPH_KIND_COUNT
} GraphKind;

struct GraphNode {
        GraphKind kind;
        int64_t id;
        bool is_present;     /* its row is there */
        bool is_dirty;       /* in Graph.dirty */
        unsigned generation; /* of the whole delta that last had it */
        char *texts;         /* owned: what the members of the union point to */

        GraphNode *owner;                       /* of a device or vehicle; NULL = nobody */
        LIST_ENTRY(GraphNode) owned_entry;      /* in owner->owned */
        SLIST_ENTRY(GraphNode) dirty_entry;     /* in Graph.dirty */
        LIST_HEAD(GraphOwned, GraphNode) owned; /* of a user */
        size_t n_devices;                       /* of these */
        LIST_HEAD(GraphOut, GraphEdge) out;     /* user: shares with it; device: its memberships */
        LIST_HEAD(GraphIn, GraphEdge) shares;   /* device, vehicle, group: with whom it is shared */
        struct GraphIn members;                 /* group */

        int64_t *audience; /* owned: device.audience, vehicle.audience */
        GroupRef *groups;  /* owned: device.groups */
        union {
                User user;
                Device device;
                Vehicle vehicle;
                GroupRef group;
        };
};

#define GRAPH_MAX_TEXTS 9 /* of one row */

/* The texts of a row that are to become the node's own. */
struct GraphTexts {
        const char **texts[GRAPH_MAX_TEXTS];
        size_t n;
};

struct GraphEdge {
        bool is_share; /* else a membership */
        int64_t id;    /* of a share */
        unsigned generation;
        GraphNode *from, *to; /* a user and what it may see; or a device and its group */
        LIST_ENTRY(GraphEdge) from_entry, to_entry;
};

struct Graph {
        Index *nodes[GRAPH_KIND_COUNT]; /* by id */
        Index *shares;                  /* by id */
        Index *members;                 /* by device and group */
        SLIST_HEAD(GraphDirty, GraphNode) dirty;
        unsigned generation;
        int64_t *scratch; /* of graph_refresh() */
        size_t n_scratch;
        uint64_t n_losses; /* ever; see User */
};

MUST_CHECK int graph_init(Graph *graph);
void graph_done(Graph *graph);

GraphNode *graph_find(const Graph *graph, GraphKind kind, int64_t id); /* only if present */
/* Makes it where there is none. */
MUST_CHECK int graph_node(Graph *graph, GraphKind kind, int64_t id, GraphNode **ret_node);
/* Copies them: they point into the node's memory from then on, and those before are gone. */
MUST_CHECK int graph_keep_texts(GraphNode *node, const GraphTexts *texts);
MUST_CHECK int graph_set_owner(Graph *graph, GraphNode *node, int64_t user_id); /* 0 = nobody */
void graph_disown(Graph *graph, GraphNode *node);

/* *ret_narrowed is set, never cleared, when somebody had more before. */
MUST_CHECK int graph_put_share(Graph *graph, const RegistryRow *row, bool *ret_narrowed);
MUST_CHECK int graph_put_member(Graph *graph, int64_t device_id, int64_t group_id);
GraphEdge *graph_find_share(const Graph *graph, int64_t id);
GraphEdge *graph_find_member(const Graph *graph, int64_t device_id, int64_t group_id);
void graph_remove_edge(Graph *graph, GraphEdge *edge);

void graph_note_loss(Graph *graph, GraphNode *user);
/* Of those who were in one audience and are not in the other. */
void graph_note_losses(Graph *graph, const Audience *before, const Audience *after);
void graph_node_free(GraphNode *node);        /* that nothing refers to any more */
Text graph_name(const GraphNode *node);       /* or code; absent: it is not present, or a group */
Text graph_identifier(const GraphNode *node); /* of a user; absent if he has none */
bool graph_has_token(const GraphNode *node);  /* a device that is found by its hash */

void graph_touch(Graph *graph, GraphNode *node); /* it changed: mark what follows from it */
MUST_CHECK int graph_refresh(Graph *graph);
