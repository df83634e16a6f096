#include "ws/endpoint.h"

#include <stdio.h>

#define WS_FORM "application/x-www-form-urlencoded"

/* In order of path. */
static const WsEndpoint ws_endpoints[] = {
        { "/", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/api/devices", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_devices, NULL, NULL },
        { "/api/faces/statistics",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_cameras,
          ws_endpoint_data_answer,
          NULL },
        { "/api/statistics",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_cameras,
          ws_endpoint_data_answer,
          NULL },
        { "/api/token",
          "POST",
          WS_ENDPOINT_PUBLIC,
          ws_endpoint_token,
          ws_endpoint_token_answer,
          WS_FORM },
        { "/api/v1/devices", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_devices_v1, NULL, NULL },
        { "/api/v1/statistics/realtime",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_detections,
          ws_endpoint_data_answer,
          NULL },
        { "/api/vehicles", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_vehicles, NULL, NULL },
        { "/api/ws/stats", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_stats, NULL, NULL },
        { "/api/ws/status", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_status, NULL, NULL },
        { "/api/ws/ticket", "POST", WS_ENDPOINT_USER, ws_endpoint_ticket, NULL, NULL },
        { "/assets/app.js", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/assets/map.js", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/assets/style.css", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/health", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_health, NULL, NULL },
        { "/livez", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_livez, NULL, NULL },
        { "/metrics", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_metrics, NULL, NULL },
        { "/readyz", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_readyz, NULL, NULL },
};

static bool ws_endpoint_serves(const WsEndpoint *endpoint, const char *method) {
        return strcmp(endpoint->method, method) == 0 ||
               (strcmp(endpoint->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

const WsEndpoint *ws_endpoint_find(const char *path, const char *method, char ret_allow[64]) {
        Text wanted = text_of(path);

        ret_allow[0] = '\0';
        if (wanted.n > 1 && path[wanted.n - 1] == '/')
                --wanted.n;
        for (size_t i = 0; i < N_ELEMENTS(ws_endpoints); ++i) {
                const WsEndpoint *endpoint = &ws_endpoints[i];

                if (!text_equal(wanted, text_of(endpoint->path)))
                        continue;
                if (ws_endpoint_serves(endpoint, method))
                        return endpoint;
                snprintf(ret_allow,
                         64,
                         "%s",
                         strcmp(endpoint->method, "GET") == 0 ? "GET, HEAD, OPTIONS"
                                                              : "POST, OPTIONS");
        }
        return NULL;
}
