#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "gateway/config/config_table.h"
#include "model/topic_filter.h"

#define ROUTE_DBM_MIN       -200
#define ROUTE_DBM_MAX       50
#define ROUTE_BYTES_MIN     16
#define ROUTE_PERSON_MOST   8
#define ROUTE_SEGMENT_PARTS 4 /* a payload is at most this part of a segment */

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
                                   config_route_key_name(k),
                                   "bad number",
                                   "-200 to 50 (dBm)");
        return value;
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
        route->person = strdup(text);
        return route->person ? 0 : err_new(-ENOMEM);
}

/* Does @first ignore what @second takes? */
static bool config_route_leaves(const Route *first, const Route *second) {
        for (size_t i = 0; i < first->n_ignore; ++i) {
                bool is_left =
                        topic_filter_meets(first->ignore[i], topic_template_pattern(second->topic));

                for (size_t k = 0; is_left && k < second->n_ignore; ++k)
                        is_left = !topic_filter_covers(second->ignore[k], first->ignore[i]);
                if (is_left)
                        return true;
        }
        return false;
}

/* What the configuration says itself wins over what follows from a profile behind it: nobody can
 * take a route out of that. */
static bool config_route_gives_way(const ConfigRoute *source, const Route *other) {
        return source->is_of_profile && source->texts[ROUTE_TOPIC].from == CONFIG_FROM_PROFILE &&
               other->use == 0 && other->origin;
}

/* Two templates with the same pattern: the second would never see a message, but for what the first
 * ignores, or its `when` leaves. */
static void config_route_check_unique(ConfigLoader *loader,
                                      const ConfigRoute *source,
                                      const Route *route,
                                      const Routes *routes) {
        char text[CONFIG_ROUTE_NAME_MAX + 40];

        for (size_t i = 0; route->topic && i < routes_length(routes); ++i) {
                const Route *other = routes_get(routes, i);

                if (strcmp(topic_template_pattern(other->topic),
                           topic_template_pattern(route->topic)) != 0 ||
                    other->when || config_route_gives_way(source, other) ||
                    config_route_leaves(other, route))
                        continue;
                (void)config_route_text(loader, source, ROUTE_TOPIC);
                snprintf(text, sizeof(text), "the same topics as route %s", other->name);
                config_route_error(loader,
                                   source->name,
                                   "topic",
                                   text,
                                   other->use != 0 ? "topics of its own, or a place before the "
                                                     "route with that profile"
                                                   : "topics of its own");
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
        if (is_on && is_all)
                config_unused_check_all(loader, source);
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
        config_unused_check(loader, source, &route);
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
