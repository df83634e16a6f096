#include "gateway/decode/json_tree.h"

#include <stdio.h>

#include "base/err.h"
#include "base/escape.h"
#include "base/text.h"
#include "base/vec.h"
#include "gateway/decode/json_scan.h"

#define JSON_FIRST_NODES 64
#define JSON_MAX_DIGITS  128            /* of a number that is text */
#define JSON_FEW_DIGITS  64             /* of one that needs no memory */
#define JSON_SHOWN_NAME  40             /* bytes of one in a pointer */
#define REPLACEMENT      "\xef\xbf\xbd" /* U+FFFD */

typedef struct Reader Reader;

struct Reader {
        JsonTree *tree;
        JsonCursor cursor;
        size_t depth; /* arrays and objects that are open */
        uint32_t open[JSON_MAX_DEPTH + 1];
        uint64_t objects[JSON_MAX_LEVELS / 64]; /* a bit a level: 1 = object */
        bool is_fresh;                          /* the innermost was just opened */
};

/* ---- reading ---- */

static bool reader_in_object(const Reader *reader) {
        size_t level = reader->depth - 1;

        return reader->objects[level / 64] >> level % 64 & 1;
}

static void reader_mark_odd(Reader *reader) {
        size_t n = reader->depth <= JSON_MAX_DEPTH ? reader->depth : JSON_MAX_DEPTH;

        for (size_t i = 0; i < n; ++i)
                reader->tree->nodes[reader->open[i]].has_odd = true;
}

/* What stands from @start up to the cursor. Nothing below JSON_MAX_DEPTH has a node. */
static int reader_add(Reader *reader, const char *start, JsonType type, JsonToken token) {
        JsonTree *tree = reader->tree;

        if (reader->depth > JSON_MAX_DEPTH)
                return 0;
        if (!VEC_HAS_ROOM(tree->nodes, tree->n, tree->capacity, JSON_FIRST_NODES))
                return err_new(-ENOMEM);
        tree->nodes[tree->n++] = (JsonNode){
                .start = (uint32_t)(start - tree->text.data),
                .length = (uint32_t)(reader->cursor.at - start),
                .span = 1,
                .type = (uint8_t)type,
                .odd = (uint8_t)token.odd,
                .has_odd = token.odd != REASON_NONE,
                .is_escaped = token.is_escaped,
                .is_padded = token.is_padded,
        };
        if (reader->depth > 0)
                ++tree->nodes[reader->open[reader->depth - 1]].n;
        if (token.odd != REASON_NONE)
                reader_mark_odd(reader);
        return 0;
}

static int reader_open(Reader *reader, bool is_object) {
        bool is_deep = reader->depth == JSON_MAX_DEPTH;
        size_t level = reader->depth;
        int r;

        if (level == JSON_MAX_LEVELS)
                return (int)REASON_TOO_DEEP;
        if (level <= JSON_MAX_DEPTH)
                reader->open[level] = (uint32_t)reader->tree->n;
        r = reader_add(reader,
                       reader->cursor.at,
                       is_deep     ? JSON_NULL
                       : is_object ? JSON_OBJECT
                                   : JSON_ARRAY,
                       (JsonToken){ .odd = is_deep ? REASON_TOO_DEEP : REASON_NONE });
        ++reader->cursor.at;
        ++reader->depth;
        reader->is_fresh = true;
        reader->objects[level / 64] &= ~(UINT64_C(1) << level % 64);
        reader->objects[level / 64] |= (uint64_t)is_object << level % 64;
        return r == 0 ? 0 : err_up(r);
}

static void reader_close(Reader *reader) {
        JsonTree *tree = reader->tree;
        JsonNode *node;

        --reader->depth;
        if (reader->depth > JSON_MAX_DEPTH)
                return;
        node = &tree->nodes[reader->open[reader->depth]];
        node->length = (uint32_t)(reader->cursor.at - tree->text.data) - node->start;
        node->span = (uint32_t)(tree->n - reader->open[reader->depth]);
}

/* What is no value: bytes that are not UTF-8, a NUL, or simply not JSON. */
static int reader_refuse(const Reader *reader) {
        const JsonCursor *cursor = &reader->cursor;
        unsigned char c = cursor->at < cursor->end ? (unsigned char)*cursor->at : ' ';

        if (c == '\0')
                return (int)REASON_NUL_CHARACTER;
        if (c >= 0x80 && text_utf8_length(cursor->at, cursor->end) == 0)
                return (int)REASON_BAD_UTF8;
        return (int)REASON_BAD_JSON;
}

static int reader_string(Reader *reader) {
        const char *start = reader->cursor.at;
        JsonToken token;
        int r;

        if (!json_scan_string(&reader->cursor, &token))
                return reader_refuse(reader);
        r = reader_add(reader, start, JSON_STRING, token);
        return r == 0 ? 0 : err_up(r);
}

static int reader_number(Reader *reader) {
        const char *start = reader->cursor.at;
        JsonToken token = { .odd = REASON_OUT_OF_RANGE };
        int r;

        if (!json_scan_no_number(&reader->cursor) && !json_scan_number(&reader->cursor, &token))
                return reader_refuse(reader);
        r = reader_add(reader, start, token.odd != REASON_NONE ? JSON_NULL : JSON_NUMBER, token);
        return r == 0 ? 0 : err_up(r);
}

static int reader_word(Reader *reader, Text word, JsonType type) {
        const char *start = reader->cursor.at;
        int r;

        if (!json_scan_word(&reader->cursor, word))
                return reader_number(reader); /* "nan" begins like "null" */
        r = reader_add(reader, start, type, (JsonToken){ 0 });
        return r == 0 ? 0 : err_up(r);
}

/* A whole scalar, or the opening of an array or object. */
static int reader_value(Reader *reader) {
        json_scan_space(&reader->cursor);
        if (reader->cursor.at == reader->cursor.end)
                return (int)REASON_BAD_JSON;

        switch (*reader->cursor.at) {
        case '{':
                return reader_open(reader, true);
        case '[':
                return reader_open(reader, false);
        case '"':
                return reader_string(reader);
        case 't':
                return reader_word(reader, TEXT("true"), JSON_TRUE);
        case 'f':
                return reader_word(reader, TEXT("false"), JSON_FALSE);
        case 'n':
                return reader_word(reader, TEXT("null"), JSON_NULL);
        default:
                return reader_number(reader);
        }
}

static int reader_name(Reader *reader) {
        int r;

        json_scan_space(&reader->cursor);
        r = reader_string(reader);
        if (r != 0)
                return r;
        json_scan_space(&reader->cursor);
        return json_scan_char(&reader->cursor, ':') ? 0 : reader_refuse(reader);
}

/* In the innermost array or object, behind its opening or one of its values. */
static int reader_step(Reader *reader) {
        bool is_object = reader_in_object(reader);
        bool is_fresh = reader->is_fresh;
        int r = 0;

        json_scan_space(&reader->cursor);
        reader->is_fresh = false;
        if (json_scan_char(&reader->cursor, is_object ? '}' : ']')) {
                reader_close(reader);
                return 0;
        }
        if (!is_fresh && !json_scan_char(&reader->cursor, ','))
                return reader_refuse(reader);
        if (is_object)
                r = reader_name(reader);
        return r == 0 ? reader_value(reader) : r;
}

int json_tree_read(JsonTree *tree, Text text, JsonFault *ret_fault) {
        Reader reader = { .tree = tree, .cursor = { .at = text.data, .end = text.data + text.n } };
        int r;

        tree->text = text;
        tree->n = 0;
        *ret_fault = (JsonFault){ 0 };
        if (text.n > UINT32_MAX) {
                ret_fault->reason = REASON_TOO_LARGE;
                return (int)ret_fault->reason;
        }
        r = reader_value(&reader);
        while (r == 0 && reader.depth > 0)
                r = reader_step(&reader);
        if (r == 0) {
                json_scan_space(&reader.cursor);
                r = reader.cursor.at == reader.cursor.end ? 0 : reader_refuse(&reader);
        }
        if (r > 0)
                *ret_fault = (JsonFault){ .reason = (Reason)r,
                                          .at = (size_t)(reader.cursor.at - text.data) };
        return r;
}

void json_tree_done(JsonTree *tree) {
        free(tree->nodes);
        *tree = (JsonTree){ 0 };
}

/* ---- looking ---- */

static Text node_content(const JsonTree *tree, const JsonNode *string) {
        return (Text){ .data = tree->text.data + string->start + 1, .n = string->length - 2 };
}

/* The next character of a string's content as UTF-8, and how many bytes that is. What is odd is
 * U+FFFD, but for a NUL. */
static size_t next_character(JsonCursor *cursor, char ret_bytes[4]) {
        static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        size_t n = 1;
        int32_t unit;

        if ((unsigned char)*cursor->at >= 0x80)
                n = text_utf8_length(cursor->at, cursor->end);
        if (*cursor->at != '\\') {
                memcpy(ret_bytes, n > 0 ? cursor->at : REPLACEMENT, n > 0 ? n : 3);
                cursor->at += n > 0 ? n : 1;
                return n > 0 ? n : 3;
        }
        if (cursor->at[1] != 'u') {
                ret_bytes[0] = meanings[strchr(escapes, cursor->at[1]) - escapes];
                cursor->at += 2;
                return 1;
        }
        cursor->at += 2;
        unit = json_scan_unicode(cursor);
        if (unit < 0)
                unit = 0xfffd;
        if (unit < 0x80) {
                ret_bytes[0] = (char)unit;
                return 1;
        }
        n = unit < 0x800 ? 2 : unit < 0x10000 ? 3 : 4;
        for (size_t i = n; i-- > 1; unit >>= 6)
                ret_bytes[i] = (char)(0x80 | (unit & 0x3f));
        ret_bytes[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | unit);
        return n;
}

bool json_is(const JsonTree *tree, const JsonNode *string, Text text) {
        JsonCursor cursor;
        Text content;
        char bytes[4];
        size_t at = 0;

        if (!string || string->type != JSON_STRING)
                return false;
        content = node_content(tree, string);
        if (!string->is_escaped)
                return text_equal(content, text);
        cursor = (JsonCursor){ .at = content.data, .end = content.data + content.n };
        while (cursor.at < cursor.end) {
                size_t n = next_character(&cursor, bytes);

                if (text.n - at < n || memcmp(text.data + at, bytes, n) != 0)
                        return false;
                at += n;
        }
        return at == text.n;
}

const JsonNode *json_member(const JsonTree *tree, const JsonNode *object, Text name) {
        const JsonNode *found = NULL, *at;

        if (!object || object->type != JSON_OBJECT)
                return NULL;
        at = object + 1;
        for (size_t i = 0; i < object->n; i += 2) {
                if (json_is(tree, at, name))
                        found = at + 1;
                at = json_next(at + 1);
        }
        return found;
}

const JsonNode *json_element(const JsonNode *array, size_t i) {
        const JsonNode *at;

        if (!array || array->type != JSON_ARRAY || i >= array->n)
                return NULL;
        at = array + 1;
        while (i-- > 0)
                at = json_next(at);
        return at;
}

int json_content(const JsonTree *tree, const JsonNode *string, Arena *arena, Text *ret_text) {
        Text content = node_content(tree, string);
        JsonCursor cursor = { .at = content.data, .end = content.data + content.n };
        size_t n = 0, n_nuls = 0, n_room = content.n * 3 + 4; /* a bad byte becomes three */
        char *data;

        if (!string->is_escaped && string->odd == REASON_NONE) {
                *ret_text = content;
                return 0;
        }
        if (string->odd == REASON_NONE)
                n_room = content.n + 4; /* an escape is never shorter than what it means */
        data = arena_alloc(arena, n_room);
        if (!data)
                return err_new(-ENOMEM);
        while (cursor.at < cursor.end) {
                char bytes[4];
                size_t n_bytes = next_character(&cursor, bytes);

                if (n_bytes == 1 && bytes[0] == '\0') {
                        ++n_nuls; /* those at the end go */
                        continue;
                }
                for (; n_nuls > 0; --n_nuls, n += sizeof(REPLACEMENT) - 1)
                        memcpy(data + n, REPLACEMENT, sizeof(REPLACEMENT) - 1);
                memcpy(data + n, bytes, n_bytes);
                n += n_bytes;
        }
        data[n] = '\0';
        *ret_text = (Text){ .data = data, .n = n };
        return 0;
}

/* ---- pointers ---- */

/* A name as a token of a pointer, without its quotes. */
static size_t put_token(Text name, char ret[], size_t size) {
        char shown[JSON_SHOWN_NAME * ESCAPE_MAX];
        size_t n = 0;

        if (name.n > JSON_SHOWN_NAME)
                name.n = JSON_SHOWN_NAME;
        escape_text(name, shown, sizeof(shown));
        for (const char *at = shown; *at && n + 3 < size; ++at) {
                bool is_special = *at == '~' || *at == '/';

                ret[n++] = (char)(is_special ? '~' : *at);
                if (is_special)
                        ret[n++] = *at == '~' ? '0' : '1';
        }
        ret[n] = '\0';
        return n;
}

static bool is_within(const JsonNode *node, const JsonNode *outer) {
        return node >= outer && node < json_next(outer);
}

void json_pointer(const JsonTree *tree, const JsonNode *node, char ret[], size_t size) {
        const JsonNode *at = tree->nodes;
        size_t n = 0;

        ret[0] = '\0';
        while (at != node && n + 2 < size) {
                const JsonNode *name = NULL, *child = at + 1;
                size_t i = 0;

                if (at->type == JSON_OBJECT)
                        for (name = at + 1; !is_within(node, name) && !is_within(node, name + 1);)
                                name = json_next(name + 1);
                else
                        for (; !is_within(node, child); ++i)
                                child = json_next(child);
                ret[n++] = '/';
                if (name)
                        n += put_token(node_content(tree, name), ret + n, size - n);
                else
                        n += (size_t)snprintf(ret + n, size - n, "%zu", i);
                if (n >= size)
                        return; /* cut */
                at = !name ? child : node == name ? node : name + 1;
        }
}

/* ---- writing ---- */

/* As json_content() has it, piece by piece. */
static void write_odd_string(Buf *buf, const JsonTree *tree, const JsonNode *string) {
        Text content = node_content(tree, string);
        JsonCursor cursor = { .at = content.data, .end = content.data + content.n };
        size_t n_nuls = 0;

        buf_append_char(buf, '"');
        while (cursor.at < cursor.end) {
                char bytes[4];
                size_t n = next_character(&cursor, bytes);

                if (n == 1 && bytes[0] == '\0') {
                        ++n_nuls;
                        continue;
                }
                for (; n_nuls > 0; --n_nuls)
                        buf_append_string(buf, REPLACEMENT);
                if (n == 1 && (bytes[0] == '"' || bytes[0] == '\\' || bytes[0] < 0x20))
                        buf_printf(buf, "\\u%04x", (unsigned)(unsigned char)bytes[0]);
                else
                        buf_append(buf, bytes, n);
        }
        buf_append_char(buf, '"');
}

/* Everything before @node is written up to *@from, and what is between stands as it is. */
static void write_node(Buf *buf, const JsonTree *tree, const JsonNode *node, size_t *from) {
        buf_append(buf, tree->text.data + *from, node->start - *from);
        if (node->type == JSON_STRING)
                write_odd_string(buf, tree, node);
        else
                buf_append_string(buf, "null");
        *from = (size_t)node->start + node->length;
}

void json_write(Buf *buf, const JsonTree *tree, const JsonNode *node) {
        size_t from = node->start;

        if (node->has_odd)
                for (const JsonNode *at = node; at < json_next(node); ++at)
                        if (at->odd != REASON_NONE)
                                write_node(buf, tree, at, &from);
        buf_append(buf, tree->text.data + from, (size_t)node->start + node->length - from);
}

/* ---- numbers ---- */

static Text trimmed(Text text) {
        JsonCursor cursor = { .at = text.data, .end = text.data + text.n };

        json_scan_space(&cursor);
        text = (Text){ .data = cursor.at, .n = (size_t)(cursor.end - cursor.at) };
        while (text.n > 0 && json_is_space(text.data[text.n - 1]))
                --text.n;
        return text;
}

static bool is_number(Text text) {
        JsonCursor cursor = { .at = text.data, .end = text.data + text.n };
        JsonToken token;

        return text.n > 0 && *text.data != '-' && json_scan_number(&cursor, &token) &&
               cursor.at == cursor.end && token.odd == REASON_NONE;
}

/* From its first digit that is none of the zeros in front on. */
typedef struct Decimal Decimal;

struct Decimal {
        bool is_negative;
        Text rest;    /* with the point; empty: it is 0 */
        int64_t tens; /* the place of that digit */
};

#define DECIMAL_TENS_MAX 1000000 /* of an exponent: no double goes so far */

static int64_t decimal_exponent(const char *at, const char *end) {
        bool is_negative = *at == '-';
        int64_t tens = 0;

        for (at += *at == '-' || *at == '+'; at < end && tens < DECIMAL_TENS_MAX; ++at)
                tens = 10 * tens + (*at - '0');
        return is_negative ? -tens : tens;
}

static Decimal decimal_of(Text text) {
        Decimal decimal = { .is_negative = *text.data == '-' };
        const char *e = memchr(text.data, 'e', text.n), *end = text.data + text.n;
        const char *at = text.data + decimal.is_negative, *point;

        e = e ? e : memchr(text.data, 'E', text.n);
        if (e)
                decimal.tens = decimal_exponent(e + 1, end);
        end = e ? e : end;
        point = memchr(at, '.', (size_t)(end - at));
        decimal.tens += (point ? point : end) - at;
        for (; at < end && (*at == '0' || *at == '.'); ++at)
                decimal.tens -= *at == '0';
        decimal.rest = (Text){ at, (size_t)(end - at) };
        return decimal;
}

/* Zeros to no end behind it. */
static char decimal_digit(Decimal *decimal) {
        if (decimal->rest.n > 0 && *decimal->rest.data == '.')
                decimal->rest = (Text){ decimal->rest.data + 1, decimal->rest.n - 1 };
        if (decimal->rest.n == 0)
                return '0';
        decimal->rest = (Text){ decimal->rest.data + 1, decimal->rest.n - 1 };
        return decimal->rest.data[-1];
}

static bool is_signed_number(Text text) {
        bool is_negative = text.n > 0 && *text.data == '-';

        return is_number((Text){ text.data + is_negative, text.n - is_negative });
}

bool json_same_number(Text a, Text b) {
        Decimal one, other;

        if (!is_signed_number(a) || !is_signed_number(b))
                return false;
        one = decimal_of(a);
        other = decimal_of(b);
        if (one.rest.n == 0 || other.rest.n == 0)
                return one.rest.n == other.rest.n;
        if (one.is_negative != other.is_negative || one.tens != other.tens)
                return false;
        while (one.rest.n > 0 || other.rest.n > 0)
                if (decimal_digit(&one) != decimal_digit(&other))
                        return false;
        return true;
}

/* JSON has no plus, and no zeros in front. */
int json_digits(Text text, Arena *arena, Text *ret_digits) {
        bool is_negative, had_zeros = false;
        char *copy;

        *ret_digits = (Text){ 0 };
        text = trimmed(text);
        is_negative = text.n > 0 && *text.data == '-';
        if (text.n > 0 && (is_negative || *text.data == '+'))
                text = (Text){ .data = text.data + 1, .n = text.n - 1 };
        for (; text.n > 1 && text.data[0] == '0' && text.data[1] >= '0' && text.data[1] <= '9';
             text = (Text){ .data = text.data + 1, .n = text.n - 1 })
                had_zeros = true;
        if (text.n > JSON_MAX_DIGITS || !is_number(text))
                return 0;
        if (!is_negative || !had_zeros) {
                *ret_digits = (Text){ .data = text.data - is_negative, .n = text.n + is_negative };
                return 0;
        }
        copy = arena_alloc(arena, text.n + 1);
        if (!copy)
                return err_new(-ENOMEM);
        copy[0] = '-';
        memcpy(copy + 1, text.data, text.n);
        *ret_digits = (Text){ .data = copy, .n = text.n + 1 };
        return 0;
}

/* strtod() wants an end. */
int json_number(Text digits, Arena *arena, double *ret_number) {
        char few[JSON_FEW_DIGITS];
        Text copy = { .data = few };

        if (digits.n < sizeof(few)) {
                memcpy(few, digits.data, digits.n);
                few[digits.n] = '\0';
        } else {
                copy = arena_copy(arena, digits.data, digits.n);
                if (!copy.data)
                        return err_new(-ENOMEM);
        }
        *ret_number = strtod(copy.data, NULL);
        return 0;
}
