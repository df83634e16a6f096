/*
 * subscribe PORT PATH COUNT [TOKEN]: COUNT WebSockets on one epoll loop.
 *
 * Says "ready" once all are open. Counts the messages that carry a time ("ts":<16 digits>) and how
 * long each was under way; answers pings. Offers the extensions that $SUBSCRIBE_EXTENSIONS names;
 * compressed messages are read, not counted. SIGUSR1 starts the counts anew; SIGTERM ends it, with
 * one line of JSON.
 */

#include "load.h"

#define SUBSCRIBE_BUFFER (1 << 18)
#define SUBSCRIBE_EVENTS 512
#define SUBSCRIBE_AHEAD  64 /* handshakes under way at a time */

typedef struct Socket Socket;
typedef struct Subscriber Subscriber;

struct Socket {
        int fd;
        bool is_open;
        uint8_t *kept; /* of a frame that has not come whole */
        size_t n_kept;
        uint64_t n_messages;
};

struct Subscriber {
        unsigned port;
        const char *path, *token;
        int epoll;
        unsigned n_sockets, n_started, n_open, n_closed;
        Socket *sockets;
        uint64_t n_messages, n_bytes, first_us, last_us;
        Latency latency;
        uint8_t buffer[SUBSCRIBE_BUFFER];
};

static volatile sig_atomic_t subscribe_stop, subscribe_zero;

static void subscribe_signal(int number) {
        if (number == SIGUSR1)
                subscribe_zero = 1;
        else
                subscribe_stop = 1;
}

static void socket_shut(Subscriber *subscriber, Socket *socket) {
        if (!socket->is_open)
                load_die("refused");
        close(socket->fd);
        socket->fd = -1;
        free(socket->kept);
        socket->kept = NULL;
        socket->n_kept = 0;
        ++subscriber->n_closed;
}

static void socket_start(Subscriber *subscriber, Socket *socket) {
        const char *extensions = getenv("SUBSCRIBE_EXTENSIONS");
        char request[2048];
        int n;

        n = snprintf(request,
                     sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n%s%s%s%s%s%s\r\n",
                     subscriber->path,
                     subscriber->port,
                     subscriber->token ? "Authorization: Bearer " : "",
                     subscriber->token ? subscriber->token : "",
                     subscriber->token ? "\r\n" : "",
                     extensions ? "Sec-WebSocket-Extensions: " : "",
                     extensions ? extensions : "",
                     extensions ? "\r\n" : "");
        socket->fd = load_connect(subscriber->port);
        if (send(socket->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
                load_die("send");
        fcntl(socket->fd, F_SETFL, O_NONBLOCK);
        load_watch(subscriber->epoll, EPOLL_CTL_ADD, socket->fd, EPOLLIN, socket);
        ++subscriber->n_started;
}

static void subscriber_message(Subscriber *subscriber,
                               Socket *socket,
                               const uint8_t *data,
                               size_t n) {
        const char *stamp = memmem(data, n, "\"ts\":", 5);
        uint64_t now = load_now_us();
        uint64_t sent = stamp ? strtoull(stamp + 5, NULL, 10) : 0;

        if (sent == 0)
                return;
        ++socket->n_messages;
        ++subscriber->n_messages;
        subscriber->n_bytes += n;
        subscriber->last_us = now;
        if (subscriber->first_us == 0)
                subscriber->first_us = now;
        latency_add(&subscriber->latency, now > sent ? now - sent : 0);
}

/* A masked pong with a mask of zeroes. */
static void socket_pong(Socket *socket, const uint8_t *data, size_t n) {
        uint8_t frame[6 + 125] = { 0x8a, (uint8_t)(0x80 | n) };

        memcpy(frame + 6, data, n);
        if (send(socket->fd, frame, 6 + n, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
                load_die("send");
}

/* The length of the whole frame at @data, or 0 if it has not all come. */
static size_t frame_length(const uint8_t *data, size_t n, size_t *ret_head) {
        size_t head = 2;
        size_t length;

        if (n < 2)
                return 0;
        length = data[1] & 127;
        if (length == 126 && n >= 4) {
                length = (size_t)data[2] << 8 | data[3];
                head = 4;
        } else if (length == 127 && n >= 10) {
                length = 0;
                for (int i = 2; i < 10; ++i)
                        length = length << 8 | data[i];
                head = 10;
        } else if (length > 125) {
                return 0;
        }
        *ret_head = head;
        return n >= head + length ? head + length : 0;
}

/* Handles the whole frames at @data and returns how many bytes those were. */
static size_t subscriber_frames(Subscriber *subscriber,
                                Socket *socket,
                                const uint8_t *data,
                                size_t n) {
        size_t at = 0, head = 0, length;

        while ((length = frame_length(data + at, n - at, &head)) > 0) {
                unsigned opcode = data[at] & 15;

                if (opcode == 9)
                        socket_pong(socket, data + at + head, length - head);
                else if (opcode == 1 || opcode == 2)
                        subscriber_message(subscriber, socket, data + at + head, length - head);
                at += length;
        }
        return at;
}

static size_t subscriber_handshake(Subscriber *subscriber,
                                   Socket *socket,
                                   const uint8_t *data,
                                   size_t n) {
        const uint8_t *end = memmem(data, n, "\r\n\r\n", 4);

        if (!end)
                return 0;
        if (n < 12 || memcmp(data + 9, "101", 3) != 0) {
                fprintf(stderr, "subscribe: refused: %.*s\n", (int)(n < 300 ? n : 300), data);
                exit(1);
        }
        socket->is_open = true;
        ++subscriber->n_open;
        return (size_t)(end + 4 - data);
}

static void socket_keep(Socket *socket, const uint8_t *data, size_t n) {
        free(socket->kept);
        socket->kept = NULL;
        socket->n_kept = n;
        if (n == 0)
                return;
        socket->kept = malloc(n);
        if (!socket->kept)
                load_die("memory");
        memcpy(socket->kept, data, n);
}

static void subscriber_receive(Subscriber *subscriber, Socket *socket) {
        uint8_t *buffer = subscriber->buffer;
        size_t n, at = 0;
        ssize_t got;

        if (socket->n_kept > 0)
                memcpy(buffer, socket->kept, socket->n_kept);
        got = recv(socket->fd, buffer + socket->n_kept, SUBSCRIBE_BUFFER - socket->n_kept, 0);
        if (got < 0 && errno == EAGAIN)
                return;
        if (got <= 0) {
                socket_shut(subscriber, socket);
                return;
        }
        n = socket->n_kept + (size_t)got;
        if (!socket->is_open)
                at = subscriber_handshake(subscriber, socket, buffer, n);
        if (socket->is_open)
                at += subscriber_frames(subscriber, socket, buffer + at, n - at);
        socket_keep(socket, buffer + at, n - at);
}

static void subscriber_zero(Subscriber *subscriber) {
        subscribe_zero = 0;
        memset(&subscriber->latency, 0, sizeof(subscriber->latency));
        subscriber->n_messages = subscriber->n_bytes = 0;
        subscriber->first_us = subscriber->last_us = 0;
        for (unsigned i = 0; i < subscriber->n_sockets; ++i)
                subscriber->sockets[i].n_messages = 0;
        puts("zero");
        fflush(stdout);
}

static void subscriber_turn(Subscriber *subscriber) {
        struct epoll_event events[SUBSCRIBE_EVENTS];
        int n;

        n = epoll_wait(subscriber->epoll, events, SUBSCRIBE_EVENTS, 100);
        for (int i = 0; i < n; ++i)
                subscriber_receive(subscriber, events[i].data.ptr);
        if (subscribe_zero)
                subscriber_zero(subscriber);
}

static void subscriber_report(const Subscriber *subscriber) {
        const Latency *latency = &subscriber->latency;
        uint64_t least = UINT64_MAX, most = 0;

        for (unsigned i = 0; i < subscriber->n_sockets; ++i) {
                uint64_t n = subscriber->sockets[i].n_messages;

                least = n < least ? n : least;
                most = n > most ? n : most;
        }
        printf("{\"messages\":%llu,\"least\":%llu,\"most\":%llu,\"closed\":%u,\"bytes\":%llu,"
               "\"first_us\":%llu,\"last_us\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,"
               "\"max_us\":%llu}\n",
               (unsigned long long)subscriber->n_messages,
               (unsigned long long)least,
               (unsigned long long)most,
               subscriber->n_closed,
               (unsigned long long)subscriber->n_bytes,
               (unsigned long long)subscriber->first_us,
               (unsigned long long)subscriber->last_us,
               (unsigned long long)latency_percentile(latency, 50),
               (unsigned long long)latency_percentile(latency, 99),
               (unsigned long long)latency->max);
}

int main(int argc, char *argv[]) {
        struct sigaction action = { .sa_handler = subscribe_signal };
        Subscriber *subscriber = calloc(1, sizeof(*subscriber));

        if (argc < 4 || !subscriber) {
                fprintf(stderr, "usage: subscribe PORT PATH COUNT [TOKEN]\n");
                return 2;
        }
        subscriber->port = (unsigned)atoi(argv[1]);
        subscriber->path = argv[2];
        subscriber->n_sockets = (unsigned)atoi(argv[3]);
        subscriber->token = argc > 4 ? argv[4] : NULL;
        subscriber->sockets = calloc(subscriber->n_sockets, sizeof(Socket));
        subscriber->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (!subscriber->sockets)
                load_die("memory");
        load_raise_files(subscriber->n_sockets + 64);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGUSR1, &action, NULL);

        while (subscriber->n_open < subscriber->n_sockets && !subscribe_stop) {
                while (subscriber->n_started < subscriber->n_sockets &&
                       subscriber->n_started - subscriber->n_open < SUBSCRIBE_AHEAD)
                        socket_start(subscriber, &subscriber->sockets[subscriber->n_started]);
                subscriber_turn(subscriber);
        }
        puts("ready");
        fflush(stdout);
        while (!subscribe_stop)
                subscriber_turn(subscriber);
        subscriber_report(subscriber);
        free(subscriber->sockets);
        free(subscriber);
        return 0;
}
