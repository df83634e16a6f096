#include "ws/http/endpoint.h"

#include <stdio.h>

#define WS_FORM "application/x-www-form-urlencoded"
#define WS_JSON "application/json"

/* In order of path; of two that match the first is meant. */
static const WsEndpoint ws_endpoints[] = {
        { "/", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/api/alerts",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_alerts,
          ws_endpoint_history_answer,
          NULL },
        { "/api/asyncapi.json", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/api/cameras", "GET", WS_ENDPOINT_SIGNED_IN, ws_page_cameras, ws_page_answer, NULL },
        { "/api/cameras/{id}", "GET", WS_ENDPOINT_SIGNED_IN, ws_page_camera, ws_page_answer, NULL },
        { "/api/cameras/{id}/snapshot",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_no_picture,
          NULL,
          NULL },
        { "/api/cameras/{id}/status",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_camera_status,
          ws_page_answer,
          NULL },
        { "/api/cameras/{id}/stream",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_no_picture,
          NULL,
          NULL },
        { "/api/commands/{id}",
          "GET",
          WS_ENDPOINT_USER,
          ws_endpoint_command_get,
          ws_endpoint_command_get_answer,
          NULL },
        { "/api/commands/{id}",
          "DELETE",
          WS_ENDPOINT_USER,
          ws_endpoint_command_cancel,
          ws_endpoint_command_cancel_answer,
          NULL },
        { "/api/detections",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_detection_list,
          ws_endpoint_history_answer,
          NULL },
        { "/api/devices", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_devices, NULL, NULL },
        { "/api/devices/{id}", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_device, NULL, NULL },
        { "/api/devices/{id}/commands",
          "POST",
          WS_ENDPOINT_USER,
          ws_endpoint_command,
          ws_endpoint_command_answer,
          WS_JSON },
        { "/api/devices/{id}/owner",
          "PUT",
          WS_ENDPOINT_USER,
          ws_endpoint_device_owner,
          ws_endpoint_owner_answer,
          WS_JSON },
        { "/api/devices/{id}/telemetry",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_telemetry,
          ws_endpoint_history_answer,
          NULL },
        { "/api/events", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_events, NULL, NULL },
        { "/api/events/poll", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_poll, NULL, NULL },
        { "/api/faces/detections",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_faces,
          ws_page_answer,
          NULL },
        { "/api/faces/history/detections",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_face_history_list,
          ws_page_answer,
          NULL },
        { "/api/faces/statistics",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_cameras,
          ws_page_face_statistics_answer,
          NULL },
        { "/api/history/detections",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_face_history,
          ws_page_answer,
          NULL },
        { "/api/mqtt/status", "GET", WS_ENDPOINT_SIGNED_IN, ws_page_mqtt_status, NULL, NULL },
        { "/api/openapi.json", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/api/recordings", "GET", WS_ENDPOINT_SIGNED_IN, ws_page_recordings, NULL, NULL },
        { "/api/setup/status", "GET", WS_ENDPOINT_PUBLIC, ws_page_setup_status, NULL, NULL },
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
        { "/api/token/refresh", "POST", WS_ENDPOINT_USER, ws_endpoint_token_refresh, NULL, NULL },
        { "/api/users/me", "GET", WS_ENDPOINT_USER, ws_page_camera_user, NULL, NULL },
        { "/api/v1/detections",
          "POST",
          WS_ENDPOINT_DEVICE,
          ws_endpoint_detections_one,
          NULL,
          WS_JSON },
        { "/api/v1/detections/bulk",
          "POST",
          WS_ENDPOINT_DEVICE,
          ws_endpoint_detections_bulk,
          NULL,
          WS_JSON },
        { "/api/v1/detections/count",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_count,
          ws_page_answer,
          NULL },
        { "/api/v1/detections/recent",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_recent,
          ws_page_answer,
          NULL },
        { "/api/v1/devices",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_devices,
          ws_page_answer,
          NULL },
        { "/api/v1/devices/active",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_active,
          ws_page_answer,
          NULL },
        { "/api/v1/devices/register",
          "POST",
          WS_ENDPOINT_PUBLIC,
          ws_page_counter_administration,
          NULL,
          NULL },
        { "/api/v1/devices/{id}",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_device,
          ws_page_answer,
          NULL },
        { "/api/v1/devices/{id}", "PUT", WS_ENDPOINT_PUBLIC, ws_page_counter_change, NULL, NULL },
        { "/api/v1/devices/{id}/activate",
          "POST",
          WS_ENDPOINT_PUBLIC,
          ws_page_counter_administration,
          NULL,
          NULL },
        { "/api/v1/devices/{id}/deactivate",
          "POST",
          WS_ENDPOINT_PUBLIC,
          ws_page_counter_administration,
          NULL,
          NULL },
        { "/api/v1/devices/{id}/stats",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_device_stats,
          ws_page_answer,
          NULL },
        { "/api/v1/export/detections/csv",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_export,
          ws_page_counter_export_answer,
          NULL },
        { "/api/v1/statistics/daily",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_daily,
          ws_page_answer,
          NULL },
        { "/api/v1/statistics/distribution",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_distribution,
          ws_page_answer,
          NULL },
        { "/api/v1/statistics/histogram",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_histogram,
          ws_page_answer,
          NULL },
        { "/api/v1/statistics/hourly",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_hourly,
          ws_page_answer,
          NULL },
        { "/api/v1/statistics/range",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_counter_range,
          ws_page_answer,
          NULL },
        { "/api/v1/statistics/realtime",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_detections,
          ws_endpoint_data_answer,
          NULL },
        { "/api/vehicles", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_vehicles, NULL, NULL },
        { "/api/vehicles/{id}", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_vehicle, NULL, NULL },
        { "/api/vehicles/{id}/logs",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_logs,
          ws_endpoint_history_answer,
          NULL },
        { "/api/vehicles/{id}/owner",
          "PUT",
          WS_ENDPOINT_USER,
          ws_endpoint_vehicle_owner,
          ws_endpoint_owner_answer,
          WS_JSON },
        { "/api/vehicles/{id}/track.geojson",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_endpoint_track,
          ws_endpoint_track_answer,
          NULL },
        { "/api/ws/stats", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_stats, NULL, NULL },
        { "/api/ws/status", "GET", WS_ENDPOINT_SIGNED_IN, ws_endpoint_status, NULL, NULL },
        { "/api/ws/ticket", "POST", WS_ENDPOINT_USER, ws_endpoint_ticket, NULL, NULL },
        { "/assets/app.js", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/assets/map.js", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/assets/style.css", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_asset, NULL, NULL },
        { "/health", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_health, NULL, NULL },
        { "/livez", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_livez, NULL, NULL },
        { "/metrics", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_metrics, NULL, NULL },
        { "/mqtt/status", "GET", WS_ENDPOINT_SIGNED_IN, ws_page_mqtt_status, NULL, NULL },
        { "/readyz", "GET", WS_ENDPOINT_PUBLIC, ws_endpoint_readyz, NULL, NULL },
        { "/vehicle-logs",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_vehicle_logs,
          ws_page_answer,
          NULL },
        { "/vehicle-logs/latest/{id}",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_vehicle_latest,
          ws_page_answer,
          NULL },
        { "/vehicle-logs/{id}",
          "GET",
          WS_ENDPOINT_SIGNED_IN,
          ws_page_vehicle_log,
          ws_page_answer,
          NULL },
        { "/vehicles", "GET", WS_ENDPOINT_SIGNED_IN, ws_page_vehicles, ws_page_answer, NULL },
        { "/vehicles/{id}", "GET", WS_ENDPOINT_SIGNED_IN, ws_page_vehicle, ws_page_answer, NULL },
};

static bool ws_endpoint_serves(const WsEndpoint *endpoint, const char *method) {
        return strcmp(endpoint->method, method) == 0 ||
               (strcmp(endpoint->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* A segment in braces stands for any one that is not empty. */
static bool ws_endpoint_matches(const char *pattern, Text path) {
        const char *at = path.data, *end = path.data + path.n;

        for (; *pattern; ++pattern) {
                if (*pattern == '{') {
                        const char *begin = at;

                        pattern = strchr(pattern, '}');
                        while (at < end && *at != '/')
                                ++at;
                        if (at == begin)
                                return false;
                } else if (at == end || *at++ != *pattern) {
                        return false;
                }
        }
        return at == end;
}

Text ws_endpoint_id(const WsEndpoint *endpoint, const char *path) {
        const char *at = path + strcspn(endpoint->path, "{"); /* what is before it is the same */

        return (Text){ at, strcspn(at, "/") };
}

/* Adds what the row serves to the methods of its path. */
static void ws_endpoint_allow(const WsEndpoint *endpoint, char allow[64]) {
        size_t n = strlen(allow);

        snprintf(allow + n,
                 64 - n,
                 "%s%s",
                 n > 0 ? ", " : "",
                 strcmp(endpoint->method, "GET") == 0 ? "GET, HEAD" : endpoint->method);
}

const WsEndpoint *ws_endpoint_find(const char *path, const char *method, char ret_allow[64]) {
        Text wanted = text_of(path);

        ret_allow[0] = '\0';
        if (wanted.n > 1 && path[wanted.n - 1] == '/')
                --wanted.n;
        for (size_t i = 0; i < N_ELEMENTS(ws_endpoints); ++i) {
                const WsEndpoint *endpoint = &ws_endpoints[i];

                if (!ws_endpoint_matches(endpoint->path, wanted))
                        continue;
                if (ws_endpoint_serves(endpoint, method))
                        return endpoint;
                ws_endpoint_allow(endpoint, ret_allow);
        }
        if (*ret_allow)
                snprintf(ret_allow + strlen(ret_allow), 64 - strlen(ret_allow), ", OPTIONS");
        return NULL;
}
