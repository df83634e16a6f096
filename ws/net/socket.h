#pragma once

/*
 * WsSocket: bytes to and from a peer, plain or through TLS, without ever waiting.
 *
 * What the kernel does not take is kept, in order, and goes with ws_socket_flush(), one write at a
 * time. A connection that the kernel has given up on, as nothing was acknowledged for long, is told
 * from one that its peer has cut. Memory of the caller; loop thread.
 */

#include <sys/types.h>

#include "base/base.h"
#include "base/buf.h"

struct ssl_st;

typedef struct WsSocket WsSocket;

struct WsSocket {
        int fd;             /* owned */
        struct ssl_st *ssl; /* owned; NULL = plain, or TLS has not begun */
        Buf out;            /* what the kernel has not taken: from n_sent on */
        size_t n_sent;
        bool is_stuck;    /* TLS cannot read on before it has written */
        bool is_given_up; /* by the kernel: what was sent was not acknowledged in time */
};

void ws_socket_done(WsSocket *socket); /* closes */

/* In order and complete, now or later. False: it is over, or there is no memory for it. */
bool ws_socket_write(WsSocket *socket, const void *data, size_t n);
bool ws_socket_flush(WsSocket *socket); /* once it is writable; false: it is over */
/* 0: the peer will send nothing more. -EAGAIN: nothing is there. -EPIPE: it is over. */
ssize_t ws_socket_read(WsSocket *socket, void *data, size_t n);
void ws_socket_note_broken(WsSocket *socket); /* poll(2) says that there is an error */
void ws_socket_say_bye(WsSocket *socket);     /* we shall send nothing more */

static inline size_t ws_socket_n_unsent(const WsSocket *socket) {
        return socket->out.n - socket->n_sent;
}

static inline bool ws_socket_has_unsent(const WsSocket *socket) {
        return socket->out.n > 0;
}
