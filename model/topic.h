#pragma once

/*
 * Topic: templates such as `users/{user}/devices/{device}/status`, and their captures.
 *
 * Pure. A `{name}` stands for exactly one level, one of TOPIC_NAMES; other levels
 * match themselves. MQTT wildcards are not allowed in a template. A captured level
 * is never empty.
 */

#include "base/base.h"

typedef struct TopicTemplate TopicTemplate;
typedef struct TopicMatch TopicMatch;

struct TopicMatch {
        Text user;    /* {user}: user id or name */
        Text vehicle; /* {vehicle}: vehicle id or code */
        Text device;  /* {device} or {camera}: device id or code */
};

enum {
        TOPIC_E_INVALID = 1, /* not a template: empty, wildcard, unknown or repeated name, > 65535
                                bytes, not UTF-8, or with control characters */
};

MUST_CHECK int topic_template_new(TopicTemplate **ret_template, const char *text);
TopicTemplate *topic_template_free(TopicTemplate *template);

const char *topic_template_text(const TopicTemplate *template);
const char *topic_template_filter(
        const TopicTemplate *template); /* the MQTT filter: `users/+/devices/+/status` */
bool topic_template_has(const TopicTemplate *template,
                        const char *name); /* "device" also for {camera} */
bool topic_template_match(const TopicTemplate *template, Text topic, TopicMatch *ret_match);

/*
 * The topic with the captures filled in, as NUL-terminated heap memory; for publishers.
 * TOPIC_E_INVALID: a value is missing, or is not one level (empty, or has '/', '+', '#' or NUL).
 */
MUST_CHECK int topic_template_expand(const TopicTemplate *template,
                                     const TopicMatch *values,
                                     char **ret_topic);

/* Is it one, as MQTT has them? A broker ends the connection of who names another. */
bool topic_filter_is_valid(Text filter);
/* Of two MQTT filters: is every topic of @narrow one of @wide; is there a topic of both? Shared
 * subscriptions ($share/…) are apart from all others. */
bool topic_filter_covers(const char *wide, const char *narrow);
bool topic_filter_meets(const char *a, const char *b);
bool topic_filter_takes(const char *filter, Text topic);
/* The narrowest one that takes all of both, which must meet; owned by the caller. */
MUST_CHECK int topic_filter_join(const char *a, const char *b, char **ret_filter);

DEFINE_CLEANUP(TopicTemplate *, topic_template_free);
