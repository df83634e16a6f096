#pragma once

/*
 * Filters of MQTT, and patterns (see topic_template_pattern()), which may have a rest in the
 * middle: what they take, and what two of them have in common. Pure.
 */

#include "base/base.h"

/* Is it one, as MQTT has them? A broker ends the connection of who names another. */
bool topic_filter_is_valid(Text filter);
bool topic_pattern_is_valid(Text pattern); /* or one with a rest in the middle: a/#/b */
/* Of two MQTT filters: is every topic of @narrow one of @wide; is there a topic of both? Shared
 * subscriptions ($share/…) are apart from all others. */
bool topic_filter_covers(const char *wide, const char *narrow);
bool topic_filter_meets(const char *a, const char *b);
bool topic_filter_takes(const char *filter, Text topic);
/* The narrowest one that takes all of both, which must meet; owned by the caller. */
MUST_CHECK int topic_filter_join(const char *a, const char *b, char **ret_filter);
