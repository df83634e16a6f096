#pragma once

/* JsonScan: the tokens of JSON: how far each reaches, and whether it can be used. For json_tree.c
 * and json_check.c. Pure. */

#include "base/base.h"
#include "model/record.h"

typedef struct JsonCursor JsonCursor;
typedef struct JsonToken JsonToken;

struct JsonCursor {
        const char *at, *end;
};

struct JsonToken {
        Reason odd;         /* it has its form, and cannot be used */
        bool is_escaped;    /* of a string: with a backslash */
        bool is_padded;     /* of a string: odd by nothing but NULs at its end */
        const char *odd_at; /* of a string: what is odd first, or what keeps it from being one */
};

static inline bool json_is_space(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline void json_scan_space(JsonCursor *cursor) {
        while (cursor->at < cursor->end && json_is_space(*cursor->at))
                ++cursor->at;
}

static inline bool json_scan_char(JsonCursor *cursor, char c) {
        if (cursor->at == cursor->end || *cursor->at != c)
                return false;
        ++cursor->at;
        return true;
}

/* Each: false: it is none. A string then ends where that was seen, all else where it began. */
bool json_scan_string(JsonCursor *cursor, JsonToken *ret_token); /* with its quotes */
bool json_scan_number(JsonCursor *cursor, JsonToken *ret_token);
bool json_scan_word(JsonCursor *cursor, Text word);
/* NaN and Infinity, as printf() of all systems, Python and JavaScript write them, with a sign or
 * without: nan, -nan(ind), 1.#QNAN, Infinity. */
bool json_scan_no_number(JsonCursor *cursor);

/* Behind `\u`: the code point, and the second half of a pair is taken, too; -1: no hexadecimal
 * digits; -2: half of a pair. */
int32_t json_scan_unicode(JsonCursor *cursor);
