#include "gateway/decode/condition.h"

#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/json_path.h"

typedef struct Part Part;

struct Part {
        JsonPath *path; /* owned */
        bool is_not;    /* it must not be so */
        unsigned types; /* bits by JsonType, one of which it is; 0 = whichever */
        Text values[CONDITION_MAX_VALUES];
        size_t n_values; /* none, and no types: is it there at all? */
};

struct Condition {
        char *text;
        Part parts[CONDITION_MAX_PARTS];
        size_t n;
};

static int invalid(const char **ret_why, const char *why) {
        *ret_why = why;
        return CONDITION_E_INVALID;
}

/* What would be a value or a name that nothing ever has, and is a condition elsewhere. */
static const char *foreign(Text text) {
        static const struct {
                const char *sign, *why;
        } signs[] = {
                { "==", "compares with one =" },
                { " or /", "has no `or`: several values have commas between, else a route each" },
                { " || ", "has no `or`: several values have commas between, else a route each" },
                { " && ", "has `and` between its parts" },
                { " > ", "compares with = and != alone" },
                { " < ", "compares with = and != alone" },
                { " >= ", "compares with = and != alone" },
                { " <= ", "compares with = and != alone" },
        };

        for (size_t i = 0; i < N_ELEMENTS(signs); ++i)
                if (text_find_unquoted(text, text_of(signs[i].sign)) < text.n)
                        return signs[i].why;
        if (text.n >= 4 && memcmp(text.data + text.n - 4, " and", 4) == 0)
                return "ends with `and`";
        return NULL;
}

static bool has_value(const Part *part, Text value) {
        for (size_t i = 0; i < part->n_values; ++i)
                if (text_equal(part->values[i], value))
                        return true;
        return false;
}

/* 'text' is text, as in a map: with commas, `and` and signs. */
static int read_value(Part *part, Text value, const char **ret_why) {
        if (part->n_values == CONDITION_MAX_VALUES)
                return invalid(ret_why, "more than 32 values");
        if (value.n == 0)
                return invalid(ret_why, "a value is missing: one without characters is ''");
        if (!text_unquote(&value))
                return invalid(ret_why, "more follows the quotes of a value");
        if (has_value(part, value))
                return invalid(ret_why, "a value stands twice");
        part->values[part->n_values++] = value;
        return 0;
}

static int read_values(Part *part, Text text, const char **ret_why) {
        int r = 0;

        for (bool more = true; r == 0 && more;) {
                Text value = { text.data, text_find_unquoted(text, TEXT(",")) };

                more = value.n < text.n;
                if (more)
                        text = (Text){ text.data + value.n + 1, text.n - value.n - 1 };
                r = read_value(part, text_trim(value), ret_why);
        }
        return r;
}

static unsigned types_named(Text name) {
        static const struct {
                const char *name;
                unsigned types;
        } names[] = {
                { "object", 1U << JSON_OBJECT },
                { "array", 1U << JSON_ARRAY },
                { "text", 1U << JSON_STRING },
                { "number", 1U << JSON_NUMBER },
                { "bool", 1U << JSON_TRUE | 1U << JSON_FALSE },
        };

        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                if (text_equal(name, text_of(names[i].name)))
                        return names[i].types;
        return 0;
}

/* How long the pointer is before ` is TYPES`: all of @text where that is not behind it. */
static size_t find_types(Text text, unsigned *ret_types) {
        size_t n_path = text_find_unquoted(text, TEXT(" is "));
        Text rest = n_path < text.n ? (Text){ text.data + n_path + 4, text.n - n_path - 4 }
                                    : (Text){ 0 };
        unsigned found = 0;
        Text name;

        while (text_next_item(&rest, ",", &name)) {
                unsigned types = types_named(text_trim(name));

                if (types == 0)
                        return text.n;
                found |= types;
        }
        *ret_types = found;
        return found == 0 ? text.n : n_path;
}

static int read_part(Part *part, Text text, const char **ret_why) {
        const char *sign = memchr(text.data, '=', text.n);
        Text path = text;
        int r = 0;

        if (!sign) {
                part->is_not = text.n > 0 && text.data[0] == '!';
                path = (Text){ text.data + part->is_not, text.n - part->is_not };
                path.n = find_types(path, &part->types);
        } else {
                part->is_not = sign > text.data && sign[-1] == '!';
                path.n = (size_t)(sign - text.data) - part->is_not;
                r = read_values(part,
                                (Text){ sign + 1, text.n - (size_t)(sign - text.data) - 1 },
                                ret_why);
        }
        if (r == 0)
                r = json_path_new(&part->path, text_trim(path));
        if (r == JSON_PATH_E_INVALID)
                return invalid(ret_why, "wants /POINTER, ! /POINTER, /POINTER = VALUE, != or `is`");
        return r;
}

int condition_new(Condition **ret_condition, const char *text, const char **ret_why) {
        CLEANUP(condition_free) Condition *condition = calloc(1, sizeof(*condition));
        Text rest;
        int r = 0;

        if (!condition)
                return err_new(-ENOMEM);
        condition->text = strdup(text);
        if (!condition->text)
                return err_new(-ENOMEM);
        rest = text_of(condition->text);
        if (!text_is_closed(rest))
                return invalid(ret_why, "a quote is not closed");
        if (foreign(rest))
                return invalid(ret_why, foreign(rest));
        while (r == 0 && rest.data) {
                Text part = { rest.data, text_find_unquoted(rest, TEXT(" and ")) };

                rest = part.n < rest.n ? (Text){ rest.data + part.n + 5, rest.n - part.n - 5 }
                                       : (Text){ 0 };
                if (condition->n == CONDITION_MAX_PARTS)
                        return invalid(ret_why, "more than 8 parts");
                r = read_part(&condition->parts[condition->n++], text_trim(part), ret_why);
        }
        if (r != 0)
                return r;
        *ret_condition = TAKE(&condition);
        return 0;
}

Condition *condition_free(Condition *condition) {
        if (!condition)
                return NULL;
        for (size_t i = 0; i < condition->n; ++i)
                json_path_free(condition->parts[i].path);
        free(condition->text);
        free(condition);
        return NULL;
}

const char *condition_text(const Condition *condition) {
        return condition->text;
}

static bool is_one_of(const Part *part, const JsonTree *tree, const JsonNode *value) {
        for (size_t i = 0; i < part->n_values; ++i)
                if (value->type == JSON_STRING
                            ? json_is(tree, value, part->values[i])
                            : text_equal(json_text(tree, value), part->values[i]))
                        return true;
        return false;
}

static bool part_holds(const Part *part, const JsonTree *tree) {
        const JsonNode *value = json_path_find(part->path, tree, json_root(tree));

        if (part->types != 0)
                return (value && (part->types >> value->type & 1U) != 0) != part->is_not;
        if (part->n_values == 0)
                return (value && value->type != JSON_NULL) != part->is_not;
        return (value && is_one_of(part, tree, value)) != part->is_not;
}

bool condition_holds(const Condition *condition, const JsonTree *tree) {
        for (size_t i = 0; i < condition->n; ++i)
                if (!part_holds(&condition->parts[i], tree))
                        return false;
        return true;
}

void parsed_done(Parsed *parsed) {
        json_tree_done(&parsed->tree);
        parsed->route = NULL;
}
