#include "ws/wire/form.h"

#include "base/text.h"

int ws_form_decode(Text text, char plus, char *ret_value, size_t n_value) {
        size_t n = 0;

        for (size_t i = 0; i < text.n; ++i) {
                int c = text.data[i] == '+' ? plus : (unsigned char)text.data[i];

                if (c == '%') {
                        int high = i + 2 < text.n ? text_hex_digit(text.data[i + 1]) : -1;
                        int low = i + 2 < text.n ? text_hex_digit(text.data[i + 2]) : -1;

                        if (high < 0 || low < 0)
                                return WS_FORM_E_BAD;
                        c = high * 16 + low;
                        i += 2;
                }
                if (c == 0)
                        return WS_FORM_E_BAD;
                if (n + 1 >= n_value)
                        return WS_FORM_E_TOO_LONG;
                ret_value[n++] = (char)c;
        }
        ret_value[n] = '\0';
        return 0;
}

bool ws_form_unescape(Text text, char plus, char *ret_value, size_t n_value) {
        return ws_form_decode(text, plus, ret_value, n_value) == 0;
}

bool ws_form_find(Text form, const char *name, char *ret_value, size_t n_value, bool *ret_found) {
        Text rest = form;

        while (rest.n > 0) {
                const char *end = memchr(rest.data, '&', rest.n);
                size_t n = end ? (size_t)(end - rest.data) : rest.n;
                const char *equals = memchr(rest.data, '=', n);
                size_t n_name = equals ? (size_t)(equals - rest.data) : n;
                char found[64];

                if (ws_form_unescape((Text){ rest.data, n_name }, ' ', found, sizeof(found)) &&
                    strcmp(found, name) == 0) {
                        size_t skip = equals ? n_name + 1 : n;

                        *ret_found = true;
                        return ws_form_unescape((Text){ rest.data + skip, n - skip },
                                                ' ',
                                                ret_value,
                                                n_value);
                }
                rest = (Text){ rest.data + n + (end ? 1 : 0), rest.n - n - (end ? 1 : 0) };
        }
        return false;
}
