#include "gateway/explore/suggest.h"

#include <stdio.h>

#define SUGGEST_OTHERS 8  /* names in a template, beside {device} */
#define SUGGEST_NAME   40 /* of a member, or of a route */

/* What needs no thought in a configuration. */
static bool suggest_is_safe(const char *shape) {
        static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "/+#_-.:@$";

        return shape[strspn(shape, safe)] == '\0';
}

static bool suggest_is_name(Text level) {
        if (level.n == 0 || level.n > SUGGEST_NAME || *level.data < 'a' || *level.data > 'z')
                return false;
        for (size_t i = 0; i < level.n; ++i) {
                char c = level.data[i];

                if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
                        return false;
        }
        return true;
}

/* The first level that is a name of its own accord. */
static Text suggest_name(const char *shape) {
        while (*shape) {
                Text level = { .data = shape, .n = strcspn(shape, "/") };

                if (suggest_is_name(level))
                        return level;
                shape += level.n + (shape[level.n] == '/');
        }
        return TEXT("found");
}

static void suggest_topic(const char *shape, bool has_value, Buf *buf, bool *ret_has_field) {
        size_t n_free = 0;
        char name[16];

        *ret_has_field = false;
        for (;;) {
                Text level = { .data = shape, .n = strcspn(shape, "/") };
                bool is_last = shape[level.n] == '\0';

                if (!text_equal(level, TEXT("+"))) {
                        buf_append_text(buf, level);
                } else if (n_free++ == 0) {
                        buf_append_string(buf, "{device}");
                } else if (is_last && has_value) {
                        *ret_has_field = true;
                        buf_append_string(buf, "{field}");
                } else if (n_free <= SUGGEST_OTHERS) {
                        snprintf(name, sizeof(name), "{part%zu}", n_free);
                        buf_append_string(buf, name);
                } else {
                        buf_append_char(buf, '+');
                }
                if (is_last)
                        return;
                buf_append_char(buf, '/');
                shape += level.n + 1;
        }
}

static bool suggest_has_device(const char *shape) {
        for (; shape; shape = strchr(shape, '/')) {
                shape += *shape == '/';
                if (*shape == '+')
                        return true;
        }
        return false;
}

bool suggest_route(const char *shape, const char *form, Buf *buf) {
        bool is_object = strcmp(form, "object") == 0, has_field, has_device;
        const char *last = strrchr(shape, '/');
        Text name = suggest_name(shape);
        Text level = text_of(last ? last + 1 : shape);

        if (!suggest_is_safe(shape) || (!is_object && strcmp(form, "number") != 0 &&
                                        strcmp(form, "bool") != 0 && strcmp(form, "text") != 0))
                return false;
        has_device = suggest_has_device(shape);
        buf_printf(buf, "[route %.*s]\ntopic = ", (int)name.n, name.data);
        suggest_topic(shape, !is_object, buf, &has_field);
        if (!is_object)
                buf_printf(buf, "\ndecode = %s", form);
        buf_append_string(buf, "\nkind = telemetry\n");
        if (has_device && is_object)
                return true;
        buf_printf(buf, "\n[map %.*s]\n", (int)name.n, name.data);
        if (!has_device)
                buf_printf(buf, "device = '%.*s'\n", (int)name.n, name.data);
        if (is_object)
                return true;
        if (has_field)
                buf_append_string(buf, "{field} = /\n");
        else
                buf_printf(buf,
                           "%.*s = /\n",
                           (int)(suggest_is_name(level) ? level.n : 5),
                           suggest_is_name(level) ? level.data : "value");
        return true;
}
