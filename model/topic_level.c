#include "model/topic_level.h"

#include "base/name.h"

Text topic_take_level(Text *rest) {
        const char *slash = rest->data ? memchr(rest->data, '/', rest->n) : NULL;
        Text level = { .data = rest->data, .n = slash ? (size_t)(slash - rest->data) : rest->n };

        if (slash)
                *rest = (Text){ .data = slash + 1, .n = rest->n - level.n - 1 };
        else
                *rest = (Text){ 0 };
        return level;
}

Text topic_take_last(Text *rest) {
        size_t at = rest->n;
        Text level;

        while (at > 0 && rest->data[at - 1] != '/')
                --at;
        level = (Text){ .data = rest->data + at, .n = rest->n - at };
        *rest = at > 0 ? (Text){ rest->data, at - 1 } : (Text){ 0 };
        return level;
}

bool topic_split(Text text, size_t n, Text *ret_front, Text *ret_levels) {
        Text front = text;

        for (size_t i = 0; front.data && i < n; ++i)
                (void)topic_take_last(&front);
        if (!front.data || front.n == 0)
                return false;
        *ret_levels = (Text){ text.data + front.n + 1, text.n - front.n - 1 };
        *ret_front = front;
        return true;
}

bool topic_is_plain(Text text) {
        return text.n > 0 && text.n <= TOPIC_MAX && name_is_printable(text);
}

size_t topic_count_levels(Text text) {
        size_t n = 1;

        if (!text.data)
                return 0;
        for (size_t i = 0; i < text.n; ++i)
                n += text.data[i] == '/';
        return n;
}
