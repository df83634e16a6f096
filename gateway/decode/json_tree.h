#pragma once

/*
 * JsonTree: a JSON text, read once, as a flat table of its values.
 *
 * Reading is strict about the form (RFC 8259) and patient with values: one that cannot be used as
 * it stands costs itself and not the text. Such a value is *odd*, and says why:
 *
 *   BAD_UTF8       a string with bytes that are not UTF-8, or half of a surrogate pair
 *   BAD_JSON       a string with a control character that is not escaped
 *   NUL_CHARACTER  a string with a NUL, as a byte or as \u0000
 *   OUT_OF_RANGE   a number that no finite double can hold, or with more decimals than PostgreSQL's
 *                  numeric has; NaN and Infinity, as printf(), Python and JavaScript write them
 *   TOO_DEEP       an array or object at a level below JSON_MAX_DEPTH
 *
 * Numbers are never converted: their digits stay as they were sent, however many. A name that an
 * object has twice counts as its last (as in jsonb and JavaScript).
 *
 * The nodes stand in the order of the text: behind an array its elements, behind an object name and
 * value in turn. A node and all within it are @span nodes. Pure; one thread. The text is borrowed.
 */

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "model/record.h"

#define JSON_MAX_DEPTH  32   /* levels that are looked into */
#define JSON_MAX_LEVELS 1024 /* levels in all; deeper is TOO_DEEP as a whole */

typedef enum JsonType {
        JSON_NULL, /* also what is odd and no string */
        JSON_FALSE,
        JSON_TRUE,
        JSON_NUMBER,
        JSON_STRING,
        JSON_ARRAY,
        JSON_OBJECT,
} JsonType;

typedef struct JsonFault JsonFault;
typedef struct JsonNode JsonNode;
typedef struct JsonTree JsonTree;

struct JsonNode {
        uint32_t start, length; /* its text: a string with its quotes, an array with its brackets */
        uint32_t span;          /* nodes, itself and those within */
        uint32_t n;             /* elements of an array; names and values of an object */
        uint8_t type;           /* JsonType */
        uint8_t odd;            /* Reason */
        bool has_odd;           /* it is odd, or something within it is */
        bool is_escaped;        /* a string with a backslash */
        bool is_padded;         /* odd by nothing but NULs at its end, which go */
};

struct JsonTree {
        Text text;
        JsonNode *nodes; /* nodes[0] is the whole; owned */
        size_t n, capacity;
};

struct JsonFault {
        Reason reason;
        size_t at; /* byte of the text */
};

/* 0; -ENOMEM; or the Reason why the text is none as a whole, with *ret_fault: BAD_JSON, BAD_UTF8 or
 * NUL_CHARACTER (outside of strings), TOO_DEEP, TOO_LARGE (4 GiB). The tree may be read into again.
 */
MUST_CHECK int json_tree_read(JsonTree *tree, Text text, JsonFault *ret_fault);
void json_tree_done(JsonTree *tree);

/* Of a tree that has been read. */
static inline const JsonNode *json_root(const JsonTree *tree) {
        return tree->nodes;
}

static inline const JsonNode *json_next(const JsonNode *node) {
        return node + node->span;
}

static inline Text json_text(const JsonTree *tree, const JsonNode *node) {
        return (Text){ .data = tree->text.data + node->start, .n = node->length };
}

/* The value of the last member of that name; NULL: none, or @object is no object. */
const JsonNode *json_member(const JsonTree *tree, const JsonNode *object, Text name);
/* The element; NULL: none, or no array. Costs what stands before it. */
const JsonNode *json_element(const JsonNode *array, size_t i);

/* The JSON pointer (RFC 6901) of a value, or of the member whose name @node is, for people: what
 * cannot be shown is escaped (base/escape.h), and what is too long is cut. "" is the whole. */
void json_pointer(const JsonTree *tree, const JsonNode *node, char ret[], size_t size);

bool json_is(const JsonTree *tree, const JsonNode *string, Text text); /* is that its content? */

/*
 * The content of a string: borrowed from the text where it stands there, else in the arena. What
 * is odd in it becomes U+FFFD, NULs at its end go. -ENOMEM.
 */
MUST_CHECK int json_content(const JsonTree *tree,
                            const JsonNode *string,
                            Arena *arena,
                            Text *ret_text);

/* As JSON that PostgreSQL and every browser take: byte for byte, but for what is odd: strings as
 * json_content() has them, all else null. */
void json_write(Buf *buf, const JsonTree *tree, const JsonNode *node);

/*
 * The number that @text is, as JSON has it: spaces around it, a plus and zeros in front go. Absent:
 * it is none, or has more than 128 bytes. In the text or in the arena; -ENOMEM.
 */
MUST_CHECK int json_digits(Text text, Arena *arena, Text *ret_digits);
/* Are both numbers, as JSON has them, and the same one, whatever their digits: 255, 255.0, 2.55e2?
 */
bool json_same_number(Text a, Text b);
MUST_CHECK int json_number(Text digits, Arena *arena, double *ret_number); /* of such; -ENOMEM */
