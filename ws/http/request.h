#pragma once

/*
 * WsRequest: what one HTTP request or upgrade asks for, decoded from its head, and who sent it.
 *
 * The one place where what comes in is text: path, query and headers that are not UTF-8, or have a
 * NUL, escaped or not, are no request. The one place that reads credentials, in this order:
 * `Authorization: Bearer`, a single-use ticket
 * (`?ticket=` or `Sec-WebSocket-Protocol: tidegate.v1, ticket.<id>`; upgrades only), then, where
 * auth.query_token is on, `?token=`. The first that is there decides. Loop thread.
 */

#include "base/base.h"
#include "model/registry.h"
#include "ws/access/access.h"
#include "ws/access/auth.h"
#include "ws/access/ticket.h"
#include "ws/wire/cursor.h"

#define WS_REQUEST_DETAIL_SIZE 160

typedef struct WsHead WsHead;
typedef struct WsLimiter WsLimiter;
typedef struct WsProxies WsProxies;
typedef struct WsRequest WsRequest;
typedef struct Zone Zone;

struct WsRequest {
        char method[24];
        char path[256];   /* decoded */
        char query[2048]; /* raw, after the '?', "" if none; may hold a token: never log it */
        char origin[256]; /* "" if none */
        char host[256];
        char protocols[1024];                 /* Sec-WebSocket-Protocol, "" if none */
        char bearer[8192];                    /* "" if none */
        char api_key[256];                    /* X-API-Key, "" if none */
        char last_event_id[CURSOR_TEXT_SIZE]; /* "" if none */
        char idempotency_key[136]; /* "" if none; 129 and more: too long, and refused later */
        char content_type[128];
        char encoding[64]; /* Content-Encoding, "" if none */
        char accept[256];  /* Accept-Encoding */
        bool wants_json;   /* Accept names it, and no page */
        bool wants_page;   /* Accept names one */
        bool wants_events; /* Accept names a stream of events */
        bool wants_csv;    /* Accept names it, and no JSON */
        char if_none_match[256];
        char range[64], if_range[64];
        int64_t body_length; /* -1 = not said */
        bool has_coding;     /* Transfer-Encoding: chunked, a body whose length is not said */
        bool is_http_1_0;
        bool wants_close, wants_keep, wants_upgrade; /* Connection */
        bool wants_continue, has_expectation;        /* Expect: 100-continue; anything else */
        char source[46]; /* whose address counts, see ws_request_trace() */
        bool is_secure;  /* came by TLS, to us or to a proxy of ours */
        bool is_health;  /* came in where only health is told: the caller's to fill in */
        bool is_upgrade; /* to a WebSocket */
        bool *is_cut;    /* borrowed; set when a parameter did not fit. NULL: nobody asks */
};

enum {
        WS_REQUEST_E_BAD = 1, /* not a request that we can read: a bad percent escape, not UTF-8, a
                                 header twice, no Host, or one that is none */
        WS_REQUEST_E_NONE,    /* no credential */
        WS_REQUEST_E_REFUSED, /* a credential, and a bad one: @ret_why */
        WS_REQUEST_E_EXPIRED,
        WS_REQUEST_E_TOO_LONG,  /* path or query */
        WS_REQUEST_E_TOO_LARGE, /* a header */
        WS_REQUEST_E_METHOD,    /* longer than any that there is */
        WS_REQUEST_E_CODING,    /* of a body, before it was cut into chunks */
};

MUST_CHECK int ws_request_read(WsRequest *request, const WsHead *head);
int ws_request_status(int r); /* what says so */
/* Where it comes from: from @peer, or from whom its proxies tell. @is_tls: so came the connection.
 */
void ws_request_trace(WsRequest *request,
                      const WsHead *head,
                      const WsProxies *proxies,
                      const char *peer,
                      bool is_tls);

bool ws_request_may_have_body(const WsRequest *request); /* by its method: POST, PUT */

/* A parameter of the query (or of a form body), percent-decoded; false if absent or too long,
 * which of the query *request->is_cut tells from absent. */
bool ws_request_param(const WsRequest *request, const char *name, char *ret_value, size_t n_value);

/* The `?token=` that is there, whether or not it counts here. Nothing behind `=` is none, as it is
 * behind `Bearer`: the page of nobody writes that. */
bool ws_request_token(const WsRequest *request, char *ret_value, size_t n_value);

/* One of @allowed, which has commas around each; absent is as good. False: ret_detail says why. */
bool ws_request_word(const WsRequest *request,
                     const char *name,
                     const char *allowed,
                     char *ret_word,
                     size_t n_word,
                     char ret_detail[WS_REQUEST_DETAIL_SIZE]);
/* true, 1, on, yes, t, y, or the opposite, in any case of the letters; absent: *ret_value stays.
 * False: ret_detail says why. */
bool ws_request_switch(const WsRequest *request,
                       const char *name,
                       bool *ret_value,
                       char ret_detail[WS_REQUEST_DETAIL_SIZE]);
/* The + of an offset that nobody has escaped comes as a space. */
void ws_request_mend_time(char *text);
/* What a parameter says, as a time. */
bool ws_request_time(char *text, const Zone *zone, int64_t *ret_us);
/* Of a body, in either form that browsers have, @has_parts as in WsCall: UTF-8 without NUL, and
 * every escape is one. */
bool ws_request_form_is_text(Text form, bool has_parts);
bool ws_request_form_param(Text form,
                           bool has_parts,
                           const char *name,
                           char *ret_value,
                           size_t n_value);

/* No Origin, our own host (by https, where the request came so), one of @allowed (comma-separated,
 * "*" = any), or a bearer header, which no page of another origin can make a browser send. */
bool ws_request_origin_ok(const WsRequest *request, const char *allowed);
/* The same without the case of our own host: is a cross-origin answer wanted and allowed? */
bool ws_request_origin_listed(const char *origin, const char *allowed);
/* Listed by its own name: neither by "*" nor as null, which pages of any site can be. */
bool ws_request_origin_named(const char *origin, const char *allowed);

/* The user (or, with an anonymous path, nobody) behind the request. A device token is not a user.
 */
MUST_CHECK int ws_request_identify(const WsRequest *request,
                                   const WsAccess *access,
                                   int64_t now_us,
                                   WsIdentity *ret_identity,
                                   const char **ret_why);

/* The user whose token it is, wherever it stood: of @identity the user and what the token says of
 * its times. WS_REQUEST_E_REFUSED, WS_REQUEST_E_EXPIRED: it has no user. */
MUST_CHECK int ws_request_identify_token(const WsAccess *access,
                                         const char *jwt,
                                         int64_t now_us,
                                         WsIdentity *identity,
                                         const char **ret_why);
