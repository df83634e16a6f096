#include "base/text.h"
#include "ws/files/file.h"
#include "ws/http/elsewhere.h"
#include "ws/http/endpoint.h"
#include "ws/loop/site.h"
#include "ws/wire/media.h"

/*
 * The dashboard at `/`: the files of its folder, and its page for every path that only its script
 * knows. What is ours, or an origin system's, is never that page: a mistake in a path has to be
 * told.
 */

#define WS_DASHBOARD_INDEX "/index.html"
#define WS_DASHBOARD_NEVER "no-cache"
#define WS_DASHBOARD_EVER  "public, max-age=31536000, immutable"

static const WsEndpoint ws_dashboard_row = { "/*", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_dashboard,
                                             NULL, NULL };

/* With all that is below them. */
static bool ws_dashboard_is_ours(const char *path) {
        static const char *const paths[] = {
                "/api",   "/assets",  "/auth",   "/health", "/live",
                "/livez", "/metrics", "/readyz", "/ws",
        };

        for (size_t i = 0; i < N_ELEMENTS(paths); ++i) {
                size_t n = strlen(paths[i]);

                if (strncmp(path, paths[i], n) == 0 && (path[n] == '\0' || path[n] == '/'))
                        return true;
        }
        return ws_elsewhere(path) != NULL;
}

const WsEndpoint *ws_dashboard_find(const WsOptions *options, const WsRequest *request) {
        bool is_read = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;

        if (!options->site || !is_read)
                return NULL;
        if (ws_site_find(options->site, request->path))
                return &ws_dashboard_row;
        return request->wants_page && !ws_dashboard_is_ours(request->path) ? &ws_dashboard_row
                                                                           : NULL;
}

static void ws_dashboard_give_file(WsCall *call, const WsSiteFile *file) {
        ws_response_header(call->response,
                           "Cache-Control",
                           file->is_final ? WS_DASHBOARD_EVER : WS_DASHBOARD_NEVER);
        ws_file_give(call->request,
                     &(WsFile){ .type = ws_media_of(file->path)->type,
                                .plain = buf_text(&file->plain),
                                .packed = buf_text(&file->packed),
                                .tag = file->tag },
                     call->response);
}

/* The page, where its files are some levels up. */
static void ws_dashboard_give_page(WsCall *call, const WsSiteFile *index, size_t depth) {
        Buf *body = &call->response->body;

        ws_response_header(call->response, "Cache-Control", WS_DASHBOARD_NEVER);
        ws_site_page(call->options->site, depth, body);
        ws_file_give(call->request,
                     &(WsFile){ .type = ws_media_of(WS_DASHBOARD_INDEX)->type,
                                .plain = buf_text(body),
                                .tag = text_hash(index->tag, &depth, sizeof(depth)) },
                     call->response);
}

int ws_endpoint_dashboard(WsCall *call) {
        const WsSite *site = call->options->site;
        const WsSiteFile *index = ws_site_find(site, WS_DASHBOARD_INDEX);
        const WsSiteFile *file = ws_site_find(site, call->request->path);
        size_t depth = 0;

        ws_response_header(call->response, "Content-Security-Policy", ws_site_policy(site));
        ws_response_header(call->response, "Referrer-Policy", "no-referrer");
        ws_response_header(call->response, "X-Frame-Options", "DENY");
        for (const char *at = call->request->path + 1; *at; ++at)
                depth += *at == '/';
        if (!file && depth > 0)
                ws_dashboard_give_page(call, index, depth);
        else
                ws_dashboard_give_file(call, file ? file : index);
        return 0;
}
