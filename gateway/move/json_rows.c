#include "gateway/move/json_rows.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/err.h"
#include "base/name.h"
#include "gateway/decode/json_check.h"

typedef struct JsonWalk JsonWalk;
typedef struct json_object json_object_t;
typedef struct json_tokener json_tokener_t;

DEFINE_CLEANUP(json_tokener_t *, json_tokener_free);
DEFINE_CLEANUP(json_object_t *, json_object_put);

static void rows_text_free(char *text) {
        free(text);
}

DEFINE_CLEANUP(char *, rows_text_free);

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

/* Nothing but space is left. */
static bool walk_is_over(JsonWalk *walk) {
        (void)walk_next(walk);
        return walk->rest.n == 0;
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

/* ---- one object --------------------------------------------------------------------------- */

/* @ret_value NULL: null. @text is what json_check() takes. */
static int rows_parse(Text text, json_object_t **ret_value) {
        CLEANUP(json_tokener_free) json_tokener_t *tokener = json_tokener_new();

        if (!tokener)
                return err_new(-ENOMEM);
        *ret_value = json_tokener_parse_ex(tokener, text.data, (int)text.n);
        if (json_tokener_get_error(tokener) == json_tokener_continue) /* a number may go on */
                *ret_value = json_tokener_parse_ex(tokener, "\n", 1);
        return 0;
}

/* What a key says, as heap memory; as it is spelt where that could stand in no report: no column is
 * called so. */
static int rows_name(Text key, char **ret_name) {
        CLEANUP(json_object_put) json_object_t *said = NULL;
        char *name;
        int r = 0;

        if (json_check(key) == REASON_NONE)
                r = rows_parse(key, &said);
        if (r < 0)
                return err_up(r);
        if (said && name_is_printable(text_of(json_object_get_string(said)))) {
                name = strdup(json_object_get_string(said));
        } else {
                name = strndup(key.data + 1, key.n - 2);
                for (char *c = name; c && *c; ++c)
                        if (*c < ' ' || *c > '~')
                                *c = '?';
        }
        *ret_name = name;
        return name ? 0 : err_new(-ENOMEM);
}

/* json-c keeps the last of those that are called the same. */
static int rows_is_new(json_object_t *seen, const char *name, bool *ret_new) {
        *ret_new = !json_object_object_get_ex(seen, name, NULL);
        return !*ret_new || json_object_object_add(seen, name, NULL) == 0 ? 0 : err_new(-ENOMEM);
}

/* What is in a member that nobody wants costs nothing, as long as it is JSON. */
static int rows_value(Row *row,
                      const char *name,
                      Text text,
                      const RowHandler *handler,
                      bool *ret_good) {
        CLEANUP(json_object_put) json_object_t *value = NULL;
        Reason reason = json_check(text);
        int r;

        if (reason != REASON_NONE) {
                *ret_good = row_put_unfit(row, text_of(name), rows_why(reason), handler);
                return 0;
        }
        r = rows_parse(text, &value);
        if (r < 0)
                return err_up(r);
        *ret_good = rows_put(row, name, value, handler);
        return 0;
}

static int rows_member(Row *row,
                       json_object_t *seen,
                       const Text member[2],
                       const RowHandler *handler,
                       bool *ret_good) {
        CLEANUP(rows_text_free) char *name = NULL;
        bool is_new = false;
        int r;

        r = rows_name(member[0], &name);
        if (r == 0)
                r = rows_is_new(seen, name, &is_new);
        if (r < 0)
                return err_up(r);
        if (is_new)
                return err_up(rows_value(row, name, member[1], handler, ret_good));
        handler->fault(handler->arg, row->line, name, "is there twice");
        *ret_good = false;
        return 0;
}

/* The next `"key": value`, each as it stands; false: there is none. */
static bool rows_next(JsonWalk *walk, Text ret_member[2]) {
        return walk_next(walk) == '"' && walk_value(walk, &ret_member[0]) && walk_skip(walk, ':') &&
               walk_value(walk, &ret_member[1]) && json_check(ret_member[0]) != REASON_BAD_JSON &&
               json_check(ret_member[1]) != REASON_BAD_JSON;
}

static bool rows_is_object(Text text) {
        JsonWalk walk = { text, 1 };
        Text member[2];

        if (!walk_skip(&walk, '{'))
                return false;
        if (walk_skip(&walk, '}'))
                return walk_is_over(&walk);
        do
                if (!rows_next(&walk, member))
                        return false;
        while (walk_skip(&walk, ','));
        return walk_skip(&walk, '}') && walk_is_over(&walk);
}

static int rows_item(Text item, Row *row, const RowHandler *handler) {
        CLEANUP(json_object_put) json_object_t *seen = NULL;
        JsonWalk walk = { item, 1 };
        bool is_good = true, is_row = true;
        Text member[2];
        int r = 0;

        row->n_cells = 0;
        if (!rows_is_object(item)) {
                handler->fault(handler->arg,
                               row->line,
                               "",
                               json_check(item) == REASON_NONE ? "is no object" : "is no JSON");
                return 0;
        }
        seen = json_object_new_object();
        if (!seen)
                return err_new(-ENOMEM);
        for (walk_take(&walk, 1); r == 0 && rows_next(&walk, member); (void)walk_skip(&walk, ',')) {
                r = rows_member(row, seen, member, handler, &is_good);
                is_row &= is_good;
        }
        if (r < 0)
                return err_up(r);
        return is_row ? handler->row(handler->arg, row) : 0;
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

/* A member that is no list of ours: one that was meant to be is not passed over. */
static int rows_stranger(size_t line, Text key, const RowHandler *handler) {
        CLEANUP(rows_text_free) char *name = NULL;
        char why[128] = "is no list of ours: allowed are users, devices, vehicles, groups, shares";
        RowKind near;
        int r;

        r = rows_name(key, &name);
        if (r < 0)
                return err_up(r);
        near = row_kind_near(name);
        if (near != ROW_KIND_COUNT)
                snprintf(why,
                         sizeof(why),
                         "is no list of ours; did you mean %s?",
                         row_kind_name(near));
        handler->fault(handler->arg, line, name, why);
        return 0;
}

/* `"users"`, with its quotes. */
static bool rows_is_called(Text key, const char *member) {
        size_t n = strlen(member);

        return key.n == n + 2 && memcmp(key.data + 1, member, n) == 0;
}

/* `"users":`, and false in @ret_on where the walk ends. */
static int rows_list_name(JsonWalk *walk, Text *ret_key, const RowHandler *handler, bool *ret_on) {
        int r = 0;

        *ret_on = walk_next(walk) == '"' && walk_value(walk, ret_key);
        if (*ret_on && row_kind_of((Text){ ret_key->data + 1, ret_key->n - 2 }) == ROW_KIND_COUNT)
                r = rows_stranger(walk->line, *ret_key, handler);
        *ret_on = *ret_on && walk_skip(walk, ':');
        return err_up(r);
}

static int rows_lists(JsonWalk *walk, const char *member, Row *row, const RowHandler *handler) {
        size_t n_lists = 0;
        bool is_on = true;
        Text key, value;
        int r = 0;

        do {
                r = rows_list_name(walk, &key, handler, &is_on);
                if (r < 0)
                        return err_up(r);
                if (!is_on)
                        break;
                if (!rows_is_called(key, member)) {
                        is_on = walk_value(walk, &value);
                } else if (n_lists++ > 0) {
                        handler->fault(handler->arg, walk->line, member, "is there twice");
                        return 0;
                } else {
                        r = rows_list(walk, row, handler);
                        if (r != 0 || walk->rest.n == 0)
                                return r;
                }
        } while (is_on && walk_skip(walk, ','));
        if (!is_on || !walk_skip(walk, '}') || !walk_is_over(walk))
                handler->fault(handler->arg, walk->line, "", "is no JSON from here on");
        return 0;
}

int json_rows_each(Text text, const char *member, Row *row, const RowHandler *handler) {
        JsonWalk walk = { text, 1 };

        if (text.n >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
                walk.rest = (Text){ text.data + 3, text.n - 3 };
        if (!member)
                return rows_only_list(&walk, row, handler);
        if (!walk_skip(&walk, '{')) {
                handler->fault(handler->arg, walk.line, "", "is no object with lists in it");
                return 0;
        }
        if (walk_skip(&walk, '}')) {
                if (!walk_is_over(&walk))
                        handler->fault(handler->arg, walk.line, "", "is no JSON from here on");
                return 0;
        }
        return rows_lists(&walk, member, row, handler);
}
