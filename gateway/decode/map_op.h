#pragma once

/*
 * MapOp: what a map does to a value on its way from the payload to a member: a closed list of
 * operations, docs/mapping.md.
 *
 *   number, int, bool, text   as such: text that is a number, a word that is a switch
 *   scale K, offset K         times K, plus K
 *   round N, clamp MIN MAX    to N decimals, into the bounds
 *   word A=a,b B=c            one of the words, in any case of its letters, is A, or B
 *   part N SEP                of text with SEP between, the Nth from 1; from the end below 0
 *   slice A B                 of text the characters from A, which counts from 0, up to B
 *   join SEP                  the elements of an array as text, with SEP between
 *   hex [signed] [le]         hexadecimal digits, also behind 0x, are a number; the last byte first
 *   bit N                     bit N of a whole number, from 0, is a switch
 *   time [UNIT]               a time: text, or seconds, milliseconds, microseconds or nanoseconds
 *                             since 1970, by their size or as UNIT says: iso, unix, unix_s,
 *                             unix_ms, unix_us, unix_ns
 *   null A B                  text or a number that stands for nothing
 *   default A                 what is there in place of nothing
 *
 * Compiled once; then any thread. map_run.h runs them.
 */

#include "base/arena.h"
#include "base/base.h"

#define MAP_MAX_OPS   8
#define MAP_MAX_WORDS 64 /* of one operation */

typedef struct MapOp MapOp;
typedef struct MapValue MapValue;
typedef struct MapWord MapWord;

typedef enum MapType {
        MAP_NOTHING,
        MAP_TEXT,   /* @text is its content, UTF-8 */
        MAP_NUMBER, /* @text is its digits, as JSON has them */
        MAP_BOOL,   /* @is_true */
        MAP_TIME,   /* @time_us; @text as it was said */
        MAP_JSON,   /* @text is an array or object */
} MapType;

typedef enum MapOpKind {
        MAP_OP_NUMBER,
        MAP_OP_INT,
        MAP_OP_BOOL,
        MAP_OP_TEXT,
        MAP_OP_SCALE,
        MAP_OP_OFFSET,
        MAP_OP_ROUND,
        MAP_OP_CLAMP,
        MAP_OP_WORD,
        MAP_OP_PART,
        MAP_OP_SLICE,
        MAP_OP_JOIN,
        MAP_OP_HEX,
        MAP_OP_BIT,
        MAP_OP_TIME,
        MAP_OP_NULL,
        MAP_OP_DEFAULT,
        MAP_OP_COUNT
} MapOpKind;

struct MapValue {
        MapType type;
        Text text;
        int64_t time_us;
        bool is_true;
};

struct MapWord {
        Text word, meaning;
};

struct MapOp {
        MapOpKind kind;
        double a, b;    /* numbers that it was given */
        Text text;      /* a separator, or what stands in place of nothing */
        MapWord *words; /* owned by the arena of the map */
        size_t n_words;
};

enum {
        MAP_E_INVALID = 1, /* *ret_why says what is wrong, for people: static */
};

typedef enum MapUnit { /* of the operation `time` */
                       MAP_UNIT_ANY,
                       MAP_UNIT_ISO,
                       MAP_UNIT_S,
                       MAP_UNIT_MS,
                       MAP_UNIT_US,
                       MAP_UNIT_NS
} MapUnit;

/* Is @text the word: in any case of its letters, also with white space around it, unless the word
 * has it; or the same number, however it is written: 255 is 255.0? */
bool map_word_is(const MapWord *word, Text text);

/* Of text such as `scale 0.001`; all that the operation keeps is in the arena. */
MUST_CHECK int map_op_parse(MapOp *ret_op, Text text, Arena *arena, const char **ret_why);
const char *map_op_name(MapOpKind kind);

/* What it gives, whatever it gets; MAP_NOTHING where that is up to what it gets. */
MapType map_op_gives(const MapOp *op);
