#pragma once

/*
 * ConfigKey: the table of keys behind config.h, and the reading of one value of each type.
 *
 * Private to config*.c. A text is kept as it was given, with its origin, so that a later check can
 * name the line that it blames. The values in Config are parsed from the texts.
 */

#include <stdio.h>

#include "gateway/config/settings.h"

typedef struct ConfigKey ConfigKey;
typedef struct ConfigLoader ConfigLoader;
typedef struct ConfigMapLine ConfigMapLine;
typedef struct ConfigRoute ConfigRoute;
typedef struct ConfigText ConfigText;
typedef struct ConfigTexts ConfigTexts;

typedef enum ConfigType {
        CONFIG_TEXT,
        CONFIG_TOPIC,  /* may be empty, */
        CONFIG_TOPICS, /* and so may these: none */
        CONFIG_FILTERS,
        CONFIG_LISTEN,
        CONFIG_PROXIES,
        CONFIG_ORIGINS,
        CONFIG_PREFACE,
        CONFIG_ZONE,
        CONFIG_PATH,
        CONFIG_PATHS, /* of requests, not of files */
        CONFIG_FILES,
        CONFIG_MQTT_URL,
        CONFIG_DB_URL,
        CONFIG_FLAG,
        CONFIG_INT,
        CONFIG_NUMBER,  /* double */
        CONFIG_SIZE,    /* size_t or uint64_t, which are the same here */
        CONFIG_MS,      /* int, milliseconds */
        CONFIG_SECONDS, /* int */
        CONFIG_DAYS,    /* int */
        CONFIG_FSYNC,
        CONFIG_MQTT_VERSION,
        CONFIG_ALGORITHMS,
        CONFIG_LEVEL,
} ConfigType;

struct ConfigKey {
        const char *section, *name;
        ConfigType type;
        size_t offset;        /* of the member of Config; CONFIG_FSYNC: not used */
        const char *fallback; /* the default, as text; NULL = not set */
        int64_t min, max;     /* numbers: in the unit of the type */
        bool reloads;         /* SIGHUP is enough */
        const char *help;
};

typedef enum ConfigFrom {
        CONFIG_FROM_DEFAULT,
        CONFIG_FROM_PROFILE,
        CONFIG_FROM_FILE,
        CONFIG_FROM_ENVIRONMENT,
        CONFIG_FROM_SET,
} ConfigFrom;

struct ConfigText {
        char *text;   /* NULL = not given: the default holds */
        char *origin; /* "file:12", "profile vehicles", "environment TIDEGATE_…", "--set"; NULL =
                         the default */
        ConfigFrom from;
};

#define CONFIG_MAX_ROUTES     1024
#define CONFIG_ROUTE_NAME_MAX 40
#define ROUTE_MAX_BYTES       "256K" /* of a payload, unless told */

typedef enum ConfigRouteKey {
        ROUTE_TOPIC,
        ROUTE_KIND,
        ROUTE_AUTO_REGISTER,
        ROUTE_TIMEZONE,
        ROUTE_BYTES,
        ROUTE_NEAR,
        ROUTE_MEDIUM,
        ROUTE_WHO,
        ROUTE_IGNORE,
        ROUTE_DECODE,
        ROUTE_WHEN,
        ROUTE_KEEP,
        ROUTE_EACH,
        ROUTE_EACH_MAX,
        ROUTE_REBIRTH,
        ROUTE_MERGE,
        ROUTE_ENABLED,
        ROUTE_USE,
        ROUTE_BASE,
        ROUTE_ALLOW,
        ROUTE_MAX_DEVICES,
        ROUTE_MAX_POINTS,
        CONFIG_ROUTE_KEYS
} ConfigRouteKey;

/* A line of [map NAME]. */
struct ConfigMapLine {
        char *target;
        ConfigText text;
};

struct ConfigRoute {
        char *name;
        bool is_default;
        bool is_of_profile;
        size_t place, part; /* in the order of all, and among those of its place */
        ConfigText texts[CONFIG_ROUTE_KEYS];
        ConfigMapLine *lines; /* in the order in which they were first given */
        size_t n_lines, lines_capacity;
};

struct ConfigTexts {
        ConfigText profiles; /* use_profile */
        ConfigText *keys;    /* one for each of the table */
        ConfigRoute *routes;
        size_t n_routes;
};

struct ConfigLoader {
        Config *config;
        const char *origin; /* of the value being read */
        ConfigFrom from;
        int n_errors;
        ConfigSayFn say; /* NULL: standard error */
        void *say_arg;   /* borrowed */
};

extern const ConfigKey config_keys[];
extern const size_t config_n_keys;

const ConfigKey *config_find(const char *section, const char *name);
const char *config_renamed(const char *section, const char *name); /* as now; NULL = it is not */
bool config_has_section(const char *section);
ConfigText *config_text(const Config *config, const char *section, const char *name);
const ConfigKey *config_nearest(const char *section, const char *name); /* NULL = none */
bool config_is_near(const char *a, const char *b); /* names that one may mistake for each other */

/* Reads @text into the config; an error is reported under the loader's origin. */
void config_read(ConfigLoader *loader, const ConfigKey *key, const char *text);
/* 0, or -1 with *ret_value untouched: a number with the suffix of a time or a size. */
bool config_parse_time(const char *text, ConfigType unit, int64_t *ret_value);
bool config_parse_size(const char *text, int64_t *ret_value);
bool config_parse_flag(const char *text, bool *ret_value);

void config_print_wrapped(FILE *out, const char *text); /* as a comment, in lines */

/* What no single value can tell: keys that need or exclude each other, sizes that depend. */
void config_check(ConfigLoader *loader);

void config_error(ConfigLoader *loader,
                  const char *section,
                  const char *name,
                  const char *format,
                  ...) PRINTF(4, 5);

/* What has a meaning, if not the one that was had in mind: it is told, and taken. */
void config_warning(const ConfigLoader *loader,
                    const char *section,
                    const char *name,
                    const char *format,
                    ...) PRINTF(4, 5);

/* 0, -ENOMEM. Replaces what was there. */
MUST_CHECK int config_text_set(ConfigText *text, const char *value, const char *origin);
void config_text_done(ConfigText *text);
/* What the loader's source gives for a key, in place of what an earlier one gave. *@ret_is_taken
 * false: it was refused, with an error. */
MUST_CHECK int config_text_take(ConfigLoader *loader,
                                const ConfigKey *key, /* a route's: without type */
                                ConfigText *text,
                                const char *value,
                                bool *ret_is_taken);

/* Each assignment of @stream, which is an INI file, with @name and its line as the loader's origin.
 * What cannot be read of it is an error. -ENOMEM, or what @assign() answers. */
MUST_CHECK int config_parse(ConfigLoader *loader,
                            const char *name,
                            FILE *stream,
                            int (*assign)(ConfigLoader *loader,
                                          const char *section,
                                          const char *name,
                                          const char *value));

/* [route NAME]: the defaults, one assignment, and the Routes table made of all. */
MUST_CHECK int config_routes_init(ConfigTexts *texts);
void config_routes_done(ConfigTexts *texts);
MUST_CHECK int config_routes_set(ConfigLoader *loader,
                                 const char *route,
                                 const char *name,
                                 const char *value);
/* As config_routes_set(), but what a source has said stays. */
MUST_CHECK int config_routes_fill(ConfigLoader *loader,
                                  const char *route,
                                  const char *name,
                                  const char *value);
MUST_CHECK int config_routes_build(ConfigLoader *loader); /* config_route_read.c */
const char *config_route_key_name(ConfigRouteKey key);
bool config_routes_has_key(const char *name);
ConfigRoute *config_routes_find(ConfigTexts *texts, const char *name); /* NULL = none */
/* The text of a key, NULL where it has none; the loader then blames its origin. */
const char *config_route_text(ConfigLoader *loader, const ConfigRoute *source, ConfigRouteKey key);
bool config_route_flag(ConfigLoader *loader,
                       const ConfigRoute *source,
                       ConfigRouteKey key,
                       bool fallback);
void config_route_error(ConfigLoader *loader,
                        const char *route,
                        const char *name,
                        const char *text,
                        const char *allowed);

/* A route with `kind = discovery`, of which the rest has been read: it takes of @route what it
 * needs, and is no route. */
bool config_is_discovery(ConfigLoader *loader, const ConfigRoute *source);
MUST_CHECK int config_discover_take(ConfigLoader *loader, const ConfigRoute *source, Route *route);
void config_discover_done(Config *config);

/* [map NAME]: one assignment, of a route that has been named before, or will be; what the keys
 * ignore, decode, when, keep, rebirth and merge say, and the map, once kind and topic are known. */
MUST_CHECK int config_map_set(ConfigLoader *loader,
                              const char *route,
                              const char *target,
                              const char *value);
MUST_CHECK int config_map_line(ConfigRoute *source, const char *target, ConfigMapLine **ret_line);
void config_map_done(ConfigRoute *source);
MUST_CHECK int config_map_read(ConfigLoader *loader, const ConfigRoute *source, Route *route);
/* Warnings: of a route that is in force, what of it nothing uses; of a map whose route is not. */
void config_map_check(ConfigLoader *loader, const ConfigRoute *source, const Route *route);
/* An error for each key that the kind of the route does not use; and for each that a route without
 * a topic, which stands for all of its profile, cannot say for all. */
void config_unused_check(ConfigLoader *loader, const ConfigRoute *source, const Route *route);
void config_unused_check_all(ConfigLoader *loader, const ConfigRoute *source);
void config_map_warn_unused(ConfigLoader *loader, const ConfigRoute *source, const char *why);
/* MAP_<NAME>_<TARGET> of the environment, in lower case, cut in two; the route must be known. */
bool config_map_split(const ConfigTexts *texts,
                      char *name,
                      const char **ret_route,
                      const char **ret_target);
void config_map_print(const ConfigRoute *source, FILE *out);
/* The route of that name, made if there was none. NULL: it was refused, with an error. */
MUST_CHECK int config_routes_take(ConfigLoader *loader, const char *name, ConfigRoute **ret_route);
void config_routes_print(const ConfigTexts *texts, FILE *out);
void config_routes_print_example(FILE *out);
