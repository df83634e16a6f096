#include "gateway/decode/condition.h"

#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/json_path.h"

typedef struct Part Part;

struct Part {
        JsonPath *path; /* owned */
        bool is_not;    /* it must not be so */
        Text values[CONDITION_MAX_VALUES];
        size_t n_values; /* none: is it there at all? */
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

/* 'text' is text, as in a map. */
static Text unquoted(Text value) {
        bool is_quoted = value.n >= 2 && (*value.data == '\'' || *value.data == '"') &&
                         value.data[value.n - 1] == *value.data;

        return is_quoted ? (Text){ value.data + 1, value.n - 2 } : value;
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
                if (memmem(text.data, text.n, signs[i].sign, strlen(signs[i].sign)))
                        return signs[i].why;
        if (text.n >= 4 && memcmp(text.data + text.n - 4, " and", 4) == 0)
                return "ends with `and`";
        return NULL;
}

static int read_values(Part *part, Text text, const char **ret_why) {
        for (bool more = true; more;) {
                const char *comma = memchr(text.data, ',', text.n);
                Text value = text_trim(
                        (Text){ text.data, comma ? (size_t)(comma - text.data) : text.n });

                if (part->n_values == CONDITION_MAX_VALUES)
                        return invalid(ret_why, "more than 32 values");
                part->values[part->n_values++] = unquoted(value);
                more = comma != NULL;
                if (more)
                        text = (Text){ comma + 1, text.n - (size_t)(comma - text.data) - 1 };
        }
        return 0;
}

static int read_part(Part *part, Text text, const char **ret_why) {
        const char *sign = memchr(text.data, '=', text.n);
        Text path = text;
        int r = 0;

        if (!sign && text.n > 0 && text.data[0] == '!') {
                part->is_not = true;
                path = (Text){ text.data + 1, text.n - 1 };
        } else if (sign) {
                part->is_not = sign > text.data && sign[-1] == '!';
                path.n = (size_t)(sign - text.data) - part->is_not;
                r = read_values(part,
                                (Text){ sign + 1, text.n - (size_t)(sign - text.data) - 1 },
                                ret_why);
        }
        if (r == 0)
                r = json_path_new(&part->path, text_trim(path));
        if (r == JSON_PATH_E_INVALID)
                return invalid(ret_why, "wants /POINTER, ! /POINTER, /POINTER = VALUE or !=");
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
        if (foreign(rest))
                return invalid(ret_why, foreign(rest));
        while (r == 0 && rest.data) {
                const char *end = memmem(rest.data, rest.n, " and ", 5);
                Text part = { rest.data, end ? (size_t)(end - rest.data) : rest.n };

                rest = end ? (Text){ end + 5, rest.n - part.n - 5 } : (Text){ 0 };
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
