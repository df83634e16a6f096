#include "ws/http/authority.h"

#include <strings.h>

#include "base/text.h"

/* What may stand in the name of a host (RFC 3986 3.2.2): letters, digits, some signs, escapes. */
static bool ws_authority_is_name(Text text, const char *signs) {
        for (size_t i = 0; i < text.n; ++i) {
                char c = text.data[i];

                if (c == '%' && i + 2 < text.n && text_hex_digit(text.data[i + 1]) >= 0 &&
                    text_hex_digit(text.data[i + 2]) >= 0)
                        continue;
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      (c && strchr(signs, c))))
                        return false;
        }
        return true;
}

bool ws_authority_is_one(Text text) {
        static const char signs[] = "-._~!$&'()*+,;=";
        const char *end;
        size_t n;

        if (text.n > 0 && text.data[0] == '[') {
                end = memchr(text.data, ']', text.n);
                n = end ? (size_t)(end - text.data) : 0;
                if (n < 2 ||
                    !ws_authority_is_name((Text){ text.data + 1, n - 1 }, "-._~!$&'()*+,;=:"))
                        return false;
                ++n;
        } else {
                end = text.n > 0 ? memchr(text.data, ':', text.n) : NULL;
                n = end ? (size_t)(end - text.data) : text.n;
                if (!ws_authority_is_name((Text){ text.data, n }, signs))
                        return false;
        }
        if (n == text.n)
                return true;
        if (text.data[n] != ':')
                return false;
        while (++n < text.n)
                if (text.data[n] < '0' || text.data[n] > '9')
                        return false;
        return true;
}

/* The port that an authority (host, host:port, [v6]:port) names; absent if none. */
static Text ws_authority_port(Text authority) {
        for (size_t i = authority.n; i > 0; --i) {
                char c = authority.data[i - 1];

                if (c == ']')
                        break;
                if (c == ':')
                        return (Text){ authority.data + i, authority.n - i };
        }
        return (Text){ 0 };
}

bool ws_authority_equal(Text a, Text b, Text default_port) {
        Text port_a = ws_authority_port(a);
        Text port_b = ws_authority_port(b);
        size_t n_a = port_a.data ? a.n - port_a.n - 1 : a.n;
        size_t n_b = port_b.data ? b.n - port_b.n - 1 : b.n;

        return n_a == n_b && n_a > 0 && strncasecmp(a.data, b.data, n_a) == 0 &&
               text_equal(port_a.data ? port_a : default_port, port_b.data ? port_b : default_port);
}
