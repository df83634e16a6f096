#pragma once

/*
 * WsOptions: what the configuration says of HTTP and WebSocket, and what the gateway wires to them.
 *
 * A WsServer keeps a copy that owns its strings; SIGHUP gives it another. Pure.
 */

#include "base/base.h"
#include "base/buf.h"
#include "base/timestamp.h"
#include "model/inbound.h"
#include "model/query.h"
#include "ws/access/proxies.h"

typedef struct UplinkLine UplinkLine;
typedef struct WsOptions WsOptions;
typedef struct WsSite WsSite;

struct WsOptions {
        const char *listen;             /* host:port or [host]:port; port 0 = any free one */
        const char *health_listen;      /* likewise, for health and metrics alone; NULL = none */
        const char *tls_cert, *tls_key; /* NULL = plain */
        const char *trusted_proxies;    /* addresses and networks; NULL = none */
        bool has_preface;               /* connections of these begin with one, see preface.h */
        WsProxies proxies;              /* the same, read; of a copy, see options.h */
        const char *allowed_origins;    /* comma-separated; NULL = same host only; "*" = any */
        const char *dashboard;          /* a folder; NULL, or "": none */
        const char *dashboard_hosts;    /* see site.h, as the next two */
        int dashboard_files;
        size_t dashboard_bytes;
        const char *dashboard_tiles, *dashboard_style,
                *dashboard_attribution; /* told to its page */
        WsSite *site;                   /* the same, read; of a copy, owned; NULL: there is none */
        const char *epoch;              /* of the journals, in the order of their slots, with
                                           commas: cursors name them */
        const char *version;
        const char *welcome;         /* dialect D */
        double near_dbm, medium_dbm; /* where the zones of detections begin, unless an admin says */
        CounterStyle counter;        /* how the people counter counts */
        const char *timezone;        /* of the pages of the origin systems; NULL = UTC */
        int page_items;              /* of a list of theirs that knows no pages; 0 = 10000 */
        Zone *zone;                  /* the same, read; of a copy, owned */
        int hsts_s;                  /* with TLS; 0 = browsers are not told */
        int token_ttl_s;             /* of POST /api/token */
        int session_max_s;           /* until when a token of it is renewed; 0 = never */
        int share;                   /* percent of what the others leave, for one party; 0 = 50 */
        int handshake_turn_ms;       /* for TLS, of one turn of the loop; 0 = 5 */
        int max_handshakes;          /* of TLS that are half done; 0 = 1024 */
        int max_requests;            /* of HTTP that are under way; 0 = 256 */
        int max_http;                /* connections beyond the sockets; 0 = 1024 */
        size_t bodies_bytes;         /* of HTTP bodies on their way; 0 = 64 MiB */
        size_t max_message_bytes;    /* one message in */
        size_t max_body_bytes;       /* one HTTP body in */
        size_t try_payload_bytes;    /* of a message that is tried; 0 = 64 KiB */
        size_t try_config_bytes;     /* of the routes that it is tried with; 0 = 128 KiB */
        int known_logins;            /* names and where they were good; 0 = 4096 */
        int group_devices;           /* that one body puts into a group; 0 = 1000 */
        size_t queue_bytes;          /* of one socket */
        size_t burst_bytes;          /* of all, beyond their queues */
        int stall_ms;                /* without progress, before there is no more than the queue */
        int slow_ms;                 /* how long a socket may stay conflated before it is closed */
        int handshake_timeout_ms;
        int ping_interval_ms, silence_ms;
        int max_connections, max_connections_per_user; /* the latter: dialect E and native */
        int user_share;                                /* percent of the former for one user */
        int max_unauthenticated; /* sockets whose peer has not said yet who it is */
        int messages_per_s;      /* in, a socket; twice that in a burst */
        int connects_per_s;      /* a source address; 0 = no limit */
        int max_subscriptions;
        int max_paced;             /* things of one socket that max_hz paces */
        int max_set;               /* things in the sets of one socket */
        int max_playbacks;         /* of one user at a time */
        int progress_ms;           /* between two words of how far a quiet one is */
        bool deflate;              /* permessage-deflate for who asks for it */
        size_t deflate_min_bytes;  /* of a frame: a shorter one is never worth it */
        int stats_interval_ms;     /* dialects A and E */
        int stats_refresh_ms;      /* dialect E: what has not changed */
        int detection_interval_ms; /* dialect A: of one device; 0 = with each message */
        int touch_interval_ms;     /* dialect C: devices whose messages are no status; 0 = never */
        int replay_events;         /* the last ones, kept for those who come back */
        size_t replay_bytes;       /* at most so many */
        int answer_timeout_ms; /* HTTP: a query that is not answered by then is a 504; 0 = 10 s */
        int stream_window;     /* HTTP: pieces of 64 KiB of one long answer under way; 0 = 4 */
        int logins_per_s; /* of an address that go before others; 0 = all that were good before */
        int login_failures_per_min; /* a source address; twice that an account; 0 = 10 */
        int login_wait_ms;          /* for others of its address; 0: not at all */
        int changes_per_min;        /* of users, devices, shares: by one user, over HTTP; 0 = 120 */
        int tickets, tickets_per_user; /* that are out at a time; 0 = 4096, 16 */
        int token_failures_per_min; /* bad credentials of a source address; twice that an account */
        int command_timeout_ms,
                command_max_timeout_ms; /* of a command that does not say; at most */
        int command_max_pending;        /* of one device */
        int command_user_share;         /* percent of them for one who does not own it */
        int command_reserve;            /* percent of them that such users leave free */
        QueryFn ask;                    /* the way to the database; NULL: nothing is asked */
        void *ask_arg;
        const char *cluster; /* cluster.name; NULL: there is no database to ask of it */
        bool has_peers;      /* other nodes serve as well, and take what we give */
        bool no_live;        /* messages are stored, and not shown as they come */
        InboundFn inbound;   /* the way into the journal; NULL: devices are not served */
        void *inbound_arg;
        /* Of what an edge brings: into which journal of ours it goes (0: none now), and how that
         * stands, in the numbers of @inbound; false: it is not ours any more. Both or neither. */
        unsigned (*edge_line)(void *inbound_arg, int64_t device_id);
        bool (*edge_look)(void *inbound_arg, unsigned line, UplinkLine *ret_line);
        uint32_t (*sum)(uint32_t sum, const void *data, size_t n); /* CRC-32C */
        Reason (*check_json)(Text json); /* strictly; NULL: as json-c does */
        /* Strict JSON of a body that is not quite, or the Reason (> 0) why there is none; NULL:
         * only strict ones are taken. */
        int (*clean_json)(Text body, Buf *ret_json);
        /* How many detections of a body the store will take, or the Reason (> 0) why none, and of
         * what in it @why tells; NULL: as detections.h counts. */
        int (*count_detections)(Text body, size_t max_bytes, size_t *ret_n_good, Buf *why);
        size_t detections_max_bytes;
        bool is_edge;   /* there is no database; what comes goes to another gateway */
        bool no_broker; /* mqtt.url is not set: no broker is no reason not to be ready */
};

/* A copy that owns its strings; numbers that make no sense become the nearest that do. */
MUST_CHECK int ws_options_copy(WsOptions *ret_options, const WsOptions *options);
bool ws_options_same_place(const WsOptions *a, const WsOptions *b); /* addresses, certificates */
void ws_options_done(WsOptions *options);                           /* of a copy */

typedef struct WsListen WsListen;

struct WsListen {
        char host[64]; /* numeric; "" = every address */
        bool is_ipv6;
        int port;
};

enum {
        WS_OPTIONS_E_LISTEN = 1, /* not host:port, or a host that does not resolve */
};

MUST_CHECK int ws_options_listen(const char *listen, WsListen *ret_address);
