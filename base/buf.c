#include "base/buf.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/name.h"
#include "base/text.h"

#define BUF_MIN_CAPACITY 256

/* A double holds every integer up to here, and every decimal of 15 digits has one nearest double.
 */
#define BUF_EXACT_MAX   9007199254740992.0 /* 2^53 */
#define BUF_DIGITS_15   1e15
#define BUF_DECIMAL_MIN 1e-4 /* below it an exponent is shorter */

void buf_done(Buf *buf) {
        free(buf->data);
        *buf = (Buf){ 0 };
}

void buf_reset(Buf *buf) {
        buf->n = 0;
        buf->failed = false;
        if (buf->data)
                buf->data[0] = '\0';
}

/* Room for @n more bytes and the NUL, or NULL, and then the buffer has failed. */
static char *buf_reserve(Buf *buf, size_t n) {
        size_t capacity = buf->capacity;
        char *data;

        if (buf->failed)
                return NULL;
        if (capacity - buf->n > n)
                return buf->data + buf->n;

        if (n >= SIZE_MAX / 4 - buf->n) {
                buf->failed = true;
                return NULL;
        }
        capacity = capacity < BUF_MIN_CAPACITY ? BUF_MIN_CAPACITY : capacity;
        while (capacity - buf->n <= n)
                capacity *= 2;

        data = realloc(buf->data, capacity);
        if (!data) {
                buf->failed = true;
                return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
        return data + buf->n;
}

void buf_append(Buf *buf, const void *data, size_t n) {
        char *end;

        end = buf_reserve(buf, n);
        if (!end)
                return;

        if (n > 0)
                memcpy(end, data, n);
        end[n] = '\0';
        buf->n += n;
}

void buf_append_text(Buf *buf, Text text) {
        buf_append(buf, text.data, text.n);
}

void buf_append_string(Buf *buf, const char *string) {
        buf_append(buf, string, strlen(string));
}

void buf_append_char(Buf *buf, char c) {
        char *end;

        end = buf_reserve(buf, 1);
        if (!end)
                return;

        end[0] = c;
        end[1] = '\0';
        ++buf->n;
}

void buf_printf(Buf *buf, const char *format, ...) {
        va_list args;
        char *end;
        int n;

        va_start(args, format);
        n = vsnprintf(NULL, 0, format, args);
        va_end(args);
        if (n < 0) {
                buf->failed = true;
                return;
        }

        end = buf_reserve(buf, (size_t)n);
        if (!end)
                return;
        va_start(args, format);
        vsnprintf(end, (size_t)n + 1, format, args);
        va_end(args);
        buf->n += (size_t)n;
}

/* The top bit of the first byte that does not stand for itself, in the order of addresses; those of
 * later ones mean nothing. */
static uint64_t buf_word_special(uint64_t word) {
        const uint64_t ones = UINT64_C(0x0101010101010101);
        const uint64_t tops = UINT64_C(0x8080808080808080);
        uint64_t quotes = word ^ ones * '"', slashes = word ^ ones * '\\';

        return (word | (word - ones * 0x20) | ((quotes - ones) & ~quotes) |
                ((slashes - ones) & ~slashes)) &
               tops;
}

static uint64_t buf_word(const char *at) {
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        return le64toh(word);
}

/* Both ends of 4 to 7 bytes. */
static uint64_t buf_short_word(const char *at, const char *end) {
        uint32_t first, last;

        memcpy(&first, at, sizeof(first));
        memcpy(&last, end - sizeof(last), sizeof(last));
        return (uint64_t)last << 32 | first;
}

static bool buf_is_plain(char c) {
        return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

size_t buf_json_plain(const char *at, const char *end) {
        const char *start = at;

        while (end - at >= 8) {
                uint64_t special = buf_word_special(buf_word(at));

                if (special)
                        return (size_t)(at - start) + (size_t)__builtin_ctzll(special) / 8;
                at += 8;
        }
        if (end - start >= 8 ? !buf_word_special(buf_word(end - 8))
                             : end - start >= 4 && !buf_word_special(buf_short_word(at, end)))
                return (size_t)(end - start);
        while (at < end && buf_is_plain(*at))
                ++at;
        return (size_t)(at - start);
}

/* Copies all that stands for itself; false: there is something else, and *@to is anything. */
static inline bool buf_copy_plain(char *to, const char *at, size_t n) {
        uint64_t special = 0;

        if (n >= 8) {
                for (size_t i = 0; i + 8 <= n && !special; i += 8) {
                        special = buf_word_special(buf_word(at + i));
                        memcpy(to + i, at + i, 8);
                }
                special |= buf_word_special(buf_word(at + n - 8));
                memcpy(to + n - 8, at + n - 8, 8);
        } else if (n >= 4) {
                special = buf_word_special(buf_short_word(at, at + n));
                memcpy(to, at, 4);
                memcpy(to + n - 4, at + n - 4, 4);
        } else {
                for (size_t i = 0; i < n; ++i) {
                        special |= !buf_is_plain(at[i]);
                        to[i] = at[i];
                }
        }
        return !special;
}

/* One character that does not stand for itself; returns how many bytes of @s it took. */
static size_t buf_json_special(Buf *buf, const unsigned char *s, size_t n) {
        static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
        size_t length;

        if (s[0] >= 0x80) {
                /* A frame with broken UTF-8 makes browsers close: never write one. */
                length = text_utf8_length((const char *)s, (const char *)s + n);
                if (length > 0)
                        buf_append(buf, s, length);
                else
                        buf_append_string(buf, "\xef\xbf\xbd");
                return length > 0 ? length : 1;
        }

        for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
                if (s[0] != (unsigned char)shorts[i])
                        continue;
                buf_append_char(buf, '\\');
                buf_append_char(buf, shorts[i + 1]);
                return 1;
        }
        buf_printf(buf, "\\u%04x", (unsigned)s[0]);
        return 1;
}

/* From a character on that does not stand for itself. */
static void buf_json_rest(Buf *buf, Text rest) {
        while (rest.n > 0) {
                size_t n = buf_json_special(buf, (const unsigned char *)rest.data, rest.n);

                rest = (Text){ rest.data + n, rest.n - n };
                n = buf_json_plain(rest.data, rest.data + rest.n);
                buf_append(buf, rest.data, n);
                rest = (Text){ rest.data + n, rest.n - n };
        }
        buf_append_char(buf, '"');
}

/* As far as nothing has to be escaped, and then the rest. */
static void buf_json_escaped(Buf *buf, Text text) {
        size_t n = buf_json_plain(text.data, text.data + text.n);

        buf_append(buf, text.data, n);
        buf_json_rest(buf, (Text){ text.data + n, text.n - n });
}

/* A string between what stands before and behind it, at once where it has nothing to escape. */
static void buf_json_quoted(Buf *buf, Text text, bool needs_comma, bool is_name) {
        char *end = buf_reserve(buf, text.n + 4);
        bool is_plain;

        if (!end)
                return;
        *end = ',';
        end += needs_comma;
        *end++ = '"';
        is_plain = buf_copy_plain(end, text.data, text.n);
        if (is_plain) {
                end += text.n;
                *end++ = '"';
        }
        if (is_plain && is_name)
                *end++ = ':';
        *end = '\0';
        buf->n = (size_t)(end - buf->data);
        if (is_plain)
                return;
        buf_json_escaped(buf, text);
        if (is_name)
                buf_append_char(buf, ':');
}

void buf_json_string(Buf *buf, Text text) {
        if (text.data)
                buf_json_quoted(buf, text, false, false);
        else
                buf_append_string(buf, "null");
}

void buf_json_name(Buf *buf, const char *name, bool needs_comma) {
        buf_json_quoted(buf, text_of(name), needs_comma, true);
}

void buf_json_literal(Buf *buf, const char *name, size_t n, bool needs_comma) {
        char *end = buf_reserve(buf, n + 4);

        if (!end)
                return;
        *end = ',';
        end += needs_comma;
        *end++ = '"';
        memcpy(end, name, n);
        end += n;
        memcpy(end, "\":", 3);
        buf->n = (size_t)(end + 2 - buf->data);
}

/* Writes the digits of @value, at least @n_min of them, backwards from @end. */
static char *buf_digits(char *end, uint64_t value, int n_min) {
        while (value > 0 || n_min > 0) {
                *--end = (char)('0' + value % 10);
                value /= 10;
                --n_min;
        }
        return end;
}

void buf_json_int(Buf *buf, int64_t value) {
        char text[24];
        char *end = text + sizeof(text);
        char *start;

        start = buf_digits(end, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);
        if (value < 0)
                *--start = '-';
        buf_append(buf, start, (size_t)(end - start));
}

/*
 * What devices send are decimals of a few digits. If @value is the double nearest to
 * digits / 10^decimals, and that has at most 15 digits, then it is the shortest form: the
 * quotient of two exact doubles is rounded as reading the text would be.
 */
static bool buf_json_decimal(Buf *buf, double value) {
        static const double powers[] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                         1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14 };
        double magnitude = fabs(value);
        char text[32];
        char *end = text + sizeof(text);
        char *start;

        if (magnitude < BUF_DECIMAL_MIN)
                return false;
        for (int decimals = 1; decimals < (int)N_ELEMENTS(powers); ++decimals) {
                double digits = nearbyint(magnitude * powers[decimals]);
                uint64_t power = (uint64_t)powers[decimals];

                if (digits >= BUF_DIGITS_15)
                        return false;
                if (digits / powers[decimals] != magnitude)
                        continue;

                start = buf_digits(end, (uint64_t)digits % power, decimals);
                *--start = '.';
                start = buf_digits(start, (uint64_t)digits / power, 1);
                if (value < 0)
                        *--start = '-';
                buf_append(buf, start, (size_t)(end - start));
                return true;
        }
        return false;
}

/* As printf, but the decimal point of the locale, which may be several bytes, becomes a dot. */
static void buf_json_general(Buf *buf, double value) {
        char text[48];
        bool in_point = false;

        for (int precision = 15; precision <= 17; ++precision) {
                snprintf(text, sizeof(text), "%.*g", precision, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        for (const char *c = text; *c; ++c) {
                bool is_point = !strchr("0123456789+-e", *c);

                if (!is_point)
                        buf_append_char(buf, *c);
                else if (!in_point)
                        buf_append_char(buf, '.');
                in_point = is_point;
        }
}

void buf_json_double(Buf *buf, double value) {
        if (!isfinite(value))
                buf_append_string(buf, "null");
        else if (value == 0 && signbit(value))
                buf_append_string(buf, "-0.0");
        else if (fabs(value) < BUF_EXACT_MAX && value == trunc(value))
                buf_json_int(buf, (int64_t)value);
        else if (!buf_json_decimal(buf, value))
                buf_json_general(buf, value);
}

void buf_json_float(Buf *buf, float value) {
        char digits[32];

        for (int precision = 6; precision <= 9; ++precision) {
                snprintf(digits, sizeof(digits), "%.*g", precision, (double)value);
                if (strtof(digits, NULL) == value)
                        break;
        }
        buf_json_double(buf, isfinite(value) ? strtod(digits, NULL) : (double)value);
}

void buf_json_bool(Buf *buf, bool value) {
        buf_append_string(buf, value ? "true" : "false");
}

void buf_json_time(Buf *buf, int64_t time_us) {
        char *end = buf_reserve(buf, CLOCK_TEXT_SIZE + 1);

        if (!end)
                return;
        *end++ = '"';
        clock_format(time_us, end);
        end += CLOCK_TEXT_SIZE - 1;
        *end++ = '"';
        *end = '\0';
        buf->n = (size_t)(end - buf->data);
}
