#include "db/target.h"

#include <libpq-fe.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/watch.h"

DEFINE_CLEANUP(PGconn *, PQfinish);
DEFINE_CLEANUP(PQconninfoOption *, PQconninfoFree);
DEFINE_CLEANUP(char *, PQfreemem);

enum {
        TARGET_SERVERS = 32, /* of which one can be left out */
        TARGET_NAME_SIZE = 256,
        TARGET_PORT_SIZE = 16,
};

typedef struct TargetServer TargetServer;

struct TargetServer {
        char host[TARGET_NAME_SIZE]; /* a name, a folder or an address */
        char address[TARGET_NAME_SIZE];
        char port[TARGET_PORT_SIZE];
};

struct DbTarget {
        Buf hosts, addresses, ports; /* of those that are not left out */
        Buf options;
        TargetServer servers[TARGET_SERVERS];
        size_t n_servers;
        bool is_whole;                  /* there were no more */
        char unknown[TARGET_NAME_SIZE]; /* the last name that has no address */
        int why;                        /* see gai_strerror() */
        TargetServer silent[TARGET_SERVERS];
        size_t n_silent;
};

int db_target_new(DbTarget **ret_target) {
        DbTarget *target = calloc(1, sizeof(*target));

        if (!target)
                return err_new(-ENOMEM);
        *ret_target = target;
        return 0;
}

DbTarget *db_target_free(DbTarget *target) {
        if (!target)
                return NULL;
        buf_done(&target->hosts);
        buf_done(&target->addresses);
        buf_done(&target->ports);
        buf_done(&target->options);
        free(target);
        return NULL;
}

/* ---- can it be understood at all? ---- */

static bool target_is_number(const char *text, long least, long most, char end) {
        char *rest = NULL;
        long number;

        errno = 0;
        number = strtol(text, &rest, 10);
        return rest != text && (*rest == '\0' || *rest == end) && errno == 0 && number >= least &&
               number <= most;
}

/* One for all hosts, or a list: an empty one is the default. */
static bool target_are_ports(const char *text) {
        for (;;) {
                const char *comma = strchrnul(text, ',');

                if (comma > text && !target_is_number(text, 1, 65535, ','))
                        return false;
                if (*comma == '\0')
                        return true;
                text = comma + 1;
        }
}

static bool target_is_one_of(const char *text, const char *words) {
        size_t n = strlen(text);

        for (const char *w = words; *w; w += strspn(w, " ")) {
                size_t n_word = strcspn(w, " ");

                if (n_word == n && memcmp(w, text, n) == 0)
                        return true;
                w += n_word;
        }
        return false;
}

/* What libpq says no sooner than it connects, and then each time. */
static bool target_option_is_valid(const char *name, const char *value) {
        static const struct {
                const char *name, *words; /* NULL: a whole number */
        } options[] = {
                { "sslmode", "disable allow prefer require verify-ca verify-full" },
                { "channel_binding", "disable prefer require" },
                { "gssencmode", "disable prefer require" },
                { "target_session_attrs",
                  "any read-write read-only primary standby prefer-standby" },
                { "connect_timeout", NULL },
                { "keepalives", NULL },
                { "keepalives_idle", NULL },
                { "keepalives_interval", NULL },
                { "keepalives_count", NULL },
                { "tcp_user_timeout", NULL },
        };

        if (strcmp(name, "port") == 0)
                return target_are_ports(value);
        for (size_t i = 0; i < N_ELEMENTS(options); ++i)
                if (strcmp(name, options[i].name) == 0)
                        return options[i].words ? target_is_one_of(value, options[i].words)
                                                : target_is_number(value, INT_MIN, INT_MAX, '\0');
        return true;
}

bool db_target_is_valid(const char *url) {
        CLEANUP(PQfreemem) char *message = NULL;
        CLEANUP(PQconninfoFree) PQconninfoOption *options = PQconninfoParse(url, &message);

        for (PQconninfoOption *o = options; o && o->keyword; ++o)
                if (o->val && *o->val && !target_option_is_valid(o->keyword, o->val))
                        return false;
        return options != NULL;
}

/* ---- what libpq makes of the URL ---- */

/* A setting that is none makes it stop before it connects, with all that it has read. */
static PQconninfoOption *target_read(const char *url) {
        static const char *const keywords[] = { "dbname", "sslmode", NULL };
        const char *const values[] = { url, "read-only-the-rest", NULL };
        CLEANUP(PQfinish) PGconn *pg = PQconnectStartParams(keywords, values, 1);

        return pg ? PQconninfo(pg) : NULL;
}

static const char *target_find(const PQconninfoOption *options, const char *keyword) {
        for (const PQconninfoOption *o = options; o && o->keyword; ++o)
                if (strcmp(o->keyword, keyword) == 0)
                        return o->val ? o->val : "";
        return "";
}

static size_t target_count(const char *list) {
        size_t n = *list != '\0';

        for (const char *c = list; *c; ++c)
                n += *c == ',';
        return n;
}

/* The i-th of a list; of one that has a single entry, that one. */
static bool target_pick(const char *list, size_t i, char *ret_text, size_t size) {
        size_t n;

        if (target_count(list) > 1)
                for (; i > 0; --i)
                        list = strchrnul(list, ',') + 1;
        n = strcspn(list, ",");
        if (n >= size)
                return false;
        memcpy(ret_text, list, n);
        ret_text[n] = '\0';
        return true;
}

/* ---- the servers ---- */

static void target_add(DbTarget *target, const TargetServer *server) {
        if (target->n_servers == TARGET_SERVERS)
                target->is_whole = false;
        else
                target->servers[target->n_servers++] = *server;
}

/* A name may have several addresses. Whoever looks them up may take longer than our watchdog. */
static void target_add_name(DbTarget *target, TargetServer *server) {
        const struct addrinfo hint = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *found = NULL;
        int r;

        watch_rest();
        r = getaddrinfo(server->host, NULL, &hint, &found);
        watch_turn();
        if (r != 0) {
                snprintf(target->unknown, sizeof(target->unknown), "%s", server->host);
                target->why = r;
                return;
        }
        for (const struct addrinfo *a = found; a; a = a->ai_next)
                if (getnameinfo(a->ai_addr,
                                a->ai_addrlen,
                                server->address,
                                sizeof(server->address),
                                NULL,
                                0,
                                NI_NUMERICHOST) == 0)
                        target_add(target, server);
        freeaddrinfo(found);
}

static bool target_is_name(const TargetServer *server) {
        return *server->host && *server->host != '/' && *server->host != '@' && !*server->address;
}

static void target_collect(DbTarget *target, const PQconninfoOption *options) {
        const char *hosts = target_find(options, "host");
        const char *addresses = target_find(options, "hostaddr");
        const char *ports = target_find(options, "port");
        size_t n = target_count(*addresses ? addresses : hosts);

        target->n_servers = 0;
        target->why = 0;
        target->is_whole = (!*addresses || !*hosts || target_count(hosts) == n) &&
                           (target_count(ports) <= 1 || target_count(ports) == n);
        for (size_t i = 0; i < n && target->is_whole; ++i) {
                TargetServer server = { 0 };

                target->is_whole =
                        target_pick(hosts, i, server.host, sizeof(server.host)) &&
                        target_pick(addresses, i, server.address, sizeof(server.address)) &&
                        target_pick(ports, i, server.port, sizeof(server.port));
                if (target_is_name(&server))
                        target_add_name(target, &server);
                else
                        target_add(target, &server);
        }
}

static bool target_is_same(const TargetServer *a, const TargetServer *b) {
        return strcmp(a->host, b->host) == 0 && strcmp(a->address, b->address) == 0 &&
               strcmp(a->port, b->port) == 0;
}

static bool target_is_silent(const DbTarget *target, const TargetServer *server) {
        for (size_t i = 0; i < target->n_silent; ++i)
                if (target_is_same(&target->silent[i], server))
                        return true;
        return false;
}

static bool target_are_all_silent(const DbTarget *target) {
        for (size_t i = 0; i < target->n_servers; ++i)
                if (!target_is_silent(target, &target->servers[i]))
                        return false;
        return true;
}

static void target_list(DbTarget *target) {
        const char *comma = "";

        for (size_t i = 0; i < target->n_servers; ++i) {
                const TargetServer *server = &target->servers[i];

                if (target_is_silent(target, server))
                        continue;
                buf_printf(&target->hosts, "%s%s", comma, server->host);
                buf_printf(&target->addresses, "%s%s", comma, server->address);
                buf_printf(&target->ports, "%s%s", comma, server->port);
                comma = ",";
        }
}

int db_target_aim(DbTarget *target, const char *url) {
        CLEANUP(PQconninfoFree) PQconninfoOption *options = target_read(url);

        buf_reset(&target->hosts);
        buf_reset(&target->addresses);
        buf_reset(&target->ports);
        buf_reset(&target->options);
        buf_append_string(&target->options, target_find(options, "options"));
        target_collect(target, options);
        if (target_are_all_silent(target))
                db_target_forgive(target);
        if (target->is_whole)
                target_list(target);
        if (target->n_servers == 0 && target->why != 0)
                return DB_TARGET_E_UNKNOWN;
        return buf_failed(&target->hosts) || buf_failed(&target->addresses) ||
                               buf_failed(&target->ports) || buf_failed(&target->options)
                       ? err_new(-ENOMEM)
                       : 0;
}

/* ---- what was made of it ---- */

void db_target_say_unknown(const DbTarget *target, char *ret_text, size_t size) {
        snprintf(ret_text,
                 size,
                 "no address is known for the host %s: %s",
                 target->unknown,
                 gai_strerror(target->why));
}

static const char *target_text(const Buf *buf) {
        return buf->n > 0 ? buf->data : NULL;
}

const char *db_target_hosts(const DbTarget *target) {
        return target_text(&target->hosts);
}

const char *db_target_addresses(const DbTarget *target) {
        return target_text(&target->addresses);
}

const char *db_target_ports(const DbTarget *target) {
        return target_text(&target->ports);
}

const char *db_target_options(const DbTarget *target) {
        return target->options.n > 0 ? target->options.data : "";
}

size_t db_target_count(const DbTarget *target) {
        size_t n = 0;

        for (size_t i = 0; i < target->n_servers; ++i)
                n += !target_is_silent(target, &target->servers[i]);
        return n > 0 && target->is_whole ? n : 1;
}

/* ---- who did not answer ---- */

/* libpq says an address where it was given no name. */
static bool target_is_at(const TargetServer *server, const PGconn *pg) {
        const char *host = PQhost(pg);
        const char *address = PQhostaddr(pg);

        return strcmp(*server->host ? server->host : server->address, host ? host : "") == 0 &&
               (!*server->address || strcmp(server->address, address ? address : "") == 0) &&
               (!*server->port || strcmp(server->port, PQport(pg)) == 0);
}

void db_target_shun(DbTarget *target, const PGconn *pg) {
        for (size_t i = 0; i < target->n_servers && target->n_silent < TARGET_SERVERS; ++i) {
                const TargetServer *server = &target->servers[i];

                if (!target_is_silent(target, server) && target_is_at(server, pg)) {
                        target->silent[target->n_silent++] = *server;
                        return;
                }
        }
}

void db_target_forgive(DbTarget *target) {
        target->n_silent = 0;
}
