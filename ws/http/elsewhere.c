#include "ws/http/elsewhere.h"

#define WS_ELSEWHERE_CAMERAS  "docs/migrate/cameras.md"
#define WS_ELSEWHERE_COUNTER  "docs/migrate/people-counter.md"
#define WS_ELSEWHERE_HUB      "docs/migrate/device-hub.md"
#define WS_ELSEWHERE_VEHICLES "docs/migrate/vehicles.md"

/* With all that is below them. */
static const struct {
        const char *path, *manual;
} ws_elsewhere_paths[] = {
        { "/api/alerts/config", WS_ELSEWHERE_CAMERAS },
        { "/api/alerts/logs", WS_ELSEWHERE_CAMERAS },
        { "/api/alerts/statistics", WS_ELSEWHERE_CAMERAS },
        { "/api/alerts/test", WS_ELSEWHERE_CAMERAS },
        { "/api/analytics", WS_ELSEWHERE_CAMERAS },
        { "/api/auth", WS_ELSEWHERE_HUB },
        { "/api/cameras", WS_ELSEWHERE_CAMERAS },
        { "/api/devices", WS_ELSEWHERE_HUB },
        { "/api/faces", WS_ELSEWHERE_CAMERAS },
        { "/api/groups", WS_ELSEWHERE_HUB },
        { "/api/history", WS_ELSEWHERE_CAMERAS },
        { "/api/integrations", WS_ELSEWHERE_CAMERAS },
        { "/api/missions", WS_ELSEWHERE_VEHICLES },
        { "/api/motion-events", WS_ELSEWHERE_CAMERAS },
        { "/api/mqtt", WS_ELSEWHERE_VEHICLES },
        { "/api/recordings", WS_ELSEWHERE_CAMERAS },
        { "/api/settings", WS_ELSEWHERE_CAMERAS },
        { "/api/setup", WS_ELSEWHERE_CAMERAS },
        { "/api/system", WS_ELSEWHERE_CAMERAS },
        { "/api/users", WS_ELSEWHERE_CAMERAS },
        { "/api/v1", WS_ELSEWHERE_COUNTER },
        { "/api/vehicles", WS_ELSEWHERE_VEHICLES },
        { "/auth", WS_ELSEWHERE_VEHICLES },
        { "/missions", WS_ELSEWHERE_VEHICLES },
        { "/mqtt", WS_ELSEWHERE_VEHICLES },
        { "/permissions", WS_ELSEWHERE_VEHICLES },
        { "/points", WS_ELSEWHERE_VEHICLES },
        { "/raw-logs", WS_ELSEWHERE_VEHICLES },
        { "/roles", WS_ELSEWHERE_VEHICLES },
        { "/sensor-logs", WS_ELSEWHERE_VEHICLES },
        { "/sensor-types", WS_ELSEWHERE_VEHICLES },
        { "/sensors", WS_ELSEWHERE_VEHICLES },
        { "/users", WS_ELSEWHERE_VEHICLES },
        { "/vehicle-logs", WS_ELSEWHERE_VEHICLES },
        { "/vehicles", WS_ELSEWHERE_VEHICLES },
        { "/ws/alerts", WS_ELSEWHERE_VEHICLES },
        { "/ws/logs", WS_ELSEWHERE_VEHICLES },
        { "/ws/missions", WS_ELSEWHERE_VEHICLES },
};

const char *ws_elsewhere(const char *path) {
        for (size_t i = 0; i < N_ELEMENTS(ws_elsewhere_paths); ++i) {
                size_t n = strlen(ws_elsewhere_paths[i].path);

                if (strncmp(path, ws_elsewhere_paths[i].path, n) == 0 &&
                    (path[n] == '\0' || path[n] == '/'))
                        return ws_elsewhere_paths[i].manual;
        }
        return NULL;
}
