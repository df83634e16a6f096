/*
 * WsAuth: any token. Without our signature none is good; with it, the claims decide: an input of
 * `!header\nclaims` is signed here.
 */

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/buf.h"
#include "gateway/base/log.h"
#include "tests/fuzz/fuzz.h"
#include "ws/auth.h"

#define SECRET    "0123456789abcdef0123456789abcdef"
#define NOW_US    INT64_C(1760800000000000)
#define MAX_TOKEN 4096

static WsAuth *auth_new(void) {
        char path[] = "/tmp/tidegate-fuzz-jwt-XXXXXX";
        WsAuthOptions options = { .algorithms = "HS256",
                                  .jwt_secret_file = path,
                                  .subject_claim = "sub" };
        int fd = mkstemp(path);
        WsAuth *auth = NULL;

        FUZZ_CHECK(fd >= 0 && write(fd, SECRET, strlen(SECRET)) == (ssize_t)strlen(SECRET));
        close(fd);
        FUZZ_CHECK(ws_auth_new(&auth, &options) == 0);
        unlink(path);
        return auth;
}

static char url_digit(unsigned char c) {
        if (c == '+')
                return '-';
        return (char)(c == '/' ? '_' : c);
}

static void append_base64url(Buf *buf, const void *data, size_t n) {
        unsigned char text[2 * MAX_TOKEN + 8];
        int length = EVP_EncodeBlock(text, data, (int)n);

        for (int i = 0; i < length && text[i] != '='; ++i)
                buf_append_char(buf, url_digit(text[i]));
}

static void sign(Buf *token, const char *data, size_t n) {
        const char *line = n > 0 ? memchr(data, '\n', n) : NULL;
        size_t n_header = line ? (size_t)(line - data) : n;
        unsigned char mac[EVP_MAX_MD_SIZE];
        unsigned n_mac = sizeof(mac);

        append_base64url(token, data, n_header);
        buf_append_char(token, '.');
        if (line)
                append_base64url(token, line + 1, n - n_header - 1);
        FUZZ_CHECK(HMAC(EVP_sha256(),
                        SECRET,
                        strlen(SECRET),
                        (const unsigned char *)token->data,
                        token->n,
                        mac,
                        &n_mac));
        buf_append_char(token, '.');
        append_base64url(token, mac, n_mac);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static WsAuth *auth;
        const char *why = NULL;
        CLEANUP_BUF Buf token = { 0 };
        bool is_signed = n > 0 && data[0] == '!';
        WsClaims claims = { .expires_us = 0 };

        if (n > MAX_TOKEN)
                return 0;
        log_set_level(LOG_LEVEL_ERROR);
        if (!auth)
                auth = auth_new();
        if (is_signed)
                sign(&token, (const char *)data + 1, n - 1);
        else
                buf_append(&token, data, n);

        if (ws_auth_verify(auth, buf_text(&token), NOW_US, &claims, &why) == 0) {
                FUZZ_CHECK(is_signed);
                FUZZ_CHECK(claims.expires_us > NOW_US);
                FUZZ_CHECK(claims.subject[0] != '\0' && strlen(claims.subject) < 256);
        }
        return 0;
}
