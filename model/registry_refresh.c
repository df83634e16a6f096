/* graph_refresh(): the audiences and group lists of what was marked, and the end of what is unused.
 */

#include "base/err.h"
#include "base/ids.h"
#include "model/registry_graph.h"

static bool graph_is_unused(const GraphNode *node) {
        return !node->is_present && LIST_EMPTY(&node->owned) && LIST_EMPTY(&node->out) &&
               LIST_EMPTY(&node->shares) && LIST_EMPTY(&node->members);
}

static size_t graph_count(const struct GraphIn *edges) {
        const GraphEdge *edge;
        size_t n = 0;

        for (edge = LIST_FIRST(edges); edge; edge = LIST_NEXT(edge, to_entry))
                ++n;
        return n;
}

/* No more than this many users can be in the audience. */
static size_t graph_audience_max(const GraphNode *node) {
        const GraphEdge *edge;
        size_t n = 1 + graph_count(&node->shares);

        for (edge = LIST_FIRST(&node->out); edge; edge = LIST_NEXT(edge, from_entry))
                n += graph_count(&edge->to->shares);
        return n;
}

static bool graph_reserve_scratch(Graph *graph, size_t n) {
        int64_t *scratch;

        if (n <= graph->n_scratch)
                return true;
        scratch = realloc(graph->scratch, n * 2 * sizeof(scratch[0]));
        if (!scratch)
                return false;
        graph->scratch = scratch;
        graph->n_scratch = n * 2;
        return true;
}

/* Admins see everything without being in an audience, and who is not active sees nothing. */
static size_t graph_add_viewer(int64_t *ids, size_t n, const GraphNode *user) {
        if (!user || !user->is_present || !user->user.is_active || user->user.role == ROLE_ADMIN)
                return n;
        ids[n] = user->id;
        return n + 1;
}

static size_t graph_add_viewers(int64_t *ids, size_t n, const struct GraphIn *shares) {
        const GraphEdge *edge;

        for (edge = LIST_FIRST(shares); edge; edge = LIST_NEXT(edge, to_entry))
                n = graph_add_viewer(ids, n, edge->from);
        return n;
}

void graph_note_loss(Graph *graph, GraphNode *user) {
        user->user.n_losses = ++graph->n_losses;
}

/* Who is an admin now is in no audience, and has lost nothing. */
void graph_note_losses(Graph *graph, const Audience *before, const Audience *after) {
        for (size_t i = 0; i < before->n; ++i) {
                GraphNode *user = graph_find(graph, GRAPH_USER, before->user_ids[i]);

                if (user && user->user.role != ROLE_ADMIN && !audience_has(after, user->id))
                        graph_note_loss(graph, user);
        }
}

static int graph_refresh_audience(Graph *graph, GraphNode *node) {
        Audience *audience =
                node->kind == GRAPH_DEVICE ? &node->device.audience : &node->vehicle.audience;
        const GraphEdge *edge;
        int64_t *ids = NULL;
        size_t n = 0;

        if (!graph_reserve_scratch(graph, graph_audience_max(node)))
                return err_new(-ENOMEM);
        n = graph_add_viewer(graph->scratch, n, node->owner);
        n = graph_add_viewers(graph->scratch, n, &node->shares);
        for (edge = LIST_FIRST(&node->out); edge; edge = LIST_NEXT(edge, from_entry))
                if (edge->to->is_present)
                        n = graph_add_viewers(graph->scratch, n, &edge->to->shares);
        n = ids_sort_once(graph->scratch, n);

        if (n > 0) {
                ids = malloc(n * sizeof(ids[0]));
                if (!ids)
                        return err_new(-ENOMEM);
                memcpy(ids, graph->scratch, n * sizeof(ids[0]));
        }
        graph_note_losses(graph, audience, &(Audience){ .n = n, .user_ids = ids });
        free(node->audience);
        node->audience = ids;
        *audience = (Audience){ .n = n, .user_ids = ids };
        return 0;
}

static int graph_compare_groups(const void *a, const void *b) {
        const GroupRef *x = a, *y = b;

        return (x->id > y->id) - (x->id < y->id);
}

static int graph_refresh_groups(GraphNode *node) {
        const GraphEdge *edge;
        GroupRef *groups = NULL;
        size_t n = 0, n_groups = 0;

        for (edge = LIST_FIRST(&node->out); edge; edge = LIST_NEXT(edge, from_entry))
                n += edge->to->is_present;
        if (n > 0) {
                groups = malloc(n * sizeof(groups[0]));
                if (!groups)
                        return err_new(-ENOMEM);
                for (edge = LIST_FIRST(&node->out); edge; edge = LIST_NEXT(edge, from_entry))
                        if (edge->to->is_present)
                                groups[n_groups++] = edge->to->group;
                qsort(groups, n, sizeof(groups[0]), graph_compare_groups);
        }
        free(node->groups);
        node->groups = groups;
        node->device.groups = groups;
        node->device.n_groups = n;
        return 0;
}

static int graph_refresh_node(Graph *graph, GraphNode *node) {
        int r = 0;

        if (node->is_present && node->kind == GRAPH_DEVICE)
                r = graph_refresh_groups(node);
        if (r == 0 && node->is_present &&
            (node->kind == GRAPH_DEVICE || node->kind == GRAPH_VEHICLE))
                r = graph_refresh_audience(graph, node);
        return err_up(r);
}

int graph_refresh(Graph *graph) {
        int r;

        while (!SLIST_EMPTY(&graph->dirty)) {
                GraphNode *node = SLIST_FIRST(&graph->dirty);

                r = graph_refresh_node(graph, node);
                if (r != 0)
                        return err_up(r);
                SLIST_REMOVE_HEAD(&graph->dirty, dirty_entry);
                node->is_dirty = false;
                if (graph_is_unused(node)) {
                        index_remove_id(graph->nodes[node->kind], node->id);
                        graph_node_free(node);
                }
        }
        return 0;
}
