#include "gateway/store/overlay.h"

#include <assert.h>

#include "base/err.h"
#include "base/index.h"
#include "gateway/decode/json_tree.h"

typedef struct Layers Layers;
typedef struct Member Member;

struct Layers {
        JsonTree known, change;
        Arena *arena; /* borrowed */
        Buf *buf;     /* borrowed */
};

struct Member {
        const JsonTree *tree; /* of the name */
        const JsonNode *name;
        const JsonNode *known, *change; /* NULL: it is not there */
};

/* The members of two objects, each name once. */
typedef struct Members Members;

struct Members {
        Member *all; /* in the arena */
        size_t n;
        Index *names; /* owned */
};

static bool is_object(const JsonNode *node) {
        return node && node->type == JSON_OBJECT;
}

static int members_take(Members *members,
                        Arena *arena,
                        const JsonTree *tree,
                        const JsonNode *name,
                        Member **ret_member) {
        Member *member;
        Text content;
        int r;

        r = json_content(tree, name, arena, &content);
        if (r != 0)
                return err_up(r);
        member = index_get(members->names, content.data, content.n);
        if (!member) {
                member = &members->all[members->n++];
                *member = (Member){ .tree = tree, .name = name };
                r = index_put(members->names, content.data, content.n, member);
        }
        *ret_member = member;
        return r == 0 ? 0 : err_up(r);
}

static int members_add(Members *members, Layers *layers, bool is_change, const JsonNode *object) {
        const JsonTree *tree = is_change ? &layers->change : &layers->known;
        const JsonNode *name = object + 1;

        for (size_t i = 0; i < object->n; i += 2, name = json_next(name + 1)) {
                Member *member = NULL;
                int r = members_take(members, layers->arena, tree, name, &member);

                if (r != 0)
                        return err_up(r);
                assert(member);
                if (is_change)
                        member->change = name + 1;
                else
                        member->known = name + 1;
        }
        return 0;
}

static int layers_write(Layers *layers, const JsonNode *known, const JsonNode *change);

static int layers_write_members(Layers *layers, const Members *members) {
        buf_append_char(layers->buf, '{');
        for (size_t i = 0; i < members->n; ++i) {
                const Member *member = &members->all[i];
                int r;

                if (i > 0)
                        buf_append_char(layers->buf, ',');
                json_write(layers->buf, member->tree, member->name);
                buf_append_char(layers->buf, ':');
                r = layers_write(layers, member->known, member->change);
                if (r != 0)
                        return err_up(r);
        }
        buf_append_char(layers->buf, '}');
        return 0;
}

static int layers_write_objects(Layers *layers, const JsonNode *known, const JsonNode *change) {
        Members members = {
                .all = arena_alloc(layers->arena,
                                   ((size_t)known->n + change->n) * sizeof(*members.all) / 2 + 1)
        };
        int r;

        if (!members.all)
                return err_new(-ENOMEM);
        r = index_new(&members.names);
        if (r == 0)
                r = members_add(&members, layers, false, known);
        if (r == 0)
                r = members_add(&members, layers, true, change);
        if (r == 0)
                r = layers_write_members(layers, &members);
        index_free(members.names);
        return r == 0 ? 0 : err_up(r);
}

/* One of them is there. No deeper than JSON_MAX_DEPTH: nothing below has a node. */
static int layers_write(Layers *layers, const JsonNode *known, const JsonNode *change) {
        int r;

        if (is_object(known) && is_object(change)) {
                r = layers_write_objects(layers, known, change);
                return r == 0 ? 0 : err_up(r);
        }
        if (change)
                json_write(layers->buf, &layers->change, change);
        else
                json_write(layers->buf, &layers->known, known);
        return 0;
}

/* NULL: it cannot be read. */
static int layers_read(JsonTree *tree, Text text, const JsonNode **ret_root) {
        JsonFault fault;
        int r = json_tree_read(tree, text, &fault);

        if (r < 0)
                return err_up(r);
        *ret_root = r == 0 ? json_root(tree) : NULL;
        return 0;
}

int overlay(Buf *buf, Arena *arena, Text known, Text change) {
        Layers layers = { .arena = arena, .buf = buf };
        const JsonNode *below = NULL, *above = NULL;
        int r;

        r = layers_read(&layers.known, known, &below);
        if (r == 0)
                r = layers_read(&layers.change, change, &above);
        if (r == 0 && (below || above))
                r = layers_write(&layers, below, above);
        json_tree_done(&layers.known);
        json_tree_done(&layers.change);
        if (r == 0 && buf_failed(buf))
                r = err_new(-ENOMEM);
        return r == 0 ? 0 : err_up(r);
}
