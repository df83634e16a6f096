#pragma once

/*
 * WsTls: the certificate of the listeners, and TLS over one socket.
 *
 * TLS 1.2 with forward secrecy and authenticated encryption, and 1.3; HTTP/1.1 is all that ALPN can
 * agree upon. A certificate that is loaded again counts for connections that come later. Nothing
 * blocks: -EAGAIN is for the socket to become readable, or writable where *@ret_wants_write says
 * so. -EPIPE: it is over. Loop thread.
 *
 * A session can be resumed with a ticket in TLS 1.3, which makes new keys all the same. In 1.2 a
 * ticket's key would open all that was said under it, so none is given: forward secrecy.
 */

#include <sys/types.h>

#include "base/base.h"

typedef struct WsTls WsTls;
struct ssl_st; /* of OpenSSL: one connection */

enum {
        WS_TLS_E_BAD = 1, /* a file that cannot be used: *@ret_why */
};

MUST_CHECK int ws_tls_new(WsTls **ret_tls,
                          const char *certificate,
                          const char *key,
                          const char **ret_why);
WsTls *ws_tls_free(WsTls *tls);
/* The old one stays where the new one cannot be used. */
MUST_CHECK int ws_tls_load(WsTls *tls,
                           const char *certificate,
                           const char *key,
                           const char **ret_why);

struct ssl_st *ws_tls_accept(WsTls *tls, int fd); /* NULL: out of memory */
struct ssl_st *ws_tls_release(struct ssl_st *ssl);
/* Also -EPROTO: refused, as it is HTTP without TLS, which can be told so. */
int ws_tls_handshake(struct ssl_st *ssl, bool *ret_wants_write);
ssize_t ws_tls_read(struct ssl_st *ssl, void *data, size_t n, bool *ret_wants_write);
ssize_t ws_tls_write(struct ssl_st *ssl, const void *data, size_t n);
void ws_tls_goodbye(struct ssl_st *ssl); /* close_notify, if there is room */

DEFINE_CLEANUP(WsTls *, ws_tls_free);
