#pragma once

/*
 * ConfigUse: `use = NAME` of a route, which takes its keys and its map, and further routes, from a
 * profile (shipped.h). Private to config*.c, but for who prints profiles.
 *
 * The names of a profile's routes have their beginning in common: one that is called so itself
 * becomes the route that uses it, X_rest becomes ROUTE_rest, whatever X is. What the configuration
 * says of any of these goes before the profile; auto_register, timezone, max_bytes, rebirth and
 * enabled of the using route are for all of them. They stand at its place, in the order of the
 * profile.
 */

#include "gateway/config/config_table.h"

typedef struct ConfigProfileFile ConfigProfileFile;

/* A profile as it stands in its file. */
struct ConfigProfileFile {
        ConfigLoader loader; /* first: it is known by it */
        Config *config;
        ConfigText about, base;
        size_t n_stem; /* what the names of its routes have in common */
};

/* Reads it: errors are counted in @file->loader. SHIPPED_E_NONE, or a fault. */
MUST_CHECK int config_profile_file_read(ConfigProfileFile *file,
                                        const char *folder,
                                        const char *name);
void config_profile_file_done(ConfigProfileFile *file);

/* What a route that uses a profile says for all that come of it. */
bool config_use_is_general(ConfigRouteKey key);

/* After all sources: 0, -ENOMEM. */
MUST_CHECK int config_use_apply(ConfigLoader *loader);

#define CLEANUP_PROFILE_FILE __attribute__((cleanup(config_profile_file_done)))
