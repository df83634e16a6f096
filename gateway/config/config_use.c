#include "gateway/config/config_use.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/config/bases.h"
#include "gateway/config/shipped.h"

#define USE_NAME_SIZE (2 * CONFIG_ROUTE_NAME_MAX + 2)

/* ---- a profile ---- */

static int use_assign(ConfigLoader *loader,
                      const char *section,
                      const char *name,
                      const char *value) {
        ConfigProfileFile *file = (ConfigProfileFile *)(void *)loader;
        bool is_about = strcmp(name, "about") == 0;
        const ConfigKey key = { .section = section, .name = name };
        bool is_taken;

        if (strncmp(section, "route ", 6) == 0)
                return config_routes_set(loader, section + 6, name, value);
        if (strncmp(section, "map ", 4) == 0)
                return config_map_set(loader, section + 4, name, value);
        if (strcmp(section, "profile") == 0 && (is_about || strcmp(name, "base") == 0))
                return config_text_take(loader,
                                        &key,
                                        is_about ? &file->about : &file->base,
                                        value,
                                        &is_taken);
        config_error(loader,
                     section,
                     name,
                     "unknown in a profile; allowed: about and base of [profile], [route NAME], "
                     "[map NAME]");
        return 0;
}

/* Up to where a name and a stem are the same, and a part of both ends. */
static size_t use_common(const char *stem, size_t n_stem, const char *name) {
        size_t common = 0;

        for (size_t i = 0;; ++i) {
                bool ends_stem = i == n_stem || stem[i] == '_';
                bool ends_name = name[i] == '\0' || name[i] == '_';

                if (ends_stem && ends_name)
                        common = i;
                if (i == n_stem || name[i] == '\0' || stem[i] != name[i])
                        return common;
        }
}

static void use_find_stem(ConfigProfileFile *file) {
        const ConfigTexts *texts = file->config->texts;

        for (size_t i = 0; i < texts->n_routes; ++i)
                if (i == 0)
                        file->n_stem = strlen(texts->routes[0].name);
                else
                        file->n_stem = use_common(texts->routes[0].name,
                                                  file->n_stem,
                                                  texts->routes[i].name);
        if (file->n_stem > 0)
                return;
        file->loader.origin = NULL;
        config_error(&file->loader, "profile", NULL, "its routes have no name in common");
}

static int use_check_base(ConfigProfileFile *file) {
        CLEANUP_BASES Bases bases = { 0 };
        int r = bases_read(&bases, file->base.text, NULL);

        if (r <= 0)
                return err_up(r);
        file->loader.origin = file->base.origin;
        config_error(&file->loader,
                     "profile",
                     "base",
                     "%s; allowed: one, or up to %d with commas between",
                     r == BASES_E_MISSING ? "one of the list is missing" : "too many",
                     BASES_MAX);
        return 0;
}

static int use_parse(ConfigProfileFile *file, const Buf *text, const char *where) {
        FILE *stream = fmemopen(text->data, text->n, "r");
        int r;

        if (!stream)
                return err_new(-errno);
        r = config_parse(&file->loader, where, stream, use_assign);
        (void)fclose(stream);
        return r;
}

int config_profile_file_read(ConfigProfileFile *file, const char *folder, const char *name) {
        CLEANUP_BUF Buf text = { 0 }, where = { 0 };
        int r = shipped_read(folder, name, &text, &where);

        *file = (ConfigProfileFile){ .loader = { .from = CONFIG_FROM_PROFILE } };
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        file->config = calloc(1, sizeof(*file->config));
        if (!file->config)
                return err_new(-ENOMEM);
        file->loader.config = file->config;
        file->config->texts = calloc(1, sizeof(*file->config->texts));
        if (!file->config->texts)
                return err_new(-ENOMEM);
        r = text.n > 0 ? use_parse(file, &text, buf_text(&where).data) : 0;
        if (r == 0)
                r = use_check_base(file);
        if (r == 0)
                use_find_stem(file);
        return err_up(r);
}

void config_profile_file_done(ConfigProfileFile *file) {
        if (file->config && file->config->texts) {
                config_routes_done(file->config->texts);
                free(file->config->texts);
        }
        free(file->config);
        config_text_done(&file->about);
        config_text_done(&file->base);
}

/* ---- using it ---- */

/* A source has said it: no default, and no profile. */
static bool use_is_said(const ConfigText *text) {
        return text->text && text->from != CONFIG_FROM_DEFAULT;
}

static int use_fill(const ConfigText *from, ConfigText *to, Bases *bases, bool is_filters) {
        CLEANUP_BUF Buf text = { 0 };
        int r;

        if (!from->text || use_is_said(to))
                return 0;
        if (is_filters)
                bases_fill_filters(bases, from->text, &text);
        else
                bases_fill(bases, from->text, &text);
        if (buf_failed(&text))
                return err_new(-ENOMEM);
        r = config_text_set(to, buf_text(&text).data, from->origin);
        if (r != 0)
                return err_up(r);
        to->from = CONFIG_FROM_PROFILE;
        return 0;
}

static int use_fill_route(const ConfigRoute *from, ConfigRoute *to, Bases *bases) {
        int r = 0;

        for (int k = 0; r == 0 && k < CONFIG_ROUTE_KEYS; ++k)
                r = use_fill(&from->texts[k], &to->texts[k], bases, k == ROUTE_IGNORE);
        for (size_t i = 0; r == 0 && i < from->n_lines; ++i) {
                ConfigMapLine *line;

                r = config_map_line(to, from->lines[i].target, &line);
                if (r == 0)
                        r = use_fill(&from->lines[i].text, &line->text, bases, false);
        }
        return r == 0 ? 0 : err_up(r);
}

bool config_use_is_general(ConfigRouteKey key) {
        return key == ROUTE_AUTO_REGISTER || key == ROUTE_TIMEZONE || key == ROUTE_BYTES ||
               key == ROUTE_REBIRTH || key == ROUTE_ENABLED;
}

static int use_fill_general(const ConfigRoute *from, ConfigRoute *to) {
        Bases none = { 0 };
        int r = 0;

        for (ConfigRouteKey key = 0; r == 0 && key < CONFIG_ROUTE_KEYS; ++key) {
                const ConfigText *text = &from->texts[key];

                if (config_use_is_general(key) && use_is_said(text))
                        r = use_fill(text, &to->texts[key], &none, false);
        }
        return r == 0 ? 0 : err_up(r);
}

static void use_name(const char *main_name, const char *suffix, char ret[USE_NAME_SIZE]) {
        snprintf(ret, USE_NAME_SIZE, "%s%s", main_name, suffix);
}

/* The route that @part of the profile becomes, whose place in the configuration is *ret_at;
 * *ret_at SIZE_MAX: it cannot be, and an error was told. */
static int use_target(ConfigLoader *loader, size_t main_at, const char *suffix, size_t *ret_at) {
        ConfigTexts *texts = loader->config->texts;
        const char *main_name = texts->routes[main_at].name;
        char name[USE_NAME_SIZE];
        ConfigRoute *route;
        int r;

        *ret_at = main_at;
        if (*suffix == '\0')
                return 0;
        *ret_at = SIZE_MAX;
        use_name(main_name, suffix, name);
        route = config_routes_find(texts, name);
        if (route && (route->is_default || route->is_of_profile || route->texts[ROUTE_USE].text)) {
                config_route_error(loader,
                                   main_name,
                                   "use",
                                   "the profile has a route that would be called as another one",
                                   "another name of this route");
                return 0;
        }
        r = config_routes_take(loader, name, &route);
        if (r == 0 && route)
                *ret_at = (size_t)(route - texts->routes);
        return r == 0 ? 0 : err_up(r);
}

/* Its topic begins with a base that is not there, and the configuration says no other. */
static bool use_is_left_out(const ConfigLoader *loader,
                            size_t main_at,
                            const char *suffix,
                            const char *topic,
                            Bases *bases) {
        ConfigTexts *texts = loader->config->texts;
        const ConfigRoute *route;
        char name[USE_NAME_SIZE];

        if (!topic || !bases_lack(bases, topic))
                return false;
        use_name(texts->routes[main_at].name, suffix, name);
        route = config_routes_find(texts, name);
        return !route || !use_is_said(&route->texts[ROUTE_TOPIC]);
}

static int use_one_route(ConfigLoader *loader,
                         const ConfigProfileFile *file,
                         size_t main_at,
                         size_t part,
                         Bases *bases) {
        ConfigTexts *texts = loader->config->texts;
        const ConfigRoute *from = &file->config->texts->routes[part];
        const char *suffix = from->name + file->n_stem;
        ConfigRoute *main_route, *to;
        size_t at;
        int r;

        if (use_is_left_out(loader, main_at, suffix, from->texts[ROUTE_TOPIC].text, bases))
                return 0;
        r = use_target(loader, main_at, suffix, &at);
        if (r != 0 || at == SIZE_MAX)
                return err_up(r);
        main_route = &texts->routes[main_at];
        to = &texts->routes[at];
        to->is_of_profile = true;
        to->place = main_route->place;
        to->part = part + 1;
        if (to != main_route)
                r = use_fill_general(main_route, to);
        if (r == 0)
                r = use_fill_route(from, to, bases);
        return r == 0 ? 0 : err_up(r);
}

static void use_unknown(ConfigLoader *loader, const char *route, const char *name) {
        CLEANUP_BUF Buf allowed = { 0 };
        char text[80];
        char **names = NULL;
        size_t n = 0;

        if (shipped_names(loader->config->route_profiles, &names, &n) != 0)
                n = 0;
        for (size_t i = 0; i < n; ++i)
                buf_printf(&allowed, "%s%s", i > 0 ? ", " : "", names[i]);
        shipped_names_free(names, n);
        snprintf(text, sizeof(text), "there is no profile '%.40s'", name);
        config_route_error(loader, route, "use", text, buf_text(&allowed).data);
}

/* What is said and cannot be is told, and is as if it was not said. */
static int use_refuse_base(ConfigLoader *loader,
                           const ConfigProfileFile *file,
                           const ConfigRoute *route,
                           int fault,
                           Bases *bases) {
        config_route_error(loader,
                           route->name,
                           "base",
                           fault == BASES_E_MISSING ? "one of the list is missing"
                                                    : "more than the profile has",
                           file->base.text);
        bases_done(bases);
        return err_up(bases_read(bases, file->base.text, NULL));
}

/* A profile that is wrong itself has said so. */
static int use_bases(ConfigLoader *loader,
                     const ConfigProfileFile *file,
                     const ConfigRoute *route,
                     Bases *bases) {
        const ConfigText *said = &route->texts[ROUTE_BASE];
        bool is_good = file->loader.n_errors == 0;
        const char *origin = loader->origin;
        char section[CONFIG_ROUTE_NAME_MAX + 8];
        int r = bases_read(bases, is_good ? file->base.text : NULL, said->text);

        if (r < 0)
                return err_up(r);
        if (said->text)
                loader->origin = said->origin;
        snprintf(section, sizeof(section), "route %s", route->name);
        if (r == 0 && is_good && bases->n == 1 && said->text && strchr(said->text, ','))
                config_warning(loader,
                               section,
                               "base",
                               "is one, commas and all: so is the profile's");
        if (r > 0)
                r = use_refuse_base(loader, file, route, r, bases);
        loader->origin = origin;
        return err_up(r);
}

static int use_profile(ConfigLoader *loader, size_t at, const char *name) {
        CLEANUP_PROFILE_FILE ConfigProfileFile file;
        const ConfigRoute *route = &loader->config->texts->routes[at];
        CLEANUP_BASES Bases bases = { 0 };
        int r = config_profile_file_read(&file, loader->config->route_profiles, name);

        loader->n_errors += file.loader.n_errors;
        if (r == SHIPPED_E_NONE) {
                use_unknown(loader, route->name, name);
                return 0;
        }
        if (r != 0 && r != -ENOMEM) {
                config_route_error(loader, route->name, "use", err_text(r), "a file to read");
                return 0;
        }
        if (r == 0)
                r = use_bases(loader, &file, route, &bases);
        for (size_t i = 0; r == 0 && file.n_stem > 0 && i < file.config->texts->n_routes; ++i)
                r = use_one_route(loader, &file, at, i, &bases);
        return r == 0 ? 0 : err_up(r);
}

static int use_compare(const void *a, const void *b) {
        const ConfigRoute *one = a, *other = b;

        if (one->place != other->place)
                return one->place < other->place ? -1 : 1;
        return one->part < other->part ? -1 : one->part > other->part;
}

int config_use_apply(ConfigLoader *loader) {
        ConfigTexts *texts = loader->config->texts;
        size_t n = texts->n_routes;
        int r = 0;

        for (size_t i = 0; i < n; ++i)
                texts->routes[i].place = i;
        for (size_t i = 0; r == 0 && i < n; ++i) {
                const char *name = config_route_text(loader, &texts->routes[i], ROUTE_USE);
                char origin[512];

                if (!name) {
                        if (config_route_text(loader, &texts->routes[i], ROUTE_BASE))
                                config_route_error(loader,
                                                   texts->routes[i].name,
                                                   "base",
                                                   "means nothing without use",
                                                   "a route with use");
                        continue;
                }
                /* the route moves while others come */
                snprintf(origin, sizeof(origin), "%s", loader->origin ? loader->origin : "");
                loader->origin = origin;
                r = use_profile(loader, i, name);
                loader->origin = NULL;
        }
        if (r == 0)
                qsort(texts->routes, texts->n_routes, sizeof(*texts->routes), use_compare);
        return r == 0 ? 0 : err_up(r);
}
