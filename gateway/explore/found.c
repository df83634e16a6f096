#include "gateway/explore/found.h"

#include "base/err.h"
#include "base/escape.h"
#include "base/json_out.h"
#include "base/name.h"
#include "base/text.h"
#include "gateway/decode/json_tree.h"
#include "gateway/explore/suggest.h"

typedef struct Found Found;
typedef struct FoundKey FoundKey;

struct Found {
        SketchEntry entry;
        size_t n_shapes;
        uint32_t per_minute;
        bool is_gone; /* summed up in another */
};

struct FoundKey {
        uint64_t hash;
        size_t place;
};

/* ---- shapes that are one ---- */

/* Of a level that is none of +, # and nothing; false: there is no such one. */
static bool found_level(const char *shape, size_t level, Text *ret_level) {
        for (; level > 0 && shape; --level) {
                shape = strchr(shape, '/');
                shape = shape ? shape + 1 : NULL;
        }
        if (!shape)
                return false;
        *ret_level = (Text){ .data = shape, .n = strcspn(shape, "/") };
        return ret_level->n > 0 && *shape != '+' && *shape != '#' && *shape != '$';
}

static int found_compare_keys(const void *a, const void *b) {
        const FoundKey *x = a, *y = b;

        if (x->hash != y->hash)
                return x->hash < y->hash ? -1 : 1;
        return x->place < y->place ? -1 : x->place > y->place;
}

static size_t found_keys(const Found *found, size_t n, size_t level, FoundKey *ret_keys) {
        size_t n_keys = 0;
        Text text;

        for (size_t i = 0; i < n; ++i) {
                const char *shape = found[i].entry.shape, *rest;
                uint64_t hash;

                if (found[i].is_gone || !found_level(shape, level, &text))
                        continue;
                rest = text.data + text.n;
                hash = text_hash(TEXT_HASH, shape, (size_t)(text.data - shape));
                hash = text_hash(text_hash(hash, "+", 1), rest, strlen(rest));
                ret_keys[n_keys++] = (FoundKey){ .hash = hash, .place = i };
        }
        qsort(ret_keys, n_keys, sizeof(*ret_keys), found_compare_keys);
        return n_keys;
}

/* The first keeps its place, and gets the example of the most frequent. */
static void found_merge(Found *found, const FoundKey *keys, size_t n_keys, size_t level) {
        Found sum = found[keys[0].place];
        char *shape = sum.entry.shape;
        uint64_t n_most = sum.entry.n_messages;
        Text text;

        for (size_t i = 1; i < n_keys; ++i) {
                Found *one = &found[keys[i].place];
                SketchEntry before = sum.entry;

                one->is_gone = true;
                if (one->entry.n_messages > n_most) {
                        n_most = one->entry.n_messages;
                        sum.entry = one->entry;
                }
                sum.entry.n_messages = before.n_messages + one->entry.n_messages;
                sum.entry.error = before.error + one->entry.error;
                sum.entry.first_us = before.first_us < one->entry.first_us ? before.first_us
                                                                           : one->entry.first_us;
                sum.entry.last_us =
                        before.last_us > one->entry.last_us ? before.last_us : one->entry.last_us;
                sum.n_shapes += one->n_shapes;
                sum.per_minute += one->per_minute;
        }
        if (found_level(shape, level, &text)) {
                size_t at = (size_t)(text.data - shape);

                memmove(shape + at + 1, shape + at + text.n, strlen(shape + at + text.n) + 1);
                shape[at] = '+';
        }
        found[keys[0].place] = sum;
}

static void found_merge_level(Found *found, size_t n, size_t level, FoundKey *keys) {
        size_t n_keys = found_keys(found, n, level, keys), n_same;

        for (size_t i = 0; i < n_keys; i += n_same) {
                for (n_same = 1; i + n_same < n_keys && keys[i + n_same].hash == keys[i].hash;)
                        ++n_same;
                if (n_same >= FOUND_SIBLINGS)
                        found_merge(found, keys + i, n_same, level);
        }
}

static int found_compare(const void *a, const void *b) {
        const Found *x = *(const Found *const *)a, *y = *(const Found *const *)b;

        if (x->entry.n_messages != y->entry.n_messages)
                return x->entry.n_messages > y->entry.n_messages ? -1 : 1;
        return strcmp(x->entry.shape, y->entry.shape);
}

/* ---- what is told ---- */

static void found_escaped(JsonOut *out, const char *name, const char *data, size_t n) {
        char text[SKETCH_SAMPLE * ESCAPE_MAX];

        escape_text((Text){ .data = data, .n = n }, text, sizeof(text));
        json_out_string(out, name, text);
}

static void found_members(JsonOut *out, const JsonTree *tree) {
        static const char *const types[] = {
                [JSON_NULL] = "null",     [JSON_FALSE] = "bool",    [JSON_TRUE] = "bool",
                [JSON_NUMBER] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array",
                [JSON_OBJECT] = "object",
        };
        const JsonNode *root = json_root(tree), *name = root + 1;

        json_out_object(out, "members");
        for (uint32_t i = 0; i + 1 < root->n && i < 2 * FOUND_MEMBERS; i += 2) {
                const JsonNode *value = json_next(name);
                Text text = json_text(tree, name);
                char escaped[64 * ESCAPE_MAX];

                text = (Text){ .data = text.data + 1, .n = text.n - 2 };
                text.n = text.n < 64 ? text.n : 64;
                escape_text(text, escaped, sizeof(escaped));
                json_out_string(out, escaped, types[value->type]);
                name = json_next(value);
        }
        json_out_object_end(out);
}

static const char *found_plain_form(const SketchEntry *entry) {
        if (entry->n_bytes == 0)
                return "empty";
        if (entry->sample[0] == '{' && entry->n_bytes > entry->n_sample)
                return "object";
        return name_is_utf8((Text){ .data = entry->sample, .n = entry->n_sample }) ? "text"
                                                                                   : "binary";
}

static void found_write_payload(JsonOut *out, const SketchEntry *entry) {
        static const char *const forms[] = {
                [JSON_NULL] = "null",     [JSON_FALSE] = "bool",  [JSON_TRUE] = "bool",
                [JSON_NUMBER] = "number", [JSON_STRING] = "json", [JSON_ARRAY] = "json",
                [JSON_OBJECT] = "object",
        };
        JsonTree tree = { 0 };
        JsonFault fault;
        Text sample = { .data = entry->sample, .n = entry->n_sample };
        const char *form = found_plain_form(entry);
        bool is_json = entry->n_bytes == entry->n_sample && sample.n > 0 &&
                       json_tree_read(&tree, sample, &fault) == 0;
        CLEANUP_BUF Buf route = { 0 };

        if (is_json)
                form = forms[json_root(&tree)->type];
        json_out_string(out, "form", form);
        if (is_json && json_root(&tree)->type == JSON_OBJECT)
                found_members(out, &tree);
        json_tree_done(&tree);
        if (suggest_route(entry->shape, form, &route))
                json_out_text(out, "route", buf_text(&route));
        else
                json_out_null(out, "route");
}

static void found_write_one(JsonOut *out, const Found *found) {
        const SketchEntry *entry = &found->entry;

        json_out_object(out, NULL);
        found_escaped(out, "topic", entry->shape, strlen(entry->shape));
        json_out_int(out, "messages", (int64_t)entry->n_messages);
        json_out_int(out, "too_many_by_at_most", (int64_t)entry->error);
        json_out_int(out, "per_minute", found->per_minute);
        json_out_int(out, "shapes", (int64_t)found->n_shapes);
        json_out_time(out, "first_seen", entry->first_us);
        json_out_time(out, "last_seen", entry->last_us);
        found_escaped(out, "example", entry->topic, entry->n_topic);
        json_out_int(out, "bytes", (int64_t)entry->n_bytes);
        found_escaped(out, "sample", entry->sample, entry->n_sample);
        found_write_payload(out, entry);
        json_out_object_end(out);
}

static void found_write_all(Sketch *sketch, Found *const sorted[], size_t n, JsonOut *out) {
        SketchSums sums = sketch_sums(sketch);

        json_out_int(out, "messages", (int64_t)sums.n_messages);
        json_out_int(out, "shapes", (int64_t)sums.n_entries);
        json_out_int(out, "displaced", (int64_t)sums.n_displaced);
        json_out_array(out, "unrouted");
        for (size_t i = 0; i < n; ++i)
                found_write_one(out, sorted[i]);
        json_out_array_end(out);
}

int found_write(Sketch *sketch, int64_t now_us, size_t limit, Buf *buf) {
        size_t n_most = sketch_size(sketch);
        Found *found = calloc(n_most, sizeof(*found));
        Found **sorted = calloc(n_most, sizeof(*sorted));
        FoundKey *keys = calloc(n_most, sizeof(*keys));
        JsonOut out = { .buf = buf };
        size_t n = 0, n_sorted = 0;

        for (size_t i = 0; found && i < n_most; ++i)
                if (sketch_get(sketch, i, &found[n].entry)) {
                        found[n].n_shapes = 1;
                        found[n].per_minute = sketch_per_minute(&found[n].entry, now_us);
                        ++n;
                }
        if (found && sorted && keys) {
                for (size_t level = SHAPE_LEVELS; level-- > 0;)
                        found_merge_level(found, n, level, keys);
                for (size_t i = 0; i < n; ++i)
                        if (!found[i].is_gone)
                                sorted[n_sorted++] = &found[i];
                qsort(sorted, n_sorted, sizeof(*sorted), found_compare);
                json_out_object(&out, NULL);
                json_out_time(&out, "at", now_us);
                found_write_all(sketch, sorted, n_sorted < limit ? n_sorted : limit, &out);
                json_out_object_end(&out);
        }
        n = found && sorted && keys;
        free(keys);
        free(sorted);
        free(found);
        return n == 0 || buf_failed(buf) ? err_new(-ENOMEM) : 0;
}
