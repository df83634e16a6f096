#include "ws/access/sealed.h"

#include <stdio.h>

#include "base/err.h"

#define SEALED_VERSION     1
#define SEALED_PURPOSE_MAX 64

static size_t sealed_length(size_t n) {
        return WS_SEALED_BYTES(n) - SECRET_HASH_SIZE;
}

static void sealed_put(uint8_t *bytes, int64_t value) {
        for (int i = 7; i >= 0; --i, value = (int64_t)((uint64_t)value >> 8))
                bytes[i] = (uint8_t)value;
}

static int64_t sealed_get(const uint8_t *bytes) {
        uint64_t value = 0;

        for (int i = 0; i < 8; ++i)
                value = value << 8 | bytes[i];
        return (int64_t)value;
}

/* The purpose is a line before it: no JWT that the same key signs begins like this. */
static int sealed_mac(Text key,
                      const char *purpose,
                      const uint8_t body[],
                      size_t n,
                      uint8_t ret_mac[SECRET_HASH_SIZE]) {
        char text[SEALED_PURPOSE_MAX + 1 + WS_SEALED_BYTES(WS_SEALED_NUMBERS)];
        size_t n_purpose = (size_t)snprintf(text, sizeof(text), "%s\n", purpose);

        assert(n_purpose <= SEALED_PURPOSE_MAX + 1);
        memcpy(text + n_purpose, body, n);
        return err_up(secret_token_hash(key, (Text){ text, n_purpose + n }, ret_mac));
}

int ws_sealed_make(const WsAuth *auth,
                   const char *purpose,
                   const int64_t numbers[],
                   size_t n,
                   char *ret_text) {
        uint8_t bytes[WS_SEALED_BYTES(WS_SEALED_NUMBERS)];
        size_t n_body = sealed_length(n);
        Text key;
        int r;

        assert(n <= WS_SEALED_NUMBERS);
        bytes[0] = SEALED_VERSION;
        for (size_t i = 0; i < n; ++i)
                sealed_put(bytes + 1 + i * 8, numbers[i]);
        (void)ws_auth_seal(auth, 0, &key);
        r = sealed_mac(key, purpose, bytes, n_body, bytes + n_body);
        if (r < 0)
                return err_up(r);
        base64_write(BASE64_URL, bytes, n_body + SECRET_HASH_SIZE, ret_text);
        return 0;
}

/* Bits of the last character that are of no byte have to be as they are written. */
static bool sealed_read(Text text, uint8_t ret_bytes[], size_t n) {
        char again[WS_SEALED_SIZE(WS_SEALED_NUMBERS)];
        size_t n_bytes = 0;

        if (!base64_read(BASE64_URL, text, ret_bytes, n, &n_bytes) || n_bytes != n)
                return false;
        base64_write(BASE64_URL, ret_bytes, n, again);
        return text_equal(text, text_of(again)) && ret_bytes[0] == SEALED_VERSION;
}

int ws_sealed_open(const WsAuth *auth,
                   const char *purpose,
                   Text text,
                   int64_t ret_numbers[],
                   size_t n) {
        uint8_t bytes[WS_SEALED_BYTES(WS_SEALED_NUMBERS)], mac[SECRET_HASH_SIZE];
        size_t n_body = sealed_length(n);
        bool is_ours = false;
        Text key;
        int r;

        assert(n <= WS_SEALED_NUMBERS);
        if (!sealed_read(text, bytes, n_body + SECRET_HASH_SIZE))
                return WS_AUTH_E_INVALID;
        for (size_t i = 0; !is_ours && ws_auth_seal(auth, i, &key); ++i) {
                r = sealed_mac(key, purpose, bytes, n_body, mac);
                if (r < 0)
                        return err_up(r);
                is_ours = secret_equal(mac, bytes + n_body, sizeof(mac));
        }
        if (!is_ours)
                return WS_AUTH_E_INVALID;
        for (size_t i = 0; i < n; ++i)
                ret_numbers[i] = sealed_get(bytes + 1 + i * 8);
        return 0;
}
