#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "gateway/config/config_table.h"

#define ROUTE_MAX_BYTES     "256K"
#define ROUTE_DBM_MIN       -200
#define ROUTE_DBM_MAX       50
#define ROUTE_BYTES_MIN     16
#define ROUTE_PERSON_MOST   8
#define ROUTE_SEGMENT_PARTS 4 /* a payload is at most this part of a segment */

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
                           "json, text, number, bool, csv, cbor, sparkplug_b; base64+ before." },
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

/* PROTOCOL 1. */
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
        ConfigRoute *route;
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

static double config_route_dbm(ConfigLoader *loader,
                               const ConfigRoute *source,
                               ConfigRouteKey k,
                               double fallback) {
        const char *text = config_route_text(loader, source, k);
        char *end = NULL;
        double value;

        if (!text)
                return fallback;
        value = strtod(text, &end);
        if (text[strspn(text, "+-.0123456789")] != '\0' || *end != '\0' ||
            !(value >= ROUTE_DBM_MIN && value <= ROUTE_DBM_MAX))
                config_route_error(loader,
                                   source->name,
                                   config_route_keys[k].name,
                                   "bad number",
                                   "-200 to 50 (dBm)");
        return value;
}

/* Zones of other kinds than detections are nobody's. */
static void config_route_warn_of_dbm(ConfigLoader *loader, const ConfigRoute *source) {
        char section[CONFIG_ROUTE_NAME_MAX + 8];

        snprintf(section, sizeof(section), "route %s", source->name);
        for (ConfigRouteKey k = ROUTE_NEAR; k <= ROUTE_MEDIUM; ++k)
                if (config_route_text(loader, source, k))
                        config_warning(loader,
                                       section,
                                       config_route_keys[k].name,
                                       "means nothing where kind is not ble_detections");
}

static size_t config_route_bytes(ConfigLoader *loader, const ConfigRoute *source) {
        const char *text = config_route_text(loader, source, ROUTE_BYTES);
        int64_t most = (int64_t)(loader->config->journal.segment_bytes / ROUTE_SEGMENT_PARTS);
        int64_t value = 0;
        char allowed[80];

        if (!text && config_parse_size(ROUTE_MAX_BYTES, &value))
                return (size_t)(value < most ? value : most);
        if (!config_parse_size(text, &value) || value < ROUTE_BYTES_MIN || value > most) {
                snprintf(allowed,
                         sizeof(allowed),
                         "%d to %lld (a quarter of journal.segment_bytes)",
                         ROUTE_BYTES_MIN,
                         (long long)most);
                config_route_error(loader, source->name, "max_bytes", "bad size", allowed);
        }
        return (size_t)value;
}

/* What no payload of the kind can tell must be in the topic. */
static void config_route_check_names(ConfigLoader *loader, const char *name, const Route *route) {
        bool has_vehicle = topic_template_has(route->topic, "vehicle") ||
                           map_gives(route->map, MAP_TO_VEHICLE);
        bool has_device =
                topic_template_has(route->topic, "device") || map_gives(route->map, MAP_TO_DEVICE);

        switch (route->kind) {
        case KIND_RAW_LOG:
        case KIND_SENSOR_LOG:
        case KIND_VEHICLE_LOG:
                if (!has_vehicle)
                        config_route_error(loader,
                                           name,
                                           "topic",
                                           "the topic does not name the vehicle",
                                           "a template with {vehicle}");
                break;
        case KIND_TELEMETRY:
                if (!has_device)
                        config_route_error(loader,
                                           name,
                                           "topic",
                                           "the topic does not name the device",
                                           "a template with {device}");
                break;
        case KIND_ALERT:
                if (!has_vehicle && !has_device)
                        config_route_error(loader,
                                           name,
                                           "topic",
                                           "the topic names neither vehicle nor device",
                                           "a template with {vehicle} or {device}");
                break;
        default:
                break;
        }
}

static int config_route_read_topic(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_TOPIC);
        int r;

        if (!text) {
                config_route_error(loader, source->name, "topic", "is not set", "a template");
                return 0;
        }
        if (strncmp(text, "$share/", strlen("$share/")) == 0) {
                config_route_error(loader,
                                   source->name,
                                   "topic",
                                   "is a shared subscription",
                                   "a template without $share: of a shared one this gateway gets "
                                   "a part");
                return 0;
        }
        r = topic_template_new(&route->topic, text);
        if (r == TOPIC_E_INVALID) {
                config_route_error(loader,
                                   source->name,
                                   "topic",
                                   "bad template",
                                   "levels with / between, each text, {user}, {vehicle}, {device}, "
                                   "{camera} or another {name}, none twice, or +; one of them "
                                   "{name...}, or the last #");
                return 0;
        }
        return r == 0 ? 0 : err_up(r);
}

static int config_route_read_zone(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_TIMEZONE);
        int r;

        if (!text)
                return 0;
        r = zone_new(&route->zone, text);
        if (r == TIMESTAMP_E_INVALID) {
                config_route_error(loader,
                                   source->name,
                                   "timezone",
                                   "unknown time zone",
                                   "an IANA name such as Asia/Jakarta, or an offset such as "
                                   "+07:00");
                return 0;
        }
        return r == 0 ? 0 : err_up(r);
}

static void config_route_read_kind(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_KIND);
        CLEANUP_BUF Buf allowed = { 0 };

        route->kind = text ? kind_from_name(text_of(text)) : KIND_NONE;
        if (route->kind == KIND_COMMAND_STATE) /* only we say what became of a command */
                route->kind = KIND_NONE;
        if (route->kind != KIND_NONE || config_is_discovery(loader, source))
                return;
        for (Kind kind = KIND_NONE + 1; kind < KIND_COMMAND_STATE; ++kind)
                buf_printf(&allowed, "%s, ", kind_name(kind));
        buf_append_string(&allowed, "discovery");
        config_route_error(loader,
                           source->name,
                           "kind",
                           text ? "unknown kind" : "is not set",
                           buf_text(&allowed).data);
}

/* Names of members, with commas or spaces between them: no JSON is searched deeper than data. */
static int config_route_read_person(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_WHO);
        char section[CONFIG_ROUTE_NAME_MAX + 8];
        Text rest = text_of(text ? text : ""), item;
        size_t n = 0;

        while (text_next_item(&rest, ", ", &item)) {
                ++n;
                if (item.n > ROUTE_PERSON_MAX)
                        n = ROUTE_PERSON_MOST + 1;
        }
        if (!text)
                return 0;
        if (n == 0 || n > ROUTE_PERSON_MOST || strchr(text, '\t')) {
                config_route_error(loader,
                                   source->name,
                                   "person",
                                   "bad names",
                                   "1 to 8 names of members of data, each up to 64 bytes");
                return 0;
        }
        if (route->kind != KIND_CAMERA_EVENT) {
                snprintf(section, sizeof(section), "route %s", source->name);
                config_warning(loader,
                               section,
                               "person",
                               "means nothing where kind is not camera_event");
        }
        route->person = strdup(text);
        return route->person ? 0 : err_new(-ENOMEM);
}

/* Two templates with the same pattern: the second would never see a message. */
static void config_route_check_unique(ConfigLoader *loader,
                                      const ConfigRoute *source,
                                      const Route *route,
                                      const Routes *routes) {
        char text[CONFIG_ROUTE_NAME_MAX + 40];

        for (size_t i = 0; route->topic && i < routes_length(routes); ++i) {
                const Route *other = routes_get(routes, i);

                if (other->when || strcmp(topic_template_pattern(other->topic),
                                          topic_template_pattern(route->topic)) != 0)
                        continue;
                (void)config_route_text(loader, source, ROUTE_TOPIC);
                snprintf(text, sizeof(text), "the same topics as route %s", other->name);
                config_route_error(loader, source->name, "topic", text, "topics of its own");
                return;
        }
}

/* Nobody looks for what is older than all that is kept. */
static int64_t config_oldest_us(const Config *config) {
        int days = config->time_oldest_days;

        for (size_t i = 0; config->time_oldest_days == 0 && i < config->n_retention; ++i) {
                if (config->retention[i].days == 0)
                        return ROUTE_MAX_AGE_US;
                if (config->retention[i].days > days)
                        days = config->retention[i].days;
        }
        return days * CLOCK_DAY_US;
}

/* A route without a topic of its own stands for all of its profile, which are called ROUTE_rest. */
static bool config_route_is_in_force(ConfigLoader *loader, const ConfigRoute *source) {
        bool is_on = config_route_flag(loader, source, ROUTE_ENABLED, true);
        bool is_all = config_route_text(loader, source, ROUTE_USE) && !source->is_of_profile &&
                      !config_route_text(loader, source, ROUTE_TOPIC);

        if (!is_on)
                config_map_warn_unused(loader, source, "its route is not enabled");
        else if (is_all)
                config_map_warn_unused(loader, source, "the profile has no route of this name");
        return is_on && !is_all;
}

static int config_route_build(ConfigLoader *loader, const ConfigRoute *source, Routes *routes) {
        __attribute__((cleanup(route_done))) Route route = { 0 };
        int n_errors = loader->n_errors;
        int r;

        if (!config_route_is_in_force(loader, source))
                return 0;

        config_route_read_kind(loader, source, &route);
        r = config_route_read_topic(loader, source, &route);
        if (r == 0)
                r = config_route_read_zone(loader, source, &route);
        if (r == 0)
                r = config_map_read(loader, source, &route);
        if (r != 0)
                return err_up(r);
        if (route.topic)
                config_route_check_names(loader, source->name, &route);
        route.auto_register = config_route_flag(loader,
                                                source,
                                                ROUTE_AUTO_REGISTER,
                                                loader->config->auto_register ||
                                                        config_is_discovery(loader, source));
        route.max_ahead_us = loader->config->time_ahead_ms * INT64_C(1000);
        route.max_age_us = config_oldest_us(loader->config);
        route.max_bytes = config_route_bytes(loader, source);
        route.near_dbm = config_route_dbm(loader, source, ROUTE_NEAR, ROUTE_NEAR_DBM);
        route.medium_dbm = config_route_dbm(loader, source, ROUTE_MEDIUM, ROUTE_MEDIUM_DBM);
        r = config_route_read_person(loader, source, &route);
        if (r != 0)
                return err_up(r);
        if (route.kind != KIND_BLE_DETECTIONS)
                config_route_warn_of_dbm(loader, source);
        if (route.medium_dbm > route.near_dbm)
                config_route_error(loader,
                                   source->name,
                                   "medium_dbm",
                                   "is above near_dbm",
                                   "at most near_dbm");
        config_route_check_unique(loader, source, &route, routes);
        if (loader->n_errors != n_errors)
                return 0;
        if (config_is_discovery(loader, source))
                return err_up(config_discover_take(loader, source, &route));
        config_map_check(loader, source, &route);
        route.use = source->is_of_profile ? source->place + 1 : 0;

        route.name = strdup(source->name);
        if (source->texts[ROUTE_TOPIC].origin)
                route.origin = strdup(source->texts[ROUTE_TOPIC].origin);
        if (!route.name || (source->texts[ROUTE_TOPIC].origin && !route.origin))
                return err_new(-ENOMEM);
        r = routes_add(routes, &route);
        if (r != 0)
                return err_up(r);
        memset(&route, 0, sizeof(route)); /* taken over */
        return 0;
}

/* The defaults first, then those that were added, in their order. */
int config_routes_build(ConfigLoader *loader) {
        ConfigTexts *texts = loader->config->texts;
        CLEANUP(routes_unref) Routes *routes = NULL;
        int r;

        r = routes_new(&routes);
        if (r == 0)
                routes_set_door_time(routes,
                                     loader->config->time_ahead_ms * INT64_C(1000),
                                     config_oldest_us(loader->config));
        for (size_t i = 0; r == 0 && i < texts->n_routes; ++i)
                r = config_route_build(loader, &texts->routes[i], routes);
        if (r != 0)
                return err_up(r);

        loader->config->routes = TAKE(&routes);
        return 0;
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
