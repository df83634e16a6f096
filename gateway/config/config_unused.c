#include <stdio.h>

#include "gateway/config/config_table.h"
#include "gateway/config/config_use.h"

/* Keys of routes that mean something of some kinds alone. */
static const struct {
        ConfigRouteKey key;
        Kind kind; /* KIND_NONE: of none of them, but of discovery */
        const char *why;
} unused_elsewhere[] = {
        { ROUTE_NEAR, KIND_BLE_DETECTIONS, "means nothing where kind is not ble_detections" },
        { ROUTE_MEDIUM, KIND_BLE_DETECTIONS, "means nothing where kind is not ble_detections" },
        { ROUTE_WHO, KIND_CAMERA_EVENT, "means nothing where kind is not camera_event" },
        { ROUTE_MERGE, KIND_TELEMETRY, "means nothing where kind is not telemetry" },
        { ROUTE_ALLOW, KIND_NONE, "means nothing where kind is not discovery" },
        { ROUTE_MAX_DEVICES, KIND_NONE, "means nothing where kind is not discovery" },
        { ROUTE_MAX_POINTS, KIND_NONE, "means nothing where kind is not discovery" },
};

/* And those that no announcement is read by. */
static const ConfigRouteKey unused_of_discovery[] = {
        ROUTE_WHEN,  ROUTE_DECODE, ROUTE_WHO,      ROUTE_NEAR,    ROUTE_MEDIUM,
        ROUTE_MERGE, ROUTE_EACH,   ROUTE_EACH_MAX, ROUTE_REBIRTH,
};

/* A source has said it of this route: no profile has, nor another route for all of a profile. */
static bool is_own(const ConfigRoute *source, ConfigRouteKey key) {
        const ConfigText *text = &source->texts[key];

        return text->text && *text->text && text->from > CONFIG_FROM_PROFILE;
}

static void unused_say(ConfigLoader *loader,
                       const ConfigRoute *source,
                       ConfigRouteKey key,
                       const char *why) {
        char section[CONFIG_ROUTE_NAME_MAX + 8];

        if (!is_own(source, key))
                return;
        (void)config_route_text(loader, source, key); /* which says where */
        snprintf(section, sizeof(section), "route %s", source->name);
        config_error(loader, section, config_route_key_name(key), "%s", why);
}

static void unused_check_discovery(ConfigLoader *loader, const ConfigRoute *source) {
        for (size_t i = 0; i < N_ELEMENTS(unused_of_discovery); ++i)
                unused_say(loader,
                           source,
                           unused_of_discovery[i],
                           "means nothing where kind is discovery; allowed: allow, ignore, keep, "
                           "max_devices, max_points");
}

void config_unused_check(ConfigLoader *loader, const ConfigRoute *source, const Route *route) {
        if (config_is_discovery(loader, source)) {
                unused_check_discovery(loader, source);
                return;
        }
        if (route->kind == KIND_NONE)
                return; /* said already */
        for (size_t i = 0; i < N_ELEMENTS(unused_elsewhere); ++i)
                if (unused_elsewhere[i].kind == KIND_NONE ||
                    unused_elsewhere[i].kind != route->kind)
                        unused_say(loader,
                                   source,
                                   unused_elsewhere[i].key,
                                   unused_elsewhere[i].why);
        if (route->format.kind != FORMAT_SPARKPLUG_B)
                unused_say(loader,
                           source,
                           ROUTE_REBIRTH,
                           "means nothing where decode is not sparkplug_b");
        if (!route->each)
                unused_say(loader, source, ROUTE_EACH_MAX, "means nothing without each");
}

/* Of a route that stands for all of its profile, where none is called as it is. */
void config_unused_check_all(ConfigLoader *loader, const ConfigRoute *source) {
        for (ConfigRouteKey key = 0; key < CONFIG_ROUTE_KEYS; ++key)
                if (key != ROUTE_USE && key != ROUTE_BASE && !config_use_is_general(key))
                        unused_say(loader,
                                   source,
                                   key,
                                   "the profile has no route of this name: say it of one that "
                                   "`tidegate route list` shows");
}
