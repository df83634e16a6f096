#include "ws/listener.h"

#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "ws/options.h"

#define WS_LISTENER_HEADER_BYTES 16384
#define WS_LISTENER_KEEP_S       15 /* an idle HTTP connection */
#define WS_LISTENER_HANDSHAKE_S  10 /* where the options do not say */
#define WS_LISTENER_LATER_S      5
#define WS_LISTENER_NOTSENT      16384 /* bytes the kernel keeps unsent before it says stop */
#define WS_LISTENER_SNDBUF       65536

/* Little stays in the kernel, so that a slow viewer is not served minutes-old data. */
void ws_listener_tune(int fd) {
        static const int one = 1, notsent = WS_LISTENER_NOTSENT, sndbuf = WS_LISTENER_SNDBUF;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof(notsent));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
}

/* lws sizes its tables by this limit, and scans them if it is told a smaller one. */
static void ws_listener_raise_limit(const WsOptions *options) {
        rlim_t want = (rlim_t)options->max_connections + 2 * (rlim_t)WS_LISTENER_SPARE;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
                return;

        limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want)
                log_warning("ws_few_files limit=%llu wanted=%llu",
                            (unsigned long long)limit.rlim_cur,
                            (unsigned long long)want);
}

/* While it starts, what lws complains of is why it does not. */
static void ws_listener_on_start_log(int level, const char *line) {
        log_error("lws level=%d text=\"%.*s\"", level, (int)strcspn(line, "\n\""), line);
}

/* Later on it complains of its peers, who are many. */
static void ws_listener_on_log(int level, const char *line) {
        log_debug("lws level=%d text=\"%.*s\"", level, (int)strcspn(line, "\n\""), line);
}

static void ws_listener_describe(const WsListening *listening,
                                 const WsListen *address,
                                 struct lws_context_creation_info *info) {
        const WsOptions *options = listening->options;

        info->port = address->port;
        info->iface = address->host[0] ? address->host : NULL;
        info->protocols = listening->protocols;
        info->extensions = listening->extensions;
        info->user = listening->user;
        info->pcontext = listening->lws;
        info->alpn = "http/1.1";
        info->max_http_header_data = WS_LISTENER_HEADER_BYTES;
        info->timeout_secs = WS_LISTENER_LATER_S + /* arrivals.c is to be the first */
                             (options->handshake_timeout_ms > 0
                                      ? (unsigned)(options->handshake_timeout_ms + 999) / 1000
                                      : WS_LISTENER_HANDSHAKE_S);
        info->timeout_secs_ah_idle = info->timeout_secs;
        info->keepalive_timeout = WS_LISTENER_KEEP_S;
        info->server_string = "tidegate";
        info->options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
        if (!address->is_ipv6)
                info->options |= LWS_SERVER_OPTION_DISABLE_IPV6;
        if (options->tls_cert && options->tls_key) {
                info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
                info->ssl_cert_filepath = options->tls_cert;
                info->ssl_private_key_filepath = options->tls_key;
        }
}

static bool ws_listener_can_read(const char *path) {
        if (!path || access(path, R_OK) == 0)
                return true;

        log_error("ws_cannot_read file=\"%s\" error=\"%s\"", path, strerrordesc_np(errno));
        return false;
}

static int ws_listener_create(WsListening *listening, const WsListen *address, int *ret_port) {
        struct lws_context_creation_info info = { 0 };
        void *loops[] = { listening->loop };
        struct lws_vhost *vhost;

        lws_set_log_level(LLL_ERR, ws_listener_on_start_log);
        ws_listener_describe(listening, address, &info);
        info.foreign_loops = loops;
        *listening->lws = lws_create_context(&info);
        lws_set_log_level(LLL_ERR | LLL_WARN, ws_listener_on_log);
        vhost = *listening->lws ? lws_get_vhost_by_name(*listening->lws, "default") : NULL;
        if (!vhost) { /* a port in use leaves a context without its vhost */
                log_error("ws_cannot_listen listen=\"%s\" tls=%d",
                          listening->options->listen,
                          listening->options->tls_cert != NULL);
                return WS_LISTENER_E_BROKEN;
        }

        *ret_port = lws_get_vhost_listen_port(vhost);
        return 0;
}

int ws_listener_open(WsListening *listening, int *ret_port) {
        const char *listen = listening->options->listen;
        WsListen address;
        int r;

        if (ws_options_listen(listen, &address) > 0) {
                log_error("ws_bad_address listen=\"%s\"", listen ? listen : "");
                return WS_LISTENER_E_START;
        }

        r = ws_options_probe(&address);
        if (r < 0) {
                log_error("ws_cannot_listen listen=\"%s\" error=\"%s\"",
                          listen,
                          strerrordesc_np(-r));
                return WS_LISTENER_E_START;
        }

        if (!ws_listener_can_read(listening->options->tls_cert) ||
            !ws_listener_can_read(listening->options->tls_key))
                return WS_LISTENER_E_START;
        ws_listener_raise_limit(listening->options);
        return ws_listener_create(listening, &address, ret_port);
}
