#include "gateway/config/config.h"

#include <ini.h>
#include <stdio.h>

#include "base/err.h"
#include "gateway/config/config_form.h"
#include "gateway/config/config_profile.h"
#include "gateway/config/config_table.h"
#include "gateway/config/config_use.h"

#define CONFIG_LINE_MAX    4096               /* with its newline and NUL */
#define CONFIG_FILE_MAX    ((size_t)64 << 20) /* an endless device is none */
#define CONFIG_SECTION_MAX 49                 /* inih cuts longer ones */
#define CONFIG_ENV         "TIDEGATE_"

typedef struct ConfigFile ConfigFile;

/* One file while inih reads it. */
struct ConfigFile {
        ConfigLoader *loader;
        const char *name;
        FILE *stream;
        int (*assign)(ConfigLoader *loader,
                      const char *section,
                      const char *name,
                      const char *value);
        int line;
        size_t n_bytes;
        int fault; /* of a handler; inih has no way to pass one on */
        char origin[CONFIG_LINE_MAX];
};

int config_text_set(ConfigText *text, const char *value, const char *origin) {
        char *value_copy, *origin_copy = NULL;

        value_copy = strdup(value);
        if (origin)
                origin_copy = strdup(origin);
        if (!value_copy || (origin && !origin_copy)) {
                free(value_copy);
                free(origin_copy);
                return err_new(-ENOMEM);
        }
        config_text_done(text);
        text->text = value_copy;
        text->origin = origin_copy;
        return 0;
}

void config_text_done(ConfigText *text) {
        free(text->text);
        free(text->origin);
        *text = (ConfigText){ 0 };
}

/* A file, or the environment, that says two things about one key is not sure what it means; of
 * several --set, or profiles, the last counts, as scripts like to have it. */
static bool config_is_given_twice(const ConfigLoader *loader, const ConfigText *text) {
        return text->text && text->from == loader->from &&
               (loader->from == CONFIG_FROM_FILE || loader->from == CONFIG_FROM_ENVIRONMENT);
}

int config_text_take(ConfigLoader *loader,
                     const ConfigKey *key,
                     ConfigText *text,
                     const char *value,
                     bool *ret_is_taken) {
        int r;

        *ret_is_taken = false;
        if (!config_form_is_text(key->type, value)) {
                config_error(loader,
                             key->section,
                             key->name,
                             "has a control character, or is not UTF-8; allowed: a text");
                return 0;
        }
        if (config_is_given_twice(loader, text))
                config_warning(loader,
                               key->section,
                               key->name,
                               "is given twice, and this one counts; the other: %s",
                               text->origin);
        r = config_text_set(text, value, loader->origin);
        if (r != 0)
                return err_up(r);
        text->from = loader->from;
        *ret_is_taken = true;
        return 0;
}

static void config_unknown(ConfigLoader *loader, const char *section, const char *name) {
        const ConfigKey *nearest = config_nearest(section, name);

        if (nearest)
                config_error(loader,
                             section,
                             name,
                             "unknown key; did you mean %s.%s?",
                             nearest->section,
                             nearest->name);
        else
                config_error(loader,
                             section,
                             name,
                             "unknown %s; allowed: those of `tidegate check-config --example`",
                             config_has_section(section) ? "key" : "section");
}

static int config_assign(ConfigLoader *loader,
                         const char *section,
                         const char *name,
                         const char *value) {
        const char *now = config_renamed(section, name);
        const ConfigKey *key;
        ConfigText *text;
        bool is_taken;
        int r;

        if (strcmp(name, CONFIG_PROFILE_KEY) == 0)
                return err_up(config_profile_use(loader, value));
        if (strncmp(section, "route ", 6) == 0 || strncmp(section, "route.", 6) == 0)
                return config_routes_set(loader, section + 6, name, value);
        if (strncmp(section, "map ", 4) == 0 || strncmp(section, "map.", 4) == 0)
                return config_map_set(loader, section + 4, name, value);
        if (now)
                config_warning(loader, section, name, "is called %s.%s now", section, now);
        key = config_find(section, now ? now : name);
        if (!key) {
                config_unknown(loader, section, name);
                return 0;
        }
        text = &loader->config->texts->keys[key - config_keys];
        r = config_text_take(loader, key, text, value, &is_taken);
        if (r != 0)
                return err_up(r);
        if (is_taken)
                config_read(loader, key, text->text);
        return 0;
}

/* inih reports the first bad line alone, so what it would refuse is found here. */
static void config_check_line(ConfigFile *file, const char *line) {
        size_t n = strspn(line, " \t");
        const char *end = strchr(line + n, ']');

        file->loader->origin = file->origin;
        if (line[n] == '[' && !end)
                config_error(file->loader, "section", NULL, "no ] at its end");
        else if (line[n] == '[' && end - (line + n + 1) > CONFIG_SECTION_MAX)
                config_error(file->loader, "section", NULL, "the name is too long");
}

/* As fgets(), which cannot tell that there was a NUL. A line that is too long is read to its end;
 * false: there is none. */
static bool config_get_line(ConfigFile *file,
                            char *ret_line,
                            int n,
                            bool *ret_is_long,
                            bool *ret_nul) {
        int i = 0, c;

        *ret_is_long = *ret_nul = false;
        while (file->n_bytes <= CONFIG_FILE_MAX && (c = getc(file->stream)) != EOF) {
                ++file->n_bytes;
                *ret_nul |= c == '\0';
                if (i < n - 1)
                        ret_line[i++] = (char)c;
                else
                        *ret_is_long = true;
                if (c == '\n')
                        break;
        }
        ret_line[i] = '\0';
        return i > 0;
}

static char *config_read_line(char *buffer, int n, void *arg) {
        ConfigFile *file = arg;
        bool is_long, has_nul;

        if (!config_get_line(file, buffer, n, &is_long, &has_nul))
                return NULL;
        if (file->n_bytes > CONFIG_FILE_MAX)
                return NULL; /* config_parse() says so */

        ++file->line;
        snprintf(file->origin, sizeof(file->origin), "%s:%d", file->name, file->line);
        file->loader->origin = file->origin;
        if (is_long)
                config_error(file->loader, "line", NULL, "longer than %d bytes", n - 2);
        else if (has_nul)
                config_error(file->loader, "line", NULL, "has a NUL; allowed: a text");
        if (is_long || has_nul)
                buffer[0] = '\0';
        config_check_line(file, buffer);
        return buffer;
}

static int config_on_value(void *arg, const char *section, const char *name, const char *value) {
        ConfigFile *file = arg;
        int r;

        file->loader->origin = file->origin;
        if (!value) {
                config_error(file->loader, section, name, "no value; allowed: %s = value", name);
                return 1;
        }
        r = file->assign(file->loader, section, name, value);
        if (r != 0 && file->fault == 0)
                file->fault = err_up(r);
        return 1;
}

/* These are of the process: set when the first file is read, before there are threads. */
static void config_set_up_ini(void) {
        if (ini_max_line == CONFIG_LINE_MAX)
                return;
        ini_allow_no_value = true; /* reported by us, each of them */
        ini_allow_multiline = false;
        ini_max_line = CONFIG_LINE_MAX;
}

int config_parse(ConfigLoader *loader,
                 const char *name,
                 FILE *stream,
                 int (*assign)(ConfigLoader *loader,
                               const char *section,
                               const char *name,
                               const char *value)) {
        ConfigFile file = { .loader = loader, .name = name, .stream = stream, .assign = assign };

        config_set_up_ini();
        if (ini_parse_stream(config_read_line, &file, config_on_value, &file) == -2)
                file.fault = err_new(-ENOMEM);
        if (file.n_bytes > CONFIG_FILE_MAX) {
                fprintf(stderr,
                        "%s: cannot be read: larger than %zu bytes\n",
                        name,
                        CONFIG_FILE_MAX);
                ++loader->n_errors;
        }
        if (ferror(file.stream)) {
                fprintf(stderr, "%s: cannot be read: %s\n", name, err_text(EIO));
                ++loader->n_errors;
        }
        loader->origin = NULL;
        return file.fault;
}

static int config_load_file(ConfigLoader *loader, const char *name) {
        FILE *stream = fopen(name, "re");
        int r;

        if (!stream) {
                fprintf(stderr, "%s: cannot be read: %s\n", name, err_text(errno));
                ++loader->n_errors;
                return 0;
        }
        r = config_parse(loader, name, stream, config_assign);
        (void)fclose(stream);
        return r;
}

/* Ours, but not keys: the name of the file, those of the tests, and what Kubernetes sets for a
 * service of our name. */
static bool config_env_is_other(const char *name) {
        static const char *const others[] = { "CONFIG=", "TEST_", "SERVICE_", "PORT=", "PORT_" };

        for (size_t i = 0; i < N_ELEMENTS(others); ++i)
                if (strncmp(name, others[i], strlen(others[i])) == 0)
                        return true;
        return false;
}

static const ConfigKey *config_env_find(const char *name) {
        for (size_t i = 0; i < config_n_keys; ++i) {
                size_t n = strlen(config_keys[i].section);

                if (strncasecmp(name, config_keys[i].section, n) == 0 && name[n] == '_' &&
                    strcasecmp(name + n + 1, config_keys[i].name) == 0)
                        return &config_keys[i];
        }
        return NULL;
}

/* A key by the name that it had before. */
static bool config_env_split_renamed(char *name, const char **ret_before) {
        char *end = strchr(name, '_');

        if (!end)
                return false;
        *end = '\0';
        *ret_before = end + 1;
        if (config_renamed(name, end + 1))
                return true;
        *end = '_';
        return false;
}

/* ROUTE_<NAME>_<KEY>: the key is the longest that fits the end. */
static bool config_env_split_route(char *name, const char **ret_route, const char **ret_key) {
        if (strncmp(name, "route_", 6) != 0)
                return false;
        for (char *p = name + 7; *p; ++p) {
                if (*p != '_' || !config_routes_has_key(p + 1))
                        continue;
                *p = '\0';
                *ret_route = name + 6;
                *ret_key = p + 1;
                return true;
        }
        return false;
}

static void config_env_lower(char *name) {
        for (; *name; ++name)
                if (*name >= 'A' && *name <= 'Z')
                        *name = (char)(*name - 'A' + 'a');
}

/* The origin of what it assigns is the loader's: the caller sets it. */
static int config_env_assign_from(ConfigLoader *loader, const char *variable, const char *value) {
        char name[128];
        const char *route = NULL, *route_key = NULL, *before = NULL;
        const ConfigKey *key;
        size_t n = (size_t)(value - 1 - variable);

        snprintf(name, sizeof(name), "%.*s", (int)n, variable);
        memmove(name, name + strlen(CONFIG_ENV), strlen(name + strlen(CONFIG_ENV)) + 1);
        if (strcasecmp(name, CONFIG_PROFILE_KEY) == 0)
                return err_up(config_profile_use(loader, value));
        key = config_env_find(name);
        if (key)
                return config_assign(loader, key->section, key->name, value);

        config_env_lower(name);
        if (config_env_split_renamed(name, &before))
                return config_assign(loader, name, before, value);
        if (config_env_split_route(name, &route, &route_key))
                return config_routes_set(loader, route, route_key, value);
        if (config_map_split(loader->config->texts, name, &route, &route_key))
                return config_map_set(loader, route, route_key, value);
        fprintf(stderr,
                "%s: no such key; allowed: TIDEGATE_SECTION_KEY of `tidegate check-config "
                "--example`, TIDEGATE_CONFIG\n",
                loader->origin);
        ++loader->n_errors;
        return 0;
}

static int config_env_assign(ConfigLoader *loader, const char *variable, const char *value) {
        size_t n = (size_t)(value - 1 - variable);
        char origin[192];
        int r;

        snprintf(origin, sizeof(origin), "environment %.*s", (int)(n < 128 ? n : 128), variable);
        loader->origin = origin;
        r = config_env_assign_from(loader, variable, value);
        loader->origin = NULL;
        return r == 0 ? 0 : err_up(r);
}

/* Lines of maps, or all but these. */
static int config_load_variables(ConfigLoader *loader, char **environment, bool are_lines) {
        static const char map[] = CONFIG_ENV "MAP_";
        int r = 0;

        for (; environment && *environment && r == 0; ++environment) {
                const char *value = strchr(*environment, '=');

                if (!value || strncmp(*environment, CONFIG_ENV, strlen(CONFIG_ENV)) != 0 ||
                    config_env_is_other(*environment + strlen(CONFIG_ENV)) ||
                    (strncasecmp(*environment, map, strlen(map)) == 0) != are_lines)
                        continue;
                r = config_env_assign(loader, *environment, value + 1);
        }
        return r;
}

/* Whose a line of a map is, is known by the routes: an environment has no order. */
static int config_load_environment(ConfigLoader *loader, char **environment) {
        int r = config_load_variables(loader, environment, false);

        if (r == 0)
                r = config_load_variables(loader, environment, true);
        return r;
}

/* Of section.key: the key is what follows the last dot, so that "route NAME.key" works too; but of
 * "map NAME.target" the first, as a target may have dots. 0: there is none. */
static size_t config_set_dot(const char *set, size_t n) {
        bool is_map = n > 4 && strncmp(set, "map", 3) == 0 && (set[3] == '.' || set[3] == ' ');
        size_t dot = 0;

        for (size_t i = is_map ? 4 : 1; i < n && (dot == 0 || !is_map); ++i)
                if (set[i] == '.')
                        dot = i;
        return dot;
}

static int config_load_set(ConfigLoader *loader, const char *set) {
        const char *value = strchr(set, '=');
        size_t n = value ? (size_t)(value - set) : 0;
        size_t dot = config_set_dot(set, n);
        char section[64], name[MAP_MAX_TARGET + 2];

        if (dot == 0 || dot + 1 == n || dot >= sizeof(section) || n - dot > sizeof(name)) {
                config_error(loader, set, NULL, "not an assignment; allowed: section.key=value");
                return 0;
        }
        snprintf(section, sizeof(section), "%.*s", (int)dot, set);
        snprintf(name, sizeof(name), "%.*s", (int)(n - dot - 1), set + dot + 1);
        return config_assign(loader, section, name, value + 1);
}

static int config_load_sets(ConfigLoader *loader, const char *const sets[], size_t n) {
        static const char profile[] = CONFIG_PROFILE_KEY "=";
        int r = 0;

        loader->origin = "--set";
        for (size_t i = 0; i < n && r == 0; ++i)
                if (strncmp(sets[i], profile, strlen(profile)) == 0)
                        r = config_profile_use(loader, sets[i] + strlen(profile));
                else
                        r = config_load_set(loader, sets[i]);
        return err_up(r);
}

static int config_new(Config **ret_config) {
        CLEANUP(config_free) Config *config = NULL;

        config = calloc(1, sizeof(*config));
        if (!config)
                return err_new(-ENOMEM);
        config->texts = calloc(1, sizeof(*config->texts));
        if (!config->texts)
                return err_new(-ENOMEM);
        config->texts->keys = calloc(config_n_keys, sizeof(*config->texts->keys));
        if (!config->texts->keys)
                return err_new(-ENOMEM);

        *ret_config = TAKE(&config);
        return 0;
}

static void config_load_defaults(ConfigLoader *loader) {
        Config *config = loader->config;

        for (size_t i = 0; i < config_n_keys; ++i) {
                if (config_keys[i].fallback)
                        config_read(loader, &config_keys[i], config_keys[i].fallback);
                if (strcmp(config_keys[i].section, "retention") == 0)
                        config->retention[config->n_retention++].table = config_keys[i].name;
        }
        assert(loader->n_errors == 0 && config->n_retention == CONFIG_N_RETENTION);
}

static int config_load_sources(ConfigLoader *loader, const ConfigSource *source) {
        int r;

        r = config_routes_init(loader->config->texts);
        loader->from = CONFIG_FROM_FILE;
        if (r == 0 && source->file)
                r = config_load_file(loader, source->file);
        loader->from = CONFIG_FROM_ENVIRONMENT;
        if (r == 0)
                r = config_load_environment(loader, source->environment);
        loader->from = CONFIG_FROM_SET;
        if (r == 0)
                r = config_load_sets(loader, source->sets, source->n_sets);
        if (r == 0)
                r = config_profile_apply(loader);
        if (r == 0)
                r = config_use_apply(loader);
        return r;
}

int config_load(Config **ret_config, const ConfigSource *source) {
        CLEANUP(config_free) Config *config = NULL;
        ConfigLoader loader = { 0 };
        int r;

        r = config_new(&config);
        if (r != 0)
                return err_up(r);

        loader.config = config;
        config_load_defaults(&loader);
        r = config_load_sources(&loader, source);
        if (r != 0)
                return err_up(r);
        config_check(&loader);
        r = config_routes_build(&loader);
        if (r != 0)
                return err_up(r);
        if (loader.n_errors > 0)
                return CONFIG_E_INVALID;

        config->mqtt_enabled = config->mqtt.url != NULL;
        *ret_config = TAKE(&config);
        return 0;
}

/* ---- routes that somebody tries ---- */

static int config_try_assign(ConfigLoader *loader,
                             const char *section,
                             const char *name,
                             const char *value) {
        if (strncmp(section, "route ", 6) == 0 || strncmp(section, "map ", 4) == 0)
                return err_up(config_assign(loader, section, name, value));
        config_error(loader, section, name, "cannot be tried; allowed: [route NAME], [map NAME]");
        return 0;
}

static int config_try_read(ConfigLoader *loader, Text ini) {
        FILE *stream;
        int r;

        if (ini.n == 0)
                return 0;
        stream = fmemopen((void *)(uintptr_t)ini.data, ini.n, "r");
        if (!stream)
                return err_new(-errno);
        r = config_parse(loader, "config", stream, config_try_assign);
        (void)fclose(stream);
        return r == 0 ? 0 : err_up(r);
}

int config_try(Routes **ret_routes, Text ini, ConfigSayFn say, void *say_arg) {
        CLEANUP(config_free) Config *config = NULL;
        ConfigLoader loader = { .say = say, .say_arg = say_arg };
        int r;

        r = config_new(&config);
        if (r != 0)
                return err_up(r);
        loader.config = config;
        config_load_defaults(&loader);
        r = config_routes_init(config->texts);
        loader.from = CONFIG_FROM_FILE;
        if (r == 0)
                r = config_try_read(&loader, ini);
        if (r == 0)
                r = config_use_apply(&loader);
        if (r == 0)
                r = config_routes_build(&loader);
        if (r != 0)
                return err_up(r);
        if (loader.n_errors > 0)
                return CONFIG_E_INVALID;
        *ret_routes = routes_ref(config->routes);
        return 0;
}

Config *config_free(Config *config) {
        if (!config)
                return NULL;

        if (config->texts) {
                for (size_t i = 0; config->texts->keys && i < config_n_keys; ++i)
                        config_text_done(&config->texts->keys[i]);
                free(config->texts->keys);
                config_text_done(&config->texts->profiles);
                config_routes_done(config->texts);
                free(config->texts);
        }
        routes_unref(config->routes);
        config_discover_done(config);
        free(config);
        return NULL;
}
