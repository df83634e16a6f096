#include "base/name.h"

#include "base/text.h"

#include <strings.h>

#define NAME_ID "id:"

typedef struct NameRange NameRange;

struct NameRange {
        uint32_t first, last;
};

/* Digits beyond ASCII (Unicode 14: what has a digit value). */
static const NameRange name_digits[] = {
        { 0xb2, 0xb3 },       { 0xb9, 0xb9 },       { 0x660, 0x669 },     { 0x6f0, 0x6f9 },
        { 0x7c0, 0x7c9 },     { 0x966, 0x96f },     { 0x9e6, 0x9ef },     { 0xa66, 0xa6f },
        { 0xae6, 0xaef },     { 0xb66, 0xb6f },     { 0xbe6, 0xbef },     { 0xc66, 0xc6f },
        { 0xce6, 0xcef },     { 0xd66, 0xd6f },     { 0xde6, 0xdef },     { 0xe50, 0xe59 },
        { 0xed0, 0xed9 },     { 0xf20, 0xf29 },     { 0x1040, 0x1049 },   { 0x1090, 0x1099 },
        { 0x1369, 0x1371 },   { 0x17e0, 0x17e9 },   { 0x1810, 0x1819 },   { 0x1946, 0x194f },
        { 0x19d0, 0x19da },   { 0x1a80, 0x1a89 },   { 0x1a90, 0x1a99 },   { 0x1b50, 0x1b59 },
        { 0x1bb0, 0x1bb9 },   { 0x1c40, 0x1c49 },   { 0x1c50, 0x1c59 },   { 0x2070, 0x2070 },
        { 0x2074, 0x2079 },   { 0x2080, 0x2089 },   { 0x2460, 0x2468 },   { 0x2474, 0x247c },
        { 0x2488, 0x2490 },   { 0x24ea, 0x24ea },   { 0x24f5, 0x24fd },   { 0x24ff, 0x24ff },
        { 0x2776, 0x277e },   { 0x2780, 0x2788 },   { 0x278a, 0x2792 },   { 0xa620, 0xa629 },
        { 0xa8d0, 0xa8d9 },   { 0xa900, 0xa909 },   { 0xa9d0, 0xa9d9 },   { 0xa9f0, 0xa9f9 },
        { 0xaa50, 0xaa59 },   { 0xabf0, 0xabf9 },   { 0xff10, 0xff19 },   { 0x104a0, 0x104a9 },
        { 0x10a40, 0x10a43 }, { 0x10d30, 0x10d39 }, { 0x10e60, 0x10e68 }, { 0x11052, 0x1105a },
        { 0x11066, 0x1106f }, { 0x110f0, 0x110f9 }, { 0x11136, 0x1113f }, { 0x111d0, 0x111d9 },
        { 0x112f0, 0x112f9 }, { 0x11450, 0x11459 }, { 0x114d0, 0x114d9 }, { 0x11650, 0x11659 },
        { 0x116c0, 0x116c9 }, { 0x11730, 0x11739 }, { 0x118e0, 0x118e9 }, { 0x11950, 0x11959 },
        { 0x11c50, 0x11c59 }, { 0x11d50, 0x11d59 }, { 0x11da0, 0x11da9 }, { 0x16a60, 0x16a69 },
        { 0x16ac0, 0x16ac9 }, { 0x16b50, 0x16b59 }, { 0x1d7ce, 0x1d7ff }, { 0x1e140, 0x1e149 },
        { 0x1e2f0, 0x1e2f9 }, { 0x1e950, 0x1e959 }, { 0x1f100, 0x1f10a }, { 0x1fbf0, 0x1fbf9 },
};

/* Beyond ASCII: spaces, signs, and what is not seen at all. */
static const NameRange name_trifles[] = {
        { 0x80, 0xa0 },       { 0xad, 0xad },       { 0x34f, 0x34f },     { 0x58a, 0x58a },
        { 0x5be, 0x5be },     { 0x600, 0x605 },     { 0x61c, 0x61c },     { 0x6dd, 0x6dd },
        { 0x70f, 0x70f },     { 0x890, 0x891 },     { 0x8e2, 0x8e2 },     { 0x115f, 0x1160 },
        { 0x1400, 0x1400 },   { 0x1680, 0x1680 },   { 0x1806, 0x1806 },   { 0x180e, 0x180e },
        { 0x2000, 0x2015 },   { 0x2028, 0x202f },   { 0x205f, 0x2064 },   { 0x2066, 0x206f },
        { 0x207a, 0x207b },   { 0x208a, 0x208b },   { 0x2212, 0x2212 },   { 0x2795, 0x2796 },
        { 0x2800, 0x2800 },   { 0x2e17, 0x2e17 },   { 0x2e1a, 0x2e1a },   { 0x2e3a, 0x2e3b },
        { 0x2e40, 0x2e40 },   { 0x2e5d, 0x2e5d },   { 0x3000, 0x3000 },   { 0x301c, 0x301c },
        { 0x3030, 0x3030 },   { 0x30a0, 0x30a0 },   { 0x3164, 0x3164 },   { 0xfe00, 0xfe0f },
        { 0xfe31, 0xfe32 },   { 0xfe58, 0xfe58 },   { 0xfe62, 0xfe63 },   { 0xfeff, 0xfeff },
        { 0xff0b, 0xff0b },   { 0xff0d, 0xff0d },   { 0xffa0, 0xffa0 },   { 0xfff9, 0xfffb },
        { 0x10ead, 0x10ead }, { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x13438 },
        { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f },
};

bool name_is_utf8(Text text) {
        size_t length;

        for (size_t i = 0; i < text.n; i += length) {
                length = text_char_length(text.data + i, text.data + text.n);
                if (length == 0)
                        return false;
        }
        return true;
}

static bool name_is_in(const NameRange ranges[], size_t n, uint32_t c) {
        for (size_t i = 0; i < n; ++i)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return true;
        return false;
}

static bool name_is_digit(uint32_t c) {
        return (c >= '0' && c <= '9') || name_is_in(name_digits, N_ELEMENTS(name_digits), c);
}

/* A sign stands before the digits: `10-2` and `192.168.1.20` are names. */
static bool name_is_trifle(uint32_t c, bool has_digit) {
        if (c < 0x80)
                return c <= ' ' || c == 0x7f || (!has_digit && (c == '+' || c == '-'));
        return name_is_in(name_trifles, N_ELEMENTS(name_trifles), c);
}

/* What nobody sees at the end of a name. */
static const NameRange name_blanks[] = {
        { 0x20, 0x20 },     { 0xa0, 0xa0 },     { 0xad, 0xad },     { 0x1680, 0x1680 },
        { 0x180e, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x2064 },
        { 0x2066, 0x206f }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
        { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
};

static uint32_t name_character(const unsigned char *s, size_t length) {
        uint32_t c = length == 1 ? *s : *s & (0xffU >> (length + 1));

        for (size_t i = 1; i < length; ++i)
                c = c << 6 | (s[i] & 0x3fU);
        return c;
}

bool name_is_printable(Text text) {
        size_t length;

        if (!name_is_utf8(text))
                return false;
        for (size_t i = 0; i < text.n; i += length) {
                const unsigned char *s = (const unsigned char *)text.data + i;
                uint32_t c;

                length = *s < 0x80 ? 1 : text_utf8_length((const char *)s, text.data + text.n);
                c = name_character(s, length);
                if (c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0xfdd0 && c <= 0xfdef) ||
                    (c & 0xfffe) == 0xfffe)
                        return false;
        }
        return true;
}

bool name_is_number(Text name) {
        const size_t n_id = sizeof(NAME_ID) - 1;
        bool has_digit = false;
        size_t length;

        if (name.n >= n_id && strncasecmp(name.data, NAME_ID, n_id) == 0)
                return true;
        for (size_t i = 0; i < name.n; i += length) {
                const unsigned char *s = (const unsigned char *)name.data + i;
                uint32_t c;

                length = *s < 0x80 ? 1 : text_utf8_length((const char *)s, name.data + name.n);
                if (length == 0)
                        return false;
                c = name_character(s, length);
                if (name_is_digit(c))
                        has_digit = true;
                else if (!name_is_trifle(c, has_digit))
                        return false;
        }
        return has_digit;
}

int64_t name_spelt_id(Text text) {
        uint64_t id = 0;

        if (text.n == 0 || text.n > 18 || text.data[0] == '0' ||
            !text_to_number(text, INT64_MAX, &id))
                return 0;
        return (int64_t)id;
}

int64_t name_said_id(Text text) {
        const size_t n_id = sizeof(NAME_ID) - 1;

        if (text.n <= n_id || memcmp(text.data, NAME_ID, n_id) != 0)
                return 0;
        return name_spelt_id((Text){ .data = text.data + n_id, .n = text.n - n_id });
}

/* Of what is printable, and not empty. */
static bool name_has_blank_ends(Text name) {
        const unsigned char *s = (const unsigned char *)name.data;
        bool is_first = true, is_blank = false;
        size_t length;

        for (size_t i = 0; i < name.n; i += length) {
                length = s[i] < 0x80 ? 1 : text_utf8_length(name.data + i, name.data + name.n);
                is_blank = name_is_in(name_blanks,
                                      N_ELEMENTS(name_blanks),
                                      name_character(s + i, length));
                if (is_first && is_blank)
                        return true;
                is_first = false;
        }
        return is_blank;
}

const char *name_refusal(Text name) {
        if (name.n == 0)
                return "is empty";
        if (name.n > NAME_LONGEST)
                return "is longer than 128 bytes";
        if (!name_is_utf8(name))
                return "is not UTF-8";
        if (!name_is_printable(name))
                return "has characters that no topic may have";
        if (memchr(name.data, '+', name.n) || memchr(name.data, '#', name.n))
                return "has + or #";
        if (name_is_number(name))
                return "could be taken for an id";
        if (name_has_blank_ends(name))
                return "begins or ends with a space, or with what nobody sees";
        return NULL;
}

const char *name_user_refusal(Text name) {
        if (memchr(name.data, ' ', name.n) || memchr(name.data, '/', name.n))
                return "has a space or /";
        return name_refusal(name);
}
