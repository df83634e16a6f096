#include "ws/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/err.h"

#define WS_TLS_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20" /* of TLS 1.2 */

struct WsTls {
        SSL_CTX *context;
};

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of OpenSSL */
static int ws_tls_on_alpn(SSL *ssl,
                          const unsigned char **ret_protocol,
                          unsigned char *ret_n,
                          const unsigned char *offered,
                          unsigned n_offered,
                          void *arg) {
        (void)ssl, (void)arg;
        for (unsigned i = 0; i < n_offered; i += 1U + offered[i]) {
                if (offered[i] != 8 || i + 9 > n_offered ||
                    memcmp(offered + i + 1, "http/1.1", 8) != 0)
                        continue;
                *ret_protocol = offered + i + 1;
                *ret_n = 8;
                return SSL_TLSEXT_ERR_OK;
        }
        return SSL_TLSEXT_ERR_NOACK;
}

/* Does the hello offer TLS 1.3, which is then what will be spoken? */
static bool ws_tls_offers_1_3(SSL *ssl) {
        const unsigned char *versions;
        size_t n;

        if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &versions, &n) != 1)
                return false;
        for (size_t i = 1; i + 1 < n; i += 2) /* behind the length */
                if (versions[i] == TLS1_3_VERSION >> 8 &&
                    versions[i + 1] == (TLS1_3_VERSION & 0xff))
                        return true;
        return false;
}

static int ws_tls_on_hello(SSL *ssl, int *ret_alert, void *arg) {
        (void)ret_alert, (void)arg;
        if (!ws_tls_offers_1_3(ssl))
                SSL_set_options(ssl, SSL_OP_NO_TICKET);
        return SSL_CLIENT_HELLO_SUCCESS;
}

/* A key with a password is not asked for it on the terminal. */
static int ws_tls_on_password(char *password, int size, int is_writing, void *arg) {
        (void)password, (void)size, (void)is_writing, (void)arg;
        return 0;
}

static bool ws_tls_set_up(SSL_CTX *context) {
        SSL_CTX_set_default_passwd_cb(context, ws_tls_on_password);
        SSL_CTX_set_alpn_select_cb(context, ws_tls_on_alpn, NULL);
        SSL_CTX_set_client_hello_cb(context, ws_tls_on_hello, NULL);
        SSL_CTX_set_options(context,
                            SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                    SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_mode(context,
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
        /* Else one call could read records without data for as long as they come. */
        SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
               SSL_CTX_set_cipher_list(context, WS_TLS_CIPHERS) == 1;
}

static const char *ws_tls_why(void) {
        const char *why = ERR_reason_error_string(ERR_peek_last_error());

        return why ? why : "unknown";
}

int ws_tls_load(WsTls *tls, const char *certificate, const char *key, const char **ret_why) {
        SSL_CTX *context;

        ERR_clear_error();
        context = SSL_CTX_new(TLS_server_method());
        if (!context)
                return err_new(-ENOMEM);
        if (!ws_tls_set_up(context) ||
            SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
            SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(context) != 1) {
                *ret_why = ws_tls_why();
                SSL_CTX_free(context);
                return WS_TLS_E_BAD;
        }
        SSL_CTX_free(tls->context); /* connections hold references of their own */
        tls->context = context;
        return 0;
}

int ws_tls_new(WsTls **ret_tls, const char *certificate, const char *key, const char **ret_why) {
        CLEANUP(ws_tls_free) WsTls *tls = NULL;
        int r;

        tls = calloc(1, sizeof(*tls));
        if (!tls)
                return err_new(-ENOMEM);
        r = ws_tls_load(tls, certificate, key, ret_why);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_tls = TAKE(&tls);
        return 0;
}

WsTls *ws_tls_free(WsTls *tls) {
        if (!tls)
                return NULL;

        SSL_CTX_free(tls->context);
        free(tls);
        return NULL;
}

struct ssl_st *ws_tls_accept(WsTls *tls, int fd) {
        SSL *ssl = SSL_new(tls->context);

        if (!ssl)
                return NULL;
        if (SSL_set_fd(ssl, fd) != 1) {
                SSL_free(ssl);
                return NULL;
        }
        SSL_set_accept_state(ssl);
        return ssl;
}

struct ssl_st *ws_tls_release(struct ssl_st *ssl) {
        SSL_free(ssl);
        return NULL;
}

/* What a call that returned @n means. */
static int ws_tls_result(SSL *ssl, int n, bool *ret_wants_write) {
        switch (SSL_get_error(ssl, n)) {
        case SSL_ERROR_WANT_READ:
                *ret_wants_write = false;
                return -EAGAIN;
        case SSL_ERROR_WANT_WRITE:
                *ret_wants_write = true;
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                return 0;
        default:
                ERR_clear_error();
                return -EPIPE;
        }
}

int ws_tls_handshake(struct ssl_st *ssl, bool *ret_wants_write) {
        int n, reason;

        ERR_clear_error();
        n = SSL_do_handshake(ssl);
        if (n == 1)
                return 0;
        if (SSL_get_error(ssl, n) == SSL_ERROR_SSL) {
                reason = ERR_GET_REASON(ERR_peek_error());
                ERR_clear_error();
                return reason == SSL_R_HTTP_REQUEST ? -EPROTO : -EPIPE;
        }
        n = ws_tls_result(ssl, n, ret_wants_write);
        return n == 0 ? -EPIPE : n;
}

ssize_t ws_tls_read(struct ssl_st *ssl, void *data, size_t n, bool *ret_wants_write) {
        int r;

        ERR_clear_error();
        r = SSL_read(ssl, data, n < INT32_MAX ? (int)n : INT32_MAX);
        return r > 0 ? r : ws_tls_result(ssl, r, ret_wants_write);
}

ssize_t ws_tls_write(struct ssl_st *ssl, const void *data, size_t n) {
        bool wants_write;
        int r;

        if (n == 0)
                return 0;
        ERR_clear_error();
        r = SSL_write(ssl, data, n < INT32_MAX ? (int)n : INT32_MAX);
        if (r > 0)
                return r;
        r = ws_tls_result(ssl, r, &wants_write);
        return r == 0 ? -EPIPE : r;
}

void ws_tls_goodbye(struct ssl_st *ssl) {
        ERR_clear_error();
        if (SSL_is_init_finished(ssl))
                (void)SSL_shutdown(ssl);
        ERR_clear_error();
}
