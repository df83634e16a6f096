#pragma once

/*
 * ConfigProfile: the settings under which the clients of one origin system work unmodified, by one
 * name.
 *
 * `use_profile = vehicles, cameras` stands in for defaults: what file, environment or --set say
 * themselves goes before it. Several are joined: lists of origins and paths become one list, of
 * another key the profile that is named last counts. A profile opens what its lines say and no
 * more; `check-config --example NAME` prints them, with what each opens to whom. Private to
 * config*.c.
 */

#include "gateway/config/config_table.h"

#define CONFIG_PROFILE_KEY "use_profile" /* of no section, wherever it stands */

/* Notes what the loader's source names; 0, -ENOMEM. An unknown name is an error of the loader. */
MUST_CHECK int config_profile_use(ConfigLoader *loader, const char *names);
/* After all sources: what they left open becomes what their profiles say. 0, -ENOMEM. */
MUST_CHECK int config_profile_apply(ConfigLoader *loader);
