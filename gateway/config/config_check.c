#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/secret.h"
#include "gateway/config/config_table.h"
#include "ws/access/keys.h"
#include "ws/net/tls.h"

#define SEGMENT_DEFAULT UINT64_C(16777216)
#define RESERVE_DEFAULT UINT64_C(67108864)
#define WATCHDOG_MIN_MS 1000

DEFINE_CLEANUP(char *, free);

/* Sets the loader to blame the origin of a key. */
static const ConfigText *config_blame(ConfigLoader *loader, const char *section, const char *name) {
        const ConfigText *text = config_text(loader->config, section, name);

        loader->origin = text->origin;
        return text;
}

static void config_check_pair(ConfigLoader *loader,
                              const char *section,
                              const char *one,
                              const char *other) {
        const char *given = config_text(loader->config, section, one)->text;
        const char *needed = config_text(loader->config, section, other)->text;

        if (!given || !*given || (needed && *needed))
                return;
        (void)config_blame(loader, section, one);
        config_error(loader, section, one, "needs %s.%s as well", section, other);
}

static void config_check_word(ConfigLoader *loader,
                              const char *name,
                              const char *allowed,
                              size_t n_max,
                              const char *what) {
        const char *text = config_text(loader->config, "cluster", name)->text;

        if (!text || (*text == '\0' && strcmp(name, "name") != 0) ||
            (*text && strlen(text) <= n_max && text[strspn(text, allowed)] == '\0'))
                return;
        (void)config_blame(loader, "cluster", name);
        config_error(loader, "cluster", name, "%s", what);
}

#define WORD_LOWER "abcdefghijklmnopqrstuvwxyz0123456789-"
#define WORD_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What others are shown, and what sessions at the broker are made of. */
static void config_check_cluster(ConfigLoader *loader) {
        config_check_word(loader, "name", WORD_LOWER, 32, "allowed: up to 32 of a-z, 0-9 and -");
        config_check_word(loader,
                          "node",
                          WORD_LOWER WORD_UPPER "._",
                          64,
                          "allowed: up to 64 of A-Z, a-z, 0-9, . _ and -");
        config_check_word(loader,
                          "advertise",
                          WORD_LOWER WORD_UPPER "._:/[]%",
                          255,
                          "allowed: a URL or host:port, up to 255 characters, without spaces");
        if (loader->config->cluster_slots > 1 && loader->config->mqtt.client_id)
                config_error(loader,
                             "mqtt",
                             "client_id",
                             "with cluster.slots each slot has a session of its own, named after "
                             "cluster.name");
}

/* Sizes that nobody gave follow the one that somebody did. */
static void config_fit_journal(ConfigLoader *loader) {
        JournalOptions *journal = &loader->config->journal;
        uint64_t segment = journal->max_bytes / 16, reserve = journal->max_bytes / 4;

        segment = segment > 65536 ? segment & ~UINT64_C(4095) : 65536;
        if (!config_text(loader->config, "journal", "segment_bytes")->text)
                journal->segment_bytes = segment < SEGMENT_DEFAULT ? segment : SEGMENT_DEFAULT;
        if (!config_text(loader->config, "journal", "reserve_bytes")->text)
                journal->reserve_bytes = reserve < RESERVE_DEFAULT ? reserve : RESERVE_DEFAULT;

        if (journal->segment_bytes > journal->max_bytes / 8) {
                (void)config_blame(loader, "journal", "segment_bytes");
                config_error(loader,
                             "journal",
                             "segment_bytes",
                             "more than an eighth of journal.max_bytes; allowed: up to %llu",
                             (unsigned long long)(journal->max_bytes / 8));
        }
        if (journal->reserve_bytes > journal->max_bytes / 2) {
                (void)config_blame(loader, "journal", "reserve_bytes");
                config_error(loader,
                             "journal",
                             "reserve_bytes",
                             "more than half of journal.max_bytes; allowed: up to %llu",
                             (unsigned long long)(journal->max_bytes / 2));
        }
}

/* An algorithm without its key verifies nothing; a key without its algorithm is a mistake. */
static void config_check_auth(ConfigLoader *loader) {
        const WsAuthOptions *auth = &loader->config->auth;
        bool hs = strstr(auth->algorithms, "HS256") != NULL;
        bool public = strstr(auth->algorithms, "RS256") || strstr(auth->algorithms, "ES256");

        if (auth->jwt_secret_file && !hs) {
                (void)config_blame(loader, "auth", "jwt_secret_file");
                config_error(loader,
                             "auth",
                             "jwt_secret_file",
                             "is set, but auth.algorithms has no HS256");
        }
        if (auth->jwt_public_key_file && !public) {
                (void)config_blame(loader, "auth", "jwt_public_key_file");
                config_error(loader,
                             "auth",
                             "jwt_public_key_file",
                             "is set, but auth.algorithms has neither RS256 nor ES256");
        }
        if (!ws_auth_is_subject_type(auth->subject_type)) {
                (void)config_blame(loader, "auth", "subject_type");
                config_error(loader, "auth", "subject_type", "unknown; allowed: any, name, id");
        }
        if (public && !auth->jwt_public_key_file) {
                (void)config_blame(loader, "auth", "algorithms");
                config_error(loader,
                             "auth",
                             "algorithms",
                             "RS256 and ES256 need auth.jwt_public_key_file");
        }
}

/* The one of two keys that was given is to blame for what they are together; of both, the first. */
static void config_blame_one_of(ConfigLoader *loader,
                                const char *section,
                                const char *one,
                                const char *other) {
        if (!config_blame(loader, section, one)->origin)
                (void)config_blame(loader, section, other);
}

static void config_check_order(ConfigLoader *loader,
                               const char *section,
                               const char *low_name,
                               int low,
                               const char *high_name,
                               int high) {
        if (low <= high)
                return;
        config_blame_one_of(loader, section, low_name, high_name);
        config_error(loader, section, low_name, "is above %s.%s", section, high_name);
}

/* A part that is more than its whole is cut to it. */
static void config_check_part(ConfigLoader *loader,
                              const char *section,
                              const char *part_name,
                              int part,
                              const char *whole_name,
                              int whole) {
        if (part <= whole || !config_blame(loader, section, part_name)->origin)
                return;
        config_warning(loader,
                       section,
                       part_name,
                       "is above %s.%s: no more than %d are had",
                       section,
                       whole_name,
                       whole);
}

/* The port of host:port, and whether two such meet: at port 0 none does. */
static bool config_listens_meet(const char *a, const char *b) {
        const char *port_a = strrchr(a, ':') + 1, *port_b = strrchr(b, ':') + 1;
        size_t n_a = (size_t)(port_a - a - 1), n_b = (size_t)(port_b - b - 1);
        long port = strtol(port_a, NULL, 10);
        bool is_any = n_a == 0 || n_b == 0 || *a == '*' || *b == '*';

        if (port == 0 || port != strtol(port_b, NULL, 10))
                return false;
        return is_any || (n_a == n_b && strncasecmp(a, b, n_a) == 0);
}

static void config_check_http(ConfigLoader *loader) {
        const WsOptions *ws = &loader->config->ws;

        config_check_pair(loader, "http", "tls_cert", "tls_key");
        config_check_pair(loader, "http", "tls_key", "tls_cert");
        if (ws->has_preface)
                config_check_pair(loader, "http", "proxy_protocol", "trusted_proxies");
        if (ws->listen && ws->health_listen && config_listens_meet(ws->listen, ws->health_listen)) {
                (void)config_blame(loader, "http", "health_listen");
                config_error(loader, "http", "health_listen", "is the address of http.listen");
        }
        if (ws->bodies_bytes < 4 * ws->max_body_bytes &&
            config_blame(loader, "http", "bodies_bytes")->origin)
                config_warning(loader,
                               "http",
                               "bodies_bytes",
                               "is less than four of http.max_body_bytes: it is made %llu",
                               4ULL * ws->max_body_bytes);
}

/* Of files for TLS without TLS, somebody believes that they protect him. */
static void config_check_mqtt(ConfigLoader *loader) {
        static const char *const files[] = { "ca_file", "cert_file", "key_file" };
        const MqttOptions *mqtt = &loader->config->mqtt;

        config_check_pair(loader, "mqtt", "cert_file", "key_file");
        config_check_pair(loader, "mqtt", "key_file", "cert_file");
        config_check_pair(loader, "mqtt", "password_file", "username");
        config_check_order(loader,
                           "mqtt",
                           "backoff_min",
                           mqtt->backoff_min_ms,
                           "backoff_max",
                           mqtt->backoff_max_ms);
        if (!mqtt->url || strstr(mqtt->url, "mqtts://"))
                return;
        for (size_t i = 0; i < N_ELEMENTS(files); ++i) {
                const ConfigText *text = config_blame(loader, "mqtt", files[i]);

                if (text->text && *text->text)
                        config_warning(loader,
                                       "mqtt",
                                       files[i],
                                       "is of no use: no broker of mqtt.url is mqtts://");
        }
}

static void config_check_uplink(ConfigLoader *loader) {
        const Config *config = loader->config;
        const char *url = config->uplink_url;

        config_check_order(loader,
                           "uplink",
                           "backoff_min",
                           config->uplink_backoff_min_ms,
                           "backoff_max",
                           config->uplink_backoff_max_ms);
        if (!url)
                return;
        config_check_pair(loader, "uplink", "url", "token_file");
        if ((strncmp(url, "ws://", 5) == 0 || strncmp(url, "wss://", 6) == 0) &&
            strstr(url, "/ws/uplink/") && !strpbrk(url, " ?#@"))
                return;
        (void)config_blame(loader, "uplink", "url");
        config_error(loader,
                     "uplink",
                     "url",
                     "allowed: wss://host[:port]/ws/uplink/DEVICE, or ws://; the token has a key "
                     "of "
                     "its own");
}

static void config_check_ws(ConfigLoader *loader) {
        const WsOptions *ws = &loader->config->ws;

        if (ws->ping_interval_ms == ws->silence_ms) {
                config_blame_one_of(loader, "ws", "ping_interval", "silence_timeout");
                config_warning(loader,
                               "ws",
                               "ping_interval",
                               "is ws.silence_timeout: no answer could come in time");
        }
        config_check_order(loader,
                           "ws",
                           "ping_interval",
                           ws->ping_interval_ms,
                           "silence_timeout",
                           ws->silence_ms);
        if (ws->queue_bytes < ws->max_message_bytes) {
                config_blame_one_of(loader, "ws", "queue_bytes", "max_message_bytes");
                config_error(loader, "ws", "queue_bytes", "is less than ws.max_message_bytes");
        }
        config_check_part(loader,
                          "ws",
                          "max_connections_per_user",
                          ws->max_connections_per_user,
                          "max_connections",
                          ws->max_connections);
        config_check_part(loader,
                          "ws",
                          "max_unauthenticated",
                          ws->max_unauthenticated,
                          "max_connections",
                          ws->max_connections);
}

void config_check(ConfigLoader *loader) {
        const Config *config = loader->config;

        config_check_order(loader,
                           "commands",
                           "timeout",
                           config->ws.command_timeout_ms,
                           "max_timeout",
                           config->ws.command_max_timeout_ms);
        config_fit_journal(loader);
        config_check_cluster(loader);
        config_check_http(loader);
        config_check_mqtt(loader);
        config_check_uplink(loader);
        config_check_auth(loader);
        config_check_ws(loader);
        config_check_part(loader,
                          "database",
                          "query_share",
                          config->query_share,
                          "query_capacity",
                          config->query_capacity);
        config_check_part(loader,
                          "routes",
                          "try_share",
                          config->try_share,
                          "try_waiting",
                          config->try_waiting);
        config_check_part(loader,
                          "auth",
                          "tickets_per_user",
                          config->ws.tickets_per_user,
                          "tickets",
                          config->ws.tickets);
        if (config->watchdog_timeout_ms > 0 && config->watchdog_timeout_ms < WATCHDOG_MIN_MS) {
                (void)config_blame(loader, "watchdog", "timeout");
                config_error(loader,
                             "watchdog",
                             "timeout",
                             "is less than the second between two looks; allowed: 0, or from %dms",
                             WATCHDOG_MIN_MS);
        }
}

static void config_blame_file(ConfigLoader *loader,
                              const char *section,
                              const char *name,
                              const char *path) {
        config_error(loader,
                     section,
                     name,
                     "%s: %s; allowed: a file that we may read",
                     path,
                     err_text(errno));
}

static void config_check_readable(ConfigLoader *loader, const char *section, const char *name) {
        const ConfigText *text = config_blame(loader, section, name);

        if (text->text && *text->text && access(text->text, R_OK) != 0)
                config_blame_file(loader, section, name, text->text);
}

static int config_check_secret_file(ConfigLoader *loader,
                                    const char *section,
                                    const char *name,
                                    const char *path) {
        CLEANUP(secret_free) char *secret = NULL;
        int r;

        r = secret_read_file(path, &secret);
        switch (r) {
        case 0:
                return 0;
        case SECRET_E_MISSING:
                config_blame_file(loader, section, name, path);
                return 0;
        case SECRET_E_INVALID:
                config_error(loader,
                             section,
                             name,
                             "%s: not usable; allowed: up to 64 KiB, not empty, and not readable "
                             "by "
                             "others (chmod 600)",
                             path);
                return 0;
        default:
                return err_up(r);
        }
}

static int config_check_secret(ConfigLoader *loader, const char *section, const char *name) {
        const ConfigText *text = config_blame(loader, section, name);

        if (!text->text || !*text->text)
                return 0;
        return config_check_secret_file(loader, section, name, text->text);
}

/* A list of `[kid=]path`. */
static int config_check_keys(ConfigLoader *loader, const char *name, bool is_secret) {
        const ConfigText *text = config_blame(loader, "auth", name);
        Text rest = text_of(text->text ? text->text : "");
        Text kid, path;
        int r = 0;

        while (r == 0 && ws_keys_next_file(&rest, &kid, &path)) {
                CLEANUP(free) char *file = strndup(path.data, path.n);

                if (!file)
                        return err_new(-ENOMEM);
                if (is_secret)
                        r = config_check_secret_file(loader, "auth", name, file);
                else if (access(file, R_OK) != 0)
                        config_blame_file(loader, "auth", name, file);
        }
        return r == 0 ? 0 : err_up(r);
}

/* What is in the two files, once both can be read: a server that starts without them would be in
 * the clear, or not at all. */
static int config_check_certificate(ConfigLoader *loader) {
        CLEANUP(ws_tls_free) WsTls *tls = NULL;
        const char *certificate = config_text(loader->config, "http", "tls_cert")->text;
        const char *key = config_text(loader->config, "http", "tls_key")->text;
        const char *why = "";
        int r;

        if (loader->n_errors > 0 || !certificate || !*certificate || !key || !*key)
                return 0;
        r = ws_tls_new(&tls, certificate, key, &why);
        if (r < 0)
                return err_up(r);
        if (r == WS_TLS_E_BAD) {
                (void)config_blame(loader, "http", "tls_cert");
                config_error(loader,
                             "http",
                             "tls_cert",
                             "%s with tls_key %s: %s; allowed: PEM files that belong together, the "
                             "key without a password",
                             certificate,
                             key,
                             why);
        }
        return 0;
}

static void config_check_directory(ConfigLoader *loader) {
        const char *path = loader->config->journal.dir;
        struct stat info;

        if (stat(path, &info) != 0 || S_ISDIR(info.st_mode))
                return;
        (void)config_blame(loader, "journal", "dir");
        config_error(loader, "journal", "dir", "%s: is no directory", path);
}

int config_check_files(const Config *config) {
        static const char *const readable[][2] = {
                { "http", "tls_cert" },  { "http", "tls_key" },  { "mqtt", "ca_file" },
                { "mqtt", "cert_file" }, { "mqtt", "key_file" }, { "uplink", "ca_file" },
        };
        static const char *const secrets[][2] = {
                { "mqtt", "password_file" },
                { "auth", "token_pepper_file" },
                { "uplink", "token_file" },
        };
        ConfigLoader loader = { .config = (Config *)(uintptr_t)config };
        int r;

        for (size_t i = 0; i < N_ELEMENTS(readable); ++i)
                config_check_readable(&loader, readable[i][0], readable[i][1]);
        config_check_directory(&loader);
        r = config_check_certificate(&loader);
        if (r == 0)
                r = config_check_keys(&loader, "jwt_public_key_file", false);
        if (r == 0)
                r = config_check_keys(&loader, "jwt_secret_file", true);
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(secrets); ++i)
                r = config_check_secret(&loader, secrets[i][0], secrets[i][1]);
        if (r != 0)
                return r;
        return loader.n_errors > 0 ? CONFIG_E_INVALID : 0;
}
