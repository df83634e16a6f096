#include "base/text.h"

static bool text_is_one_of(char c, const char *chars) {
        return c != '\0' && strchr(chars, c);
}

bool text_next_item(Text *rest, const char *separators, Text *ret_item) {
        const char *at = rest->data;
        const char *end = at + rest->n;
        const char *begin;

        while (at < end && text_is_one_of(*at, separators))
                ++at;
        begin = at;
        while (at < end && !text_is_one_of(*at, separators))
                ++at;
        *rest = (Text){ .data = at, .n = (size_t)(end - at) };
        if (at == begin)
                return false;
        *ret_item = (Text){ .data = begin, .n = (size_t)(at - begin) };
        return true;
}

/* The quote that is open behind character @i, where @open is before it. */
static char text_quote_behind(Text text, size_t i, char open) {
        char c = text.data[i];

        if (open && c == open)
                return '\0';
        if (open || (c != '\'' && c != '"'))
                return open;
        if (i > 0 && !text_is_one_of(text.data[i - 1], " \t,=|"))
                return '\0';
        return c;
}

size_t text_find_unquoted(Text text, Text separator) {
        char open = '\0';

        for (size_t i = 0; i < text.n; ++i) {
                if (!open && text.n - i >= separator.n &&
                    memcmp(text.data + i, separator.data, separator.n) == 0)
                        return i;
                open = text_quote_behind(text, i, open);
        }
        return text.n;
}

bool text_is_closed(Text text) {
        char open = '\0';

        for (size_t i = 0; i < text.n; ++i)
                open = text_quote_behind(text, i, open);
        return !open;
}

bool text_unquote(Text *text) {
        const char *end;

        if (text->n == 0 || (*text->data != '\'' && *text->data != '"'))
                return true;
        end = memchr(text->data + 1, *text->data, text->n - 1);
        if (end != text->data + text->n - 1)
                return false;
        *text = (Text){ text->data + 1, text->n - 2 };
        return true;
}

bool text_to_number(Text text, uint64_t most, uint64_t *ret_number) {
        uint64_t number = 0;

        for (size_t i = 0; i < text.n; ++i) {
                unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

                if (digit > 9 || digit > most || number > (most - digit) / 10)
                        return false;
                number = number * 10 + digit;
        }
        if (text.n == 0)
                return false;
        *ret_number = number;
        return true;
}

size_t text_utf8_length(const char *at, const char *end) {
        const unsigned char *bytes = (const unsigned char *)at;
        unsigned char lead = *bytes;
        unsigned char low = 0x80, high = 0xbf; /* of the second byte */
        size_t n;

        if (lead < 0xc2 || lead > 0xf4)
                return 0;

        n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if ((size_t)(end - at) < n)
                return 0;

        if (lead == 0xe0)
                low = 0xa0; /* overlong */
        else if (lead == 0xed)
                high = 0x9f; /* surrogates */
        else if (lead == 0xf0)
                low = 0x90; /* overlong */
        else if (lead == 0xf4)
                high = 0x8f; /* beyond U+10FFFF */

        if (bytes[1] < low || bytes[1] > high)
                return 0;
        for (size_t i = 2; i < n; ++i)
                if ((bytes[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

size_t text_char_length(const char *at, const char *end) {
        if (*at == '\0')
                return 0;
        return (unsigned char)*at < 0x80 ? 1 : text_utf8_length(at, end);
}

int text_hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

void text_put_hex(char *ret_hex, const void *data, size_t n) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *bytes = data;

        for (size_t i = 0; i < n; ++i) {
                ret_hex[2 * i] = digits[bytes[i] >> 4];
                ret_hex[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret_hex[2 * n] = '\0';
}

uint64_t text_hash(uint64_t hash, const void *data, size_t n) {
        const uint8_t *bytes = data;

        for (size_t i = 0; i < n; ++i)
                hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
        return hash;
}

size_t text_distance(const char *a, const char *b) {
        size_t row[64];
        size_t n = strlen(b);

        if (n >= N_ELEMENTS(row))
                return SIZE_MAX;
        for (size_t j = 0; j <= n; ++j)
                row[j] = j;
        for (; *a; ++a) {
                size_t diagonal = row[0]++;

                for (size_t j = 1; j <= n; ++j) {
                        size_t change = diagonal + (*a != b[j - 1]);
                        size_t shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

                        diagonal = row[j];
                        row[j] = change < shift ? change : shift;
                }
        }
        return row[n];
}
