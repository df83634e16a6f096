#include "ws/wire/multipart.h"

#include <stdio.h>

#include "base/text.h"

#define WS_MULTIPART_LINE 72 /* bytes between fields at most, dashes and all: RFC 2046, 5.1.1 */
#define WS_MULTIPART_NAME 64

/* What is up to @mark, which is passed over. False: it does not come. */
static bool ws_multipart_cut(Text *rest, Text mark, Text *ret_before) {
        const char *at = memmem(rest->data, rest->n, mark.data, mark.n);
        size_t n;

        if (!at)
                return false;
        n = (size_t)(at - rest->data);
        *ret_before = (Text){ .data = rest->data, .n = n };
        *rest = (Text){ .data = at + mark.n, .n = rest->n - n - mark.n };
        return true;
}

/* In its Content-Disposition, as everybody writes it. */
static bool ws_multipart_is_called(Text head, const char *name) {
        char text[WS_MULTIPART_NAME];
        int n = snprintf(text, sizeof(text), "; name=\"%s\"", name);

        assert(n > 0 && n < WS_MULTIPART_NAME); /* the names are ours */
        return memmem(head.data, head.n, text, (size_t)n) != NULL;
}

static bool ws_multipart_copy(Text value, char *ret_value, size_t n_value) {
        if (value.n >= n_value || memchr(value.data, '\0', value.n))
                return false;
        memcpy(ret_value, value.data, value.n);
        ret_value[value.n] = '\0';
        return true;
}

bool ws_multipart_find(Text body, const char *name, char *ret_value, size_t n_value) {
        char between[2 + WS_MULTIPART_LINE] = "\r\n";
        Text rest = body, line, head, value;

        if (!text_begins(body, TEXT("--")) || !ws_multipart_cut(&rest, TEXT("\r\n"), &line) ||
            line.n > WS_MULTIPART_LINE)
                return false;
        memcpy(between + 2, line.data, line.n);
        while (ws_multipart_cut(&rest, TEXT("\r\n\r\n"), &head) &&
               ws_multipart_cut(&rest, (Text){ .data = between, .n = 2 + line.n }, &value)) {
                if (ws_multipart_is_called(head, name))
                        return ws_multipart_copy(value, ret_value, n_value);
                if (!text_begins(rest, TEXT("\r\n")))
                        return false; /* dashes: it was the last */
                rest = (Text){ .data = rest.data + 2, .n = rest.n - 2 };
        }
        return false;
}
