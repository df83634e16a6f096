#pragma once

/*
 * Topic: templates such as `users/{user}/devices/{device}/status`, and their captures.
 *
 * A level of a template is text, which matches itself; `{name}`, which takes one level;
 * `{name...}`, once, which takes all the levels that the others leave, with the slashes between;
 * `+`, one level that nobody asks about; or, as the last, and where no name takes a rest, `#`:
 * whatever is left, also nothing. The names `user`, `vehicle`, `device` and `camera` (a device,
 * too) say whose the message is; others are there for maps (docs/mapping.md): a letter, then
 * letters, digits and `_`, all lower case, at most
 * 40. What a name takes is never empty. As for a broker, no wildcard at the beginning takes a topic
 * that begins with `$`. Pure.
 */

#include "base/base.h"

#define TOPIC_MAX_OTHERS 8   /* names that are not of who */
#define TOPIC_MAX_LEVELS 128 /* of a template */

typedef struct TopicTemplate TopicTemplate;
typedef struct TopicMatch TopicMatch;

struct TopicMatch {
        Text user;                     /* {user}: user id or name */
        Text vehicle;                  /* {vehicle}: vehicle id or code */
        Text device;                   /* {device} or {camera}: device id or code */
        Text others[TOPIC_MAX_OTHERS]; /* in the order of the template */
};

enum {
        TOPIC_E_INVALID = 1, /* not a template: empty, a bad or repeated name, two rests, `#` that
                                is not the last, too many levels or names, > 65535 bytes, not UTF-8,
                                or with control characters */
};

MUST_CHECK int topic_template_new(TopicTemplate **ret_template, const char *text);
TopicTemplate *topic_template_free(TopicTemplate *template);

const char *topic_template_text(const TopicTemplate *template);
const char *topic_template_filter(
        const TopicTemplate *template); /* the MQTT filter: `users/+/devices/+/status` */
/* The filter and, where a rest is in the middle, what is behind it: `a/#/b`, where # is at least a
 * level. No broker knows these; topic_filter_takes(), _meets(), and TopicIndex do. */
const char *topic_template_pattern(const TopicTemplate *template);
bool topic_template_has(const TopicTemplate *template,
                        const char *name); /* "device" also for {camera} */
/* Each level is text or the name of who: it can be filled in, for publishing. */
bool topic_template_is_plain(const TopicTemplate *template);
/* Where TopicMatch has what another name takes: its place in @others; -1: there is no such name. */
int topic_template_other(const TopicTemplate *template, Text name);
bool topic_template_match(const TopicTemplate *template, Text topic, TopicMatch *ret_match);

/*
 * The topic with the captures filled in, as NUL-terminated heap memory; for publishers.
 * TOPIC_E_INVALID: a value is missing, or is not one level (empty, or has '/', '+', '#' or NUL), or
 * the template is not plain.
 */
MUST_CHECK int topic_template_expand(const TopicTemplate *template,
                                     const TopicMatch *values,
                                     char **ret_topic);

DEFINE_CLEANUP(TopicTemplate *, topic_template_free);
