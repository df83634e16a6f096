#include "ws/http/refusals.h"

#include <stdio.h>
#include <strings.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"
#include "ws/access/limiter.h"
#include "ws/access/party.h"
#include "ws/access/proxies.h"
#include "ws/http/endpoint.h"
#include "ws/wire/head.h"

enum {
        WS_REFUSALS_SOURCES = 1024,
        WS_REFUSALS_PER_MINUTE = 20, /* of one source */
        WS_REFUSALS_TEXT = 200,      /* bytes of what was asked for, at most */
};

static const BucketRate ws_refusals_all = { .n = 120,
                                            .period_us = INT64_C(60000000),
                                            .burst = 120 };

struct WsRefusals {
        WsLimiter *sources;
        Bucket all;
        unsigned long long n_held;
};

int ws_refusals_new(WsRefusals **ret_refusals) {
        CLEANUP(ws_refusals_free) WsRefusals *refusals = NULL;
        int r;

        refusals = calloc(1, sizeof(*refusals));
        if (!refusals)
                return err_new(-ENOMEM);
        r = ws_limiter_new(&refusals->sources, WS_REFUSALS_SOURCES);
        if (r < 0)
                return err_up(r);
        *ret_refusals = TAKE(&refusals);
        return 0;
}

WsRefusals *ws_refusals_free(WsRefusals *refusals) {
        if (!refusals)
                return NULL;

        ws_limiter_free(refusals->sources);
        free(refusals);
        return NULL;
}

/* Its own share first: who has used it up takes nothing of what is there for all. */
static bool ws_refusals_may(WsRefusals *refusals, const char *source, int64_t now_us) {
        uint64_t party = ws_party_of(0, 0, source);
        Text name = { .data = (const char *)&party, .n = sizeof(party) };

        return ws_limiter_take(refusals->sources, name, WS_REFUSALS_PER_MINUTE, now_us) == 0 &&
               bucket_take(&refusals->all, &ws_refusals_all, 1, now_us) == 0;
}

/* In quotes: what comes from outside ends none, and is as long as it may be. */
static const char *ws_refusals_quote(const char *text, char ret_text[WS_REFUSALS_TEXT]) {
        snprintf(ret_text, WS_REFUSALS_TEXT, "%s", text);
        for (char *c = ret_text; *c; ++c)
                if (*c == '"' || *c == '\\')
                        *c = '?';
        return ret_text;
}

const char *ws_refusals_key(const WsRequest *request, const char *why) {
        static const struct {
                const char *why, *key;
        } keys[] = {
                { "algorithm not allowed", "auth.algorithms" },
                { "bad signature", "auth.jwt_secret_file,auth.jwt_public_key_file" },
                { "wrong issuer", "auth.issuer" },
                { "wrong audience", "auth.audience" },
                { "no subject", "auth.subject_claim,auth.subject_type" },
        };
        char token[sizeof(request->bearer)];

        for (size_t i = 0; i < N_ELEMENTS(keys); ++i)
                if (strcmp(keys[i].why, why) == 0)
                        return keys[i].key;
        if (strcmp(why, "no credential") != 0)
                return NULL;
        return ws_request_token(request, token, sizeof(token)) ? "auth.query_token"
                                                               : "auth.anonymous";
}

bool ws_refusals_say(WsRefusals *refusals, const WsRefused *refused, int64_t now_us) {
        char path[WS_REFUSALS_TEXT], origin[WS_REFUSALS_TEXT];

        if (!ws_refusals_may(refusals, refused->source, now_us)) {
                ++refusals->n_held;
                return false;
        }
        log_info("ws_refused path=\"%s\" status=%d reason=%s why=\"%s\" origin=\"%s\" "
                 "source=%s%s%s "
                 "more=%llu",
                 ws_refusals_quote(refused->path, path),
                 refused->status,
                 refused->code,
                 refused->why,
                 ws_refusals_quote(refused->origin, origin),
                 refused->source,
                 refused->key ? " set=" : "",
                 refused->key ? refused->key : "",
                 refusals->n_held);
        refusals->n_held = 0;
        return true;
}

/* ---- what could not be read --------------------------------------------------------------- */

/* Up to what ends a line, or a word of the first; a NUL and what is no ASCII become '?'. */
static void ws_refusals_copy(Text text, const char *ends, char ret_text[WS_REFUSALS_TEXT]) {
        size_t n = 0;

        for (; n < text.n && n + 1 < WS_REFUSALS_TEXT; ++n) {
                char c = text.data[n];

                if (c != '\0' && strchr(ends, c))
                        break;
                ret_text[n] = c;
                if (c < ' ' || c > '~')
                        ret_text[n] = '?';
        }
        ret_text[n] = '\0';
}

/* What comes behind the name of a field, wherever a line begins with it; absent if none does. */
static Text ws_refusals_field(Text bytes, const char *name) {
        size_t n = strlen(name);

        for (size_t i = 0; i + n + 1 < bytes.n; ++i)
                if (bytes.data[i] == '\n' && strncasecmp(bytes.data + i + 1, name, n) == 0) {
                        Text rest = { bytes.data + i + 1 + n, bytes.n - i - 1 - n };

                        while (rest.n > 0 && *rest.data == ' ')
                                rest = (Text){ rest.data + 1, rest.n - 1 };
                        return rest;
                }
        return (Text){ 0 };
}

static Text ws_refusals_target(Text bytes) {
        const char *space = bytes.n > 0 ? memchr(bytes.data, ' ', bytes.n) : NULL;

        return space ? (Text){ space + 1, bytes.n - (size_t)(space + 1 - bytes.data) }
                     : (Text){ 0 };
}

static const char *ws_refusals_misread_why(int status) {
        switch (status) {
        case 414:
                return "the target is too long";
        case 431:
                return "the headers are too large";
        case 501:
                return "a method or a coding that is not known";
        case 505:
                return "no HTTP/1";
        default:
                return "malformed: the path, the query or a header is no text, or is there twice";
        }
}

void ws_refusals_misread(WsRefusals *refusals, const WsMisread *misread, const WsProxies *proxies) {
        char path[WS_REFUSALS_TEXT], origin[WS_REFUSALS_TEXT], upgrade[WS_REFUSALS_TEXT];
        Text bytes = misread->bytes;
        WsOrigin from;
        WsHead head;

        ws_refusals_copy(ws_refusals_field(bytes, "upgrade:"), "\r\n", upgrade);
        if (!strcasestr(upgrade, "websocket"))
                return;
        ws_refusals_copy(ws_refusals_target(bytes), " ?\r\n", path);
        ws_refusals_copy(ws_refusals_field(bytes, "origin:"), "\r\n", origin);
        if (ws_head_parse(&head, bytes) == 0)
                ws_proxies_follow(proxies, &head, misread->peer, &from);
        else
                snprintf(from.source, sizeof(from.source), "%s", misread->peer);
        (void)ws_refusals_say(refusals,
                              &(WsRefused){ .path = path,
                                            .origin = origin,
                                            .source = from.source,
                                            .status = misread->status,
                                            .code = "bad_request",
                                            .why = ws_refusals_misread_why(misread->status) },
                              clock_mono_us());
        metric_add(METRIC_WS_REFUSED_BAD_REQUEST, 1);
}

/* What there was to say of it was said to who asked; false: it is none that is told of. */
static bool ws_refusals_stream(const WsCall *call, WsRefused *refused) {
        if (!ws_endpoint_is_followed(call->request->path))
                return false;
        switch (call->response->status) {
        case 401:
                refused->code = "unauthorized";
                refused->why = call->why ? call->why : "no credential";
                refused->key = ws_refusals_key(call->request, refused->why);
                metric_add(METRIC_WS_REFUSED_UNAUTHORIZED, 1);
                return true;
        case 403:
                refused->code = "forbidden_origin";
                refused->why = "this Origin is not allowed";
                refused->key = "http.allowed_origins";
                metric_add(METRIC_WS_REFUSED_ORIGIN, 1);
                return true;
        default:
                return false;
        }
}

/* A proxy in between that does not pass Upgrade on makes a GET of it. */
static bool ws_refusals_no_upgrade(const WsCall *call, WsRefused *refused) {
        bool is_stripped = call->response->status == 426;

        if (!is_stripped && !call->request->is_upgrade)
                return false;
        refused->code = is_stripped ? "upgrade_required" : "bad_upgrade";
        refused->why = is_stripped ? "no Upgrade came: a proxy in between has to pass it on"
                                   : "no WebSocket begins here";
        metric_add(METRIC_WS_REFUSED_BAD_REQUEST, 1);
        return true;
}

void ws_refusals_missed(WsRefusals *refusals, const WsCall *call) {
        WsRefused refused = { .path = call->request->path,
                              .origin = call->request->origin,
                              .source = call->request->source,
                              .status = call->response->status };

        if (ws_refusals_no_upgrade(call, &refused) || ws_refusals_stream(call, &refused))
                (void)ws_refusals_say(refusals, &refused, clock_mono_us());
}
