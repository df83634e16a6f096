#pragma once

/*
 * Text: what is done with borrowed slices in more than one place: lists, numbers, hex, a hash.
 *
 * Pure, any thread. What is not text (NUL, bytes above 127) is like any other byte.
 */

#include "base/base.h"

/* Takes the next item off a list whose items have any of @separators between them, as many as there
 * are; false: no more. The item points into the list, and is not empty. */
bool text_next_item(Text *rest, const char *separators, Text *ret_item);
/* Without spaces and tabs around it. */
static inline Text text_trim(Text text) {
        while (text.n > 0 && (*text.data == ' ' || *text.data == '\t'))
                text = (Text){ .data = text.data + 1, .n = text.n - 1 };
        while (text.n > 0 && (text.data[text.n - 1] == ' ' || text.data[text.n - 1] == '\t'))
                --text.n;
        return text;
}

static inline bool text_is_white(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Nor with ends of lines. */
static inline Text text_bare(Text text) {
        while (text.n > 0 && text_is_white(*text.data))
                text = (Text){ .data = text.data + 1, .n = text.n - 1 };
        while (text.n > 0 && text_is_white(text.data[text.n - 1]))
                --text.n;
        return text;
}

static inline bool text_begins(Text text, Text with) {
        return text.n >= with.n && memcmp(text.data, with.data, with.n) == 0;
}

/* Quotes, '…' or "…", open where a piece begins: first of all, or behind white space or one of
 * , = | and close with the same character; elsewhere a quote is a character like others. */
/* Where @separator is for the first time, and in no quotes; @text.n: nowhere. */
size_t text_find_unquoted(Text text, Text separator);
bool text_is_closed(Text text); /* no quote is open at its end */
/* What is in the quotes, or the text itself where it begins with none. False: more follows the
 * closing quote, or there is none. */
bool text_unquote(Text *text);

/* Decimal digits and nothing else, of a number up to @most. */
bool text_to_number(Text text, uint64_t most, uint64_t *ret_number);

/* Length of the UTF-8 sequence at @at, which is not ASCII; 0 if it is not one (RFC 3629). */
size_t text_utf8_length(const char *at, const char *end);
/* The same of any character; 0 also where it is NUL. */
size_t text_char_length(const char *at, const char *end);

int text_hex_digit(char c); /* of either case; -1: it is none */
/* Two digits a byte, in lower case, and a NUL: @ret_hex has 2 * @n + 1 bytes. */
void text_put_hex(char *ret_hex, const void *data, size_t n);

/* Levenshtein: how many letters are to be changed, put in or left out; SIZE_MAX where @b has more
 * than 63. */
size_t text_distance(const char *a, const char *b);

/* FNV-1a, which goes on from @hash: against mistakes, not against malice. */
#define TEXT_HASH UINT64_C(14695981039346656037) /* to begin with */
uint64_t text_hash(uint64_t hash, const void *data, size_t n);
