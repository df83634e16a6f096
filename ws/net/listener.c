#include "ws/net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"
#include "ws/net/conn.h"
#include "ws/net/greetings.h"

#define WS_LISTENER_BACKLOG      4096
#define WS_LISTENER_TURN_US      5000 /* for those that come, in one turn of the loop */
#define WS_LISTENER_OTHERS       1024 /* descriptors that we would like to have besides */
#define WS_LISTENER_FILES        96   /* descriptors that the others have or may come to need */
#define WS_LISTENER_SPARE        32   /* of them, those that they have not at any moment */
#define WS_LISTENER_HANDSHAKE_MS 10000
#define WS_LISTENER_NOTSENT      16384 /* bytes the kernel keeps unsent before it says stop */
#define WS_LISTENER_SNDBUF       65536

struct WsListener {
        uv_poll_t poll;
        int fd, port, patience_ms;
        WsEntrance entrance;
        bool is_resting, is_started;
        const WsOptions *options; /* borrowed */
        WsConns *conns;           /* borrowed */
        WsTls *tls;               /* borrowed; NULL = plain */
};

static rlim_t ws_listener_n_files(void) {
        struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

        (void)getrlimit(RLIMIT_NOFILE, &limit);
        return limit.rlim_cur;
}

/* How many connections the descriptors of the process are enough for, with what the others need. */
static size_t ws_listener_room(void) {
        rlim_t n_files = ws_listener_n_files();

        return (size_t)(n_files / 4 > WS_LISTENER_FILES / 3 ? n_files - WS_LISTENER_FILES
                                                            : n_files / 4);
}

static size_t ws_listener_most(const WsListener *listener) {
        bool is_health = listener->entrance == WS_ENTRANCE_HEALTH;
        size_t n_set = is_health ? WS_LISTENER_HEALTH
                                 : (size_t)listener->options->max_connections +
                                           (size_t)listener->options->max_http;
        size_t n_room = is_health ? ws_listener_room() / 4 : ws_listener_room();

        return n_set < n_room ? n_set : n_room;
}

static bool ws_listener_is_full(const WsListener *listener, int fd) {
        size_t most = ws_listener_most(listener);
        rlim_t n_files = ws_listener_n_files();
        rlim_t n_spare = n_files / 4 < WS_LISTENER_SPARE ? n_files / 4 : WS_LISTENER_SPARE;

        ws_conns_set_room(listener->conns,
                          (int)listener->entrance,
                          most,
                          listener->options->share); /* which may have changed */
        return ws_conns_length(listener->conns, (int)listener->entrance) >= most ||
               (rlim_t)fd >= n_files - n_spare; /* a new one is the lowest that is free */
}

/* Says why, where it can be read: what the peer has sent is taken, lest the reset that it would
 * cause overtakes the answer. */
static void ws_listener_refuse(const WsListener *listener, int fd) {
        static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                     "Content-Type: application/problem+json\r\n"
                                     "Content-Length: 121\r\n"
                                     "Retry-After: 5\r\n"
                                     "Connection: close\r\n\r\n"
                                     "{\"type\":\"about:blank\",\"title\":\"Service "
                                     "Unavailable\",\"status\":503,\"detail\":\"Too many "
                                     "connections.\",\"code\":\"over_capacity\"}";
        char request[1024];

        if (!listener->tls) {
                (void)!recv(fd, request, sizeof(request), 0);
                (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
                (void)shutdown(fd, SHUT_WR);
        }
        (void)close(fd);
}

static void ws_listener_rest(WsListener *listener) {
        listener->is_resting = true;
        uv_poll_stop(&listener->poll);
        metric_add(METRIC_WS_REFUSED_CAPACITY, 1);
}

/* How long a peer may leave unanswered what is sent to it, 0 = as the kernel has it: so that its
 * place is free by the time that one which says nothing loses it. */
static int ws_listener_patience_ms(const WsOptions *options) {
        int left_ms = options->silence_ms - options->ping_interval_ms;

        left_ms = left_ms > options->silence_ms / 2 ? left_ms : options->silence_ms / 2;
        return left_ms > 0 ? left_ms : 0;
}

/* What is accepted has these from the socket that listens. Little stays in the kernel, so that a
 * slow viewer is not served minutes-old data. A peer that is not there any more is noticed by what
 * it does not acknowledge, be it data or a probe. */
static void ws_listener_tune(int fd, int patience_ms) {
        static const int on = 1, notsent = WS_LISTENER_NOTSENT, sndbuf = WS_LISTENER_SNDBUF;
        int third_s = patience_ms / 3000 > 0 ? patience_ms / 3000 : 1;
        int is_patient = patience_ms > 0;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof(notsent));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &third_s, sizeof(third_s));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &third_s, sizeof(third_s));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &is_patient, sizeof(is_patient));
}

static void ws_listener_admit(WsListener *listener, int fd, const struct sockaddr *peer) {
        const WsOptions *options = listener->options;
        int timeout_ms = options->handshake_timeout_ms;
        WsArrival arrival = {
                .fd = fd,
                .tls = listener->tls,
                .door = (int)listener->entrance,
                .deadline_ms = clock_mono_us() / 1000 +
                               (timeout_ms > 0 ? timeout_ms : WS_LISTENER_HANDSHAKE_MS),
        };
        char source[WS_ADDRESS_TEXT_SIZE];

        (void)ws_address_of(peer, &arrival.source);
        ws_address_text(&arrival.source, source);
        arrival.is_proxy = listener->entrance == WS_ENTRANCE_ALL &&
                           ws_proxies_trust(&options->proxies, source);
        arrival.has_preface = arrival.is_proxy && options->has_preface;
        if (ws_conn_open(listener->conns, &arrival) > 0) /* without memory it goes, others stay */
                ws_listener_refuse(listener, fd);
}

/* False: there is none, or there cannot be one now. */
static bool ws_listener_accept(WsListener *listener) {
        struct sockaddr_storage peer = { 0 };
        socklen_t n = sizeof(peer);
        int fd;

        fd = accept4(listener->fd,
                     (struct sockaddr *)(void *)&peer,
                     &n,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                        ws_listener_rest(listener);
                return errno == EINTR || errno == ECONNABORTED;
        }
        if (ws_listener_is_full(listener, fd)) {
                metric_add(METRIC_WS_REFUSED_CAPACITY, 1);
                ws_listener_refuse(listener, fd);
                return true;
        }
        ws_listener_admit(listener, fd, (struct sockaddr *)(void *)&peer);
        return true;
}

static void ws_listener_on_poll(uv_poll_t *poll, int status, int events) {
        WsListener *listener = poll->data;
        int patience_ms = ws_listener_patience_ms(listener->options);
        int64_t until_us = clock_mono_us() + WS_LISTENER_TURN_US;
        WsGreetingsLimits greetings = {
                .budget_us = listener->options->handshake_turn_ms * INT64_C(1000),
                .most = (size_t)listener->options->max_handshakes,
                .percent = listener->options->share,
        };

        (void)status, (void)events;
        ws_conns_set_greeting(listener->conns, &greetings);
        if (listener->patience_ms != patience_ms) { /* a reload */
                ws_listener_tune(listener->fd, patience_ms);
                listener->patience_ms = patience_ms;
        }
        while (ws_listener_accept(listener) && clock_mono_us() < until_us)
                continue;
}

void ws_listener_start(WsListener *listener, WsConns *conns, WsTls *tls) {
        listener->conns = conns;
        listener->tls = tls;
        listener->is_started = true;
        MUST(uv_poll_start(&listener->poll, UV_READABLE, ws_listener_on_poll));
}

void ws_listener_resume(WsListener *listener) {
        if (!listener->is_resting)
                return;
        listener->is_resting = false;
        MUST(uv_poll_start(&listener->poll, UV_READABLE, ws_listener_on_poll));
}

static void ws_listener_on_closed(uv_handle_t *handle) {
        WsListener *listener = handle->data;

        (void)close(listener->fd);
        free(listener);
}

void ws_listener_close(WsListener *listener) {
        uv_close((uv_handle_t *)&listener->poll, ws_listener_on_closed);
}

int ws_listener_port(const WsListener *listener) {
        return listener->port;
}

/* ---- how it is opened ---------------------------------------------------------------------- */

static int ws_listener_bind(const struct addrinfo *info) {
        static const int on = 1, off = 0;
        int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r;

        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (info->ai_family == AF_INET6) /* "*" means IPv4 as well */
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, WS_LISTENER_BACKLOG) == 0)
                return fd;
        r = -errno;
        (void)close(fd);
        return r;
}

/* A descriptor, or -errno. */
static int ws_listener_socket(const WsListen *address) {
        struct addrinfo hints = {
                .ai_family = address->is_ipv6 ? AF_INET6 : AF_INET,
                .ai_socktype = SOCK_STREAM,
                .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
        };
        struct addrinfo *found = NULL;
        char port[8];
        int fd;

        snprintf(port, sizeof(port), "%u", (unsigned)address->port & 0xffff);
        if (getaddrinfo(address->host[0] ? address->host : NULL, port, &hints, &found) != 0)
                return -EADDRNOTAVAIL;
        fd = ws_listener_bind(found);
        freeaddrinfo(found);
        return fd;
}

/* Everywhere, on a system without IPv6, is everywhere on IPv4. */
static int ws_listener_socket_anywhere(WsListen *address) {
        int fd = ws_listener_socket(address);

        if (fd >= 0 || !address->is_ipv6 || address->host[0] ||
            (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL))
                return fd;
        address->is_ipv6 = false;
        return ws_listener_socket(address);
}

static int ws_listener_bound_port(int fd) {
        struct sockaddr_storage address = { 0 };
        socklen_t n = sizeof(address);
        union {
                struct sockaddr_storage *any;
                struct sockaddr_in *v4;
                struct sockaddr_in6 *v6;
        } own = { .any = &address };

        if (getsockname(fd, (struct sockaddr *)(void *)&address, &n) != 0)
                return 0;
        return ntohs(address.ss_family == AF_INET6 ? own.v6->sin6_port : own.v4->sin_port);
}

static void ws_listener_cut(WsOptions *options) {
        rlim_t n_wanted =
                (rlim_t)options->max_connections + (rlim_t)options->max_http + WS_LISTENER_OTHERS;
        int n_wished = options->max_connections;
        struct rlimit limit;
        size_t n_room;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < n_wanted) {
                limit.rlim_cur = limit.rlim_max < n_wanted ? limit.rlim_max : n_wanted;
                (void)!setrlimit(RLIMIT_NOFILE, &limit);
        }
        n_room = ws_listener_room();
        if ((size_t)n_wished + (size_t)options->max_http <= n_room)
                return;
        if ((size_t)options->max_http > n_room / 4)
                options->max_http = (int)(n_room / 4);
        if ((size_t)n_wished > n_room - (size_t)options->max_http)
                options->max_connections = (int)(n_room - (size_t)options->max_http);
        log_write(options->max_connections < n_wished / 2 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                  "ws_few_files limit=%llu wanted=%llu sockets=%d",
                  (unsigned long long)ws_listener_n_files(),
                  (unsigned long long)n_wanted,
                  options->max_connections);
}

void ws_listener_fit(WsOptions *options) {
        ws_listener_cut(options);
        metric_set(METRIC_LIMIT_SOCKETS, options->max_connections);
}

int ws_listener_open(WsListener **ret_listener,
                     struct uv_loop_s *loop,
                     const WsOptions *options,
                     const char *listen,
                     WsEntrance entrance) {
        WsListener *listener;
        WsListen address;
        int fd;

        if (ws_options_listen(listen, &address) > 0) {
                log_error("ws_bad_address listen=\"%s\"", listen ? listen : "");
                return WS_LISTENER_E_START;
        }
        fd = ws_listener_socket_anywhere(&address);
        if (fd < 0) {
                log_error("ws_cannot_listen listen=\"%s\" error=\"%s\"",
                          listen,
                          strerrordesc_np(-fd));
                return WS_LISTENER_E_START;
        }
        listener = calloc(1, sizeof(*listener));
        if (!listener || uv_poll_init(loop, &listener->poll, fd) != 0) {
                (void)close(fd);
                free(listener);
                return err_new(-ENOMEM);
        }
        listener->poll.data = listener;
        listener->fd = fd;
        listener->entrance = entrance;
        listener->options = options;
        listener->port = ws_listener_bound_port(fd);
        listener->patience_ms = ws_listener_patience_ms(options);
        ws_listener_tune(fd, listener->patience_ms);
        *ret_listener = listener;
        return 0;
}
