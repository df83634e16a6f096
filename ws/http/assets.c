#include <stdio.h>
#include <strings.h>

#include "base/json_out.h"
#include "base/text.h"
#include "ws/http/endpoint.h"

/*
 * The page at `/live` and the documents of the interfaces: files built into the program. Their
 * names carry no version, so browsers ask each time, and are told 304 by the ETag.
 */

typedef struct WsAsset WsAsset;

struct WsAsset {
        const char *name;
        const char *data;
        size_t n;
        const char *packed; /* by gzip */
        size_t n_packed;
};

static const WsAsset ws_assets[] = {
#include "ws/assets.inc"
};

#define WS_ASSETS_POLICY                                                          \
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; " \
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const WsAsset *ws_asset_find(const char *path) {
        const char *name = strcmp(path, "/live") == 0 ? "index.html" : strrchr(path, '/') + 1;

        for (size_t i = 0; i < N_ELEMENTS(ws_assets); ++i)
                if (strcmp(ws_assets[i].name, name) == 0)
                        return &ws_assets[i];
        return NULL;
}

static const char *ws_asset_type(const char *name) {
        const char *end = strrchr(name, '.');

        if (end && strcmp(end, ".js") == 0)
                return "text/javascript; charset=utf-8";
        if (end && strcmp(end, ".json") == 0)
                return "application/json";
        if (end && strcmp(end, ".css") == 0)
                return "text/css; charset=utf-8";
        return "text/html; charset=utf-8";
}

/* To tell one build's file from another's. */
static void ws_asset_tag(const WsAsset *asset, char ret_tag[24]) {
        snprintf(ret_tag,
                 24,
                 "\"%016llx\"",
                 (unsigned long long)text_hash(TEXT_HASH, asset->data, asset->n));
}

/* Does Accept-Encoding name gzip, and not with a quality of 0? */
static bool ws_asset_may_pack(const char *accept) {
        while (*accept) {
                size_t n;

                accept += strspn(accept, ", \t");
                n = strcspn(accept, ",");
                if (strncasecmp(accept, "gzip", 4) == 0 && strcspn(accept, ",; \t") == 4)
                        return !memmem(accept, n, "q=0", 3) || memmem(accept, n, "q=0.", 4);
                accept += n;
        }
        return false;
}

static bool ws_asset_number(const char **at, size_t *ret_number) {
        char *end = NULL;

        if (**at < '0' || **at > '9')
                return false;
        errno = 0;
        *ret_number = strtoull(*at, &end, 10);
        *at = end;
        return errno == 0;
}

/* One range of bytes (RFC 9110 14.1.2). False: another form, or several: all of it is the answer.
 * An empty range: it lies behind the end. */
static bool ws_asset_range(const char *range, size_t n, size_t *ret_from, size_t *ret_n) {
        const char *at = range;
        size_t from, to = SIZE_MAX;

        if (strncasecmp(at, "bytes=", 6) != 0)
                return false;
        at += 6;
        if (*at == '-') { /* the last ones */
                ++at;
                if (!ws_asset_number(&at, &to) || *at)
                        return false;
                *ret_n = to < n ? to : n;
                *ret_from = n - *ret_n;
                return true;
        }
        if (!ws_asset_number(&at, &from) || *at++ != '-')
                return false;
        if (*at && (!ws_asset_number(&at, &to) || *at || to < from))
                return false;
        *ret_from = from;
        *ret_n = from >= n ? 0 : (to < n ? to + 1 : n) - from;
        return true;
}

static void ws_asset_give_part(WsResponse *response, const WsAsset *asset, size_t from, size_t n) {
        if (n == 0) {
                buf_printf(&response->headers, "Content-Range: bytes */%zu\r\n", asset->n);
                ws_response_problem(response, 416, "bad_range", "There are no such bytes.");
                return;
        }
        response->status = 206;
        buf_printf(&response->headers,
                   "Content-Range: bytes %zu-%zu/%zu\r\n",
                   from,
                   from + n - 1,
                   asset->n);
        response->fixed = (Text){ .data = asset->data + from, .n = n };
}

static void ws_asset_give(const WsRequest *request, const WsAsset *asset, WsResponse *response) {
        size_t from = 0, n = 0;

        response->content_type = ws_asset_type(asset->name);
        if (*request->range && !*request->if_range &&
            ws_asset_range(request->range, asset->n, &from, &n)) {
                ws_asset_give_part(response, asset, from, n);
                return;
        }
        response->status = 200;
        response->fixed = (Text){ .data = asset->data, .n = asset->n };
        if (!ws_asset_may_pack(request->accept))
                return;
        ws_response_header(response, "Content-Encoding", "gzip");
        response->fixed = (Text){ .data = asset->packed, .n = asset->n_packed };
}

/* What / says to programs. */
static int ws_asset_give_json(WsCall *call) {
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Vary", "Accept");
        ws_response_header(call->response, "Cache-Control", "no-cache");
        json_out_object(&out, NULL);
        json_out_string(&out, "name", "Tidegate");
        json_out_string(&out, "message", "Tidegate is running");
        json_out_string(&out, "version", call->options->version);
        json_out_string(&out, "status", "running");
        json_out_string(&out, "health", "/health");
        json_out_string(&out, "docs", "/api/openapi.json");
        json_out_object_end(&out);
        return 0;
}

int ws_endpoint_asset(WsCall *call) {
        WsResponse *response = call->response;
        const WsAsset *asset = ws_asset_find(call->request->path);
        char tag[24];

        if (!asset) {
                ws_response_problem(response, 404, "not_found", "There is nothing here.");
                return 0;
        }

        ws_asset_tag(asset, tag);
        buf_printf(&response->headers, "ETag: W/%s\r\n", tag); /* the same, packed or not */
        ws_response_header(response, "Vary", "Accept, Accept-Encoding");
        ws_response_header(response, "Accept-Ranges", "bytes");
        ws_response_header(response, "Cache-Control", "no-cache");
        ws_response_header(response, "Content-Security-Policy", WS_ASSETS_POLICY);
        ws_response_header(response, "Referrer-Policy", "no-referrer");
        ws_response_header(response, "X-Frame-Options", "DENY");
        if (strstr(call->request->if_none_match, tag)) {
                response->status = 304;
                return 0;
        }
        ws_asset_give(call->request, asset, response);
        return 0;
}

/* Relative, for who comes by a proxy that puts us under a prefix. */
static int ws_asset_send_to(WsCall *call, const char *place) {
        call->response->status = 302;
        ws_response_header(call->response, "Vary", "Accept");
        ws_response_header(call->response, "Cache-Control", "no-cache");
        ws_response_header(call->response, "Location", place);
        return 0;
}

int ws_endpoint_root(WsCall *call) {
        if (call->request->wants_json)
                return ws_asset_give_json(call);
        return ws_asset_send_to(call, "live");
}

/* Behind a slash its own files would be sought one level too deep. */
int ws_endpoint_live(WsCall *call) {
        if (strcmp(call->request->path, "/live") != 0)
                return ws_asset_send_to(call, "../live");
        return ws_endpoint_asset(call);
}
