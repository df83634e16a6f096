#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "gateway/config/config_table.h"
#include "model/topic_filter.h"

#define DISCOVER_DEVICES      1000 /* by default */
#define DISCOVER_DEVICES_MOST 100000
#define DISCOVER_POINTS       100
#define DISCOVER_POINTS_MOST  1000

bool config_is_discovery(ConfigLoader *loader, const ConfigRoute *source) {
        const char *kind = config_route_text(loader, source, ROUTE_KIND);

        return kind && strcmp(kind, "discovery") == 0;
}

static void config_discover_check(ConfigLoader *loader,
                                  const ConfigRoute *source,
                                  const Route *route) {
        const char *text = topic_template_text(route->topic);
        const char *name = strchr(text, '{');

        (void)config_route_text(loader, source, ROUTE_TOPIC);
        if (text[strlen(text) - 1] != '#' || strcmp(text, "#") == 0 ||
            (name && (strncmp(name, "{user}", 6) != 0 || strchr(name + 1, '{'))))
                config_route_error(loader,
                                   source->name,
                                   "topic",
                                   "bad template for kind = discovery",
                                   "a prefix with # behind it: homeassistant/#, "
                                   "users/{user}/homeassistant/#");
        if (route->map)
                config_route_error(loader,
                                   source->name,
                                   "kind",
                                   "a map means nothing where kind is discovery",
                                   "no [map] of this route");
}

static size_t config_discover_number(ConfigLoader *loader,
                                     const ConfigRoute *source,
                                     ConfigRouteKey key,
                                     const char *name,
                                     uint64_t most) {
        const char *text = config_route_text(loader, source, key);
        uint64_t number = key == ROUTE_MAX_DEVICES ? DISCOVER_DEVICES : DISCOVER_POINTS;
        char allowed[40];

        snprintf(allowed, sizeof(allowed), "1 to %llu", (unsigned long long)most);
        if (text && (!text_to_number(text_of(text), most, &number) || number == 0))
                config_route_error(loader, source->name, name, "bad number", allowed);
        return (size_t)number;
}

static int config_discover_allow(ConfigLoader *loader,
                                 const ConfigRoute *source,
                                 DiscoverRule *rule) {
        const char *text = config_route_text(loader, source, ROUTE_ALLOW);
        Text rest, item;

        if (!text)
                return 0;
        rest = text_of(text);
        rule->allow = calloc(DISCOVER_MAX_FILTERS, sizeof(*rule->allow));
        if (!rule->allow)
                return err_new(-ENOMEM);
        while (text_next_item(&rest, ",", &item)) {
                item = text_trim(item);
                if (!topic_filter_is_valid(item) || rule->n_allow == DISCOVER_MAX_FILTERS) {
                        config_route_error(loader,
                                           source->name,
                                           "allow",
                                           "bad filter",
                                           "up to 32 MQTT filters with commas between");
                        return 0;
                }
                rule->allow[rule->n_allow] = strndup(item.data, item.n);
                if (!rule->allow[rule->n_allow++])
                        return err_new(-ENOMEM);
        }
        return 0;
}

/* What a route has in common with it is taken over. */
static int config_discover_fill(const ConfigRoute *source, Route *route, DiscoverRule *rule) {
        rule->name = strdup(source->name);
        rule->topic = TAKE(&route->topic);
        rule->zone = TAKE(&route->zone);
        rule->ignore = TAKE(&route->ignore);
        rule->n_ignore = route->n_ignore;
        route->n_ignore = 0;
        rule->max_bytes = route->max_bytes;
        rule->auto_register = route->auto_register;
        rule->max_ahead_us = route->max_ahead_us;
        rule->max_age_us = route->max_age_us;
        return rule->name ? 0 : err_new(-ENOMEM);
}

int config_discover_take(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        __attribute__((cleanup(discover_rule_done))) DiscoverRule rule = { 0 };
        Config *config = loader->config;
        const char *keep = config_route_text(loader, source, ROUTE_KEEP);
        int n_errors = loader->n_errors;
        DiscoverRule *rules;
        int r;

        config_discover_check(loader, source, route);
        rule.keeps_all = keep && strcmp(keep, "all") == 0;
        rule.max_devices = config_discover_number(loader,
                                                  source,
                                                  ROUTE_MAX_DEVICES,
                                                  "max_devices",
                                                  DISCOVER_DEVICES_MOST);
        rule.max_points = config_discover_number(loader,
                                                 source,
                                                 ROUTE_MAX_POINTS,
                                                 "max_points",
                                                 DISCOVER_POINTS_MOST);
        r = config_discover_allow(loader, source, &rule);
        if (r != 0 || loader->n_errors != n_errors)
                return err_up(r);
        r = config_discover_fill(source, route, &rule);
        if (r != 0)
                return err_up(r);
        rules = reallocarray(config->discover, config->n_discover + 1, sizeof(*rules));
        if (!rules)
                return err_new(-ENOMEM);
        config->discover = rules;
        rules[config->n_discover++] = rule;
        rule = (DiscoverRule){ 0 }; /* taken over */
        return 0;
}

void config_discover_done(Config *config) {
        for (size_t i = 0; i < config->n_discover; ++i)
                discover_rule_done(&config->discover[i]);
        free(config->discover);
}
