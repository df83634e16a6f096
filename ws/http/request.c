#include "ws/http/request.h"

#include <stdio.h>
#include <strings.h>

#include "base/err.h"
#include "base/name.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "ws/access/proxies.h"
#include "ws/access/stream_ticket.h"
#include "ws/http/authority.h"
#include "ws/wire/form.h"
#include "ws/wire/frame.h"
#include "ws/wire/head.h"
#include "ws/wire/multipart.h"

#define WS_REQUEST_MINUTE 13 /* characters: YYYYMMDDThhmm */

DEFINE_CLEANUP(char *, free);

static int ws_request_copy(Text text, char *ret_value, size_t n_value) {
        if (text.n >= n_value)
                return WS_REQUEST_E_TOO_LARGE;
        if (text.n > 0)
                memcpy(ret_value, text.data, text.n);
        ret_value[text.n] = '\0';
        return 0;
}

/* A header that is absent is ""; one that comes twice or is no text is a bad request. */
static int ws_request_header(const WsHead *head,
                             const char *name,
                             char *ret_value,
                             size_t n_value) {
        *ret_value = '\0';
        if (ws_head_count(head, name) > 1)
                return WS_REQUEST_E_BAD;
        if (ws_head_count(head, name) == 1 && !name_is_utf8(ws_head_find(head, name)))
                return WS_REQUEST_E_BAD;
        return ws_request_copy(ws_head_find(head, name), ret_value, n_value);
}

/* Every parameter, used or not, is to be text: it may be looked at later than here. */
static bool ws_request_is_query(const char *query) {
        char text[sizeof(((WsRequest *)0)->query)];

        return ws_form_unescape(text_of(query), ' ', text, sizeof(text)) &&
               ws_frame_is_utf8(text_of(text));
}

/* The authority of a target that has one (RFC 9112 3.2.2: it counts, whatever Host says), or *@rest
 * stays as it is. False: a target in a form that @method does not take. */
static bool ws_request_authority(const char *method, Text *rest, Text *ret_host) {
        bool is_connect = strcmp(method, "CONNECT") == 0;
        size_t skip = 0;

        if (rest->n > 7 && strncasecmp(rest->data, "http://", 7) == 0)
                skip = 7;
        else if (rest->n > 8 && strncasecmp(rest->data, "https://", 8) == 0)
                skip = 8;
        *ret_host = (Text){ .data = rest->data + skip };
        if (skip == 0 && !is_connect)
                return rest->data[0] == '/' ||
                       (rest->n == 1 && rest->data[0] == '*' && strcmp(method, "OPTIONS") == 0);
        while (skip + ret_host->n < rest->n && ret_host->data[ret_host->n] != '/' &&
               ret_host->data[ret_host->n] != '?')
                ++ret_host->n;
        *rest = (Text){ .data = ret_host->data + ret_host->n, .n = rest->n - skip - ret_host->n };
        return ret_host->n > 0 && ret_host->data[0] != ':' && ws_authority_is_one(*ret_host);
}

static int ws_request_target(WsRequest *request, Text target) {
        const char *question;
        Text path, query = { 0 }, host;
        int r;

        if (memchr(target.data, '#', target.n) || /* a fragment is for who asks */
            !ws_request_authority(request->method, &target, &host) ||
            (host.n > 0 && ws_request_copy(host, request->host, sizeof(request->host)) != 0))
                return WS_REQUEST_E_BAD;

        question = target.n > 0 ? memchr(target.data, '?', target.n) : NULL;
        path = (Text){ .data = target.data,
                       .n = question ? (size_t)(question - target.data) : target.n };
        if (question)
                query = (Text){ .data = question + 1, .n = target.n - path.n - 1 };
        if (path.n == 0)
                path = TEXT("/");
        r = ws_form_decode(path, '+', request->path, sizeof(request->path));
        if (r != 0)
                return r == WS_FORM_E_TOO_LONG ? WS_REQUEST_E_TOO_LONG : WS_REQUEST_E_BAD;
        if (!ws_frame_is_utf8(text_of(request->path)))
                return WS_REQUEST_E_BAD;
        if (ws_request_copy(query, request->query, sizeof(request->query)) != 0)
                return WS_REQUEST_E_TOO_LONG;
        return ws_request_is_query(request->query) ? 0 : WS_REQUEST_E_BAD;
}

/* Schemes by which a proxy before us asks, and which it passes on; and Bearer with nothing behind
 * it, which is nobody's. */
static bool ws_request_is_elsewhere(const char *credentials) {
        static const char *const schemes[] = { "Basic", "Digest", "Negotiate", "NTLM" };

        for (size_t i = 0; i < N_ELEMENTS(schemes); ++i) {
                size_t n = strlen(schemes[i]);

                if (strncasecmp(credentials, schemes[i], n) == 0 &&
                    (credentials[n] == ' ' || credentials[n] == '\0'))
                        return true;
        }
        return strcasecmp(credentials, "Bearer") == 0;
}

/* What has another scheme, or none, is a token that cannot be a good one: nobody is to think that
 * he is somebody here. */
static int ws_request_bearer(WsRequest *request, const WsHead *head) {
        size_t n = 0;
        int r;

        r = ws_request_header(head, "Authorization", request->bearer, sizeof(request->bearer));
        if (r != 0)
                return r;

        if (ws_request_is_elsewhere(request->bearer)) {
                request->bearer[0] = '\0';
                return 0;
        }
        if (strncasecmp(request->bearer, "Bearer ", 7) == 0)
                n = 7 + strspn(request->bearer + 7, " ");
        else if (request->bearer[0] != '\0')
                snprintf(request->bearer, sizeof(request->bearer), "no bearer");
        memmove(request->bearer, request->bearer + n, strlen(request->bearer + n) + 1);
        return 0;
}

/* Is @word one of the words of a list with commas? */
static bool ws_request_lists(const char *list, const char *word) {
        Text rest = text_of(list);
        Text item;

        while (text_next_item(&rest, ", \t", &item))
                if (item.n == strlen(word) && strncasecmp(item.data, word, item.n) == 0)
                        return true;
        return false;
}

/* Is @type one of the media types of a list, whatever its parameters? */
static bool ws_request_names(const char *list, const char *type) {
        size_t n = strlen(type);

        while (*list) {
                list += strspn(list, ", \t");
                if (strncasecmp(list, type, n) == 0 && strcspn(list, ",; \t") == n)
                        return true;
                list += strcspn(list, ",");
        }
        return false;
}

/* RFC 9112 6.1 and 6.3: a body in chunks is one without a length; of whatever else nobody knows
 * where it ends, so it is bad, as is a coding beside a length, or in HTTP/1.0, which has none. */
static int ws_request_coding(WsRequest *request, const WsHead *head) {
        Text coding = ws_head_find(head, "Transfer-Encoding");
        char list[256];
        char *last;

        if (ws_head_count(head, "Transfer-Encoding") == 0)
                return 0;
        if (ws_head_count(head, "Transfer-Encoding") > 1 || head->is_http_1_0 ||
            request->body_length >= 0 || ws_request_copy(coding, list, sizeof(list)) != 0)
                return WS_REQUEST_E_BAD;
        request->has_coding = true;
        if (strcasecmp(list, "chunked") == 0)
                return 0;
        last = strrchr(list, ',');
        if (!last || strcasecmp(last + 1 + strspn(last + 1, " \t"), "chunked") != 0)
                return WS_REQUEST_E_BAD;
        *last = '\0';
        return ws_request_lists(list, "chunked") ? WS_REQUEST_E_BAD : WS_REQUEST_E_CODING;
}

/* How the request ends and what comes after it. A length that is not one number is bad: two readers
 * who disagree about it can be made to see two different requests. */
static int ws_request_framing(WsRequest *request, const WsHead *head) {
        char length[32], connection[256], expect[256];
        uint64_t n_body;

        if (ws_request_header(head, "Content-Length", length, sizeof(length)) != 0 ||
            ws_request_header(head, "Expect", expect, sizeof(expect)) != 0)
                return WS_REQUEST_E_BAD;
        if (!ws_head_list(head, "Connection", connection, sizeof(connection)))
                return WS_REQUEST_E_TOO_LARGE;

        request->body_length = -1;
        if (ws_head_count(head, "Content-Length") > 0) {
                if (strlen(length) > 15 || !text_to_number(text_of(length), INT64_MAX, &n_body))
                        return WS_REQUEST_E_BAD;
                request->body_length = (int64_t)n_body;
        }
        request->is_http_1_0 = head->is_http_1_0;
        request->wants_close = ws_request_lists(connection, "close");
        request->wants_keep = ws_request_lists(connection, "keep-alive");
        request->wants_upgrade = ws_request_lists(connection, "upgrade");
        request->wants_continue = strcasecmp(expect, "100-continue") == 0 && !head->is_http_1_0;
        request->has_expectation = *expect && strcasecmp(expect, "100-continue") != 0;
        return ws_request_coding(request, head);
}

/* Whom it is for: HTTP/1.1 has to say so, once, and what is a host (RFC 9112 3.2). */
static int ws_request_host(WsRequest *request, const WsHead *head) {
        if (ws_head_count(head, "Host") != 1 &&
            !(head->is_http_1_0 && ws_head_count(head, "Host") == 0))
                return WS_REQUEST_E_BAD;
        if (ws_request_header(head, "Host", request->host, sizeof(request->host)) != 0 ||
            !ws_authority_is_one(text_of(request->host)))
                return WS_REQUEST_E_BAD;
        return 0;
}

/* A list that is too long names nothing: it is only a wish. */
static void ws_request_accept(WsRequest *request, const WsHead *head) {
        char types[512];

        if (!ws_head_list(head, "Accept", types, sizeof(types)))
                return;
        request->wants_page = ws_request_names(types, "text/html");
        request->wants_json = ws_request_names(types, "application/json") && !request->wants_page;
        request->wants_events = ws_request_names(types, "text/event-stream");
        request->wants_csv =
                ws_request_names(types, "text/csv") && !ws_request_names(types, "application/json");
}

static int ws_request_fields(WsRequest *request, const WsHead *head) {
        const struct {
                const char *name;
                char *value;
                size_t size;
                int too_long; /* of some none that is longer has a meaning */
        } fields[] = {
                { "Origin", request->origin, sizeof(request->origin), WS_REQUEST_E_TOO_LARGE },
                { "Content-Type",
                  request->content_type,
                  sizeof(request->content_type),
                  WS_REQUEST_E_TOO_LARGE },
                { "Content-Encoding",
                  request->encoding,
                  sizeof(request->encoding),
                  WS_REQUEST_E_TOO_LARGE },
                { "Range", request->range, sizeof(request->range), WS_REQUEST_E_TOO_LARGE },
                { "If-Range",
                  request->if_range,
                  sizeof(request->if_range),
                  WS_REQUEST_E_TOO_LARGE },
                { "X-API-Key", request->api_key, sizeof(request->api_key), WS_REQUEST_E_TOO_LARGE },
                { "Last-Event-ID",
                  request->last_event_id,
                  sizeof(request->last_event_id),
                  WS_REQUEST_E_BAD },
                { "Idempotency-Key",
                  request->idempotency_key,
                  sizeof(request->idempotency_key),
                  WS_REQUEST_E_BAD },
        };
        char upgrade[128];

        for (size_t i = 0; i < N_ELEMENTS(fields); ++i) {
                int r = ws_request_header(head, fields[i].name, fields[i].value, fields[i].size);

                if (r != 0)
                        return r == WS_REQUEST_E_TOO_LARGE ? fields[i].too_long : r;
        }
        if (!ws_head_list(head,
                          "Sec-WebSocket-Protocol",
                          request->protocols,
                          sizeof(request->protocols)) ||
            !ws_head_list(head, "Upgrade", upgrade, sizeof(upgrade)))
                return WS_REQUEST_E_TOO_LARGE;
        /* Any other protocol is one that we may ignore (RFC 9110 7.8). */
        request->is_upgrade = ws_request_lists(upgrade, "websocket");
        if (!ws_head_list(head,
                          "If-None-Match",
                          request->if_none_match,
                          sizeof(request->if_none_match)))
                request->if_none_match[0] = '\0';
        ws_request_accept(request, head);
        if (!ws_head_list(head, "Accept-Encoding", request->accept, sizeof(request->accept)))
                request->accept[0] = '\0';
        return 0;
}

int ws_request_status(int r) {
        switch (r) {
        case WS_REQUEST_E_TOO_LONG:
                return 414;
        case WS_REQUEST_E_TOO_LARGE:
                return 431;
        case WS_REQUEST_E_METHOD:
        case WS_REQUEST_E_CODING:
                return 501;
        default:
                return 400;
        }
}

int ws_request_read(WsRequest *request, const WsHead *head) {
        int r;

        *request = (WsRequest){ 0 };
        request->body_length = -1;
        if (ws_request_copy(head->method, request->method, sizeof(request->method)) != 0)
                return WS_REQUEST_E_METHOD;
        r = ws_request_host(request, head);
        if (r == 0)
                r = ws_request_target(request, head->target);
        if (r == 0)
                r = ws_request_bearer(request, head);
        if (r == 0)
                r = ws_request_framing(request, head);
        if (r == 0)
                r = ws_request_fields(request, head);
        return r;
}

void ws_request_trace(WsRequest *request,
                      const WsHead *head,
                      const WsProxies *proxies,
                      const char *peer,
                      bool is_tls) {
        WsOrigin origin;

        ws_proxies_follow(proxies, head, peer, &origin);
        memcpy(request->source, origin.source, sizeof(request->source));
        request->is_secure = origin.is_told ? origin.is_secure : is_tls;
}

void ws_request_mend_time(char *text) {
        char *space = strrchr(text, ' ');

        if (space && space - text >= WS_REQUEST_MINUTE && space[1] >= '0' && space[1] <= '9')
                *space = '+';
}

bool ws_request_time(char *text, const Zone *zone, int64_t *ret_us) {
        ws_request_mend_time(text);
        return timestamp_parse(text_of(text), zone, ret_us) == 0;
}

bool ws_request_form_is_text(Text form, bool has_parts) {
        CLEANUP(free) char *decoded = NULL;

        if (has_parts)
                return name_is_utf8(form);
        decoded = malloc(form.n + 2);
        return decoded && ws_form_unescape(form, ' ', decoded, form.n + 2) &&
               name_is_utf8(text_of(decoded));
}

bool ws_request_form_param(Text form,
                           bool has_parts,
                           const char *name,
                           char *ret_value,
                           size_t n_value) {
        bool found;

        if (has_parts)
                return ws_multipart_find(form, name, ret_value, n_value);
        return ws_form_find(form, name, ret_value, n_value, &found);
}

bool ws_request_may_have_body(const WsRequest *request) {
        return strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
}

bool ws_request_param(const WsRequest *request, const char *name, char *ret_value, size_t n_value) {
        bool found = false;
        bool fits = ws_form_find(text_of(request->query), name, ret_value, n_value, &found);

        if (found && !fits && request->is_cut)
                *request->is_cut = true;
        return fits;
}

bool ws_request_word(const WsRequest *request,
                     const char *name,
                     const char *allowed,
                     char *ret_word,
                     size_t n_word,
                     char ret_detail[WS_REQUEST_DETAIL_SIZE]) {
        char text[64], wanted[68];

        if (!ws_request_param(request, name, text, sizeof(text)))
                return true;
        snprintf(wanted, sizeof(wanted), ",%s,", text);
        if (!strchr(text, ',') && strstr(allowed, wanted)) {
                snprintf(ret_word, n_word, "%s", text);
                return true;
        }
        snprintf(ret_detail,
                 WS_REQUEST_DETAIL_SIZE,
                 "%s must be one of %.*s.",
                 name,
                 (int)strlen(allowed) - 2,
                 allowed + 1);
        return false;
}

bool ws_request_switch(const WsRequest *request,
                       const char *name,
                       bool *ret_value,
                       char ret_detail[WS_REQUEST_DETAIL_SIZE]) {
        static const char *const words[][2] = {
                { "false", "true" }, { "0", "1" }, { "no", "yes" },
                { "off", "on" },     { "f", "t" }, { "n", "y" },
        };
        char text[64];

        if (!ws_request_param(request, name, text, sizeof(text)))
                return true;
        for (size_t i = 0; i < N_ELEMENTS(words); ++i)
                for (int value = 0; value < 2; ++value)
                        if (strcasecmp(text, words[i][value]) == 0) {
                                *ret_value = value == 1;
                                return true;
                        }
        snprintf(ret_detail, WS_REQUEST_DETAIL_SIZE, "%s must be true or false.", name);
        return false;
}

bool ws_request_origin_listed(const char *origin, const char *allowed) {
        return *origin && (ws_request_lists(allowed, "*") || ws_request_lists(allowed, origin));
}

bool ws_request_origin_named(const char *origin, const char *allowed) {
        return *origin && strcmp(origin, "*") != 0 && strcasecmp(origin, "null") != 0 &&
               ws_request_lists(allowed, origin);
}

bool ws_request_origin_ok(const WsRequest *request, const char *allowed) {
        const char *origin = request->origin;
        Text host = text_of(request->host);

        if (!*origin || *request->bearer || ws_request_origin_listed(origin, allowed))
                return true;
        if (strncasecmp(origin, "http://", 7) == 0 && !request->is_secure)
                return ws_authority_equal(text_of(origin + 7), host, TEXT("80"));
        if (strncasecmp(origin, "https://", 8) == 0)
                return ws_authority_equal(text_of(origin + 8), host, TEXT("443"));
        return false;
}

/* `ticket.<id>` among the offered subprotocols. */
static bool ws_request_protocol_ticket(const WsRequest *request, char *ret_value, size_t n_value) {
        Text rest = text_of(request->protocols), item;

        while (text_next_item(&rest, ", \t", &item))
                if (item.n > 7 && item.n - 7 < n_value && memcmp(item.data, "ticket.", 7) == 0) {
                        memcpy(ret_value, item.data + 7, item.n - 7);
                        ret_value[item.n - 7] = '\0';
                        return true;
                }
        return false;
}

bool ws_request_token(const WsRequest *request, char *ret_value, size_t n_value) {
        return ws_request_param(request, "token", ret_value, n_value) && *ret_value;
}

/* For who can set no header: the socket, or the event stream, of a browser. */
static bool ws_request_ticket(const WsRequest *request, char *ret_value, size_t n_value) {
        if (request->is_upgrade)
                return ws_request_param(request, "ticket", ret_value, n_value) ||
                       ws_request_protocol_ticket(request, ret_value, n_value);
        return (strcmp(request->path, "/api/events") == 0 ||
                strcmp(request->path, "/api/events/") == 0) &&
               ws_request_param(request, "ticket", ret_value, n_value);
}

/* An EventSource comes back by itself with what it came with, so that there are tickets for it that
 * are good again; a ticket of one use lets it in as well, once. */
static int ws_request_redeem(const WsRequest *request,
                             const WsAccess *access,
                             const char *ticket,
                             int64_t now_us,
                             WsHolder *ret_holder) {
        int r;

        if (!request->is_upgrade) {
                r = ws_stream_ticket_open(access->auth, text_of(ticket), ret_holder);
                if (r <= 0)
                        return err_up(r);
        }
        if (!access->tickets)
                return WS_REQUEST_E_REFUSED;
        r = access->shared
                    ? ws_shared_tickets_redeem(access->shared,
                                               access->auth,
                                               text_of(ticket),
                                               now_us,
                                               ret_holder)
                    : ws_tickets_redeem(access->tickets, text_of(ticket), now_us, ret_holder);
        return r > 0 ? WS_REQUEST_E_REFUSED : err_up(r);
}

static int ws_request_identify_ticket(const WsRequest *request,
                                      const WsAccess *access,
                                      const char *ticket,
                                      int64_t now_us,
                                      WsIdentity *identity,
                                      const char **ret_why) {
        WsHolder holder = { 0 };
        const User *user;
        int r;

        *ret_why = "bad ticket";
        r = ws_request_redeem(request, access, ticket, now_us, &holder);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (holder.expires_us <= now_us) { /* its token has ended meanwhile, and it with that */
                *ret_why = "expired";
                return WS_REQUEST_E_EXPIRED;
        }

        *ret_why = "no such user, one who is not active, or a token that was ended";
        user = registry_user(access->registry, holder.user_id);
        if (!user || !user->is_active || user->generation != holder.generation)
                return WS_REQUEST_E_REFUSED;
        identity->user = user;
        identity->expires_us = holder.expires_us;
        return 0;
}

int ws_request_identify_token(const WsAccess *access,
                              const char *jwt,
                              int64_t now_us,
                              WsIdentity *identity,
                              const char **ret_why) {
        WsClaims claims = { 0 };
        int r;

        r = ws_auth_verify(access->auth, text_of(jwt), now_us, &claims, ret_why);
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return r == WS_AUTH_E_EXPIRED ? WS_REQUEST_E_EXPIRED : WS_REQUEST_E_REFUSED;

        *ret_why = "no such user, one who is not active, or a token that was ended";
        identity->user = ws_auth_user(&claims, access->registry);
        identity->expires_us = claims.expires_us;
        identity->began_us = claims.began_us;
        return identity->user ? 0 : WS_REQUEST_E_REFUSED;
}

int ws_request_identify(const WsRequest *request,
                        const WsAccess *access,
                        int64_t now_us,
                        WsIdentity *ret_identity,
                        const char **ret_why) {
        WsIdentity identity = { .expires_us = INT64_MAX };
        char value[sizeof(request->bearer)];
        int r = 0;

        *ret_why = "no credential";
        if (*request->bearer) {
                r = ws_request_identify_token(access, request->bearer, now_us, &identity, ret_why);
        } else if (ws_request_ticket(request, value, sizeof(value))) {
                r = ws_request_identify_ticket(request, access, value, now_us, &identity, ret_why);
        } else if (ws_auth_query_token(access->auth) &&
                   ws_request_token(request, value, sizeof(value))) {
                r = ws_request_identify_token(access, value, now_us, &identity, ret_why);
        } else {
                identity.is_anonymous = ws_auth_is_anonymous(access->auth, text_of(request->path));
                r = identity.is_anonymous ? 0 : WS_REQUEST_E_NONE;
        }
        if (r == 0)
                *ret_identity = identity;
        return r;
}
