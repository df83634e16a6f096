#include "gateway/uplink/link.h"

#include <endian.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"

#define LINK_GUID      "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define LINK_HEAD_MAX  ((size_t)16 * 1024) /* of the answer to the upgrade */
#define LINK_IN_MAX    (UPLINK_FRAME_HEAD + UPLINK_MESSAGE_MAX)
#define LINK_READ      ((size_t)16 * 1024)
#define LINK_HOST_SIZE 256
#define LINK_KEY_BYTES 16
#define LINK_CLOSE_MAX 126 /* of what is said in a frame that closes, and a NUL */

typedef struct LinkUrl LinkUrl;

struct LinkUrl {
        bool is_tls;
        char host[LINK_HOST_SIZE]; /* without brackets */
        char port[8];
        Text authority; /* as it is in the URL */
        const char *path;
};

struct UplinkLink {
        int fd;
        SSL_CTX *context;
        SSL *ssl; /* NULL: plain */
        Buf out;
        size_t n_out; /* of it that is sent */
        Buf in;
        size_t n_in; /* of it that is taken */
        UplinkFrames frames;
        int64_t until_us; /* monotonic; of opening */
        int wake_fd;
};

/* ---- the URL ---- */

static bool link_take_port(const char *text, size_t n, LinkUrl *url) {
        if (n == 0 || n >= sizeof(url->port) || strspn(text, "0123456789") < n)
                return false;
        memcpy(url->port, text, n);
        url->port[n] = '\0';
        return true;
}

static bool link_parse(const char *text, LinkUrl *ret_url) {
        const char *host, *end, *close, *colon;
        size_t n;

        *ret_url = (LinkUrl){ .is_tls = strncmp(text, "wss://", 6) == 0 };
        if (!ret_url->is_tls && strncmp(text, "ws://", 5) != 0)
                return false;
        host = strstr(text, "://") + 3;
        end = strchr(host, '/');
        if (!end || strpbrk(text, " @?#\r\n\t\"\\"))
                return false;
        ret_url->path = end;
        ret_url->authority = (Text){ host, (size_t)(end - host) };
        close = *host == '[' ? memchr(host, ']', ret_url->authority.n) : NULL;
        colon = close ? close + 1 : memchr(host, ':', ret_url->authority.n);
        if (*host == '[' && !close)
                return false;
        n = close ? (size_t)(close - host) - 1 : (size_t)((colon ? colon : end) - host);
        if (n == 0 || n >= sizeof(ret_url->host))
                return false;
        memcpy(ret_url->host, close ? host + 1 : host, n);
        if (!colon || colon == end)
                return link_take_port(ret_url->is_tls ? "443" : "80",
                                      ret_url->is_tls ? 3 : 2,
                                      ret_url);
        return *colon == ':' && link_take_port(colon + 1, (size_t)(end - colon) - 1, ret_url);
}

bool uplink_link_is_url(const char *url) {
        LinkUrl parsed;

        return link_parse(url, &parsed);
}

/* ---- waiting, while it is opened ---- */

static int link_why(char *ret_why, const char *what, const char *detail) {
        snprintf(ret_why, UPLINK_LINK_WHY, "%s%s%s", what, *detail ? ": " : "", detail);
        return UPLINK_LINK_E_DOWN;
}

static int link_why_tls(char *ret_why, const char *what) {
        char detail[UPLINK_LINK_WHY / 2];
        unsigned long code = ERR_get_error();

        *detail = '\0';
        if (code != 0)
                ERR_error_string_n(code, detail, sizeof(detail));
        ERR_clear_error();
        return link_why(ret_why, what, detail);
}

static int link_wait(const UplinkLink *link, short events, char *ret_why) {
        struct pollfd fds[2] = { { .fd = link->fd, .events = events },
                                 { .fd = link->wake_fd, .events = POLLIN } };
        int64_t left_us = link->until_us - clock_mono_us();

        if (left_us <= 0 || poll(fds, 2, (int)(left_us / 1000) + 1) == 0)
                return link_why(ret_why, "it took too long", "");
        if (fds[1].revents)
                return link_why(ret_why, "it is not wanted any more", "");
        return 0;
}

/* ---- bytes ---- */

static short link_wants(UplinkLink *link, int n) {
        int what = SSL_get_error(link->ssl, n);

        if (what == SSL_ERROR_WANT_READ)
                return POLLIN;
        return what == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

/* -1: not now; -2: it is over. */
static ssize_t link_read(UplinkLink *link, void *data, size_t n) {
        ssize_t got;

        if (link->ssl) {
                ERR_clear_error();
                got = SSL_read(link->ssl, data, (int)n);
                if (got > 0)
                        return got;
                return link_wants(link, (int)got) ? -1 : -2;
        }
        got = recv(link->fd, data, n, 0);
        if (got > 0)
                return got;
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : -2;
}

static ssize_t link_write(UplinkLink *link, const void *data, size_t n) {
        ssize_t put;

        if (link->ssl) {
                ERR_clear_error();
                put = SSL_write(link->ssl, data, (int)n);
                if (put > 0)
                        return put;
                return link_wants(link, (int)put) ? -1 : -2;
        }
        put = send(link->fd, data, n, MSG_NOSIGNAL);
        if (put >= 0)
                return put;
        return errno == EAGAIN || errno == EINTR ? -1 : -2;
}

/* What is sent goes once it is the larger part: on a slow link there is always something left. */
static void link_tidy(UplinkLink *link) {
        size_t left = link->out.n - link->n_out;

        if (left > link->n_out)
                return;
        memmove(link->out.data, link->out.data + link->n_out, left);
        link->out.n = left;
        link->n_out = 0;
}

static int link_flush(UplinkLink *link, char *ret_why) {
        while (link->n_out < link->out.n) {
                ssize_t n =
                        link_write(link, link->out.data + link->n_out, link->out.n - link->n_out);

                if (n == -1) {
                        link_tidy(link);
                        return 0;
                }
                if (n < 0)
                        return link_why(ret_why, "the connection broke", "");
                link->n_out += (size_t)n;
        }
        buf_reset(&link->out);
        link->n_out = 0;
        return 0;
}

static int link_fill(UplinkLink *link, char *ret_why) {
        char piece[LINK_READ];

        if (link->n_in > 0) {
                memmove(link->in.data, link->in.data + link->n_in, link->in.n - link->n_in);
                link->in.n -= link->n_in;
                link->n_in = 0;
        }
        while (link->in.n < LINK_IN_MAX) {
                ssize_t n = link_read(link, piece, sizeof(piece));

                if (n == -1)
                        return 0;
                if (n < 0)
                        return link_why(ret_why, "the connection broke", "");
                buf_append(&link->in, piece, (size_t)n);
                if (buf_failed(&link->in))
                        return err_new(-ENOMEM);
        }
        return 0;
}

/* ---- opening ---- */

static int link_try_address(UplinkLink *link, const struct addrinfo *address, char *ret_why) {
        socklen_t n = sizeof(int);
        int error = 0, one = 1, r;

        link->fd = socket(address->ai_family,
                          SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->ai_protocol);
        if (link->fd < 0)
                return link_why(ret_why, "no socket", err_text(-errno));
        (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(link->fd, address->ai_addr, address->ai_addrlen) == 0)
                return 0;
        r = errno == EINPROGRESS ? link_wait(link, POLLOUT, ret_why)
                                 : link_why(ret_why, "cannot connect", err_text(-errno));
        if (r == 0 && getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error != 0)
                r = link_why(ret_why, "cannot connect", err_text(-error));
        if (r == 0)
                return 0;
        (void)close(link->fd);
        link->fd = -1;
        return r;
}

static int link_connect(UplinkLink *link, const LinkUrl *url, char *ret_why) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *list;
        int r;

        r = getaddrinfo(url->host, url->port, &hints, &list);
        if (r != 0)
                return link_why(ret_why, "the name is not known", gai_strerror(r));
        r = UPLINK_LINK_E_DOWN;
        for (const struct addrinfo *one = list; one && r == UPLINK_LINK_E_DOWN; one = one->ai_next)
                r = link_try_address(link, one, ret_why);
        freeaddrinfo(list);
        return r;
}

static bool link_trust(const UplinkLink *link, const UplinkLinkOptions *options) {
        if (!options->verify)
                return true;
        SSL_CTX_set_verify(link->context, SSL_VERIFY_PEER, NULL);
        if (options->ca_file && *options->ca_file)
                return SSL_CTX_load_verify_locations(link->context, options->ca_file, NULL) == 1;
        return SSL_CTX_set_default_verify_paths(link->context) == 1;
}

/* The certificate has to be of that name, or address. */
static bool link_expect(UplinkLink *link, const UplinkLinkOptions *options, LinkUrl *url) {
        X509_VERIFY_PARAM *param = SSL_get0_param(link->ssl);
        bool is_address =
                strchr(url->host, ':') || url->host[strspn(url->host, "0123456789.")] == '\0';

        if (!is_address && SSL_set_tlsext_host_name(link->ssl, url->host) != 1)
                return false;
        if (!options->verify)
                return true;
        return is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, url->host) == 1
                          : SSL_set1_host(link->ssl, url->host) == 1;
}

static int link_shake(UplinkLink *link, char *ret_why) {
        for (;;) {
                int n = SSL_connect(link->ssl);
                short events;
                int r;

                if (n == 1)
                        return 0;
                events = link_wants(link, n);
                if (events == 0)
                        return link_why_tls(ret_why, "TLS failed");
                r = link_wait(link, events, ret_why);
                if (r != 0)
                        return r;
        }
}

static int link_secure(UplinkLink *link,
                       const UplinkLinkOptions *options,
                       LinkUrl *url,
                       char *ret_why) {
        if (!url->is_tls)
                return 0;
        ERR_clear_error();
        link->context = SSL_CTX_new(TLS_client_method());
        if (!link->context)
                return err_new(-ENOMEM);
        (void)SSL_CTX_set_min_proto_version(link->context, TLS1_2_VERSION);
        SSL_CTX_set_mode(link->context,
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        if (!link_trust(link, options))
                return link_why_tls(ret_why, "uplink.ca_file cannot be used");
        link->ssl = SSL_new(link->context);
        if (!link->ssl || SSL_set_fd(link->ssl, link->fd) != 1)
                return err_new(-ENOMEM);
        if (!link_expect(link, options, url))
                return link_why_tls(ret_why, "the name cannot be checked");
        return link_shake(link, ret_why);
}

static int link_ask(UplinkLink *link,
                    const UplinkLinkOptions *options,
                    const LinkUrl *url,
                    char *ret_key) {
        uint8_t key[LINK_KEY_BYTES];
        int r;

        r = secret_random(key, sizeof(key));
        if (r != 0)
                return err_up(r);
        base64_write(BASE64_PLAIN, key, sizeof(key), ret_key);
        buf_printf(&link->out, "GET %s HTTP/1.1\r\nHost: ", url->path);
        buf_append_text(&link->out, url->authority);
        buf_printf(&link->out,
                   "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: %s==\r\nUser-Agent: tidegate/" TIDEGATE_VERSION "\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   ret_key,
                   options->token);
        return buf_failed(&link->out) ? err_new(-ENOMEM) : 0;
}

/* What the answer has to have for that key: SHA-1 of it and a constant, RFC 6455. */
static bool link_is_answer(const char *head, const char *key) {
        char text[96], expected[64];
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned n_digest = 0;
        int n = snprintf(text, sizeof(text), "%s==" LINK_GUID, key);
        const char *said = strcasestr(head, "\nsec-websocket-accept:");

        if (!said || EVP_Digest(text, (size_t)n, digest, &n_digest, EVP_sha1(), NULL) != 1)
                return false;
        base64_write(BASE64_PLAIN, digest, n_digest, expected);
        said += strlen("\nsec-websocket-accept:");
        said += strspn(said, " ");
        return strncmp(said, expected, strlen(expected)) == 0;
}

/* Nobody is followed elsewhere with a token, but where he was to go is said. */
static int link_refused(const char *head, const char *line, char *ret_why) {
        static const char name[] = "\nlocation:";
        const char *location = strcasestr(head, name);
        char text[UPLINK_LINK_WHY - 16];

        if (!location)
                return link_why(ret_why, "refused", line);
        location += strlen(name);
        location += strspn(location, " ");
        snprintf(text,
                 sizeof(text),
                 "%s, location %.*s",
                 line,
                 (int)strcspn(location, "\r\n"),
                 location);
        return link_why(ret_why, "refused", text);
}

/* The head of the answer, once all of it is there; what is behind it stays. */
static int link_hear(UplinkLink *link, const char *key, char *ret_why) {
        char *end = link->in.data ? memmem(link->in.data, link->in.n, "\r\n\r\n", 4) : NULL;
        char line[64];

        if (!end && link->in.n > LINK_HEAD_MAX)
                return link_why(ret_why, "the answer is none of HTTP", "");
        if (!end)
                return -EAGAIN;
        *end = '\0';
        link->n_in = (size_t)(end - link->in.data) + 4;
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(link->in.data, "\r\n"), link->in.data);
        if (strncmp(link->in.data, "HTTP/1.1 101", 12) != 0)
                return link_refused(link->in.data, line, ret_why);
        if (!link_is_answer(link->in.data, key))
                return link_why(ret_why, "the answer is none of a WebSocket", "");
        return 0;
}

static int link_upgrade(UplinkLink *link,
                        const UplinkLinkOptions *options,
                        const LinkUrl *url,
                        char *ret_why) {
        char key[BASE64_SIZE(LINK_KEY_BYTES)], broke[UPLINK_LINK_WHY];
        int r, down = 0;

        r = link_ask(link, options, url, key);
        while (r == 0) {
                r = link_flush(link, ret_why);
                if (r == 0)
                        r = down = link_fill(link, broke);
                if (r < 0)
                        return err_up(r);
                r = link_hear(link, key, ret_why);
                if (r != -EAGAIN)
                        return r;
                if (down != 0)
                        return link_why(ret_why, broke, "");
                r = link_wait(link, uplink_link_events(link), ret_why);
        }
        return r < 0 ? err_up(r) : r;
}

int uplink_link_open(UplinkLink **ret_link,
                     const UplinkLinkOptions *options,
                     char ret_why[static UPLINK_LINK_WHY]) {
        CLEANUP(uplink_link_free) UplinkLink *link = calloc(1, sizeof(*link));
        LinkUrl url;
        int r;

        *ret_why = '\0';
        if (!link)
                return err_new(-ENOMEM);
        link->fd = -1;
        link->wake_fd = options->wake_fd;
        link->until_us = clock_mono_us() + options->timeout_ms * INT64_C(1000);
        if (!link_parse(options->url, &url))
                return link_why(ret_why, "uplink.url is none", "");
        r = link_connect(link, &url, ret_why);
        if (r == 0)
                r = link_secure(link, options, &url, ret_why);
        if (r == 0)
                r = link_upgrade(link, options, &url, ret_why);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_link = TAKE(&link);
        return 0;
}

UplinkLink *uplink_link_free(UplinkLink *link) {
        if (!link)
                return NULL;
        SSL_free(link->ssl);
        SSL_CTX_free(link->context);
        if (link->fd >= 0)
                (void)close(link->fd);
        if (link->out.data)
                secret_wipe(link->out.data, link->out.capacity); /* the token was in it */
        buf_done(&link->out);
        buf_done(&link->in);
        uplink_frames_done(&link->frames);
        free(link);
        return NULL;
}

/* ---- messages ---- */

int uplink_link_fd(const UplinkLink *link) {
        return link->fd;
}

short uplink_link_events(const UplinkLink *link) {
        return (short)(POLLIN | (link->n_out < link->out.n ? POLLOUT : 0));
}

size_t uplink_link_unsent(const UplinkLink *link) {
        return link->out.n - link->n_out;
}

int uplink_link_send(UplinkLink *link, UplinkOpcode opcode, Text payload) {
        uint8_t mask[4];
        int r;

        r = secret_random(mask, sizeof(mask));
        if (r != 0)
                return err_up(r);
        uplink_frame_write(&link->out, opcode, payload, mask);
        return buf_failed(&link->out) ? err_new(-ENOMEM) : 0;
}

/* It is told why, as far as it takes that at once. */
static int link_refuse(UplinkLink *link, char *ret_why) {
        const char *fault = link->frames.fault;
        char said[LINK_CLOSE_MAX];
        int n = snprintf(said,
                         sizeof(said),
                         "%c%c%s",
                         link->frames.code >> 8,
                         link->frames.code & 0xff,
                         fault);
        int r = uplink_link_send(link, UPLINK_CLOSE, (Text){ said, (size_t)n });

        if (r == 0)
                r = link_flush(link, ret_why);
        if (r < 0)
                return err_up(r);
        return link_why(ret_why, "it sent what cannot be", fault);
}

int uplink_link_turn(UplinkLink *link, char ret_why[static UPLINK_LINK_WHY]) {
        int r;

        if (link->frames.fault)
                return link_refuse(link, ret_why);
        r = link_flush(link, ret_why);
        if (r == 0)
                r = link_fill(link, ret_why);
        return r < 0 ? err_up(r) : r;
}

bool uplink_link_next(UplinkLink *link, UplinkOpcode *ret_opcode, Text *ret_payload) {
        Text bytes = { link->in.data + link->n_in, link->in.n - link->n_in };
        bool is_there = uplink_frames_next(&link->frames, &bytes, ret_opcode, ret_payload);

        link->n_in = link->in.n - bytes.n;
        return is_there;
}
