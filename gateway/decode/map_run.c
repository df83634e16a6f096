#include "gateway/decode/map_run.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "gateway/decode/json_tree.h"

#define MAP_NUMBER_SIZE 40
#define MAP_MAX_EXACT   9007199254740992.0 /* 2^53: a double beyond has digits that nobody said */

/* A value that could not be used. */
static int useless(MapValue *value, const char **ret_why, const char *why) {
        *value = (MapValue){ .type = MAP_NOTHING };
        *ret_why = why;
        return 0;
}

/* White space around it is no part of it. */
static bool is_word(Text text, Text word) {
        Text bare = text_bare(text);

        return bare.n == word.n && strncasecmp(bare.data, word.data, word.n) == 0;
}

/* Numbers, text that is one, and switches have digits; absent: none. */
static int digits_of(const MapSetting *setting, const MapValue *value, Text *ret_digits) {
        int r = 0;

        *ret_digits = (Text){ 0 };
        if (value->type == MAP_NUMBER)
                *ret_digits = value->text;
        else if (value->type == MAP_BOOL)
                *ret_digits = value->is_true ? TEXT("1") : TEXT("0");
        else if (value->type == MAP_TEXT)
                r = json_digits(value->text, setting->arena, ret_digits);
        return r == 0 ? 0 : err_up(r);
}

static int run_number(const MapSetting *setting, MapValue *value, const char **ret_why) {
        Text digits;
        int r = digits_of(setting, value, &digits);

        if (r != 0)
                return err_up(r);
        if (!digits.data)
                return useless(value, ret_why, "not a number");
        *value = (MapValue){ .type = MAP_NUMBER, .text = digits };
        return 0;
}

static int put_number(const MapSetting *setting,
                      MapValue *value,
                      long double number,
                      int precision,
                      char format) {
        char text[MAP_NUMBER_SIZE * 10]; /* 1e308 with decimals */
        Text copy;
        int n = format == 'f' ? snprintf(text, sizeof(text), "%.*Lf", precision, number)
                              : snprintf(text, sizeof(text), "%.*Lg", precision, number);

        copy = arena_copy(setting->arena, text, (size_t)n);
        if (!copy.data)
                return err_new(-ENOMEM);
        *value = (MapValue){ .type = MAP_NUMBER, .text = copy };
        return 0;
}

/* 15 digits are what a double keeps of a decimal. */
static int run_arithmetic(const MapOp *op,
                          const MapSetting *setting,
                          MapValue *value,
                          const char **ret_why) {
        long double number;
        double read = 0;
        int r = run_number(setting, value, ret_why);

        if (r == 0 && value->type == MAP_NUMBER)
                r = json_number(value->text, setting->arena, &read);
        if (r != 0)
                return err_up(r);
        if (value->type != MAP_NUMBER)
                return 0;
        number = (long double)read;
        if (op->kind == MAP_OP_SCALE)
                number *= (long double)op->a;
        else if (op->kind == MAP_OP_OFFSET)
                number += (long double)op->a;
        else if (op->kind == MAP_OP_CLAMP && read < op->a)
                number = (long double)op->a;
        else if (op->kind == MAP_OP_CLAMP && read > op->b)
                number = (long double)op->b;
        else if (op->kind == MAP_OP_CLAMP)
                return 0; /* with all its digits */
        if (!isfinite((double)number))
                return useless(value, ret_why, "too large a number");
        if (op->kind == MAP_OP_ROUND && fabs(read) >= MAP_MAX_EXACT)
                return 0;
        if (op->kind == MAP_OP_ROUND)
                return put_number(setting, value, number, (int)op->a, 'f');
        return put_number(setting, value, number, 15, 'g');
}

/* 5, 5.0, "5": not 5.5. */
static int run_int(const MapSetting *setting, MapValue *value, const char **ret_why) {
        double number;
        int r = run_number(setting, value, ret_why);

        if (r != 0 || value->type != MAP_NUMBER)
                return r == 0 ? 0 : err_up(r);
        if (!memchr(value->text.data, '.', value->text.n) &&
            !memchr(value->text.data, 'e', value->text.n) &&
            !memchr(value->text.data, 'E', value->text.n))
                return 0;
        r = json_number(value->text, setting->arena, &number);
        if (r != 0)
                return err_up(r);
        if (number > floor(number))
                return useless(value, ret_why, "not a whole number");
        if (fabs(number) >= MAP_MAX_EXACT)
                return 0; /* with all its digits */
        return put_number(setting, value, (long double)number, 0, 'f');
}

static int run_bool(MapValue *value, const char **ret_why) {
        static const Text yes[] = { TEXT("true"), TEXT("1"), TEXT("on"), TEXT("yes") };
        static const Text no[] = { TEXT("false"), TEXT("0"), TEXT("off"), TEXT("no") };

        if (value->type == MAP_BOOL)
                return 0;
        for (size_t i = 0; value->type != MAP_JSON && i < N_ELEMENTS(yes); ++i)
                if (is_word(value->text, yes[i]) || is_word(value->text, no[i])) {
                        *value = (MapValue){ .type = MAP_BOOL,
                                             .is_true = is_word(value->text, yes[i]) };
                        return 0;
                }
        return useless(value, ret_why, "not a switch");
}

/* What stands for it as text; an array or object is none. */
static bool is_scalar(MapValue *value, const char **ret_why) {
        if (value->type == MAP_BOOL)
                *value = (MapValue){ .type = MAP_TEXT,
                                     .text = value->is_true ? TEXT("true") : TEXT("false") };
        if (value->type != MAP_JSON)
                return true;
        (void)useless(value, ret_why, "not text");
        return false;
}

static int run_word(const MapOp *op, MapValue *value, const char **ret_why) {
        if (!is_scalar(value, ret_why))
                return 0;
        for (size_t i = 0; i < op->n_words; ++i)
                if (map_word_is(&op->words[i], value->text)) {
                        *value = (MapValue){ .type = MAP_TEXT, .text = op->words[i].meaning };
                        return 0;
                }
        return useless(value, ret_why, "none of the words");
}

static int run_null(const MapOp *op, MapValue *value) {
        static const MapValue nothing = { .type = MAP_NOTHING };
        Text text = value->type == MAP_BOOL ? (value->is_true ? TEXT("true") : TEXT("false"))
                                            : value->text;

        for (size_t i = 0; value->type != MAP_JSON && i < op->n_words; ++i)
                if (map_word_is(&op->words[i], text)) {
                        *value = nothing;
                        return 0;
                }
        return 0;
}

/* The next piece of @rest, and what is behind the separator; *ret_is_last: there is no more. */
static Text take_part(Text *rest, Text separator, bool *ret_is_last) {
        const char *found = memmem(rest->data, rest->n, separator.data, separator.n);
        Text part = { rest->data, found ? (size_t)(found - rest->data) : rest->n };

        *ret_is_last = !found;
        if (found)
                *rest = (Text){ found + separator.n, rest->n - part.n - separator.n };
        return part;
}

static int run_part(const MapOp *op, MapValue *value, const char **ret_why) {
        int wanted = (int)op->a, n = 0;
        bool is_last = false;
        Text rest, part;

        if (!is_scalar(value, ret_why))
                return 0;
        for (rest = value->text; !is_last; ++n)
                (void)take_part(&rest, op->text, &is_last);
        if (wanted < 0)
                wanted += n + 1;
        if (wanted < 1 || wanted > n)
                return useless(value, ret_why, "has no such part");
        is_last = false;
        part = (Text){ 0 };
        rest = value->text;
        for (int i = 0; i < wanted; ++i)
                part = take_part(&rest, op->text, &is_last);
        *value = (MapValue){ .type = MAP_TEXT, .text = text_trim(part) };
        return 0;
}

/* Where character @n of @text begins, from the end where that is below 0; false: beyond it. */
static bool find_character(Text text, double n, size_t *ret_at) {
        double n_characters = 0;

        for (size_t i = 0; n < 0 && i < text.n; ++i)
                n_characters += ((unsigned char)text.data[i] & 0xc0) != 0x80;
        if (n < 0)
                n += n_characters;
        if (n < 0)
                return false;
        for (*ret_at = 0; *ret_at < text.n; ++*ret_at)
                if (((unsigned char)text.data[*ret_at] & 0xc0) != 0x80 && n-- < 1)
                        return true;
        return n < 1; /* the end itself */
}

/* All of the characters have to be there: half of a field would be another number. */
static int run_slice(const MapOp *op, MapValue *value, const char **ret_why) {
        size_t from = 0, to;

        if (!is_scalar(value, ret_why))
                return 0;
        to = value->text.n;
        if (!find_character(value->text, op->a, &from) ||
            (!isinf(op->b) && !find_character(value->text, op->b, &to)) || to < from)
                return useless(value, ret_why, "is shorter");
        *value = (MapValue){ .type = MAP_TEXT, .text = { value->text.data + from, to - from } };
        return 0;
}

/* What stands for an element, without arrays, objects and what cannot be text; nothing for null. */
static int append_element(Buf *buf, const JsonTree *tree, const JsonNode *node, Arena *arena) {
        Text text = json_text(tree, node);
        int r = 0;

        if (node->type == JSON_STRING)
                r = json_content(tree, node, arena, &text);
        if (node->type != JSON_NULL)
                buf_append_text(buf, text);
        return r == 0 ? 0 : err_up(r);
}

/* False: an element is an array or object. */
static int join_elements(const MapOp *op,
                         const JsonTree *tree,
                         Arena *arena,
                         Buf *buf,
                         bool *ret_is_joined) {
        const JsonNode *array = json_root(tree), *at = array + 1;
        int r = 0;

        *ret_is_joined = array->type == JSON_ARRAY;
        for (size_t i = 0; r == 0 && *ret_is_joined && i < array->n; ++i, at = json_next(at)) {
                if (at->type == JSON_ARRAY || at->type == JSON_OBJECT) {
                        *ret_is_joined = false;
                        continue;
                }
                if (i > 0)
                        buf_append_text(buf, op->text);
                r = append_element(buf, tree, at, arena);
        }
        return r == 0 ? 0 : err_up(r);
}

static int run_join(const MapOp *op,
                    const MapSetting *setting,
                    MapValue *value,
                    const char **ret_why) {
        CLEANUP_BUF Buf buf = { 0 };
        JsonTree tree = { 0 };
        JsonFault fault;
        bool is_joined = false;
        int r;

        if (value->type != MAP_JSON) {
                (void)is_scalar(value, ret_why); /* one alone */
                value->type = MAP_TEXT;
                return 0;
        }
        r = json_tree_read(&tree, value->text, &fault);
        if (r == 0)
                r = join_elements(op, &tree, setting->arena, &buf, &is_joined);
        json_tree_done(&tree);
        if (r < 0 || buf_failed(&buf))
                return r < 0 ? err_up(r) : err_new(-ENOMEM);
        if (!is_joined)
                return useless(value, ret_why, "not an array of values");
        *value = (MapValue){ .type = MAP_TEXT,
                             .text = arena_copy(setting->arena, buf_text(&buf).data, buf.n) };
        return value->text.data ? 0 : err_new(-ENOMEM);
}

static int put_whole(const MapSetting *setting, MapValue *value, bool is_negative, uint64_t size) {
        char digits[MAP_NUMBER_SIZE];
        int n = snprintf(digits,
                         sizeof(digits),
                         "%s%llu",
                         is_negative ? "-" : "",
                         (unsigned long long)size);
        Text copy = arena_copy(setting->arena, digits, (size_t)n);

        if (!copy.data)
                return err_new(-ENOMEM);
        *value = (MapValue){ .type = MAP_NUMBER, .text = copy };
        return 0;
}

/* False: there is another character, or none, too many, or half a byte where bytes count. */
static bool read_hex(Text text, bool is_little, uint64_t *ret_number) {
        uint64_t number = 0;

        if (text.n == 0 || text.n > 16 || (is_little && text.n % 2 != 0))
                return false;
        for (size_t i = 0; i < text.n; ++i) {
                size_t at = is_little ? text.n - 2 - (i & ~(size_t)1) + (i & 1) : i;
                int digit = text_hex_digit(text.data[at]);

                if (digit < 0)
                        return false;
                number = number << 4 | (unsigned)digit;
        }
        *ret_number = number;
        return true;
}

static int run_hex(const MapOp *op,
                   const MapSetting *setting,
                   MapValue *value,
                   const char **ret_why) {
        Text text = value->text;
        uint64_t number = 0, top;
        int r;

        if (value->type != MAP_TEXT && value->type != MAP_NUMBER)
                return useless(value, ret_why, "not hexadecimal");
        if (text.n > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x')
                text = (Text){ text.data + 2, text.n - 2 };
        if (!read_hex(text, op->b > 0, &number))
                return useless(value, ret_why, "not hexadecimal");
        top = UINT64_C(1) << (4 * text.n - 1);
        if (op->a > 0 && (number & top) != 0) /* of as many bits as there are */
                r = put_whole(setting, value, true, top - (number ^ top));
        else
                r = put_whole(setting, value, false, number);
        return r == 0 ? 0 : err_up(r);
}

static int run_bit(const MapOp *op,
                   const MapSetting *setting,
                   MapValue *value,
                   const char **ret_why) {
        uint64_t number = 0;
        int r = run_int(setting, value, ret_why);

        if (r != 0 || value->type != MAP_NUMBER)
                return r == 0 ? 0 : err_up(r);
        if (!text_to_number(value->text, UINT64_MAX, &number))
                return useless(value, ret_why, "no whole number from 0 to 2^64 - 1");
        *value = (MapValue){ .type = MAP_BOOL, .is_true = (number >> (unsigned)op->a & 1) != 0 };
        return 0;
}

static bool time_of_unit(const MapOp *op, double number, int64_t *ret_time_us) {
        if (op->b > 0)
                number /= op->b;
        /* as seconds, whatever its size */
        if (op->b > 0 && fabs(number) < 1e11)
                return timestamp_of_number(number, ret_time_us);
        return op->b <= 0 && timestamp_of_number(number, ret_time_us);
}

static int run_time(const MapOp *op,
                    const MapSetting *setting,
                    MapValue *value,
                    const char **ret_why) {
        MapValue number = *value;
        int64_t time_us = 0;
        double read = (double)NAN;
        bool is_time = value->type == MAP_TEXT && (int)op->a <= MAP_UNIT_ISO &&
                       timestamp_parse_near(text_bare(value->text),
                                            setting->zone,
                                            setting->near_us,
                                            setting->ahead_us,
                                            &time_us) == 0;
        int r = 0;

        if (value->type == MAP_TIME)
                return 0;
        if (!is_time && (int)op->a != MAP_UNIT_ISO && value->type != MAP_BOOL)
                r = run_number(setting, &number, ret_why);
        else
                number.type = MAP_NOTHING;
        if (r == 0 && number.type == MAP_NUMBER)
                r = json_number(number.text, setting->arena, &read);
        if (r != 0)
                return err_up(r);
        *ret_why = NULL; /* that it is no number says too little */
        if (!is_time && !time_of_unit(op, read, &time_us))
                return useless(value, ret_why, "not a time");
        *value = (MapValue){ .type = MAP_TIME, .text = value->text, .time_us = time_us };
        return 0;
}

int map_op_run(const MapOp *op, const MapSetting *setting, MapValue *value, const char **ret_why) {
        *ret_why = NULL;
        if (value->type == MAP_NOTHING) {
                if (op->kind == MAP_OP_DEFAULT)
                        *value = (MapValue){ .type = op->b > 0 ? MAP_NUMBER : MAP_TEXT,
                                             .text = op->text };
                return 0;
        }
        switch (op->kind) {
        case MAP_OP_NUMBER:
                return run_number(setting, value, ret_why);
        case MAP_OP_INT:
                return run_int(setting, value, ret_why);
        case MAP_OP_BOOL:
                return run_bool(value, ret_why);
        case MAP_OP_TEXT:
                (void)is_scalar(value, ret_why);
                if (value->type == MAP_NUMBER || value->type == MAP_TIME)
                        value->type = MAP_TEXT;
                return 0;
        case MAP_OP_WORD:
                return run_word(op, value, ret_why);
        case MAP_OP_PART:
                return run_part(op, value, ret_why);
        case MAP_OP_HEX:
                return run_hex(op, setting, value, ret_why);
        case MAP_OP_SLICE:
                return run_slice(op, value, ret_why);
        case MAP_OP_JOIN:
                return run_join(op, setting, value, ret_why);
        case MAP_OP_BIT:
                return run_bit(op, setting, value, ret_why);
        case MAP_OP_TIME:
                return run_time(op, setting, value, ret_why);
        case MAP_OP_NULL:
                return run_null(op, value);
        case MAP_OP_DEFAULT:
                return 0;
        case MAP_OP_SCALE:
        case MAP_OP_OFFSET:
        case MAP_OP_ROUND:
        case MAP_OP_CLAMP:
        case MAP_OP_COUNT:
        default:
                return run_arithmetic(op, setting, value, ret_why);
        }
}
