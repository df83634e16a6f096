#include "gateway/decode/place.h"

#include <stdio.h>

#include "base/escape.h"

#define PLACE_BEFORE 20 /* bytes of the text */
#define PLACE_AFTER  24
#define PLACE_PIECE  100 /* bytes of one of these, escaped */

static_assert(PLACE_PIECE > PLACE_AFTER * 4, "the longest escape of a byte has four");
static_assert(PLACE_SIZE > 2 * PLACE_PIECE + 80, "lines, columns and bytes of 64-bit numbers");

static bool place_is_inside(char c) {
        return ((unsigned char)c & 0xc0) == 0x80; /* a character goes on */
}

/* The first byte of the character of which @at is one; of what is no UTF-8 at most 3 bytes back. */
static size_t place_begin(Text text, size_t at) {
        size_t begin = at;

        while (begin > 0 && begin < text.n && at - begin < 3 && place_is_inside(text.data[begin]))
                --begin;
        return begin;
}

static void place_count(Text text, size_t at, size_t *ret_line, size_t *ret_column) {
        size_t line = 1, column = 1;

        for (size_t i = 0; i < at; ++i) {
                if (text.data[i] == '\n') {
                        ++line;
                        column = 1;
                } else if (!place_is_inside(text.data[i])) {
                        ++column;
                }
        }
        *ret_line = line;
        *ret_column = column;
}

static void place_piece(Text text, size_t from, size_t to, char ret[PLACE_PIECE]) {
        escape_text((Text){ .data = text.data + from, .n = to - from }, ret, PLACE_PIECE);
}

void place_write(Text text, size_t at, char ret[PLACE_SIZE]) {
        size_t from = at > PLACE_BEFORE ? place_begin(text, at - PLACE_BEFORE) : 0;
        size_t to = text.n - at > PLACE_AFTER ? place_begin(text, at + PLACE_AFTER) : text.n;
        char before[PLACE_PIECE], after[PLACE_PIECE];
        size_t line, column;

        place_count(text, at, &line, &column);
        place_piece(text, from, at, before);
        place_piece(text, at, to, after);
        snprintf(ret,
                 PLACE_SIZE,
                 "line %zu, column %zu (byte %zu): %s%s<-- here %s%s",
                 line,
                 column,
                 at,
                 from > 0 ? "..." : "",
                 before,
                 at == text.n ? "it ends" : after,
                 to < text.n ? "..." : "");
}

void place_value(Text value, char ret[PLACE_VALUE_SIZE]) {
        size_t n = value.n > PLACE_VALUE ? place_begin(value, PLACE_VALUE) : value.n;
        size_t n_written;

        n_written = escape_text((Text){ .data = value.data, .n = n }, ret, PLACE_VALUE_SIZE - 3);
        if (n < value.n)
                memcpy(ret + n_written, "...", sizeof("..."));
}
