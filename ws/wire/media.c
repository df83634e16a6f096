#include "ws/wire/media.h"

static const WsMedia ws_media[] = {
        { "css", "text/css; charset=utf-8", true },
        { "geojson", "application/geo+json", true },
        { "html", "text/html; charset=utf-8", true },
        { "ico", "image/x-icon", false },
        { "jpg", "image/jpeg", false },
        { "js", "text/javascript; charset=utf-8", true },
        { "json", "application/json", true },
        { "mjs", "text/javascript; charset=utf-8", true },
        { "pbf", "application/x-protobuf", true },
        { "pmtiles", "application/vnd.pmtiles", false },
        { "png", "image/png", false },
        { "svg", "image/svg+xml", true },
        { "txt", "text/plain; charset=utf-8", true },
        { "wasm", "application/wasm", true },
        { "webmanifest", "application/manifest+json", true },
        { "webp", "image/webp", false },
        { "woff2", "font/woff2", false },
};

static const WsMedia ws_media_unknown = { "", "application/octet-stream", false };

const WsMedia *ws_media_of(const char *name) {
        const char *end = strrchr(name, '.');

        for (size_t i = 0; end && i < N_ELEMENTS(ws_media); ++i)
                if (strcmp(ws_media[i].end, end + 1) == 0)
                        return &ws_media[i];
        return &ws_media_unknown;
}
