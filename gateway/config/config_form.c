#include "gateway/config/config_form.h"

#include <arpa/inet.h>

#include "base/name.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "db/target.h"
#include "gateway/commands/command_publisher.h"
#include "model/topic_filter.h"
#include "ws/access/proxies.h"

#define CONFIG_FORM_URL     512 /* as mqtt/candidates.h has it */
#define CONFIG_FORM_URLS    8
#define CONFIG_FORM_FILTERS 32
#define CONFIG_FORM_HOST    253
#define CONFIG_FORM_LABEL   63
#define CONFIG_FORM_ZONE    64            /* as model/page_query.h has it */
#define CONFIG_FORM_NATIVE  "tidegate.v1" /* which auth.anonymous may name as well as paths */

typedef bool (*ConfigItemFn)(Text item);

static const char config_form_alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789";

static bool config_form_is_one_of(char c, const char *some) {
        return c != '\0' && strchr(some, c) != NULL;
}

static bool config_form_consists_of(Text text, const char *some, const char *others) {
        for (size_t i = 0; i < text.n; ++i)
                if (!config_form_is_one_of(text.data[i], some) &&
                    !config_form_is_one_of(text.data[i], others))
                        return false;
        return true;
}

/* Up to @n_most items with commas between, none of them empty. */
static bool config_form_is_list(const char *text, size_t n_most, ConfigItemFn is_item) {
        for (size_t n_items = 1; n_items <= n_most; ++n_items) {
                size_t n = strcspn(text, ",");
                Text item = text_trim((Text){ .data = text, .n = n });

                if (item.n == 0 || !is_item(item))
                        return false;
                if (text[n] == '\0')
                        return true;
                text += n + 1;
        }
        return false;
}

/* [address of IPv6], with a zone behind a % where it is one of a link. */
static bool config_form_is_ipv6(Text text) {
        const char *zone = memchr(text.data, '%', text.n);
        size_t n = zone ? (size_t)(zone - text.data) : text.n - 1;
        struct in6_addr address;
        char copy[INET6_ADDRSTRLEN];

        if (text.n < 3 || text.data[text.n - 1] != ']' || n - 1 >= sizeof(copy) ||
            (zone && zone == text.data + text.n - 2))
                return false;
        memcpy(copy, text.data + 1, n - 1);
        copy[n - 1] = '\0';
        return inet_pton(AF_INET6, copy, &address) == 1;
}

/* What looks like an address of IPv4 is one. */
static bool config_form_is_ipv4(Text text) {
        struct in_addr address;
        char copy[INET_ADDRSTRLEN + 1];

        if (text.n >= sizeof(copy))
                return false;
        memcpy(copy, text.data, text.n);
        copy[text.n] = '\0';
        return inet_aton(copy, &address) == 1;
}

static bool config_form_is_host(Text host) {
        Text rest = host, label = { 0 };

        if (host.n > 0 && host.data[0] == '[')
                return config_form_is_ipv6(host);
        if (host.n == 0 || host.n > CONFIG_FORM_HOST)
                return false;
        while (rest.n > 0) {
                const char *dot = memchr(rest.data, '.', rest.n);
                size_t n = dot ? (size_t)(dot - rest.data) : rest.n;

                label = (Text){ .data = rest.data, .n = n };
                if (n == 0 || n > CONFIG_FORM_LABEL ||
                    !config_form_consists_of(label, config_form_alnum, "-_"))
                        return false;
                n += dot ? 1 : 0;
                rest = (Text){ .data = rest.data + n, .n = rest.n - n };
        }
        return !config_form_consists_of(label, "0123456789", "") || config_form_is_ipv4(host);
}

static bool config_form_is_port(Text text, int least) {
        uint64_t port = 0;

        return text.n <= 5 && text_to_number(text, 65535, &port) && (int)port >= least;
}

/* Where the host ends: behind the ] of an address of IPv6, before the colon of a port. */
static size_t config_form_host_length(Text text) {
        const char *end = text.n > 0 && text.data[0] == '[' ? memchr(text.data, ']', text.n)
                                                            : memchr(text.data, ':', text.n);

        if (!end)
                return text.n;
        return (size_t)(end - text.data) + (*end == ']' ? 1 : 0);
}

/* host or host:port, as those who connect have it. */
static bool config_form_is_authority(Text text) {
        size_t n = config_form_host_length(text);
        Text port = { .data = text.data + n + 1, .n = text.n > n ? text.n - n - 1 : 0 };

        if (!config_form_is_host((Text){ .data = text.data, .n = n }))
                return false;
        return n == text.n || (text.data[n] == ':' && config_form_is_port(port, 1));
}

/* host:port, where the host may be absent or * (every address of ours), and port 0 any free one. */
static bool config_form_is_listen(const char *listen) {
        Text text = text_of(listen);
        size_t n = config_form_host_length(text);
        Text host = { .data = text.data, .n = n };

        if (n >= text.n || text.data[n] != ':' ||
            !config_form_is_port((Text){ .data = text.data + n + 1, .n = text.n - n - 1 }, 0))
                return false;
        return n == 0 || text_equal(host, TEXT("*")) || config_form_is_host(host);
}

static bool config_form_is_proxies(const char *text) {
        WsProxies proxies;

        return ws_proxies_read(&proxies, text) == 0;
}

static bool config_form_begins(Text text, const char *with) {
        return text.n >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

static bool config_form_is_broker(Text item) {
        static const char *const schemes[] = { "mqtt://", "mqtts://" };

        for (size_t i = 0; i < N_ELEMENTS(schemes); ++i) {
                size_t n = strlen(schemes[i]);

                if (config_form_begins(item, schemes[i]))
                        return item.n < CONFIG_FORM_URL &&
                               config_form_is_authority(
                                       (Text){ .data = item.data + n, .n = item.n - n });
        }
        return false;
}

static bool config_form_is_brokers(const char *text) {
        return config_form_is_list(text, CONFIG_FORM_URLS, config_form_is_broker);
}

static bool config_form_is_database(const char *text) {
        bool is_url =
                strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;

        return (is_url || (strchr(text, '=') && !strstr(text, "://"))) && db_target_is_valid(text);
}

static bool config_form_is_algorithm(Text item) {
        return text_equal(item, TEXT("HS256")) || text_equal(item, TEXT("RS256")) ||
               text_equal(item, TEXT("ES256"));
}

static bool config_form_is_algorithms(const char *text) {
        return config_form_is_list(text, SIZE_MAX, config_form_is_algorithm);
}

/* As a browser sends it, and it is compared whole: without a path, and no pattern. */
static bool config_form_is_origin(Text item) {
        const char *mark = memmem(item.data, item.n, "://", 3);
        Text scheme = { .data = item.data, .n = mark ? (size_t)(mark - item.data) : 0 };
        Text rest = { 0 };

        if (text_equal(item, TEXT("*")) || text_equal(item, TEXT("null")))
                return true;
        if (scheme.n == 0 || !config_form_consists_of(scheme, config_form_alnum, "+-."))
                return false;
        rest = (Text){ .data = mark + 3, .n = item.n - scheme.n - 3 };
        if (text_equal(scheme, TEXT("http")) || text_equal(scheme, TEXT("https")))
                return config_form_is_authority(rest);
        return config_form_consists_of(rest, config_form_alnum, "-._~:[]");
}

static bool config_form_is_origins(const char *text) {
        return config_form_is_list(text, SIZE_MAX, config_form_is_origin);
}

/* A * stands for the rest of a path, or for all of them. */
static bool config_form_is_path(Text item) {
        if (text_equal(item, TEXT("*")) || text_equal(item, TEXT(CONFIG_FORM_NATIVE)))
                return true;
        if (item.data[0] != '/')
                return false;
        for (size_t i = 0; i < item.n; ++i)
                if (config_form_is_one_of(item.data[i], "?# \t") ||
                    (item.data[i] == '*' && i + 1 < item.n))
                        return false;
        return true;
}

static bool config_form_is_paths(const char *text) {
        return config_form_is_list(text, SIZE_MAX, config_form_is_path);
}

/* [kid=]file */
static bool config_form_is_file(Text item) {
        return item.data[item.n - 1] != '=';
}

static bool config_form_is_files(const char *text) {
        return config_form_is_list(text, SIZE_MAX, config_form_is_file);
}

static bool config_form_is_topic(Text item) {
        return !memchr(item.data, ' ', item.n) && !memchr(item.data, '\t', item.n);
}

static bool config_form_is_topics(const char *text) {
        return config_form_is_list(text, SIZE_MAX, config_form_is_topic) &&
               command_publisher_check_topics(text);
}

static bool config_form_is_one_topic(const char *text) {
        return !strchr(text, ',') && config_form_is_topics(text);
}

static bool config_form_is_filter(Text item) {
        return topic_filter_is_valid(item) && !config_form_begins(item, "$share/");
}

static bool config_form_is_filters(const char *text) {
        return config_form_is_list(text, CONFIG_FORM_FILTERS, config_form_is_filter);
}

static bool config_form_is_zone(const char *text) {
        CLEANUP(zone_free) Zone *zone = NULL;

        return strlen(text) < CONFIG_FORM_ZONE && zone_new(&zone, text) == 0;
}

const char *config_form_fault(ConfigType type, const char *text) {
        static const struct {
                ConfigType type;
                bool (*is_valid)(const char *text);
                const char *allowed;
        } forms[] = {
                { CONFIG_LISTEN,
                  config_form_is_listen,
                  "host:port or [host]:port, port 0 to 65535" },
                { CONFIG_PROXIES,
                  config_form_is_proxies,
                  "addresses and networks, as 192.0.2.7 or 2001:db8::/32 (no bit set behind the "
                  "network's, and not /0), up to 64 with commas between" },
                { CONFIG_ORIGINS,
                  config_form_is_origins,
                  "origins as https://app.example[:port] without a path, null or *, with commas "
                  "between" },
                { CONFIG_PATHS,
                  config_form_is_paths,
                  "paths that begin with /, with * at their end or not, " CONFIG_FORM_NATIVE
                  ", or *, with commas between" },
                { CONFIG_FILES, config_form_is_files, "[kid=]file, with commas between" },
                { CONFIG_MQTT_URL,
                  config_form_is_brokers,
                  "mqtt://host[:port] or mqtts://host[:port], port 1 to 65535, up to 8 with commas "
                  "between; user and password have keys of their own" },
                { CONFIG_DB_URL,
                  config_form_is_database,
                  "postgresql://user@host:port/name or key=value pairs, as libpq has them" },
                { CONFIG_ALGORITHMS,
                  config_form_is_algorithms,
                  "HS256, RS256, ES256, with commas between" },
                { CONFIG_ZONE,
                  config_form_is_zone,
                  "an IANA name such as Europe/Madrid, or an offset such as +07:00" },
                { CONFIG_TOPICS,
                  config_form_is_topics,
                  "up to 4 templates, with commas between, of levels with / between, each text, "
                  "{device} (once in each) or {user}" },
                { CONFIG_FILTERS,
                  config_form_is_filters,
                  "up to 32 MQTT filters, with commas between; no shared subscription" },
                { CONFIG_TOPIC,
                  config_form_is_one_topic,
                  "one template of levels with / between, each text, {device} (once) or {user}" },
        };

        for (size_t i = 0; i < N_ELEMENTS(forms); ++i)
                if (forms[i].type == type)
                        return forms[i].is_valid(text) ? NULL : forms[i].allowed;
        return NULL;
}

static bool config_form_has_items(ConfigType type) {
        return type == CONFIG_PROXIES || type == CONFIG_ORIGINS || type == CONFIG_PATHS ||
               type == CONFIG_FILES || type == CONFIG_MQTT_URL || type == CONFIG_ALGORITHMS ||
               type == CONFIG_TOPICS || type == CONFIG_FILTERS;
}

bool config_form_is_text(ConfigType type, const char *text) {
        bool may_be_bytes = type == CONFIG_PATH || type == CONFIG_FILES;

        for (const char *c = text; *c; ++c)
                if (((unsigned char)*c < ' ' && (*c != '\t' || !config_form_has_items(type))) ||
                    *c == '\x7f')
                        return false;
        return may_be_bytes || name_is_utf8(text_of(text));
}
