#include "base/escape.h"

#include <stdio.h>

#include "base/text.h"

typedef struct Range Range;

struct Range {
        uint32_t first, last;
};

/* Of the plane that is used: controls, spaces but that of ASCII, which nobody tells from it, those
 * without a width, line ends, turns of direction. */
static const Range hidden[] = {
        { 0x80, 0xa0 },     { 0xad, 0xad },     { 0x61c, 0x61c },   { 0x1680, 0x1680 },
        { 0x180e, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
        { 0x3000, 0x3000 }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
};

/* A sequence of two to four bytes that is well formed. */
static uint32_t escape_code(const char *at, size_t n) {
        const unsigned char *bytes = (const unsigned char *)at;
        uint32_t code = bytes[0] & (0xffU >> (n + 1));

        for (size_t i = 1; i < n; ++i)
                code = code << 6 | (bytes[i] & 0x3fU);
        return code;
}

static bool escape_is_hidden(uint32_t code) {
        for (size_t i = 0; i < N_ELEMENTS(hidden); ++i)
                if (code >= hidden[i].first && code <= hidden[i].last)
                        return true;
        return false;
}

static size_t escape_byte(unsigned char c, char ret[ESCAPE_MAX]) {
        static const char plain[] = "\\\n\r\t", marks[] = "\\nrt";
        const char *found = c != '\0' ? strchr(plain, c) : NULL;

        if (found) {
                ret[0] = '\\';
                ret[1] = marks[found - plain];
                ret[2] = '\0';
                return 2;
        }
        if (c >= 0x20 && c < 0x7f) {
                ret[0] = (char)c;
                ret[1] = '\0';
                return 1;
        }
        return (size_t)snprintf(ret, ESCAPE_MAX, "\\x%02x", c);
}

size_t escape_next(Text *rest, char ret[ESCAPE_MAX]) {
        const char *at = rest->data;
        size_t n = (unsigned char)*at < 0x80 ? 1 : text_utf8_length(at, at + rest->n);
        uint32_t code = n > 1 ? escape_code(at, n) : 0;

        rest->data += n == 0 ? 1 : n;
        rest->n -= n == 0 ? 1 : n;
        if (n < 2)
                return escape_byte((unsigned char)*at, ret);
        if (escape_is_hidden(code))
                return (size_t)snprintf(ret, ESCAPE_MAX, "\\u%04x", (unsigned)code & 0xffffU);
        memcpy(ret, at, n);
        ret[n] = '\0';
        return n;
}

size_t escape_text(Text text, char *ret, size_t size) {
        size_t n = 0;

        while (text.n > 0) {
                char piece[ESCAPE_MAX];
                size_t n_piece = escape_next(&text, piece);

                if (n + n_piece >= size)
                        break;
                memcpy(ret + n, piece, n_piece);
                n += n_piece;
        }
        ret[n] = '\0';
        return n;
}
