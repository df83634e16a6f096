#include "base/json_out.h"
#include "base/text.h"
#include "ws/files/file.h"
#include "ws/http/endpoint.h"
#include "ws/wire/media.h"

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

        if (!asset) {
                ws_response_problem(response, 404, "not_found", "There is nothing here.");
                return 0;
        }

        ws_response_header(response, "Cache-Control", "no-cache");
        ws_response_header(response, "Content-Security-Policy", WS_ASSETS_POLICY);
        ws_response_header(response, "Referrer-Policy", "no-referrer");
        ws_response_header(response, "X-Frame-Options", "DENY");
        ws_file_give(call->request,
                     &(WsFile){ .type = ws_media_of(asset->name)->type,
                                .plain = { asset->data, asset->n },
                                .packed = { asset->packed, asset->n_packed },
                                .tag = text_hash(TEXT_HASH, asset->data, asset->n) },
                     response);
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
        if (call->options->site)
                return ws_endpoint_dashboard(call);
        return ws_asset_send_to(call, "live");
}

/* Behind a slash its own files would be sought one level too deep. */
int ws_endpoint_live(WsCall *call) {
        if (strcmp(call->request->path, "/live") != 0)
                return ws_asset_send_to(call, "../live");
        return ws_endpoint_asset(call);
}
