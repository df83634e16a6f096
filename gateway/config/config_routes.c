#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "gateway/config/config_table.h"

static const struct {
        const char *name, *help;
} config_route_keys[CONFIG_ROUTE_KEYS] = {
        [ROUTE_TOPIC] = { "topic",
                          "Template; {device} and other names take a level, {name...} the rest; + "
                          "and # take what is ignored." },
        [ROUTE_KIND] = { "kind", "What the payload is." },
        [ROUTE_AUTO_REGISTER] = { "auto_register", "Create devices that are not known." },
        [ROUTE_TIMEZONE] = { "timezone", "Of times without an offset: Asia/Jakarta, +07:00." },
        [ROUTE_BYTES] = { "max_bytes", "Longest payload; longer goes to dead_letters." },
        [ROUTE_NEAR] = { "near_dbm", "ble_detections: at or above is the zone near." },
        [ROUTE_MEDIUM] = { "medium_dbm", "ble_detections: at or above is medium, below is far." },
        [ROUTE_WHO] = { "person",
                        "camera_event: members of data that name a person; the first counts." },
        [ROUTE_IGNORE] = { "ignore", "Filters, with commas, of topics that are not wanted." },
        [ROUTE_DECODE] = { "decode",
                           "json, text, number, number_or_text, bool, csv, cbor, sparkplug_b; "
                           "base64+ before." },
        [ROUTE_WHEN] = { "when", "Only payloads of which this holds: /type = a, b and /x." },
        [ROUTE_KEEP] = { "keep", "Of a mapped payload: all of it, or only what is named." },
        [ROUTE_EACH] = { "each",
                         "Where the array is whose elements are messages of their own: "
                         "/readings." },
        [ROUTE_EACH_MAX] = { "each_max", "Most elements of one message: 1000." },
        [ROUTE_REBIRTH] = { "rebirth",
                            "sparkplug_b: nodes of which too little is known are asked." },
        [ROUTE_MERGE] = { "merge", "telemetry: it says changes; they are laid over each other." },
        [ROUTE_ENABLED] = { "enabled", "off takes the route away." },
        [ROUTE_USE] = { "use", "A profile (tidegate route profiles) that says the rest." },
        [ROUTE_BASE] = { "base", "With use: what the topics of the profile begin with." },
        [ROUTE_ALLOW] = { "allow", "discovery: filters of the topics that may be discovered." },
        [ROUTE_MAX_DEVICES] = { "max_devices", "discovery: of the prefix, or of each user of it." },
        [ROUTE_MAX_POINTS] = { "max_points", "discovery: of a device." },
};

/* docs/protocol.md, 1. */
static const struct {
        const char *name, *topic, *kind, *auto_register;
} config_default_routes[] = {
        { "user_device_status", "users/{user}/devices/{device}/status", "device_status", NULL },
        { "device_status", "devices/{device}/status", "device_status", NULL },
        { "raw_log", "seano/{vehicle}/raw_log", "raw_log", NULL },
        { "sensor_log", "seano/{vehicle}/sensor_log", "sensor_log", NULL },
        { "vehicle_log", "seano/{vehicle}/vehicle_log", "vehicle_log", NULL },
        { "ble_detections", "tfg/detections/raw", "ble_detections", "on" },
        { "telemetry", "ems/{device}/telemetry", "telemetry", NULL },
        { "camera_event", "surveillance/camera/{camera}/event", "camera_event", NULL },
        { "vehicle_alert", "seano/{vehicle}/alert", "alert", NULL },
        { "device_alert", "devices/{device}/alert", "alert", NULL },
        { "command_ack", "devices/{device}/commands/ack", "command_ack", NULL },
};

static int config_routes_add(ConfigTexts *texts, const char *name, ConfigRoute **ret_route) {
        ConfigRoute *routes, *route;

        routes = reallocarray(texts->routes, texts->n_routes + 1, sizeof(*routes));
        if (!routes)
                return err_new(-ENOMEM);

        texts->routes = routes;
        route = &routes[texts->n_routes];
        memset(route, 0, sizeof(*route));
        route->name = strdup(name);
        if (!route->name)
                return err_new(-ENOMEM);

        ++texts->n_routes;
        *ret_route = route;
        return 0;
}

int config_routes_init(ConfigTexts *texts) {
        ConfigRoute *route = NULL;
        int r = 0;

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(config_default_routes); ++i) {
                r = config_routes_add(texts, config_default_routes[i].name, &route);
                if (r != 0)
                        return r;
                route->is_default = true;
                r = config_text_set(&route->texts[ROUTE_TOPIC],
                                    config_default_routes[i].topic,
                                    NULL);
                if (r == 0)
                        r = config_text_set(&route->texts[ROUTE_KIND],
                                            config_default_routes[i].kind,
                                            NULL);
                if (r == 0 && config_default_routes[i].auto_register)
                        r = config_text_set(&route->texts[ROUTE_AUTO_REGISTER],
                                            config_default_routes[i].auto_register,
                                            NULL);
        }
        return r;
}

void config_routes_done(ConfigTexts *texts) {
        for (size_t i = 0; i < texts->n_routes; ++i) {
                for (size_t k = 0; k < CONFIG_ROUTE_KEYS; ++k)
                        config_text_done(&texts->routes[i].texts[k]);
                config_map_done(&texts->routes[i]);
                free(texts->routes[i].name);
        }
        free(texts->routes);
}

static int config_route_key(const char *name) {
        for (int k = 0; k < CONFIG_ROUTE_KEYS; ++k)
                if (strcmp(config_route_keys[k].name, name) == 0)
                        return k;
        return -1;
}

const char *config_route_key_name(ConfigRouteKey key) {
        return config_route_keys[key].name;
}

bool config_routes_has_key(const char *name) {
        return config_route_key(name) >= 0;
}

static bool config_route_name_ok(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

        return n > 0 && n <= CONFIG_ROUTE_NAME_MAX && name[n] == '\0';
}

ConfigRoute *config_routes_find(ConfigTexts *texts, const char *name) {
        for (size_t i = 0; i < texts->n_routes; ++i)
                if (strcmp(texts->routes[i].name, name) == 0)
                        return &texts->routes[i];
        return NULL;
}

void config_route_error(ConfigLoader *loader,
                        const char *route,
                        const char *name,
                        const char *text,
                        const char *allowed) {
        char section[CONFIG_ROUTE_NAME_MAX + 8];

        snprintf(section, sizeof(section), "route %s", route);
        config_error(loader, section, name, "%s; allowed: %s", text, allowed);
}

static int config_routes_unknown_key(ConfigLoader *loader, const char *route, const char *name) {
        CLEANUP_BUF Buf allowed = { 0 };

        for (size_t k = 0; k < CONFIG_ROUTE_KEYS; ++k)
                buf_printf(&allowed, "%s%s", k > 0 ? ", " : "", config_route_keys[k].name);
        config_route_error(loader, route, name, "unknown key", buf_text(&allowed).data);
        return 0;
}

int config_routes_take(ConfigLoader *loader, const char *name, ConfigRoute **ret_route) {
        ConfigTexts *texts = loader->config->texts;

        *ret_route = NULL;
        if (!config_route_name_ok(name)) {
                config_error(loader,
                             "route",
                             NULL,
                             "bad name; allowed: 1 to %d of A-Z a-z 0-9 _ -",
                             CONFIG_ROUTE_NAME_MAX);
                return 0;
        }
        *ret_route = config_routes_find(texts, name);
        if (*ret_route)
                return 0;
        if (texts->n_routes == CONFIG_MAX_ROUTES) {
                config_error(loader, "route", NULL, "more than %d routes", CONFIG_MAX_ROUTES);
                return 0;
        }
        return err_up(config_routes_add(texts, name, ret_route));
}

int config_routes_set(ConfigLoader *loader,
                      const char *route_name,
                      const char *name,
                      const char *value) {
        char section[CONFIG_ROUTE_NAME_MAX + 8];
        ConfigRoute *route;
        ConfigKey key;
        int k = config_route_key(name);
        bool is_taken;
        int r;

        if (config_route_name_ok(route_name) && k < 0)
                return config_routes_unknown_key(loader, route_name, name);
        r = config_routes_take(loader, route_name, &route);
        if (r != 0 || !route)
                return err_up(r);
        snprintf(section, sizeof(section), "route %s", route_name);
        key = (ConfigKey){ .section = section, .name = name };
        r = config_text_take(loader, &key, &route->texts[k], value, &is_taken);
        return r == 0 ? 0 : err_up(r);
}

int config_routes_fill(ConfigLoader *loader,
                       const char *route_name,
                       const char *name,
                       const char *value) {
        const ConfigRoute *route = config_routes_find(loader->config->texts, route_name);
        const ConfigText *text = route ? &route->texts[config_route_key(name)] : NULL;

        if (text && text->text && text->from > CONFIG_FROM_PROFILE)
                return 0;
        return err_up(config_routes_set(loader, route_name, name, value));
}

const char *config_route_text(ConfigLoader *loader, const ConfigRoute *source, ConfigRouteKey key) {
        const ConfigText *text = &source->texts[key];

        loader->origin = text->origin;
        for (size_t i = 0; !loader->origin && i < CONFIG_ROUTE_KEYS; ++i)
                loader->origin = source->texts[i].origin; /* a missing key: any line of its route */
        for (size_t i = 0; !loader->origin && i < source->n_lines; ++i)
                loader->origin = source->lines[i].text.origin; /* or of its map */
        return text->text && *text->text ? text->text : NULL;
}

bool config_route_flag(ConfigLoader *loader,
                       const ConfigRoute *source,
                       ConfigRouteKey k,
                       bool fallback) {
        const char *text = config_route_text(loader, source, k);
        bool value = fallback;

        if (text && !config_parse_flag(text, &value))
                config_route_error(loader,
                                   source->name,
                                   config_route_keys[k].name,
                                   "bad switch",
                                   "on, off");
        return value;
}

void config_routes_print(const ConfigTexts *texts, FILE *out) {
        for (size_t i = 0; i < texts->n_routes; ++i) {
                for (size_t k = 0; k < CONFIG_ROUTE_KEYS; ++k)
                        if (texts->routes[i].texts[k].text)
                                fprintf(out,
                                        "route %s.%s = %s\n",
                                        texts->routes[i].name,
                                        config_route_keys[k].name,
                                        texts->routes[i].texts[k].text);
                config_map_print(&texts->routes[i], out);
        }
}

void config_routes_print_example(FILE *out) {
        fputs("\n# Routes: which topics carry what. [route NAME] with the name of a default "
              "changes "
              "that one,\n# another name adds one (topic and kind must be set). The first that "
              "matches counts, the\n# defaults before those added. [reload]\n",
              out);
        for (size_t k = 0; k < CONFIG_ROUTE_KEYS; ++k)
                fprintf(out,
                        "#   %-14s %s\n",
                        config_route_keys[k].name,
                        config_route_keys[k].help);
        for (size_t i = 0; i < N_ELEMENTS(config_default_routes); ++i)
                fprintf(out,
                        "\n#[route %s]\n#topic = %s\n#kind = %s\n#auto_register = %s\n"
                        "#timezone = UTC\n#max_bytes = " ROUTE_MAX_BYTES "\n",
                        config_default_routes[i].name,
                        config_default_routes[i].topic,
                        config_default_routes[i].kind,
                        config_default_routes[i].auto_register
                                ? config_default_routes[i].auto_register
                                : "off");
}
