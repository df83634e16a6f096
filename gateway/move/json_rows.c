#include "gateway/move/json_rows.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/err.h"
#include "gateway/decode/json_check.h"

typedef struct JsonWalk JsonWalk;
typedef struct json_object json_object_t;
typedef struct json_tokener json_tokener_t;

DEFINE_CLEANUP(json_tokener_t *, json_tokener_free);
DEFINE_CLEANUP(json_object_t *, json_object_put);

struct JsonWalk {
        Text rest;
        size_t line;
};

static void walk_take(JsonWalk *walk, size_t n) {
        for (size_t i = 0; i < n; ++i)
                walk->line += walk->rest.data[i] == '\n';
        walk->rest = (Text){ walk->rest.data + n, walk->rest.n - n };
}

static char walk_next(JsonWalk *walk) {
        while (walk->rest.n > 0 && *walk->rest.data && strchr(" \t\r\n", *walk->rest.data))
                walk_take(walk, 1);
        if (walk->rest.n == 0)
                return '\0';
        return *walk->rest.data;
}

static bool walk_skip(JsonWalk *walk, char c) {
        if (walk_next(walk) != c || c == '\0')
                return false;
        walk_take(walk, 1);
        return true;
}

/* A value as it stands, up to where it ends by its brackets and quotes; json_check() says whether
 * it is one. False: its end cannot be told. */
static bool walk_value(JsonWalk *walk, Text *ret_value) {
        bool in_string = false;
        size_t depth = 0, n = 0;

        (void)walk_next(walk);
        for (; n < walk->rest.n; ++n) {
                char c = walk->rest.data[n];

                if (in_string) {
                        n += c == '\\';
                        in_string = c != '"';
                        if (!in_string && depth == 0)
                                break;
                } else if (c == '"') {
                        in_string = true;
                } else if (c == '{' || c == '[') {
                        ++depth;
                } else if ((c == ',' || c == '}' || c == ']') && depth == 0) {
                        *ret_value = (Text){ walk->rest.data, n };
                        walk_take(walk, n);
                        return n > 0;
                } else if ((c == '}' || c == ']') && --depth == 0) {
                        break;
                }
        }
        if (n >= walk->rest.n)
                return false;
        *ret_value = (Text){ walk->rest.data, n + 1 };
        walk_take(walk, n + 1);
        return true;
}

static const char *rows_why(Reason reason) {
        switch (reason) {
        case REASON_BAD_UTF8:
                return "is not UTF-8";
        case REASON_NUL_CHARACTER:
                return "has a NUL";
        case REASON_TOO_DEEP:
                return "is too deep";
        default:
                return "is no JSON";
        }
}

static bool rows_put(Row *row, const char *column, json_object_t *value, const RowHandler *on) {
        enum json_type type = json_object_get_type(value);
        const char *text;

        switch (type) {
        case json_type_null:
                return true;
        case json_type_object:
        case json_type_array:
                return row_put_unfit(row,
                                     text_of(column),
                                     "is a list or an object: a text is wanted",
                                     on);
        case json_type_boolean:
                text = json_object_get_boolean(value) ? "true" : "false";
                return row_put(row, text_of(column), text_of(text), false, on);
        default:
                text = json_object_get_string(value);
                return row_put(row,
                               text_of(column),
                               (Text){ text,
                                       type == json_type_string
                                               ? (size_t)json_object_get_string_len(value)
                                               : strlen(text) },
                               type != json_type_string,
                               on);
        }
}

static bool rows_members(Row *row, json_object_t *object, const RowHandler *handler) {
        struct json_object_iterator at = json_object_iter_begin(object);
        struct json_object_iterator end = json_object_iter_end(object);
        bool is_good = true;

        while (!json_object_iter_equal(&at, &end)) {
                is_good &= rows_put(row,
                                    json_object_iter_peek_name(&at),
                                    json_object_iter_peek_value(&at),
                                    handler);
                json_object_iter_next(&at);
        }
        return is_good;
}

/* How many members an object has that is one, or how many of this key, as it is spelt. */
static size_t rows_count(Text object, const Text *key, Text *ret_last) {
        JsonWalk walk = { object, 1 };
        Text value;
        size_t n = 0;

        (void)walk_skip(&walk, '{');
        while (walk_next(&walk) == '"' && walk_value(&walk, ret_last) && walk_skip(&walk, ':') &&
               walk_value(&walk, &value)) {
                n += !key || text_equal(*key, *ret_last);
                if (!walk_skip(&walk, ','))
                        break;
        }
        return n;
}

/* json-c keeps the last of those that are called the same. False: it was told. */
static bool rows_are_once(Row *row, Text text, json_object_t *object, const RowHandler *handler) {
        struct json_object_iterator at = json_object_iter_begin(object);
        struct json_object_iterator end = json_object_iter_end(object);
        char key[ROW_COLUMN_MAX + 2] = "";
        Text last;

        if (rows_count(text, NULL, &last) == (size_t)json_object_object_length(object))
                return true;
        for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
                int n = snprintf(key, sizeof(key), "\"%s\"", json_object_iter_peek_name(&at));

                if (n < (int)sizeof(key) && rows_count(text, &(Text){ key, (size_t)n }, &last) > 1)
                        break;
                key[0] = '\0';
        }
        if (*key)
                key[strlen(key) - 1] = '\0';
        handler->fault(handler->arg,
                       row->line,
                       *key ? key + 1 : "",
                       *key ? "is there twice" : "a member is there twice");
        return false;
}

static int rows_fill(Row *row, Text text, const RowHandler *handler, bool *ret_good) {
        CLEANUP(json_tokener_free) json_tokener_t *tokener = json_tokener_new();
        CLEANUP(json_object_put) json_object_t *object = NULL;

        if (!tokener)
                return err_new(-ENOMEM);
        object = json_tokener_parse_ex(tokener, text.data, (int)text.n);
        if (!object || json_object_get_type(object) != json_type_object) {
                handler->fault(handler->arg, row->line, "", "is no object");
                return 0;
        }
        *ret_good = rows_are_once(row, text, object, handler) && rows_members(row, object, handler);
        return 0;
}

static int rows_item(Text item, Row *row, const RowHandler *handler) {
        Reason reason = json_check(item);
        bool is_good = false;
        int r;

        row->n_cells = 0;
        if (reason != REASON_NONE) {
                handler->fault(handler->arg, row->line, "", rows_why(reason));
                return 0;
        }
        r = rows_fill(row, item, handler, &is_good);
        if (r < 0)
                return err_up(r);
        return is_good ? handler->row(handler->arg, row) : 0;
}

/* Nothing but space is left. */
static bool walk_is_over(JsonWalk *walk) {
        (void)walk_next(walk);
        return walk->rest.n == 0;
}

static int rows_list(JsonWalk *walk, Row *row, const RowHandler *handler) {
        Text item;
        int r = 0;

        if (!walk_skip(walk, '[')) {
                handler->fault(handler->arg, walk->line, "", "is no list");
                return 0;
        }
        if (walk_skip(walk, ']'))
                return 0;
        do {
                (void)walk_next(walk);
                row->line = walk->line;
                if (!walk_value(walk, &item))
                        break;
                r = rows_item(item, row, handler);
        } while (r == 0 && walk_skip(walk, ','));
        if (r == 0 && !walk_skip(walk, ']')) {
                handler->fault(handler->arg, walk->line, "", "is no JSON from here on");
                walk_take(walk, walk->rest.n);
        }
        return r;
}

static int rows_only_list(JsonWalk *walk, Row *row, const RowHandler *handler) {
        bool is_list = walk_next(walk) == '[';
        int r = rows_list(walk, row, handler);

        if (r == 0 && is_list && !walk_is_over(walk))
                handler->fault(handler->arg, walk->line, "", "is no JSON from here on");
        return r;
}

/* `"users"`, with its quotes. */
static bool rows_is_called(Text key, const char *member) {
        size_t n = strlen(member);

        return key.n == n + 2 && key.data[0] == '"' && memcmp(key.data + 1, member, n) == 0;
}

int json_rows_each(Text text, const char *member, Row *row, const RowHandler *handler) {
        JsonWalk walk = { text, 1 };
        Text key, value;
        size_t n_lists = 0;
        int r;

        if (text.n >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
                walk.rest = (Text){ text.data + 3, text.n - 3 };
        if (!member)
                return rows_only_list(&walk, row, handler);
        if (!walk_skip(&walk, '{')) {
                handler->fault(handler->arg, walk.line, "", "is no object with lists in it");
                return 0;
        }
        if (walk_skip(&walk, '}'))
                return 0;
        do {
                if (walk_next(&walk) != '"' || !walk_value(&walk, &key) || !walk_skip(&walk, ':'))
                        break;
                if (rows_is_called(key, member) && n_lists++ > 0) {
                        handler->fault(handler->arg, walk.line, member, "is there twice");
                        return 0;
                }
                if (rows_is_called(key, member)) {
                        r = rows_list(&walk, row, handler);
                        if (r != 0 || walk.rest.n == 0)
                                return r;
                } else if (!walk_value(&walk, &value)) {
                        break;
                }
        } while (walk_skip(&walk, ','));
        if (!walk_skip(&walk, '}') || !walk_is_over(&walk))
                handler->fault(handler->arg, walk.line, "", "is no JSON from here on");
        return 0;
}
