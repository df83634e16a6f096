#include "ws/wire/head.h"

#include <strings.h>

/* The next line without its end; absent while its end is missing. */
static Text ws_head_line(Text *rest) {
        const char *end = rest->n > 0 ? memchr(rest->data, '\n', rest->n) : NULL;
        Text line = { 0 };

        if (!end)
                return line;
        line = (Text){ .data = rest->data, .n = (size_t)(end - rest->data) };
        *rest = (Text){ .data = end + 1, .n = rest->n - line.n - 1 };
        if (line.n > 0 && line.data[line.n - 1] == '\r')
                --line.n;
        return line;
}

static bool ws_head_is_token(Text text) {
        for (size_t i = 0; i < text.n; ++i) {
                char c = text.data[i];

                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      (c && strchr("!#$%&'*+-.^_`|~", c))))
                        return false;
        }
        return text.n > 0;
}

/* Up to the next space, which is skipped. */
static Text ws_head_word(Text *rest) {
        const char *space = rest->n > 0 ? memchr(rest->data, ' ', rest->n) : NULL;
        size_t n = space ? (size_t)(space - rest->data) : rest->n;
        Text word = { .data = rest->data, .n = n };

        *rest = (Text){ .data = rest->data + n + (space ? 1 : 0),
                        .n = rest->n - n - (space ? 1 : 0) };
        return word;
}

static bool ws_head_is_target(Text target) {
        for (size_t i = 0; i < target.n; ++i)
                if (target.data[i] <= 0x20 || target.data[i] > 0x7e)
                        return false;
        return target.n > 0;
}

static bool ws_head_is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* HTTP/1.1 and whatever of 1 comes after it, which is read as it is (RFC 9110 2.5). */
static int ws_head_version(WsHead *head, Text version) {
        if (version.n != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.' ||
            !ws_head_is_digit(version.data[5]) || !ws_head_is_digit(version.data[7]) ||
            version.data[5] == '0')
                return WS_HEAD_E_BAD;
        head->is_http_1_0 = version.data[7] == '0';
        return version.data[5] == '1' ? 0 : WS_HEAD_E_VERSION;
}

static int ws_head_request_line(WsHead *head, Text line) {
        head->method = ws_head_word(&line);
        head->target = ws_head_word(&line);
        if (!ws_head_is_token(head->method) || !ws_head_is_target(head->target))
                return WS_HEAD_E_BAD;
        if (head->target.n > WS_HEAD_TARGET)
                return WS_HEAD_E_TOO_LONG;
        return ws_head_version(head, line);
}

static bool ws_head_is_blank(char c) {
        return c == ' ' || c == '\t';
}

static Text ws_head_trim(Text text) {
        while (text.n > 0 && ws_head_is_blank(text.data[0])) {
                ++text.data;
                --text.n;
        }
        while (text.n > 0 && ws_head_is_blank(text.data[text.n - 1]))
                --text.n;
        return text;
}

static bool ws_head_is_value(Text value) {
        for (size_t i = 0; i < value.n; ++i) {
                unsigned char c = (unsigned char)value.data[i];

                if ((c < 0x20 && c != '\t') || c == 0x7f)
                        return false;
        }
        return true;
}

static int ws_head_field(WsHead *head, Text line) {
        const char *colon = memchr(line.data, ':', line.n);
        WsField field;

        if (!colon)
                return WS_HEAD_E_BAD;
        field.name = (Text){ .data = line.data, .n = (size_t)(colon - line.data) };
        field.value = ws_head_trim((Text){ .data = colon + 1, .n = line.n - field.name.n - 1 });
        if (!ws_head_is_token(field.name) || !ws_head_is_value(field.value))
                return WS_HEAD_E_BAD;
        if (head->n_fields == WS_HEAD_FIELDS)
                return WS_HEAD_E_TOO_LARGE;
        head->fields[head->n_fields++] = field;
        return 0;
}

/* A first line without end: what could be the target of a request is too long. */
static int ws_head_endless(WsHead *head, Text line) {
        head->method = ws_head_word(&line);
        return ws_head_is_token(head->method) && line.n > 0 ? WS_HEAD_E_TOO_LONG : WS_HEAD_E_BAD;
}

int ws_head_parse(WsHead *ret_head, Text bytes) {
        Text rest = bytes;
        bool is_begun;
        Text line;
        int r;

        ret_head->n_fields = 0;
        ret_head->method = (Text){ 0 };
        line = ws_head_line(&rest);
        if (line.data &&
            line.n == 0) /* an empty line before a request is no error (RFC 9112 2.2) */
                line = ws_head_line(&rest);
        is_begun = line.data != NULL;
        if (is_begun) {
                r = ws_head_request_line(ret_head, line);
                if (r != 0)
                        return r;
        }
        while (line.data) {
                line = ws_head_line(&rest);
                if (!line.data)
                        break;
                if (line.n == 0) {
                        ret_head->n = bytes.n - rest.n;
                        return ret_head->n > WS_HEAD_MAX ? WS_HEAD_E_TOO_LARGE : 0;
                }
                r = ws_head_field(ret_head, line);
                if (r != 0)
                        return r;
        }
        if (bytes.n < WS_HEAD_MAX)
                return WS_HEAD_E_MORE;
        return is_begun ? WS_HEAD_E_TOO_LARGE : ws_head_endless(ret_head, rest);
}

int ws_head_status(int r) {
        switch (r) {
        case WS_HEAD_E_TOO_LONG:
                return 414;
        case WS_HEAD_E_TOO_LARGE:
                return 431;
        case WS_HEAD_E_VERSION:
                return 505;
        default:
                return 400;
        }
}

bool ws_head_is(const WsField *field, const char *name) {
        return field->name.n == strlen(name) &&
               strncasecmp(field->name.data, name, field->name.n) == 0;
}

size_t ws_head_count(const WsHead *head, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < head->n_fields; ++i)
                n += ws_head_is(&head->fields[i], name);
        return n;
}

Text ws_head_find(const WsHead *head, const char *name) {
        for (size_t i = 0; i < head->n_fields; ++i)
                if (ws_head_is(&head->fields[i], name))
                        return head->fields[i].value;
        return (Text){ 0 };
}

bool ws_head_list(const WsHead *head, const char *name, char *ret_list, size_t size) {
        size_t n = 0;

        ret_list[0] = '\0';
        for (size_t i = 0; i < head->n_fields; ++i) {
                Text value = head->fields[i].value;
                size_t n_comma = n > 0 ? 2 : 0;

                if (!ws_head_is(&head->fields[i], name) || value.n == 0)
                        continue;
                if (n + n_comma + value.n >= size)
                        return false;
                memcpy(ret_list + n, ", ", n_comma);
                memcpy(ret_list + n + n_comma, value.data, value.n);
                n += n_comma + value.n;
                ret_list[n] = '\0';
        }
        return true;
}
