#include "model/topic_index.h"

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/topic_level.h"

#define NONE        UINT32_MAX
#define FIRST_SLOTS 64 /* a power of two */

typedef struct Edge Edge;
typedef struct Ending Ending;
typedef struct Node Node;
typedef struct Search Search;

/* A level that is text: from a node to the one below it. */
struct Edge {
        uint32_t from, to; /* to == NONE: a free slot */
        uint32_t level, n; /* its text, in the pool */
};

/* A filter that ends at a node, and the next one there. */
struct Ending {
        uint32_t id, next;
};

struct Node {
        uint32_t any;        /* below "+" */
        uint32_t texts;      /* below levels of text: the one that was added last */
        uint32_t beside;     /* the next of these, of the node above */
        uint32_t tails;      /* what is behind a rest in the middle, the last level first */
        uint32_t ends, rest; /* filters that end here, and with "#" behind it */
};

struct TopicIndex {
        Node *nodes; /* the first is the root */
        size_t n_nodes, nodes_capacity;
        Ending *endings;
        size_t n_endings, endings_capacity;
        Edge *edges; /* a hash table of n_slots, at most half full */
        size_t n_edges, n_slots;
        char *pool;
        size_t n_pool, pool_capacity;
};

struct Search {
        const TopicIndex *index;
        uint32_t *ids;
        size_t n, max;
};

static int index_add_node(TopicIndex *index, uint32_t *ret_node) {
        if (!VEC_HAS_ROOM(index->nodes, index->n_nodes, index->nodes_capacity, 16))
                return err_new(-ENOMEM);
        index->nodes[index->n_nodes] = (Node){ .any = NONE,
                                               .texts = NONE,
                                               .beside = NONE,
                                               .tails = NONE,
                                               .ends = NONE,
                                               .rest = NONE };
        *ret_node = (uint32_t)index->n_nodes++;
        return 0;
}

int topic_index_new(TopicIndex **ret_index) {
        CLEANUP(topic_index_free) TopicIndex *index = calloc(1, sizeof(*index));
        uint32_t root;
        int r;

        if (!index)
                return err_new(-ENOMEM);
        r = index_add_node(index, &root);
        if (r != 0)
                return err_up(r);
        *ret_index = TAKE(&index);
        return 0;
}

TopicIndex *topic_index_free(TopicIndex *index) {
        if (!index)
                return NULL;
        free(index->nodes);
        free(index->endings);
        free(index->edges);
        free(index->pool);
        free(index);
        return NULL;
}

/* ---- edges ---- */

/* Where the edge is, or where it would be put. */
static size_t index_slot(const TopicIndex *index, uint32_t from, Text level) {
        uint64_t hash = text_hash(text_hash(TEXT_HASH, &from, sizeof(from)), level.data, level.n);
        size_t slot = (size_t)hash & (index->n_slots - 1);

        for (;; slot = (slot + 1) & (index->n_slots - 1)) {
                const Edge *edge = &index->edges[slot];

                if (edge->to == NONE)
                        return slot;
                if (edge->from == from &&
                    text_equal((Text){ index->pool + edge->level, edge->n }, level))
                        return slot;
        }
}

static uint32_t index_below(const TopicIndex *index, uint32_t from, Text level) {
        return index->n_slots > 0 ? index->edges[index_slot(index, from, level)].to : NONE;
}

static int index_grow(TopicIndex *index) {
        size_t n_before = index->n_slots;
        Edge *before = index->edges;

        index->edges = calloc(n_before > 0 ? 2 * n_before : FIRST_SLOTS, sizeof(*index->edges));
        if (!index->edges) {
                index->edges = before;
                return err_new(-ENOMEM);
        }
        index->n_slots = n_before > 0 ? 2 * n_before : FIRST_SLOTS;
        for (size_t i = 0; i < index->n_slots; ++i)
                index->edges[i].to = NONE;
        for (size_t i = 0; i < n_before; ++i)
                if (before[i].to != NONE) {
                        Text level = { index->pool + before[i].level, before[i].n };

                        index->edges[index_slot(index, before[i].from, level)] = before[i];
                }
        free(before);
        return 0;
}

static int index_keep(TopicIndex *index, Text level, uint32_t *ret_at) {
        while (index->pool_capacity - index->n_pool < level.n || !index->pool) {
                char *more = vec_more(index->pool, &index->pool_capacity, 256, 1);

                if (!more)
                        return err_new(-ENOMEM);
                index->pool = more;
        }
        if (level.n > 0)
                memcpy(index->pool + index->n_pool, level.data, level.n);
        *ret_at = (uint32_t)index->n_pool;
        index->n_pool += level.n;
        return 0;
}

static int index_add_edge(TopicIndex *index, uint32_t from, Text level, uint32_t *ret_to) {
        Edge edge = { .from = from, .n = (uint32_t)level.n };
        int r = 0;

        if (2 * (index->n_edges + 1) > index->n_slots)
                r = index_grow(index);
        if (r == 0)
                r = index_keep(index, level, &edge.level);
        if (r == 0)
                r = index_add_node(index, &edge.to);
        if (r != 0)
                return err_up(r);
        index->edges[index_slot(index, from, level)] = edge;
        ++index->n_edges;
        index->nodes[edge.to].beside = index->nodes[from].texts;
        index->nodes[from].texts = edge.to;
        *ret_to = edge.to;
        return 0;
}

/* ---- filters ---- */

static int index_step(TopicIndex *index, uint32_t *node, Text level) {
        uint32_t below;
        int r = 0;

        if (text_equal(level, TEXT("+"))) {
                below = index->nodes[*node].any;
                if (below == NONE)
                        r = index_add_node(index, &below);
                if (r == 0)
                        index->nodes[*node].any = below;
        } else {
                below = index_below(index, *node, level);
                if (below == NONE)
                        r = index_add_edge(index, *node, level, &below);
        }
        if (r != 0)
                return err_up(r);
        *node = below;
        return 0;
}

/* From the node of a rest to where its tail ends, which is its first level. */
static int index_add_tail(TopicIndex *index, uint32_t *node, Text tail) {
        uint32_t at = index->nodes[*node].tails;
        int r = 0;

        if (at == NONE)
                r = index_add_node(index, &at);
        if (r == 0)
                index->nodes[*node].tails = at;
        while (r == 0 && tail.data)
                r = index_step(index, &at, topic_take_last(&tail));
        *node = at;
        return r == 0 ? 0 : err_up(r);
}

int topic_index_add(TopicIndex *index, const char *filter, uint32_t id) {
        Text rest = text_of(filter);
        bool is_rest = false;
        uint32_t node = 0, *list;
        int r = 0;

        while (r == 0 && rest.data) {
                Text level = topic_take_level(&rest);

                is_rest = text_equal(level, TEXT("#")) && !rest.data;
                if (text_equal(level, TEXT("#")) && rest.data) {
                        r = index_add_tail(index, &node, rest);
                        rest = (Text){ 0 };
                } else if (!is_rest) {
                        r = index_step(index, &node, level);
                }
        }
        if (r == 0 && !VEC_HAS_ROOM(index->endings, index->n_endings, index->endings_capacity, 16))
                r = err_new(-ENOMEM);
        if (r != 0)
                return err_up(r);
        list = is_rest ? &index->nodes[node].rest : &index->nodes[node].ends;
        index->endings[index->n_endings] = (Ending){ .id = id, .next = *list };
        *list = (uint32_t)index->n_endings++;
        return 0;
}

/* ---- search ---- */

/* Into its place among the lowest. */
static void search_note(Search *search, uint32_t id) {
        size_t at = search->n;

        while (at > 0 && search->ids[at - 1] > id)
                --at;
        if (at == search->max || (at > 0 && search->ids[at - 1] == id))
                return;
        if (search->n < search->max)
                ++search->n;
        memmove(&search->ids[at + 1],
                &search->ids[at],
                (search->n - 1 - at) * sizeof(*search->ids));
        search->ids[at] = id;
}

static void search_list(Search *search, uint32_t ending) {
        for (; ending != NONE; ending = search->index->endings[ending].next)
                search_note(search, search->index->endings[ending].id);
}

/* From the end of what is left, of which the rest itself takes a level or more. As deep as the
 * tails are. */
static void search_tails(Search *search, uint32_t at, Text rest) {
        const Node *node = &search->index->nodes[at];
        uint32_t below;
        Text level;

        if (!rest.data || rest.n == 0)
                return;
        search_list(search, node->ends);
        level = topic_take_last(&rest);
        below = index_below(search->index, at, level);
        if (below != NONE)
                search_tails(search, below, rest);
        if (node->any != NONE)
                search_tails(search, node->any, rest);
}

/* @is_wild: wildcards count here; they do not for the first level of what begins with $. As deep as
 * the filters are. */
static void search_below(Search *search, uint32_t at, Text rest, bool is_wild) {
        const Node *node = &search->index->nodes[at];
        uint32_t below;
        Text level;

        if (is_wild)
                search_list(search, node->rest);
        if (is_wild && node->tails != NONE)
                search_tails(search, node->tails, rest);
        if (!rest.data) {
                search_list(search, node->ends);
                return;
        }
        level = topic_take_level(&rest);
        below = index_below(search->index, at, level);
        if (below != NONE)
                search_below(search, below, rest, true);
        if (is_wild && node->any != NONE)
                search_below(search, node->any, rest, true);
}

size_t topic_index_find(const TopicIndex *index, Text topic, uint32_t ret_ids[], size_t max) {
        Search search = { .index = index, .ids = ret_ids, .max = max };

        if (topic.n > 0 && max > 0)
                search_below(&search, 0, topic, topic.data[0] != '$');
        return search.n;
}

/* ---- filters that may meet one ---- */

static void near_list(Search *search, uint32_t ending) {
        for (; ending != NONE; ending = search->index->endings[ending].next)
                search->ids[search->n++] = search->index->endings[ending].id;
}

/* All that end at a node or below. As deep as the filters are. */
static void near_all(Search *search, uint32_t at) {
        const Node *node = &search->index->nodes[at];

        near_list(search, node->ends);
        near_list(search, node->rest);
        for (uint32_t below = node->texts; below != NONE;
             below = search->index->nodes[below].beside)
                near_all(search, below);
        if (node->any != NONE)
                near_all(search, node->any);
        if (node->tails != NONE)
                near_all(search, node->tails);
}

/* What is behind a rest in the middle, of either, is left to who compares. As deep as @rest. */
static void near_below(Search *search, uint32_t at, Text rest) {
        const Node *node = &search->index->nodes[at];
        uint32_t below;
        Text level;

        if (rest.data && *rest.data == '#') {
                near_all(search, at);
                return;
        }
        near_list(search, node->rest);
        if (node->tails != NONE)
                near_all(search, node->tails);
        if (!rest.data) {
                near_list(search, node->ends);
                return;
        }
        level = topic_take_level(&rest);
        if (text_equal(level, TEXT("+"))) {
                for (below = node->texts; below != NONE; below = search->index->nodes[below].beside)
                        near_below(search, below, rest);
        } else {
                below = index_below(search->index, at, level);
                if (below != NONE)
                        near_below(search, below, rest);
        }
        if (node->any != NONE)
                near_below(search, node->any, rest);
}

static int near_order(const void *a, const void *b) {
        uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

        return (one > other) - (one < other);
}

size_t topic_index_near(const TopicIndex *index, const char *filter, uint32_t ret_ids[]) {
        Search search = { .index = index, .ids = ret_ids };
        size_t n = 0;

        near_below(&search, 0, text_of(filter));
        qsort(ret_ids, search.n, sizeof(*ret_ids), near_order);
        for (size_t i = 0; i < search.n; ++i)
                if (n == 0 || ret_ids[n - 1] != ret_ids[i])
                        ret_ids[n++] = ret_ids[i];
        return n;
}
