#include "gateway/decode/map_op.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "gateway/decode/json_tree.h"

#define MAP_MAX_ROUND 12
#define MAP_MAX_SLICE 65535
#define MAP_MAX_BIT   63
#define MAP_MAX_PART  64

static const struct {
        const char *name;
        MapType gives;
        int n_numbers; /* that follow its name */
        bool has_rest; /* more follows */
} map_ops[MAP_OP_COUNT] = {
        [MAP_OP_NUMBER] = { "number", MAP_NUMBER, 0, false },
        [MAP_OP_INT] = { "int", MAP_NUMBER, 0, false },
        [MAP_OP_BOOL] = { "bool", MAP_BOOL, 0, false },
        [MAP_OP_TEXT] = { "text", MAP_TEXT, 0, false },
        [MAP_OP_SCALE] = { "scale", MAP_NUMBER, 1, false },
        [MAP_OP_OFFSET] = { "offset", MAP_NUMBER, 1, false },
        [MAP_OP_ROUND] = { "round", MAP_NUMBER, 1, false },
        [MAP_OP_CLAMP] = { "clamp", MAP_NUMBER, 2, false },
        [MAP_OP_WORD] = { "word", MAP_TEXT, 0, true },
        [MAP_OP_PART] = { "part", MAP_TEXT, 1, true },
        [MAP_OP_SLICE] = { "slice", MAP_TEXT, 1, true },
        [MAP_OP_JOIN] = { "join", MAP_TEXT, 0, true },
        [MAP_OP_HEX] = { "hex", MAP_NUMBER, 0, true },
        [MAP_OP_BIT] = { "bit", MAP_BOOL, 1, false },
        [MAP_OP_TIME] = { "time", MAP_TIME, 0, true },
        [MAP_OP_NULL] = { "null", MAP_NOTHING, 0, true },
        [MAP_OP_DEFAULT] = { "default", MAP_NOTHING, 0, true },
};

static const struct {
        const char *name;
        MapUnit unit;
        double per_second;
} map_units[] = {
        { "iso", MAP_UNIT_ISO, 0 },      { "unix", MAP_UNIT_ANY, 0 },
        { "unix_s", MAP_UNIT_S, 1 },     { "unix_ms", MAP_UNIT_MS, 1e3 },
        { "unix_us", MAP_UNIT_US, 1e6 }, { "unix_ns", MAP_UNIT_NS, 1e9 },
};

const char *map_op_name(MapOpKind kind) {
        return map_ops[kind].name;
}

MapType map_op_gives(const MapOp *op) {
        return map_ops[op->kind].gives;
}

bool map_word_is(const MapWord *word, Text text) {
        Text bare = text_bare(text), own = word->word;

        return (text.n == own.n && strncasecmp(text.data, own.data, own.n) == 0) ||
               (bare.n == own.n && strncasecmp(bare.data, own.data, own.n) == 0) ||
               json_same_number(bare, own);
}

/* ---- parsing ---- */

/* The next word, with quotes that it has; false: there is none. */
static bool take_item(Text *rest, Text *ret_item) {
        size_t n_space, n_tab;

        *rest = text_trim(*rest);
        if (rest->n == 0)
                return false;
        n_space = text_find_unquoted(*rest, TEXT(" "));
        n_tab = text_find_unquoted(*rest, TEXT("\t"));
        *ret_item = (Text){ rest->data, n_space < n_tab ? n_space : n_tab };
        *rest = (Text){ rest->data + ret_item->n, rest->n - ret_item->n };
        return true;
}

static int invalid(const char **ret_why, const char *why) {
        *ret_why = why;
        return MAP_E_INVALID;
}

/* The next word, or what is in its quotes; MAP_E_INVALID with why, where nothing follows: @missing.
 */
static int take_word(Text *rest, const char *missing, Text *ret_word, const char **ret_why) {
        if (!take_item(rest, ret_word))
                return invalid(ret_why, missing);
        if (!text_is_closed(*ret_word))
                return invalid(ret_why, "a quote is not closed");
        if (!text_unquote(ret_word))
                return invalid(ret_why, "more follows the quotes");
        return 0;
}

static int parse_number(Text *rest, Arena *arena, double *ret_number, const char **ret_why) {
        Text word, digits;
        int r = take_word(rest, "a number is missing", &word, ret_why);

        if (r != 0)
                return r;
        r = json_digits(word, arena, &digits);
        if (r == 0 && !digits.data)
                return invalid(ret_why, "is no number");
        if (r == 0)
                r = json_number(digits, arena, ret_number);
        return r == 0 ? 0 : err_up(r);
}

static int add_word(MapOp *op, Text word, Text meaning, const char **ret_why) {
        MapWord added = { .word = word, .meaning = meaning };

        for (size_t i = 0; i < op->n_words; ++i)
                if (map_word_is(&op->words[i], word))
                        return invalid(ret_why, "a word stands twice");
        if (op->n_words == MAP_MAX_WORDS)
                return invalid(ret_why, "more than 64 words");
        op->words[op->n_words++] = added;
        return 0;
}

/* A=a,b: each may be in quotes, or all of it, and a word may be empty. */
static int parse_meaning(MapOp *op, Text item, const char **ret_why) {
        bool is_whole =
                item.n > 0 && (*item.data == '"' || *item.data == '\'') && text_unquote(&item);
        size_t n = text_find_unquoted(item, TEXT("="));
        Text meaning = { item.data, n }, rest;
        int r = 0;

        if (!is_whole && !text_is_closed(item))
                return invalid(ret_why, "a quote is not closed");
        if (n == item.n || !text_unquote(&meaning) || meaning.n == 0)
                return invalid(ret_why, "wants MEANING=word,word");
        rest = (Text){ item.data + n + 1, item.n - n - 1 };
        for (bool more = true; r == 0 && more;) {
                Text word = { rest.data, text_find_unquoted(rest, TEXT(",")) };

                more = word.n < rest.n;
                if (more)
                        rest = (Text){ rest.data + word.n + 1, rest.n - word.n - 1 };
                r = text_unquote(&word) ? add_word(op, word, meaning, ret_why)
                                        : invalid(ret_why, "more follows the quotes");
        }
        return r;
}

static int parse_words(MapOp *op, Text rest, Arena *arena, const char **ret_why) {
        Text item = { 0 };
        int r = 0;

        op->words = arena_alloc(arena, MAP_MAX_WORDS * sizeof(*op->words));
        if (!op->words)
                return err_new(-ENOMEM);
        while (r == 0 && text_trim(rest).n > 0)
                if (op->kind == MAP_OP_WORD) {
                        (void)take_item(&rest, &item);
                        r = parse_meaning(op, item, ret_why);
                } else {
                        r = take_word(&rest, "wants words", &item, ret_why);
                        if (r == 0)
                                r = add_word(op, item, (Text){ 0 }, ret_why);
                }
        if (r == 0 && op->n_words == 0)
                return invalid(ret_why, "wants words");
        return r;
}

static int parse_unit(MapOp *op, Text rest, const char **ret_why) {
        Text word;

        if (!take_item(&rest, &word))
                return 0;
        for (size_t i = 0; i < N_ELEMENTS(map_units); ++i)
                if (text_equal(word, text_of(map_units[i].name)) && text_trim(rest).n == 0) {
                        op->a = (double)map_units[i].unit;
                        op->b = map_units[i].per_second;
                        return 0;
                }
        return invalid(ret_why, "wants iso, unix, unix_s, unix_ms, unix_us or unix_ns");
}

static int parse_text(MapOp *op, Text rest, const char **ret_why) {
        int r = take_word(&rest, "wants one word, or text in quotes", &op->text, ret_why);

        if (r == 0 && text_trim(rest).n > 0)
                return invalid(ret_why, "wants one word, or text in quotes");
        return r;
}

/* A number stays one. */
static int parse_default(MapOp *op, Text rest, Arena *arena, const char **ret_why) {
        int r = parse_text(op, rest, ret_why);
        Text digits;

        if (r == 0)
                r = json_digits(op->text, arena, &digits);
        if (r == 0)
                op->b = digits.data && text_equal(digits, op->text);
        return r;
}

/* Up to the end, where it does not say. */
static int parse_end(MapOp *op, Text rest, Arena *arena, const char **ret_why) {
        int r = 0;

        op->b = (double)INFINITY;
        if (text_trim(rest).n > 0)
                r = parse_number(&rest, arena, &op->b, ret_why);
        if (r == 0 && text_trim(rest).n > 0)
                return invalid(ret_why, "has more behind it than it takes");
        return r;
}

static int parse_bytes(MapOp *op, Text rest, const char **ret_why) {
        Text word;

        while (take_item(&rest, &word)) {
                if (text_equal(word, TEXT("signed")))
                        op->a = 1;
                else if (text_equal(word, TEXT("le")) || text_equal(word, TEXT("be")))
                        op->b = word.data[0] == 'l';
                else
                        return invalid(ret_why, "wants signed, le or be");
        }
        return 0;
}

static int parse_rest(MapOp *op, Text rest, Arena *arena, const char **ret_why) {
        switch (op->kind) {
        case MAP_OP_WORD:
        case MAP_OP_NULL:
                return parse_words(op, rest, arena, ret_why);
        case MAP_OP_TIME:
                return parse_unit(op, rest, ret_why);
        case MAP_OP_DEFAULT:
                return parse_default(op, rest, arena, ret_why);
        case MAP_OP_SLICE:
                return parse_end(op, rest, arena, ret_why);
        case MAP_OP_HEX:
                return parse_bytes(op, rest, ret_why);
        default: /* part and join */
                return parse_text(op, rest, ret_why);
        }
}

static bool is_whole(double number, double min, double max) {
        return number >= min && number <= max && number <= floor(number);
}

/* From and to, from either end; what is always nothing is a slip. */
static bool is_slice(const MapOp *op) {
        bool is_open = isinf(op->b);

        return is_whole(op->a, -MAP_MAX_SLICE, MAP_MAX_SLICE) &&
               (is_open || is_whole(op->b, -MAP_MAX_SLICE, MAP_MAX_SLICE)) &&
               (is_open || (op->a < 0) != (op->b < 0) || op->a < op->b);
}

/* Numbers that make sense. */
static int check_numbers(const MapOp *op, const char **ret_why) {
        if (op->kind == MAP_OP_ROUND && !is_whole(op->a, 0, MAP_MAX_ROUND))
                return invalid(ret_why, "wants 0 to 12 decimals");
        if (op->kind == MAP_OP_CLAMP && op->a > op->b)
                return invalid(ret_why, "wants the lower bound first");
        if (op->kind == MAP_OP_PART && !is_whole(fabs(op->a), 1, MAP_MAX_PART))
                return invalid(ret_why, "wants 1 to 64, or -1 to -64");
        if (op->kind == MAP_OP_PART && op->text.n == 0)
                return invalid(ret_why, "wants a separator");
        if (op->kind == MAP_OP_SLICE && !is_slice(op))
                return invalid(ret_why, "wants where it begins, from 0, and where it ends");
        if (op->kind == MAP_OP_BIT && !is_whole(op->a, 0, MAP_MAX_BIT))
                return invalid(ret_why, "wants 0 to 63");
        return 0;
}

int map_op_parse(MapOp *ret_op, Text text, Arena *arena, const char **ret_why) {
        MapOp op = { .kind = MAP_OP_COUNT };
        Text name;
        int r = 0;

        *ret_why = NULL;
        if (!take_item(&text, &name))
                return invalid(ret_why, "an operation is missing");
        for (size_t i = 0; i < MAP_OP_COUNT; ++i)
                if (text_equal(name, text_of(map_ops[i].name)))
                        op.kind = (MapOpKind)i;
        if (op.kind == MAP_OP_COUNT)
                return invalid(ret_why,
                               "no operation; there are number, int, bool, text, scale, offset, "
                               "round, clamp, word, part, slice, join, hex, bit, time, null and "
                               "default");
        if (map_ops[op.kind].n_numbers > 0)
                r = parse_number(&text, arena, &op.a, ret_why);
        if (r == 0 && map_ops[op.kind].n_numbers > 1)
                r = parse_number(&text, arena, &op.b, ret_why);
        if (r == 0 && map_ops[op.kind].has_rest)
                r = parse_rest(&op, text, arena, ret_why);
        else if (r == 0 && text_trim(text).n > 0)
                return invalid(ret_why, "has more behind it than it takes");
        if (r == 0)
                r = check_numbers(&op, ret_why);
        if (r == 0)
                *ret_op = op;
        return r;
}
