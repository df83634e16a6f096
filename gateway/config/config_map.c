#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "gateway/config/config_table.h"
#include "gateway/decode/decode.h"
#include "model/topic_filter.h"

#define CONFIG_MAP_IGNORES 32

/* ---- lines ---- */

static void config_map_section(const char *route, char ret[CONFIG_ROUTE_NAME_MAX + 8]) {
        snprintf(ret, CONFIG_ROUTE_NAME_MAX + 8, "map %s", route);
}

int config_map_line(ConfigRoute *source, const char *target, ConfigMapLine **ret_line) {
        char *copy;

        for (size_t i = 0; i < source->n_lines; ++i)
                if (strcmp(source->lines[i].target, target) == 0) {
                        *ret_line = &source->lines[i];
                        return 0;
                }
        copy = strdup(target);
        if (!copy || !VEC_HAS_ROOM(source->lines, source->n_lines, source->lines_capacity, 8)) {
                free(copy);
                return err_new(-ENOMEM);
        }
        source->lines[source->n_lines] = (ConfigMapLine){ .target = copy };
        *ret_line = &source->lines[source->n_lines++];
        return 0;
}

int config_map_set(ConfigLoader *loader, const char *route, const char *target, const char *value) {
        char section[CONFIG_ROUTE_NAME_MAX + 8];
        ConfigRoute *source;
        ConfigMapLine *line;
        ConfigKey key = { .section = section, .name = target };
        bool is_taken;
        int r = config_routes_take(loader, route, &source);

        if (r != 0 || !source)
                return err_up(r);
        config_map_section(route, section);
        if (strlen(target) > MAP_MAX_TARGET) {
                config_error(loader, section, NULL, "a target has 1 to %d bytes", MAP_MAX_TARGET);
                return 0;
        }
        r = config_map_line(source, target, &line);
        if (r == 0)
                r = config_text_take(loader, &key, &line->text, value, &is_taken);
        return r == 0 ? 0 : err_up(r);
}

void config_map_done(ConfigRoute *source) {
        for (size_t i = 0; i < source->n_lines; ++i) {
                free(source->lines[i].target);
                config_text_done(&source->lines[i].text);
        }
        free(source->lines);
}

bool config_map_split(const ConfigTexts *texts,
                      char *name,
                      const char **ret_route,
                      const char **ret_target) {
        size_t longest = 0;

        if (strncmp(name, "map_", 4) != 0)
                return false;
        name += 4;
        for (size_t i = 0; i < texts->n_routes; ++i) {
                size_t n = strlen(texts->routes[i].name);

                if (n > longest && strncmp(name, texts->routes[i].name, n) == 0 && name[n] == '_' &&
                    name[n + 1] != '\0')
                        longest = n;
        }
        if (longest == 0)
                return false;
        name[longest] = '\0';
        *ret_route = name;
        *ret_target = name + longest + 1;
        return true;
}

void config_map_print(const ConfigRoute *source, FILE *out) {
        for (size_t i = 0; i < source->n_lines; ++i)
                if (source->lines[i].text.text)
                        fprintf(out,
                                "map %s.%s = %s\n",
                                source->name,
                                source->lines[i].target,
                                source->lines[i].text.text);
}

/* ---- reading ---- */

static int config_map_add(ConfigLoader *loader,
                          const ConfigRoute *source,
                          const ConfigMapLine *line,
                          Route *route) {
        char section[CONFIG_ROUTE_NAME_MAX + 8], why[MAP_WHY_SIZE];
        int r;

        if (!line->text.text || !*line->text.text) /* an empty one takes a line away */
                return 0;
        loader->origin = line->text.origin;
        r = map_add(route->map, route->topic, text_of(line->target), text_of(line->text.text), why);
        if (r == MAP_E_INVALID) {
                config_map_section(source->name, section);
                config_error(loader, section, line->target, "%s", why);
                return 0;
        }
        return r == 0 ? 0 : err_up(r);
}

/* A bare value of telemetry is its value, if nobody says otherwise. */
static int config_map_add_value(Route *route) {
        char why[MAP_WHY_SIZE];
        int r;

        if (route->kind != KIND_TELEMETRY || !format_is_bare(route->format))
                return 0;
        r = map_new(&route->map, route->kind);
        if (r == 0)
                r = map_add(route->map, route->topic, TEXT("value"), TEXT("/"), why);
        return r == 0 ? 0 : err_up(r);
}

static int config_map_read_lines(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        int r;

        if (route->kind == KIND_NONE || !route->topic)
                return 0; /* said already */
        if (source->n_lines == 0)
                return err_up(config_map_add_value(route));
        r = map_new(&route->map, route->kind);
        if (r == 0)
                map_set_judge(route->map, decode_try);
        for (size_t i = 0; r == 0 && i < source->n_lines; ++i)
                r = config_map_add(loader, source, &source->lines[i], route);
        return r == 0 ? 0 : err_up(r);
}

static void config_map_read_decode(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_DECODE);

        if (text && !format_from_name(text_of(text), &route->format))
                config_route_error(loader, source->name, "decode", "unknown format", FORMAT_NAMES);
}

static int config_map_read_when(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_WHEN), *why = NULL;
        int r;

        if (!text)
                return 0;
        r = condition_new(&route->when, text, &why);
        if (r == CONDITION_E_INVALID) {
                config_route_error(loader,
                                   source->name,
                                   "when",
                                   why,
                                   "/type = a, b and /position and ! /test");
                return 0;
        }
        return r == 0 ? 0 : err_up(r);
}

/* A star as the last level: the members of an object as well. */
static int config_map_read_each(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_EACH);
        Text path = text_of(text ? text : "");
        int r;

        if (!text)
                return 0;
        route->each_members = path.n >= 2 && strcmp(text + path.n - 2, "/*") == 0;
        if (route->each_members)
                path = path.n > 2 ? (Text){ path.data, path.n - 2 } : TEXT("/");
        r = json_path_new(&route->each, path);
        if (r < 0)
                return err_up(r);
        if (r == JSON_PATH_E_INVALID)
                config_route_error(loader,
                                   source->name,
                                   "each",
                                   "bad pointer",
                                   "/readings, / (the whole), /sensors/* (the members of an "
                                   "object)");
        else if (format_is_bare(route->format) || route->format.kind == FORMAT_SPARKPLUG_B)
                config_route_error(loader,
                                   source->name,
                                   "each",
                                   "decode gives no array",
                                   "decode = json, csv, cbor, and base64+ of these");
        return 0;
}

static void config_map_read_each_max(ConfigLoader *loader,
                                     const ConfigRoute *source,
                                     Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_EACH_MAX);
        uint64_t value = ROUTE_EACH_MAX_DEFAULT;

        if (text && (!text_to_number(text_of(text), ROUTE_EACH_MAX_MOST, &value) || value == 0))
                config_route_error(loader, source->name, "each_max", "bad number", "1 to 4096");
        route->each_max = (uint32_t)value;
}

static void config_map_read_keep(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_KEEP);

        route->keeps_named = text && strcmp(text, "named") == 0;
        if (text && !route->keeps_named && strcmp(text, "all") != 0)
                config_route_error(loader, source->name, "keep", "bad value", "all, named");
}

static int config_map_ignore(Route *route, Text filter) {
        char *copy = strndup(filter.data, filter.n);

        if (!copy)
                return err_new(-ENOMEM);
        if (!route->ignore)
                route->ignore = calloc(CONFIG_MAP_IGNORES, sizeof(*route->ignore));
        if (!route->ignore) {
                free(copy);
                return err_new(-ENOMEM);
        }
        route->ignore[route->n_ignore++] = copy;
        return 0;
}

static int config_map_read_ignore(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        const char *text = config_route_text(loader, source, ROUTE_IGNORE);
        Text rest = text_of(text ? text : ""), item;
        int r = 0;

        while (r == 0 && text_next_item(&rest, ",", &item)) {
                item = text_trim(item);
                if (!topic_pattern_is_valid(item) || route->n_ignore == CONFIG_MAP_IGNORES) {
                        config_route_error(loader,
                                           source->name,
                                           "ignore",
                                           "bad filter",
                                           "up to 32 MQTT filters with commas between; # may be "
                                           "in the middle, too: a/#/b");
                        return 0;
                }
                r = config_map_ignore(route, item);
        }
        return r == 0 ? 0 : err_up(r);
}

int config_map_read(ConfigLoader *loader, const ConfigRoute *source, Route *route) {
        int r;

        config_map_read_decode(loader, source, route);
        config_map_read_keep(loader, source, route);
        config_map_read_each_max(loader, source, route);
        route->rebirth = config_route_flag(loader, source, ROUTE_REBIRTH, false);
        route->merges = config_route_flag(loader, source, ROUTE_MERGE, false);
        r = config_map_read_each(loader, source, route);
        if (r == 0)
                r = config_map_read_when(loader, source, route);
        if (r == 0)
                r = config_map_read_ignore(loader, source, route);
        if (r == 0)
                r = config_map_read_lines(loader, source, route);
        return r == 0 ? 0 : err_up(r);
}

/* ---- what is there to no end ---- */

/* What a source said of the map, and no profile; NULL: nothing. */
static const ConfigMapLine *config_map_own_line(const ConfigRoute *source) {
        for (size_t i = 0; i < source->n_lines; ++i)
                if (source->lines[i].text.text && source->lines[i].text.from > CONFIG_FROM_PROFILE)
                        return &source->lines[i];
        return NULL;
}

void config_map_warn_unused(ConfigLoader *loader, const ConfigRoute *source, const char *why) {
        const ConfigMapLine *line = config_map_own_line(source);
        char section[CONFIG_ROUTE_NAME_MAX + 8];

        if (!line)
                return;
        config_map_section(source->name, section);
        loader->origin = line->text.origin;
        config_warning(loader, section, NULL, "nothing uses it: %s", why);
}

static bool config_map_uses(const Map *map, int capture) {
        for (size_t i = 0; map && i < map_length(map); ++i)
                if (map_get(map, i)->capture == capture)
                        return true;
        return map_asks(map, capture);
}

/* Names of who are used without a map; others are there for it alone. */
static void config_map_warn_of_names(ConfigLoader *loader,
                                     const ConfigRoute *source,
                                     const Route *route) {
        const char *at = topic_template_text(route->topic);
        char section[CONFIG_ROUTE_NAME_MAX + 8];

        if (source->texts[ROUTE_TOPIC].from <= CONFIG_FROM_PROFILE)
                return;
        snprintf(section, sizeof(section), "route %s", source->name);
        while ((at = strchr(at, '{')) != NULL) {
                Text name = { .data = at + 1, .n = strcspn(at + 1, ".}") };
                int other = topic_template_other(route->topic, name);

                at += name.n;
                if (other < 0 || config_map_uses(route->map, MAP_CAPTURE_OTHER + other))
                        continue;
                loader->origin = source->texts[ROUTE_TOPIC].origin;
                config_warning(loader,
                               section,
                               "topic",
                               "nothing uses what {%.*s} takes: + takes a level without a name",
                               (int)name.n,
                               name.data);
        }
}

/* Sources and keys that mean something only of elements. */
static void config_map_warn_of_each(ConfigLoader *loader,
                                    const ConfigRoute *source,
                                    const Route *route) {
        char section[CONFIG_ROUTE_NAME_MAX + 8];

        if (route->each)
                return;
        if (!map_asks(route->map, MAP_CAPTURE_INDEX) && !map_asks(route->map, MAP_CAPTURE_KEY))
                return;
        config_map_section(source->name, section);
        loader->origin = source->lines[0].text.origin;
        config_warning(loader, section, NULL, "each.index and each.key are nothing without each");
}

void config_map_check(ConfigLoader *loader, const ConfigRoute *source, const Route *route) {
        char section[CONFIG_ROUTE_NAME_MAX + 8];

        config_map_warn_of_names(loader, source, route);
        config_map_warn_of_each(loader, source, route);
        snprintf(section, sizeof(section), "route %s", source->name);
        if (!route->keeps_named)
                return;
        loader->origin = source->texts[ROUTE_KEEP].origin;
        if (route->map && !map_gives(route->map, MAP_TO_MEMBER) &&
            !map_gives(route->map, MAP_TO_DATA))
                config_error(loader,
                             section,
                             "keep",
                             "keeps nothing: no line of [map %s] gives a member",
                             source->name);
        if (route->map)
                return;
        config_warning(loader, section, "keep", "means nothing without a [map %s]", source->name);
}
