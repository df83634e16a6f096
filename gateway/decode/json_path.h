#pragma once

/*
 * JsonPath: where in a payload something is: a JSON pointer (RFC 6901) with two changes.
 *
 * `/` alone is the whole (a payload that is a bare number), and one level may be `*`: the first
 * member or element, in their order, under which the rest is found. A level of digits is also the
 * index of an array. Compiled once; then any thread.
 */

#include "base/base.h"
#include "gateway/decode/json_tree.h"

typedef struct JsonPath JsonPath;

enum {
        JSON_PATH_E_INVALID =
                1, /* no slash in front, `~` without 0 or 1, two `*`, too many levels */
};

#define JSON_PATH_MAX JSON_MAX_DEPTH /* levels */

MUST_CHECK int json_path_new(JsonPath **ret_path, Text text);
JsonPath *json_path_free(JsonPath *path);

const char *json_path_text(const JsonPath *path);
/* Is the level, from 0, a star? Not where there is none. */
bool json_path_is_any(const JsonPath *path, size_t level);
/* What is there, also null; NULL: nothing. */
const JsonNode *json_path_find(const JsonPath *path, const JsonTree *tree, const JsonNode *root);

DEFINE_CLEANUP(JsonPath *, json_path_free);
