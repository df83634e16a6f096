#include "gateway/decode/json_scan.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"

#define JSON_MAX_SCALE    16383 /* decimals of a PostgreSQL numeric, and so of jsonb */
#define JSON_MAX_EXPONENT 99999 /* larger ones are all the same to us */
#define JSON_NUMBER_SIZE  64    /* digits that decide whether a number next to DBL_MAX fits */

static unsigned char byte_at(const char *at) {
        return (unsigned char)*at;
}

bool json_scan_word(JsonCursor *cursor, Text word) {
        if ((size_t)(cursor->end - cursor->at) < word.n ||
            memcmp(cursor->at, word.data, word.n) != 0)
                return false;
        cursor->at += word.n;
        return true;
}

/* As the C of Microsoft writes them: 1.#QNAN, -1.#IND, 1.#INF00, and now nan(ind). */
static void scan_kind_of_nan(JsonCursor *cursor) {
        JsonCursor ahead = *cursor;

        if (!json_scan_char(&ahead, '('))
                return;
        while (ahead.at < ahead.end && (isalnum(byte_at(ahead.at)) || *ahead.at == '_'))
                ++ahead.at;
        if (json_scan_char(&ahead, ')'))
                *cursor = ahead;
}

static bool scan_no_number_of_microsoft(JsonCursor *cursor) {
        JsonCursor ahead = *cursor;

        if (!json_scan_word(&ahead, TEXT("1.#")))
                return false;
        while (ahead.at < ahead.end && isalnum(byte_at(ahead.at)))
                ++ahead.at;
        *cursor = ahead;
        return true;
}

bool json_scan_no_number(JsonCursor *cursor) {
        static const Text words[] = { TEXT("nan"), TEXT("infinity"), TEXT("inf") };
        JsonCursor ahead = *cursor;

        if (!json_scan_char(&ahead, '-'))
                json_scan_char(&ahead, '+');
        for (size_t i = 0; i < N_ELEMENTS(words); ++i)
                if ((size_t)(ahead.end - ahead.at) >= words[i].n &&
                    strncasecmp(ahead.at, words[i].data, words[i].n) == 0) {
                        cursor->at = ahead.at + words[i].n;
                        scan_kind_of_nan(cursor);
                        return true;
                }
        if (!scan_no_number_of_microsoft(&ahead))
                return false;
        *cursor = ahead;
        return true;
}

/* ---- strings ---- */

/* Four hexadecimal digits; -1: they are not. */
static int32_t scan_hex(JsonCursor *cursor) {
        int32_t value = 0;

        for (int i = 0; i < 4; ++i) {
                int digit = cursor->at < cursor->end ? text_hex_digit(*cursor->at) : -1;

                if (digit < 0)
                        return -1;
                value = value * 16 + digit;
                ++cursor->at;
        }
        return value;
}

int32_t json_scan_unicode(JsonCursor *cursor) {
        int32_t unit = scan_hex(cursor), low;
        JsonCursor ahead = *cursor;

        if (unit < 0xd800 || unit > 0xdfff)
                return unit;
        if (unit > 0xdbff || !json_scan_char(&ahead, '\\') || !json_scan_char(&ahead, 'u'))
                return -2;
        low = scan_hex(&ahead);
        if (low < 0xdc00 || low > 0xdfff)
                return -2;
        *cursor = ahead;
        return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static void note_odd(JsonToken *token, Reason odd, const char *at) {
        if (token->odd != REASON_NONE)
                return;
        token->odd = odd;
        token->odd_at = at;
}

/* Behind a backslash. */
static bool scan_escape(JsonCursor *cursor, JsonToken *token) {
        const char *start = cursor->at - 1;
        int32_t unit;

        token->is_escaped = true;
        if (cursor->at == cursor->end)
                return false;
        if (*cursor->at != 'u') {
                if (!*cursor->at || !strchr("\"\\/bfnrt", *cursor->at))
                        return false;
                ++cursor->at;
                return true;
        }
        ++cursor->at;
        unit = json_scan_unicode(cursor);
        if (unit == -1)
                return false;
        if (unit == -2)
                note_odd(token, REASON_BAD_UTF8, start);
        else if (unit == 0)
                note_odd(token, REASON_NUL_CHARACTER, start);
        return true;
}

/* NULs, and nothing else. */
static bool is_padding(const char *at, const char *end) {
        static const Text escape = TEXT("\\u0000");

        while (at < end && (*at == '\0' || ((size_t)(end - at) >= escape.n &&
                                            memcmp(at, escape.data, escape.n) == 0)))
                at += *at == '\0' ? 1 : escape.n;
        return at == end;
}

bool json_scan_string(JsonCursor *cursor, JsonToken *ret_token) {
        const char *at = cursor->at;

        *ret_token = (JsonToken){ 0 };
        if (!json_scan_char(cursor, '"')) {
                note_odd(ret_token, REASON_BAD_JSON, at);
                return false;
        }
        while (cursor->at < cursor->end) {
                unsigned char c;
                size_t n = 1;

                cursor->at += buf_json_plain(cursor->at, cursor->end);
                if (cursor->at == cursor->end)
                        break;
                at = cursor->at;
                c = byte_at(at);
                if (c == '"') {
                        ret_token->is_padded = ret_token->odd == REASON_NUL_CHARACTER &&
                                               is_padding(ret_token->odd_at, at);
                        ++cursor->at;
                        return true;
                }
                if (c >= 0x80)
                        n = text_utf8_length(at, cursor->end);
                else if (c < 0x20)
                        note_odd(ret_token, c == '\0' ? REASON_NUL_CHARACTER : REASON_BAD_JSON, at);
                if (n == 0)
                        note_odd(ret_token, REASON_BAD_UTF8, at);
                cursor->at += n > 0 ? n : 1;
                if (c == '\\' && !scan_escape(cursor, ret_token)) {
                        note_odd(ret_token, REASON_BAD_JSON, at);
                        return false;
                }
        }
        note_odd(ret_token, REASON_BAD_JSON, cursor->end);
        return false;
}

/* ---- numbers ---- */

static Text scan_digits(JsonCursor *cursor) {
        const char *start = cursor->at;

        while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
                ++cursor->at;
        return (Text){ .data = start, .n = (size_t)(cursor->at - start) };
}

/* Digits as a number, saturated. */
static int32_t digits_value(Text digits) {
        int32_t value = 0;

        for (size_t i = 0; i < digits.n && value <= JSON_MAX_EXPONENT; ++i)
                value = value * 10 + (digits.data[i] - '0');
        return value > JSON_MAX_EXPONENT ? JSON_MAX_EXPONENT : value;
}

/* A number of 309 digits before its point: whether it is finite depends on what they are. */
static bool is_finite_number(Text whole, Text fraction, int32_t exponent) {
        char digits[JSON_NUMBER_SIZE];
        size_t n = whole.n < sizeof(digits) - 1 ? whole.n : sizeof(digits) - 1;
        size_t n_fraction =
                fraction.n < sizeof(digits) - 1 - n ? fraction.n : sizeof(digits) - 1 - n;
        long double value;

        memcpy(digits, whole.data, n);
        memcpy(digits + n, fraction.data, n_fraction);
        digits[n + n_fraction] = '\0';

        value = strtold(digits, NULL) *
                powl(10.0L, (long double)(exponent + (int32_t)(whole.n - n) - (int32_t)n_fraction));
        return value <= (long double)DBL_MAX;
}

/* @exponent is within ±JSON_MAX_EXPONENT. */
static bool is_in_range(Text whole, Text fraction, int32_t exponent) {
        int64_t magnitude; /* digits before the point */

        if ((int64_t)fraction.n - exponent > JSON_MAX_SCALE || exponent == JSON_MAX_EXPONENT)
                return false;

        if (whole.data[0] == '0') { /* alone; it and zeros behind the point say nothing */
                whole.n = 0;
                while (fraction.n > 0 && fraction.data[0] == '0') {
                        fraction = (Text){ fraction.data + 1, fraction.n - 1 };
                        --exponent;
                }
        }
        if (whole.n == 0 && fraction.n == 0)
                return true;
        magnitude = exponent + (int64_t)whole.n;
        if (magnitude < DBL_MAX_10_EXP + 1)
                return true;
        return magnitude == DBL_MAX_10_EXP + 1 && is_finite_number(whole, fraction, exponent);
}

static bool scan_exponent(JsonCursor *cursor, int32_t *ret_exponent) {
        bool is_small = json_scan_char(cursor, '-');
        Text digits;

        if (!is_small)
                json_scan_char(cursor, '+');
        digits = scan_digits(cursor);
        *ret_exponent = is_small ? -digits_value(digits) : digits_value(digits);
        return digits.n > 0;
}

static bool scan_number(JsonCursor *cursor, JsonToken *ret_token) {
        Text whole, fraction = TEXT("");
        int32_t exponent = 0;

        *ret_token = (JsonToken){ 0 };
        json_scan_char(cursor, '-');
        whole = scan_digits(cursor);
        if (whole.n == 0 || (whole.n > 1 && whole.data[0] == '0'))
                return false;
        if (json_scan_char(cursor, '.')) {
                fraction = scan_digits(cursor);
                if (fraction.n == 0)
                        return false;
        }
        if ((json_scan_char(cursor, 'e') || json_scan_char(cursor, 'E')) &&
            !scan_exponent(cursor, &exponent))
                return false;
        if (!is_in_range(whole, fraction, exponent))
                ret_token->odd = REASON_OUT_OF_RANGE;
        return true;
}

bool json_scan_number(JsonCursor *cursor, JsonToken *ret_token) {
        JsonCursor ahead = *cursor;

        if (!scan_number(&ahead, ret_token))
                return false;
        *cursor = ahead;
        return true;
}
