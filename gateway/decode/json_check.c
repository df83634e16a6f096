#include "gateway/decode/json_check.h"

#include "base/text.h"
#include "gateway/decode/json_scan.h"

typedef struct Scan Scan;

struct Scan {
        JsonCursor cursor;
        unsigned depth;
        uint64_t objects; /* one bit a level, the innermost lowest: 1 = object, 0 = array */
        bool is_fresh;    /* the innermost level was just opened */
};

static_assert(JSON_MAX_DEPTH <= 64, "one bit a level");

static unsigned char byte_at(const char *at) {
        return (unsigned char)*at;
}

/* Eight bytes of ASCII without a NUL: what nearly all of it is. */
static bool is_plain_word(const char *at) {
        const uint64_t ones = UINT64_C(0x0101010101010101);
        const uint64_t tops = UINT64_C(0x8080808080808080);
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        return ((word | ((word - ones) & ~word)) & tops) == 0;
}

Reason json_check_text_at(Text text, size_t *ret_at) {
        const char *at = text.data;
        const char *end = text.n > 0 ? text.data + text.n : at; /* absent: nothing to count from */
        const char *nul = NULL;                                 /* the first one */

        while (at < end) {
                size_t n = 1;

                if (end - at >= 8 && is_plain_word(at))
                        n = 8;
                else if (byte_at(at) >= 0x80)
                        n = text_utf8_length(at, end);
                else if (*at == '\0' && !nul)
                        nul = at;
                if (n == 0) {
                        *ret_at = (size_t)(at - text.data);
                        return REASON_BAD_UTF8;
                }
                at += n;
        }
        if (nul)
                *ret_at = (size_t)(nul - text.data);
        return nul ? REASON_NUL_CHARACTER : REASON_NONE;
}

Reason json_check_text(Text text) {
        size_t at;

        return json_check_text_at(text, &at);
}

static Reason scan_word(Scan *scan, Text word) {
        return json_scan_word(&scan->cursor, word) ? REASON_NONE : REASON_BAD_JSON;
}

static Reason scan_string(Scan *scan) {
        JsonToken token;

        json_scan_string(&scan->cursor, &token);
        if (token.odd != REASON_NONE)
                scan->cursor.at = token.odd_at;
        return token.odd;
}

/* Equal numbers of digits compare as text. */
static Reason check_integer(Text digits) {
        bool is_negative = digits.data[0] == '-';
        Text limit = is_negative ? TEXT("-9223372036854775808") : TEXT("18446744073709551615");

        if (digits.n < limit.n)
                return REASON_NONE;
        if (digits.n > limit.n || memcmp(digits.data, limit.data, limit.n) > 0)
                return REASON_OUT_OF_RANGE;
        return REASON_NONE;
}

static bool is_integer(Text number) {
        return !memchr(number.data, '.', number.n) && !memchr(number.data, 'e', number.n) &&
               !memchr(number.data, 'E', number.n);
}

static Reason scan_number(Scan *scan) {
        const char *start = scan->cursor.at;
        Reason reason;
        JsonToken token;
        Text number;

        if (!json_scan_number(&scan->cursor, &token))
                return REASON_BAD_JSON;
        number = (Text){ .data = start, .n = (size_t)(scan->cursor.at - start) };
        reason = is_integer(number) ? check_integer(number) : token.odd;
        if (reason != REASON_NONE)
                scan->cursor.at = start;
        return reason;
}

static Reason scan_open(Scan *scan, bool is_object) {
        if (scan->depth == JSON_MAX_DEPTH)
                return REASON_TOO_DEEP;
        ++scan->cursor.at;
        ++scan->depth;
        scan->objects = scan->objects << 1 | is_object;
        scan->is_fresh = true;
        return REASON_NONE;
}

/* A whole scalar, or the opening of an array or object. */
static Reason scan_value(Scan *scan) {
        json_scan_space(&scan->cursor);
        if (scan->cursor.at == scan->cursor.end)
                return REASON_BAD_JSON;

        switch (*scan->cursor.at) {
        case '{':
                return scan_open(scan, true);
        case '[':
                return scan_open(scan, false);
        case '"':
                return scan_string(scan);
        case 't':
                return scan_word(scan, TEXT("true"));
        case 'f':
                return scan_word(scan, TEXT("false"));
        case 'n':
                return scan_word(scan, TEXT("null"));
        default:
                return scan_number(scan);
        }
}

static Reason scan_key(Scan *scan) {
        Reason reason;

        json_scan_space(&scan->cursor);
        reason = scan_string(scan);
        if (reason != REASON_NONE)
                return reason;
        json_scan_space(&scan->cursor);
        return json_scan_char(&scan->cursor, ':') ? REASON_NONE : REASON_BAD_JSON;
}

/* In the innermost array or object, behind its opening or one of its values. */
static Reason scan_step(Scan *scan) {
        bool is_object = scan->objects & 1;
        bool is_fresh = scan->is_fresh;
        Reason reason = REASON_NONE;

        json_scan_space(&scan->cursor);
        scan->is_fresh = false;
        if (json_scan_char(&scan->cursor, is_object ? '}' : ']')) {
                --scan->depth;
                scan->objects >>= 1;
                return REASON_NONE;
        }
        if (!is_fresh && !json_scan_char(&scan->cursor, ','))
                return REASON_BAD_JSON;
        if (is_object)
                reason = scan_key(scan);
        return reason == REASON_NONE ? scan_value(scan) : reason;
}

static Reason scan_all(Scan *scan) {
        Reason reason = scan_value(scan);

        while (reason == REASON_NONE && scan->depth > 0)
                reason = scan_step(scan);
        if (reason != REASON_NONE)
                return reason;

        json_scan_space(&scan->cursor);
        return scan->cursor.at == scan->cursor.end ? REASON_NONE : REASON_BAD_JSON;
}

Reason json_check_at(Text text, size_t *ret_at) {
        Scan scan = { .cursor.at = text.data };
        Reason reason;

        *ret_at = 0;
        if (text.n == 0)
                return REASON_BAD_JSON;
        reason = json_check_text_at(text, ret_at);
        if (reason != REASON_NONE)
                return reason;

        scan.cursor.end = text.data + text.n;
        reason = scan_all(&scan);
        *ret_at = (size_t)(scan.cursor.at - text.data);
        return reason;
}

Reason json_check(Text text) {
        size_t at;

        return json_check_at(text, &at);
}
