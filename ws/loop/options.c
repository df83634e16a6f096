#include "ws/loop/options.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"
#include "ws/loop/site.h"

#define WS_OPTIONS_N_STRINGS    15
#define WS_OPTIONS_HANDSHAKE_MS 5
#define WS_OPTIONS_HANDSHAKES   1024
#define WS_OPTIONS_SHARE        50
#define WS_OPTIONS_CHANGES      120
#define WS_OPTIONS_HTTP         1024
#define WS_OPTIONS_LOGINS       4096
#define WS_OPTIONS_TICKETS      4096
#define WS_OPTIONS_TICKETS_USER 16
#define WS_OPTIONS_BODIES       (64 << 20)

/* The strings of @options, in one order for every copy. */
static void ws_options_strings(WsOptions *options, const char **ret[WS_OPTIONS_N_STRINGS]) {
        const char **const strings[WS_OPTIONS_N_STRINGS] = {
                &options->listen,
                &options->health_listen,
                &options->tls_cert,
                &options->tls_key,
                &options->trusted_proxies,
                &options->allowed_origins,
                &options->epoch,
                &options->version,
                &options->welcome,
                &options->timezone,
                &options->dashboard,
                &options->dashboard_hosts,
                &options->dashboard_tiles,
                &options->dashboard_style,
                &options->dashboard_attribution,
        };

        memcpy(ret, strings, sizeof(strings));
}

static void ws_options_at_least(int *value, int least) {
        if (*value < least)
                *value = least;
}

/* Without a dashboard everything else is as useful as ever. */
static int ws_options_read_site(WsOptions *options) {
        const WsSiteOptions wanted = { .folder = options->dashboard,
                                       .hosts = options->dashboard_hosts,
                                       .max_files = options->dashboard_files,
                                       .max_bytes = options->dashboard_bytes };
        int r;

        if (!options->dashboard || !*options->dashboard)
                return 0;
        r = ws_site_read(&options->site, &wanted);
        if (r < 0)
                return err_up(r);
        metric_add(METRIC_DASHBOARD_REFUSED, r > WS_SITE_E_NONE);
        if (r > WS_SITE_E_NONE)
                log_warning("dashboard_not_served folder=\"%s\" why=\"%s\"",
                            options->dashboard,
                            ws_site_why(r));
        else if (r == 0)
                log_info("dashboard_served folder=\"%s\" files=%zu bytes=%zu",
                         options->dashboard,
                         ws_site_n_files(options->site),
                         ws_site_n_bytes(options->site));
        return 0;
}

/* What its texts mean. */
static int ws_options_understand(WsOptions *options) {
        if (options->timezone && zone_new(&options->zone, options->timezone) < 0)
                return err_new(-ENOMEM);
        if (ws_proxies_read(&options->proxies, options->trusted_proxies) != 0)
                options->proxies.n = 0; /* nobody's word: the configuration was checked before */
        return err_up(ws_options_read_site(options));
}

int ws_options_copy(WsOptions *ret_options, const WsOptions *options) {
        const char **strings[WS_OPTIONS_N_STRINGS];
        WsOptions copy = *options;
        bool failed = false;
        int r;

        copy.zone = NULL;
        copy.site = NULL;
        ws_options_strings(&copy, strings);
        for (size_t i = 0; i < WS_OPTIONS_N_STRINGS; ++i) {
                if (!*strings[i])
                        continue;
                *strings[i] = strdup(*strings[i]);
                failed |= !*strings[i];
        }
        if (failed) {
                ws_options_done(&copy);
                return err_new(-ENOMEM);
        }

        r = ws_options_understand(&copy);
        if (r < 0) {
                ws_options_done(&copy);
                return err_up(r);
        }
        if (copy.share <= 0)
                copy.share = WS_OPTIONS_SHARE;
        if (copy.handshake_turn_ms <= 0)
                copy.handshake_turn_ms = WS_OPTIONS_HANDSHAKE_MS;
        if (copy.max_handshakes <= 0)
                copy.max_handshakes = WS_OPTIONS_HANDSHAKES;
        if (copy.max_http <= 0)
                copy.max_http = WS_OPTIONS_HTTP;
        if (copy.bodies_bytes == 0)
                copy.bodies_bytes = WS_OPTIONS_BODIES;
        if (copy.bodies_bytes < 4 * copy.max_body_bytes) /* the largest fits into a share */
                copy.bodies_bytes = 4 * copy.max_body_bytes;
        if (copy.known_logins <= 0)
                copy.known_logins = WS_OPTIONS_LOGINS;
        if (copy.tickets <= 0)
                copy.tickets = WS_OPTIONS_TICKETS;
        if (copy.tickets_per_user <= 0)
                copy.tickets_per_user = WS_OPTIONS_TICKETS_USER;
        if (copy.changes_per_min <= 0)
                copy.changes_per_min = WS_OPTIONS_CHANGES;
        ws_options_at_least(&copy.ping_interval_ms, 20);
        ws_options_at_least(&copy.silence_ms, 20);
        ws_options_at_least(&copy.slow_ms, 1);
        ws_options_at_least(&copy.stats_interval_ms, 20);
        ws_options_at_least(&copy.max_connections, 0);
        ws_options_at_least(&copy.max_connections_per_user, 0);
        ws_options_at_least(&copy.max_subscriptions, 0);
        ws_options_at_least(&copy.max_paced, 0);
        ws_options_at_least(&copy.max_set, 1);
        ws_options_at_least(&copy.max_playbacks, 0);
        ws_options_at_least(&copy.progress_ms, 100);
        ws_options_at_least(&copy.replay_events, 0);
        *ret_options = copy;
        return 0;
}

void ws_options_done(WsOptions *options) {
        const char **strings[WS_OPTIONS_N_STRINGS];

        options->zone = zone_free(options->zone);
        options->site = ws_site_free(options->site);
        ws_options_strings(options, strings);
        for (size_t i = 0; i < WS_OPTIONS_N_STRINGS; ++i) {
                union {
                        const char *borrowed;
                        char *owned;
                } string = { .borrowed = *strings[i] };

                free(string.owned);
                *strings[i] = NULL;
        }
}

/* Splits host:port or [host]:port. False: it is neither. */
static bool ws_options_split(const char *listen, char ret_host[256], int *ret_port) {
        const char *colon = strrchr(listen, ':');
        size_t n = colon ? (size_t)(colon - listen) : 0;
        char *end = NULL;
        long port;

        if (!colon || n >= 256)
                return false;

        errno = 0;
        port = strtol(colon + 1, &end, 10);
        if (end == colon + 1 || *end || errno != 0 || port < 0 || port > 65535)
                return false;
        if (listen[0] == '[' && n >= 2 && listen[n - 1] == ']') {
                ++listen;
                n -= 2;
        } else if (memchr(listen, ':', n)) {
                return false; /* an IPv6 address without brackets */
        }

        memcpy(ret_host, listen, n);
        ret_host[n] = '\0';
        *ret_port = (int)port;
        return true;
}

int ws_options_listen(const char *listen, WsListen *ret_address) {
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
        struct addrinfo *found = NULL;
        WsListen address = { 0 };
        char host[256];
        int r;

        if (!listen || !ws_options_split(listen, host, &address.port))
                return WS_OPTIONS_E_LISTEN;
        if (host[0] == '\0' || strcmp(host, "*") == 0) {
                address.is_ipv6 = true;
                *ret_address = address;
                return 0;
        }

        if (getaddrinfo(host, NULL, &hints, &found) != 0)
                return WS_OPTIONS_E_LISTEN;
        address.is_ipv6 = found->ai_family == AF_INET6;
        r = getnameinfo(found->ai_addr,
                        found->ai_addrlen,
                        address.host,
                        sizeof(address.host),
                        NULL,
                        0,
                        NI_NUMERICHOST);
        freeaddrinfo(found);
        if (r != 0)
                return WS_OPTIONS_E_LISTEN;

        *ret_address = address;
        return 0;
}

static bool ws_options_same(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

bool ws_options_same_place(const WsOptions *a, const WsOptions *b) {
        return ws_options_same(a->tls_cert, b->tls_cert) &&
               ws_options_same(a->tls_key, b->tls_key) &&
               ws_options_same(a->health_listen, b->health_listen) &&
               ws_options_same(a->listen, b->listen);
}
