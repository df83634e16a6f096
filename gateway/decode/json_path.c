#include "gateway/decode/json_path.h"

#include "base/err.h"
#include "base/text.h"

typedef struct Level Level;

struct Level {
        Text name;
        uint64_t index; /* in an array; UINT64_MAX: it is none */
        bool is_any;
};

struct JsonPath { /* one block of memory, the texts included */
        char *text;
        size_t n;
        Level levels[];
};

/* The name of a level, with ~0 and ~1 as what they mean; *at is moved behind it. */
static int path_take_level(const char **at, const char *end, char **out, Level *ret_level) {
        char *start = *out;

        for (; *at < end && **at != '/'; ++*at) {
                char c = **at;

                if (c == '~') {
                        if (++*at == end || (**at != '0' && **at != '1'))
                                return JSON_PATH_E_INVALID;
                        c = **at == '0' ? '~' : '/';
                }
                *(*out)++ = c;
        }
        *ret_level = (Level){ .name = { .data = start, .n = (size_t)(*out - start) },
                              .index = UINT64_MAX };
        ret_level->is_any = text_equal(ret_level->name, TEXT("*"));
        if ((ret_level->name.n > 1 && *start == '0') || /* RFC 6901, section 4 */
            !text_to_number(ret_level->name, UINT32_MAX, &ret_level->index))
                ret_level->index = UINT64_MAX;
        return 0;
}

static int path_parse(JsonPath *path, char *out) {
        const char *at = path->text, *end = at + strlen(at);
        size_t n_any = 0;

        while (at < end) {
                int r;

                ++at; /* the slash */
                r = path_take_level(&at, end, &out, &path->levels[path->n]);
                if (r != 0)
                        return r;
                n_any += path->levels[path->n++].is_any;
        }
        return n_any > 1 ? JSON_PATH_E_INVALID : 0;
}

int json_path_new(JsonPath **ret_path, Text text) {
        CLEANUP(json_path_free) JsonPath *path = NULL;
        size_t n_levels = 0, n_fixed;
        int r;

        if (text.n == 0 || text.data[0] != '/' || memchr(text.data, '\0', text.n))
                return JSON_PATH_E_INVALID;
        for (size_t i = 0; i < text.n; ++i)
                n_levels += text.data[i] == '/';
        if (n_levels > JSON_PATH_MAX)
                return JSON_PATH_E_INVALID;
        n_fixed = sizeof(*path) + n_levels * sizeof(path->levels[0]);
        path = calloc(1, n_fixed + 2 * (text.n + 1));
        if (!path)
                return err_new(-ENOMEM);
        path->text = (char *)path + n_fixed;
        memcpy(path->text, text.data, text.n);
        r = text.n > 1 ? path_parse(path, path->text + text.n + 1) : 0;
        if (r != 0)
                return r;
        *ret_path = TAKE(&path);
        return 0;
}

JsonPath *json_path_free(JsonPath *path) {
        free(path);
        return NULL;
}

const char *json_path_text(const JsonPath *path) {
        return path->text;
}

bool json_path_is_any(const JsonPath *path, size_t level) {
        return level < path->n && path->levels[level].is_any;
}

static const JsonNode *path_below(const Level *level, const JsonTree *tree, const JsonNode *node) {
        if (node->type == JSON_ARRAY)
                return level->index < node->n ? json_element(node, level->index) : NULL;
        return json_member(tree, node, level->name);
}

static const JsonNode *path_follow(const JsonPath *path,
                                   size_t from,
                                   const JsonTree *tree,
                                   const JsonNode *node) {
        for (size_t i = from; node && i < path->n; ++i)
                node = path_below(&path->levels[i], tree, node);
        return node;
}

/* The first below @node under which what follows level @at is found. */
static const JsonNode *path_any(const JsonPath *path,
                                size_t at,
                                const JsonTree *tree,
                                const JsonNode *node) {
        bool is_object = node->type == JSON_OBJECT;
        const JsonNode *child = node + 1;

        if (!is_object && node->type != JSON_ARRAY)
                return NULL;
        for (size_t i = 0; i < node->n; i += is_object ? 2 : 1) {
                const JsonNode *value = is_object ? child + 1 : child;
                const JsonNode *found = path_follow(path, at + 1, tree, value);

                if (found)
                        return found;
                child = json_next(value);
        }
        return NULL;
}

const JsonNode *json_path_find(const JsonPath *path, const JsonTree *tree, const JsonNode *root) {
        const JsonNode *node = root;

        for (size_t i = 0; node && i < path->n; ++i) {
                if (path->levels[i].is_any)
                        return path_any(path, i, tree, node);
                node = path_below(&path->levels[i], tree, node);
        }
        return node;
}
