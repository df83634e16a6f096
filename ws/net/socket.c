#include "ws/net/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ws/net/tls.h"

void ws_socket_done(WsSocket *socket) {
        socket->ssl = ws_tls_release(socket->ssl);
        if (socket->fd >= 0)
                (void)close(socket->fd);
        socket->fd = -1;
        buf_done(&socket->out);
}

/* The socket tells its error once, to the call that meets it. */
static void ws_socket_note_error(WsSocket *socket, int error) {
        if (error == ETIMEDOUT)
                socket->is_given_up = true;
}

static ssize_t ws_socket_send(WsSocket *socket, const void *data, size_t n) {
        ssize_t r;

        errno = 0;
        if (socket->ssl) {
                r = ws_tls_write(socket->ssl, data, n);
                if (r < 0)
                        ws_socket_note_error(socket, errno);
                return r;
        }
        do
                r = send(socket->fd, data, n, MSG_NOSIGNAL);
        while (r < 0 && errno == EINTR);
        if (r >= 0)
                return r;
        ws_socket_note_error(socket, errno);
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -EPIPE;
}

bool ws_socket_write(WsSocket *socket, const void *data, size_t n) {
        const char *at = data;

        while (n > 0 && socket->out.n == 0) {
                ssize_t r = ws_socket_send(socket, at, n);

                if (r == -EAGAIN)
                        break;
                if (r < 0)
                        return false;
                at += r;
                n -= (size_t)r;
        }
        if (n > 0)
                buf_append(&socket->out, at, n);
        return !buf_failed(&socket->out);
}

bool ws_socket_flush(WsSocket *socket) {
        ssize_t r;

        if (socket->out.n == 0)
                return true;
        r = ws_socket_send(socket,
                           socket->out.data + socket->n_sent,
                           socket->out.n - socket->n_sent);
        if (r < 0)
                return r == -EAGAIN;
        socket->n_sent += (size_t)r;
        if (socket->n_sent == socket->out.n) {
                socket->n_sent = 0;
                buf_done(&socket->out);
        }
        return true;
}

ssize_t ws_socket_read(WsSocket *socket, void *data, size_t n) {
        ssize_t r;

        if (socket->ssl) {
                bool wants_write = false;

                errno = 0;
                r = ws_tls_read(socket->ssl, data, n, &wants_write);
                socket->is_stuck = r == -EAGAIN && wants_write;
                if (r < 0)
                        ws_socket_note_error(socket, errno);
                return r;
        }
        do
                r = recv(socket->fd, data, n, 0);
        while (r < 0 && errno == EINTR);
        if (r >= 0)
                return r;
        ws_socket_note_error(socket, errno);
        return errno == EAGAIN ? -EAGAIN : -EPIPE;
}

void ws_socket_note_broken(WsSocket *socket) {
        socklen_t n_error = sizeof(int);
        int error = 0;

        if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &n_error) == 0)
                ws_socket_note_error(socket, error);
}

void ws_socket_say_bye(WsSocket *socket) {
        if (socket->ssl)
                ws_tls_goodbye(socket->ssl);
        (void)shutdown(socket->fd, SHUT_WR);
}
