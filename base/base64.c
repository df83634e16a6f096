#include "base/base64.h"

static const char *base64_digits(Base64 alphabet) {
        return alphabet == BASE64_URL
                       ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                       : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

void base64_write(Base64 alphabet, const void *data, size_t n, char *ret_text) {
        const char *digits = base64_digits(alphabet);
        const uint8_t *bytes = data;
        uint32_t bits = 0;
        int n_bits = 0;

        for (size_t i = 0; i < n || n_bits > 0;) {
                if (n_bits < 6 && i < n) {
                        bits = bits << 8 | bytes[i++];
                        n_bits += 8;
                } else if (n_bits < 6) { /* the last digit: filled up with zeros */
                        bits <<= 6 - n_bits;
                        n_bits = 6;
                }
                n_bits -= 6;
                *ret_text++ = digits[bits >> n_bits & 63];
        }
        *ret_text = '\0';
}

static int base64_value(Base64 alphabet, char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        if (c == (alphabet == BASE64_URL ? '-' : '+'))
                return 62;
        return c == (alphabet == BASE64_URL ? '_' : '/') ? 63 : -1;
}

bool base64_read(Base64 alphabet, Text text, void *ret_data, size_t n_max, size_t *ret_n) {
        uint8_t *bytes = ret_data;
        uint32_t bits = 0;
        int n_bits = 0;
        size_t n = 0;

        for (size_t i = 0; i < text.n; ++i) {
                int value = base64_value(alphabet, text.data[i]);

                if (value < 0)
                        return false;
                bits = bits << 6 | (uint32_t)value;
                n_bits += 6;
                if (n_bits < 8)
                        continue;
                if (n == n_max)
                        return false;
                n_bits -= 8;
                bytes[n++] = (uint8_t)(bits >> n_bits & 0xff);
        }
        *ret_n = n;
        return n_bits < 6; /* one digit alone is no byte */
}

bool base64_is(Base64 alphabet, Text text) {
        for (size_t i = 0; i < text.n; ++i)
                if (base64_value(alphabet, text.data[i]) < 0)
                        return false;
        return text.n % 4 != 1;
}
