#include "gateway/explore/shape.h"

#define SHAPE_HEX_MIN   6 /* digits of an address */
#define SHAPE_DIGITS_ID 4

static bool shape_is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool shape_is_hex(char c) {
        return shape_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool shape_is_id(Text level) {
        size_t n_digits = 0, n_hex = 0, n_marks = 0;

        for (size_t i = 0; i < level.n; ++i) {
                char c = level.data[i];

                n_digits += shape_is_digit(c);
                n_hex += shape_is_hex(c);
                n_marks += c == '-' || c == '_' || c == ':' || c == '.' || c == '+';
        }
        if (n_digits == 0)
                return false;
        return n_digits >= SHAPE_DIGITS_ID || n_digits + n_marks == level.n ||
               (n_hex >= SHAPE_HEX_MIN && n_hex + n_marks == level.n);
}

size_t shape_of(Text topic, char ret_shape[SHAPE_SIZE]) {
        const char *at = topic.data, *const end = topic.data + topic.n;
        bool has_more = true;
        size_t n = 0;

        for (size_t i = 0; has_more; ++i) {
                const char *slash = at < end ? memchr(at, '/', (size_t)(end - at)) : NULL;
                Text level = { .data = at, .n = (size_t)((slash ? slash : end) - at) };

                if (shape_is_id(level))
                        level = TEXT("+");
                if (i == SHAPE_LEVELS - 1 || n + level.n + sizeof("/#") > SHAPE_SIZE) {
                        ret_shape[n++] = '#';
                        break;
                }
                memcpy(ret_shape + n, level.data, level.n);
                n += level.n;
                has_more = slash != NULL;
                if (has_more) {
                        ret_shape[n++] = '/';
                        at = slash + 1;
                }
        }
        ret_shape[n] = '\0';
        return n;
}
