#include "ws/request.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <strings.h>

#include "gateway/base/metrics.h"
#include "ws/limiter.h"
#include "ws/party.h"

typedef struct WsRequestMethod WsRequestMethod;

struct WsRequestMethod {
        enum lws_token_indexes token;
        const char *name;
};

static const WsRequestMethod ws_request_methods[] = {
        { WSI_TOKEN_GET_URI, "GET" },       { WSI_TOKEN_HEAD_URI, "HEAD" },
        { WSI_TOKEN_POST_URI, "POST" },     { WSI_TOKEN_OPTIONS_URI, "OPTIONS" },
        { WSI_TOKEN_PUT_URI, "PUT" },       { WSI_TOKEN_PATCH_URI, "PATCH" },
        { WSI_TOKEN_DELETE_URI, "DELETE" },
};

/* A header that is absent is ""; one that does not fit, or has a NUL inside, is a bad request. */
static int ws_request_header(struct lws *wsi,
                             enum lws_token_indexes token,
                             char *ret_value,
                             size_t n_value) {
        int n;

        *ret_value = '\0';
        if (lws_hdr_total_length(wsi, token) <= 0)
                return 0;
        n = lws_hdr_copy(wsi, ret_value, (int)n_value, token);
        if (n < 0 || strlen(ret_value) != (size_t)n)
                return WS_REQUEST_E_BAD;
        while (n > 0 && (ret_value[n - 1] == ' ' || ret_value[n - 1] == '\t'))
                ret_value[--n] = '\0';
        return 0;
}

static int ws_request_line(WsRequest *request, struct lws *wsi) {
        for (size_t i = 0; i < N_ELEMENTS(ws_request_methods); ++i) {
                const WsRequestMethod *method = &ws_request_methods[i];

                if (lws_hdr_total_length(wsi, method->token) <= 0)
                        continue;
                snprintf(request->method, sizeof(request->method), "%s", method->name);
                return ws_request_header(wsi, method->token, request->path, sizeof(request->path));
        }
        return WS_REQUEST_E_BAD;
}

static bool ws_request_is_plain(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               (c && strchr("-._~=:,/*@!$'()", c));
}

/* lws cuts the query at each '&' and decodes the pieces: put them together as they were sent. */
static int ws_request_append(WsRequest *request, const char *piece, size_t n_piece) {
        size_t n = strlen(request->query);

        for (size_t i = 0; i < n_piece; ++i) {
                if (n + 4 > sizeof(request->query) || !piece[i])
                        return WS_REQUEST_E_BAD;
                if (ws_request_is_plain(piece[i]))
                        request->query[n++] = piece[i];
                else
                        n += (size_t)
                                snprintf(request->query + n, 4, "%%%02X", (unsigned char)piece[i]);
        }
        request->query[n] = '\0';
        return 0;
}

static int ws_request_separate(WsRequest *request) {
        size_t n = strlen(request->query);

        if (n + 2 > sizeof(request->query))
                return WS_REQUEST_E_BAD;
        request->query[n] = '&';
        request->query[n + 1] = '\0';
        return 0;
}

static int ws_request_query(WsRequest *request, struct lws *wsi) {
        char piece[sizeof(request->query)];
        int n;

        request->query[0] = '\0';
        if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS) <= 0)
                return 0;
        if ((size_t)lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS) >= sizeof(piece))
                return WS_REQUEST_E_BAD;

        for (int i = 0;; ++i) {
                n = lws_hdr_copy_fragment(wsi,
                                          piece,
                                          (int)sizeof(piece),
                                          WSI_TOKEN_HTTP_URI_ARGS,
                                          i);
                if (n < 0)
                        return 0;
                if (i > 0 && ws_request_separate(request) != 0)
                        return WS_REQUEST_E_BAD;
                if (ws_request_append(request, piece, (size_t)n) != 0)
                        return WS_REQUEST_E_BAD;
        }
}

/* Another scheme than Bearer is no credential of ours. */
static int ws_request_bearer(WsRequest *request, struct lws *wsi) {
        size_t n;

        if (ws_request_header(wsi,
                              WSI_TOKEN_HTTP_AUTHORIZATION,
                              request->bearer,
                              sizeof(request->bearer)))
                return WS_REQUEST_E_BAD;

        if (strncasecmp(request->bearer, "Bearer ", 7) != 0) {
                request->bearer[0] = '\0';
                return 0;
        }
        n = 7 + strspn(request->bearer + 7, " ");
        memmove(request->bearer, request->bearer + n, strlen(request->bearer + n) + 1);
        return 0;
}

/* How the request ends and what comes after it. A length that is not one number is bad: two readers
 * who disagree about it can be made to see two different requests. */
static int ws_request_framing(WsRequest *request, struct lws *wsi) {
        char length[32], connection[128], version[32];

        if (ws_request_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof(length)) ||
            ws_request_header(wsi, WSI_TOKEN_CONNECTION, connection, sizeof(connection)) ||
            ws_request_header(wsi, WSI_TOKEN_HTTP, version, sizeof(version)))
                return WS_REQUEST_E_BAD;

        request->body_length = -1;
        if (*length) {
                if (strspn(length, "0123456789") != strlen(length) || strlen(length) > 15)
                        return WS_REQUEST_E_BAD;
                request->body_length = strtoll(length, NULL, 10);
        }
        request->has_coding = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
        request->is_http_1_0 = strcmp(version, "HTTP/1.1") != 0;
        request->wants_close = strcasecmp(connection, "close") == 0;
        request->wants_keep = strcasecmp(connection, "keep-alive") == 0;
        return 0;
}

/* A header that lws does not know itself. */
static int ws_request_custom(struct lws *wsi, const char *name, char *ret_value, size_t n_value) {
        int n = lws_hdr_custom_length(wsi, name, (int)strlen(name));

        *ret_value = '\0';
        if (n <= 0)
                return 0;
        if ((size_t)n >= n_value ||
            lws_hdr_custom_copy(wsi, ret_value, (int)n_value, name, (int)strlen(name)) < 0 ||
            strlen(ret_value) != (size_t)n)
                return WS_REQUEST_E_BAD;
        return 0;
}

int ws_request_read(WsRequest *request, struct lws *wsi) {
        char upgrade[32];

        *request = (WsRequest){ 0 };
        request->body_length = -1;
        lws_get_peer_simple(wsi, request->source, sizeof(request->source));
        request->is_tls = lws_is_ssl(lws_get_network_wsi(wsi));

        if (ws_request_line(request, wsi) != 0 || ws_request_query(request, wsi) != 0 ||
            ws_request_bearer(request, wsi) != 0 ||
            ws_request_header(wsi, WSI_TOKEN_ORIGIN, request->origin, sizeof(request->origin)) ||
            ws_request_header(wsi, WSI_TOKEN_HOST, request->host, sizeof(request->host)) ||
            ws_request_header(wsi,
                              WSI_TOKEN_PROTOCOL,
                              request->protocols,
                              sizeof(request->protocols)) ||
            ws_request_header(wsi,
                              WSI_TOKEN_HTTP_CONTENT_TYPE,
                              request->content_type,
                              sizeof(request->content_type)) ||
            ws_request_header(wsi, WSI_TOKEN_UPGRADE, upgrade, sizeof(upgrade)) ||
            ws_request_framing(request, wsi) != 0)
                return WS_REQUEST_E_BAD;

        if (ws_request_header(wsi,
                              WSI_TOKEN_HTTP_IF_NONE_MATCH,
                              request->if_none_match,
                              sizeof(request->if_none_match)) != 0)
                request->if_none_match[0] = '\0';
        request->is_upgrade = strcasecmp(upgrade, "websocket") == 0;
        if (ws_request_custom(wsi, "x-api-key:", request->api_key, sizeof(request->api_key)) ||
            ws_request_custom(wsi,
                              "last-event-id:",
                              request->last_event_id,
                              sizeof(request->last_event_id)) ||
            ws_request_custom(wsi,
                              "idempotency-key:",
                              request->idempotency_key,
                              sizeof(request->idempotency_key)))
                return WS_REQUEST_E_BAD;
        return 0;
}

static int ws_request_hex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* false: a bad escape, a NUL, or too long. */
static bool ws_request_unescape(Text text, char *ret_value, size_t n_value) {
        size_t n = 0;

        for (size_t i = 0; i < text.n; ++i) {
                int c = text.data[i] == '+' ? ' ' : (unsigned char)text.data[i];

                if (c == '%') {
                        int high = i + 2 < text.n ? ws_request_hex(text.data[i + 1]) : -1;
                        int low = i + 2 < text.n ? ws_request_hex(text.data[i + 2]) : -1;

                        if (high < 0 || low < 0)
                                return false;
                        c = high * 16 + low;
                        i += 2;
                }
                if (c == 0 || n + 1 >= n_value)
                        return false;
                ret_value[n++] = (char)c;
        }
        ret_value[n] = '\0';
        return true;
}

bool ws_request_form_param(Text form, const char *name, char *ret_value, size_t n_value) {
        Text rest = form;

        while (rest.n > 0) {
                const char *end = memchr(rest.data, '&', rest.n);
                size_t n = end ? (size_t)(end - rest.data) : rest.n;
                const char *equals = memchr(rest.data, '=', n);
                size_t n_name = equals ? (size_t)(equals - rest.data) : n;
                char found[64];

                if (ws_request_unescape((Text){ rest.data, n_name }, found, sizeof(found)) &&
                    strcmp(found, name) == 0) {
                        size_t skip = equals ? n_name + 1 : n;

                        return ws_request_unescape((Text){ rest.data + skip, n - skip },
                                                   ret_value,
                                                   n_value);
                }
                rest = (Text){ rest.data + n + (end ? 1 : 0), rest.n - n - (end ? 1 : 0) };
        }
        return false;
}

bool ws_request_param(const WsRequest *request, const char *name, char *ret_value, size_t n_value) {
        return ws_request_form_param(text_of(request->query), name, ret_value, n_value);
}

/* The port that an authority (host, host:port, [v6]:port) names; absent if none. */
static Text ws_request_port(Text authority) {
        for (size_t i = authority.n; i > 0; --i) {
                char c = authority.data[i - 1];

                if (c == ']')
                        break;
                if (c == ':')
                        return (Text){ authority.data + i, authority.n - i };
        }
        return (Text){ 0 };
}

static bool ws_request_same_host(Text a, Text b, Text default_port) {
        Text port_a = ws_request_port(a);
        Text port_b = ws_request_port(b);
        size_t n_a = port_a.data ? a.n - port_a.n - 1 : a.n;
        size_t n_b = port_b.data ? b.n - port_b.n - 1 : b.n;

        return n_a == n_b && n_a > 0 && strncasecmp(a.data, b.data, n_a) == 0 &&
               text_equal(port_a.data ? port_a : default_port, port_b.data ? port_b : default_port);
}

bool ws_request_origin_listed(const char *origin, const char *allowed) {
        const char *at = allowed;

        while (at && *at && *origin) {
                size_t n;

                at += strspn(at, ", \t");
                n = strcspn(at, ", \t");
                if ((n == 1 && *at == '*') ||
                    (n > 0 && n == strlen(origin) && strncasecmp(at, origin, n) == 0))
                        return true;
                at += n;
        }
        return false;
}

bool ws_request_origin_ok(const WsRequest *request, const char *allowed) {
        const char *origin = request->origin;
        Text host = text_of(request->host);

        if (!*origin || ws_request_origin_listed(origin, allowed))
                return true;
        if (strncasecmp(origin, "http://", 7) == 0)
                return ws_request_same_host(text_of(origin + 7), host, TEXT("80"));
        if (strncasecmp(origin, "https://", 8) == 0)
                return ws_request_same_host(text_of(origin + 8), host, TEXT("443"));
        return false;
}

/* `ticket.<id>` among the offered subprotocols. */
static bool ws_request_protocol_ticket(const WsRequest *request, char *ret_value, size_t n_value) {
        const char *at = request->protocols;

        while (*at) {
                size_t n;

                at += strspn(at, ", \t");
                n = strcspn(at, ", \t");
                if (n > 7 && n - 7 < n_value && strncmp(at, "ticket.", 7) == 0) {
                        memcpy(ret_value, at + 7, n - 7);
                        ret_value[n - 7] = '\0';
                        return true;
                }
                at += n;
        }
        return false;
}

static int ws_request_identify_ticket(const WsAccess *access,
                                      const char *ticket,
                                      int64_t now_us,
                                      WsIdentity *identity,
                                      const char **ret_why) {
        WsHolder holder = { 0 };
        const User *user;
        int r;

        *ret_why = "bad ticket";
        if (!access->tickets)
                return WS_REQUEST_E_REFUSED;
        r = ws_tickets_redeem(access->tickets, text_of(ticket), now_us, &holder);
        if (r < 0)
                return r;
        if (r > 0)
                return WS_REQUEST_E_REFUSED;
        if (holder.expires_us <= now_us) { /* its token has ended meanwhile, and it with that */
                *ret_why = "expired";
                return WS_REQUEST_E_EXPIRED;
        }

        *ret_why = "unknown user";
        user = registry_user(access->registry, holder.user_id);
        if (!user || !user->is_active || user->generation != holder.generation)
                return WS_REQUEST_E_REFUSED;
        identity->user = user;
        identity->expires_us = holder.expires_us;
        return 0;
}

static int ws_request_identify_jwt(const WsAccess *access,
                                   const char *jwt,
                                   int64_t now_us,
                                   WsIdentity *identity,
                                   const char **ret_why) {
        WsClaims claims = { 0 };
        int r;

        r = ws_auth_verify(access->auth, text_of(jwt), now_us, &claims, ret_why);
        if (r < 0)
                return r;
        if (r > 0)
                return r == WS_AUTH_E_EXPIRED ? WS_REQUEST_E_EXPIRED : WS_REQUEST_E_REFUSED;

        *ret_why = "unknown user";
        identity->user = ws_auth_user(&claims, access->registry);
        identity->expires_us = claims.expires_us;
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
                r = ws_request_identify_jwt(access, request->bearer, now_us, &identity, ret_why);
        } else if (request->is_upgrade &&
                   (ws_request_param(request, "ticket", value, sizeof(value)) ||
                    ws_request_protocol_ticket(request, value, sizeof(value)))) {
                r = ws_request_identify_ticket(access, value, now_us, &identity, ret_why);
        } else if (ws_auth_query_token(access->auth) &&
                   ws_request_param(request, "token", value, sizeof(value))) {
                r = ws_request_identify_jwt(access, value, now_us, &identity, ret_why);
        } else {
                identity.is_anonymous = ws_auth_is_anonymous(access->auth, text_of(request->path));
                r = identity.is_anonymous ? 0 : WS_REQUEST_E_NONE;
        }
        if (r == 0)
                *ret_identity = identity;
        return r;
}

static int ws_access_take(const WsAccess *access,
                          const char *kind,
                          const char *name,
                          int per_min,
                          int64_t now_us) {
        char text[320];

        snprintf(text, sizeof(text), "%s:%s", kind, name);
        return ws_limiter_take(access->failures, text_of(text), per_min, now_us);
}

int ws_access_blame(const WsAccess *access,
                    const char *source,
                    const char *account,
                    int64_t now_us) {
        int per_min = access->failures_per_min;
        int wait_s = 0, other_s = 0;
        char party[WS_PARTY_TEXT_SIZE];

        metric_add(METRIC_CREDENTIALS_REFUSED, 1);
        if (!access->failures || per_min <= 0)
                return 0;
        ws_party_text(ws_party_address(source), party);
        wait_s = ws_access_take(access, "source", party, per_min, now_us);
        if (account)
                other_s = ws_access_take(access, "account", account, 2 * per_min, now_us);
        if (other_s > wait_s)
                wait_s = other_s;
        if (wait_s > 0)
                metric_add(METRIC_CREDENTIALS_LIMITED, 1);
        return wait_s;
}
