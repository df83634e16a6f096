#pragma once

/*
 * DiscoverRule: a route with `kind = discovery`: where announcements come, and what may be made of
 * them. Made while a configuration is read; then immutable, any thread.
 */

#include "base/base.h"
#include "base/timestamp.h"
#include "model/topic.h"

#define DISCOVER_MAX_FILTERS 32  /* of `allow`, and of `ignore` */
#define DISCOVER_MAX_TOPIC   256 /* bytes of a topic that a point may be of */

typedef struct DiscoverRule DiscoverRule;

struct DiscoverRule {
        char *name;
        TopicTemplate *topic; /* ends with #: what is in front is the prefix */
        char **allow;         /* filters of the topics that points may be of; none: all */
        size_t n_allow;
        char **ignore; /* and of those that they may not */
        size_t n_ignore;
        size_t max_devices; /* of the prefix, or of each user that it names */
        size_t max_points;  /* of a device */
        size_t max_bytes;   /* of an announcement, and of what its points publish */
        bool auto_register;
        bool keeps_all;
        Zone *zone;
        int64_t max_ahead_us, max_age_us; /* as in Route */
};

void discover_rule_done(DiscoverRule *rule); /* frees all that it points to */

/* Does @topic stand under the prefix? *ret_rest is what follows it, and *ret_user the user that it
 * names; absent: none. */
bool discover_rule_takes(const DiscoverRule *rule, Text topic, Text *ret_rest, Text *ret_user);

/* May a point of what was announced under @config be of @topic? NULL, or why not: static. A prefix
 * that names a user lets nobody point out of what is this user's. */
const char *discover_rule_forbids(const DiscoverRule *rule, Text config, Text topic);
