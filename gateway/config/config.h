#pragma once

/*
 * Config: INI file, then TIDEGATE_SECTION_KEY from the environment, then --set section.key=value.
 *
 * One table (config_table.c) names every key with its type, default, range, whether SIGHUP reloads
 * it, and its help; it parses, validates, prints `check-config` and generates deploy/tidegate.conf.
 * Routes (config_routes.c) are the one part that is not a fixed set of keys. Immutable once loaded;
 * strings belong to the Config. Errors are all reported, not the first alone: each names file and
 * line (or the variable, or the option) and what is allowed.
 */

#include "base/base.h"
#include "gateway/config/settings.h"

typedef struct ConfigSource ConfigSource;

struct ConfigSource {
        const char *file;        /* NULL = none */
        const char *const *sets; /* "section.key=value" */
        size_t n_sets;
        char **environment; /* as environ; NULL = none */
};

MUST_CHECK int config_load(Config **ret_config, const ConfigSource *source);
Config *config_free(Config *config);

/* The routes that a file of @ini alone would make, which has routes and maps and nothing else.
 * CONFIG_E_INVALID: @say was told why, of the first CONFIG_TRY_ERRORS errors. Any thread, once
 * another one has loaded. */
MUST_CHECK int config_try(Routes **ret_routes, Text ini, ConfigSayFn say, void *say_arg);

DEFINE_CLEANUP(Config *, config_free);
