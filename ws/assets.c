#include <stdio.h>

#include "ws/endpoint.h"

/*
 * The page at `/` and the documents of the interfaces: files built into the program. Their names
 * carry no version, so browsers ask each time, and are told 304 by the ETag.
 */

typedef struct WsAsset WsAsset;

struct WsAsset {
        const char *name;
        const char *data;
        size_t n;
};

static const WsAsset ws_assets[] = {
#include "ws/assets.inc"
};

#define WS_ASSETS_POLICY                                                          \
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; " \
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const WsAsset *ws_asset_find(const char *path) {
        const char *name = strrchr(path, '/') + 1;

        if (!*name)
                name = "index.html";
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

/* FNV-1a, to tell one build's file from another's. */
static void ws_asset_tag(const WsAsset *asset, char ret_tag[24]) {
        uint64_t hash = UINT64_C(14695981039346656037);

        for (size_t i = 0; i < asset->n; ++i)
                hash = (hash ^ (unsigned char)asset->data[i]) * UINT64_C(1099511628211);
        snprintf(ret_tag, 24, "\"%016llx\"", (unsigned long long)hash);
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
        ws_response_header(response, "ETag", tag);
        ws_response_header(response, "Cache-Control", "no-cache");
        ws_response_header(response, "Content-Security-Policy", WS_ASSETS_POLICY);
        ws_response_header(response, "Referrer-Policy", "no-referrer");
        ws_response_header(response, "X-Frame-Options", "DENY");
        if (strcmp(call->request->if_none_match, tag) == 0) {
                response->status = 304;
                return 0;
        }
        response->status = 200;
        response->content_type = ws_asset_type(asset->name);
        response->fixed = (Text){ .data = asset->data, .n = asset->n };
        return 0;
}
