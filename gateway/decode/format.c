#include "gateway/decode/format.h"

#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/cbor.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/json_scan.h"
#include "gateway/decode/json_tree.h"

static const Text names[FORMAT_COUNT] = {
        TEXT("json"), TEXT("text"), TEXT("number"), TEXT("number_or_text"),
        TEXT("bool"), TEXT("csv"),  TEXT("cbor"),   TEXT("sparkplug_b"),
};
static const Text base64_prefix = TEXT("base64+");

bool format_from_name(Text name, Format *ret_format) {
        Format format = { 0 };

        if (name.n > base64_prefix.n &&
            memcmp(name.data, base64_prefix.data, base64_prefix.n) == 0) {
                format.is_base64 = true;
                name = (Text){ name.data + base64_prefix.n, name.n - base64_prefix.n };
        }
        for (size_t i = 0; i < FORMAT_COUNT; ++i)
                if (text_equal(names[i], name)) {
                        format.kind = (FormatKind)i;
                        *ret_format = format;
                        return true;
                }
        return false;
}

const char *format_name(Format format, char ret[FORMAT_NAME_SIZE]) {
        snprintf(ret,
                 FORMAT_NAME_SIZE,
                 "%s%s",
                 format.is_base64 ? base64_prefix.data : "",
                 names[format.kind].data);
        return ret;
}

static int refuse(const char **ret_why, Reason reason, const char *why) {
        *ret_why = why;
        return (int)reason;
}

static Text trimmed(Text text) {
        while (text.n > 0 && json_is_space(text.data[0]))
                text = (Text){ text.data + 1, text.n - 1 };
        while (text.n > 0 && json_is_space(text.data[text.n - 1]))
                --text.n;
        return text;
}

/* From the first of the NULs that are at the end, also where the ends of lines are among them. */
static Text without_nuls(Text payload) {
        size_t n = payload.n;

        for (size_t i = n;
             i > 0 && (payload.data[i - 1] == '\0' || json_is_space(payload.data[i - 1]));
             --i)
                if (payload.data[i - 1] == '\0')
                        n = i - 1;
        return (Text){ .data = payload.data, .n = n };
}

Text format_strip(Text payload) {
        static const Text mark = TEXT("\xef\xbb\xbf");

        if (payload.n >= mark.n && memcmp(payload.data, mark.data, mark.n) == 0)
                payload = (Text){ .data = payload.data + mark.n, .n = payload.n - mark.n };
        return without_nuls(payload);
}

static int keep(Arena *arena, const Buf *buf, Text *ret_json) {
        if (buf_failed(buf))
                return err_new(-ENOMEM);
        *ret_json = arena_copy(arena, buf->data, buf->n);
        return ret_json->data ? 0 : err_new(-ENOMEM);
}

static int read_base64(Arena *arena, Text text, Text *ret_bytes, const char **ret_why) {
        Base64 alphabet = BASE64_PLAIN;
        char *bytes;

        text = trimmed(text);
        while (text.n > 0 && text.data[text.n - 1] == '=')
                --text.n;
        if (!base64_is(alphabet, text))
                alphabet = BASE64_URL;
        bytes = arena_alloc(arena, text.n + 1);
        if (!bytes)
                return err_new(-ENOMEM);
        if (!base64_read(alphabet, text, bytes, text.n, &ret_bytes->n))
                return refuse(ret_why, REASON_BAD_JSON, "not base64");
        if (ret_bytes->n == 0)
                return refuse(ret_why, REASON_BAD_JSON, "base64 of nothing");
        ret_bytes->data = bytes;
        return 0;
}

/* What is in the base64 is a payload as others: NULs alone are nothing, or text without characters.
 */
static int read_inner(Format format, Text *bytes, const char **ret_why) {
        if (format.kind == FORMAT_CBOR || format.kind == FORMAT_SPARKPLUG_B)
                return 0;
        *bytes = format_strip(*bytes);
        if (bytes->n == 0 && format.kind != FORMAT_TEXT && format.kind != FORMAT_NUMBER_OR_TEXT)
                return refuse(ret_why, REASON_BAD_JSON, "base64 of nothing");
        return 0;
}

static int read_text(Arena *arena, Text text, Text *ret_json, const char **ret_why) {
        CLEANUP_BUF Buf buf = { 0 };
        Reason reason = json_check_text(text);

        if (reason != REASON_NONE)
                return refuse(ret_why,
                              reason,
                              reason == REASON_BAD_UTF8 ? "not UTF-8" : "has a NUL character");
        buf_json_string(&buf, text);
        return keep(arena, &buf, ret_json);
}

static int read_number(Arena *arena, Text text, Text *ret_json, const char **ret_why) {
        int r = json_digits(text, arena, ret_json);

        if (r != 0)
                return err_up(r);
        return ret_json->data ? 0 : refuse(ret_why, REASON_WRONG_TYPE, "not a number");
}

static int read_number_or_text(Arena *arena, Text text, Text *ret_json, const char **ret_why) {
        int r = json_digits(text, arena, ret_json);

        if (r != 0)
                return err_up(r);
        return ret_json->data ? 0 : read_text(arena, text, ret_json, ret_why);
}

static int read_bool(Text text, Text *ret_json, const char **ret_why) {
        static const char *const yes[] = { "true", "1", "on", "yes" };
        static const char *const no[] = { "false", "0", "off", "no" };

        text = trimmed(text);
        for (size_t i = 0; i < N_ELEMENTS(yes); ++i) {
                if (text.n == strlen(yes[i]) && strncasecmp(text.data, yes[i], text.n) == 0)
                        *ret_json = TEXT("true");
                else if (text.n == strlen(no[i]) && strncasecmp(text.data, no[i], text.n) == 0)
                        *ret_json = TEXT("false");
                else
                        continue;
                return 0;
        }
        return refuse(ret_why, REASON_WRONG_TYPE, "not a switch");
}

/* A field up to its comma, with "" for a quote within quotes. False: a quote has no end. */
static bool take_field(Text *rest, Buf *field, bool *ret_is_quoted, bool *ret_is_last) {
        const char *at = rest->data, *end = at + rest->n;

        buf_reset(field);
        while (at < end && *at == ' ')
                ++at;
        *ret_is_quoted = at < end && *at == '"';
        if (*ret_is_quoted) {
                for (++at;; ++at) {
                        if (at == end)
                                return false;
                        if (*at == '"' && (at + 1 == end || at[1] != '"'))
                                break;
                        at += *at == '"';
                        buf_append_char(field, *at);
                }
                ++at;
                while (at < end && *at == ' ')
                        ++at;
                if (at < end && *at != ',')
                        return false;
        } else {
                const char *start = at;

                while (at < end && *at != ',')
                        ++at;
                buf_append_text(field, trimmed((Text){ start, (size_t)(at - start) }));
        }
        *ret_is_last = at == end;
        *rest = (Text){ 0 };
        if (!*ret_is_last)
                *rest = (Text){ at + 1, (size_t)(end - at) - 1 };
        return true;
}

static int write_field(Arena *arena, Buf *buf, Text field, bool is_quoted) {
        Text digits = { 0 };
        int r = is_quoted ? 0 : json_digits(field, arena, &digits);

        if (r != 0)
                return err_up(r);
        if (digits.data)
                buf_append_text(buf, digits);
        else if (field.n == 0 && !is_quoted)
                buf_append_string(buf, "null");
        else
                buf_json_string(buf, field);
        return 0;
}

static int read_csv(Arena *arena, Text text, Text *ret_json, const char **ret_why) {
        CLEANUP_BUF Buf buf = { 0 };
        CLEANUP_BUF Buf field = { 0 };
        bool is_quoted, is_last = false;
        Reason reason = json_check_text(text);
        int r = 0;

        text = trimmed(text);
        if (reason != REASON_NONE)
                return refuse(ret_why, reason, "not UTF-8, or with a NUL character");
        if (memchr(text.data, '\n', text.n))
                return refuse(ret_why, REASON_BAD_JSON, "more than one line of fields");
        for (buf_append_char(&buf, '['); r == 0 && !is_last;) {
                if (buf.n > 1)
                        buf_append_char(&buf, ',');
                if (!take_field(&text, &field, &is_quoted, &is_last))
                        return refuse(ret_why, REASON_BAD_JSON, "a quote without an end");
                r = write_field(arena, &buf, buf_text(&field), is_quoted);
        }
        buf_append_char(&buf, ']');
        if (r != 0)
                return err_up(r);
        return buf_failed(&field) ? err_new(-ENOMEM) : keep(arena, &buf, ret_json);
}

static int read_cbor(Arena *arena, Text bytes, Text *ret_json, const char **ret_why) {
        CLEANUP_BUF Buf buf = { 0 };
        int r = cbor_to_json(&buf, bytes, ret_why);

        return r == 0 || buf_failed(&buf) ? keep(arena, &buf, ret_json) : r;
}

int format_read(Format format, Arena *arena, Text payload, Text *ret_json, const char **ret_why) {
        int r = 0;

        *ret_why = NULL;
        if (format.is_base64)
                r = read_base64(arena, payload, &payload, ret_why);
        if (r == 0 && format.is_base64)
                r = read_inner(format, &payload, ret_why);
        if (r != 0)
                return r;
        switch (format.kind) {
        case FORMAT_TEXT:
                return read_text(arena, payload, ret_json, ret_why);
        case FORMAT_NUMBER:
                return read_number(arena, payload, ret_json, ret_why);
        case FORMAT_NUMBER_OR_TEXT:
                return read_number_or_text(arena, payload, ret_json, ret_why);
        case FORMAT_BOOL:
                return read_bool(payload, ret_json, ret_why);
        case FORMAT_CSV:
                return read_csv(arena, payload, ret_json, ret_why);
        case FORMAT_CBOR:
                return read_cbor(arena, payload, ret_json, ret_why);
        case FORMAT_AS_IT_IS:
        case FORMAT_SPARKPLUG_B:
        case FORMAT_COUNT:
        default:
                *ret_json = payload;
                return 0;
        }
}
