#pragma once

/*
 * MqttFilters: which filters are wanted, which have been granted on this connection, and which the
 * broker's session should lose.
 *
 * What was granted on an earlier connection counts for nothing: a broker that was killed or
 * restored calls a session present whose subscriptions it has forgotten. Can be kept in a file, so
 * that the next process knows what this one may have left behind. Belongs to the source's thread.
 */

#include "base/base.h"

typedef enum MqttFilterState {
        MQTT_FILTER_WANTED,
        MQTT_FILTER_SUBSCRIBED,
        MQTT_FILTER_REFUSED, /* wanted, and refused by the broker */
        MQTT_FILTER_STALE,   /* not wanted any more, but the session may have it */
        MQTT_FILTER_COVERED, /* wanted, and a wider one brings its messages */
        MQTT_FILTER_DOUBLED, /* likewise, but the session may have it as well, and sends a copy */
        MQTT_FILTER_GONE,    /* not wanted, and not there */
} MqttFilterState;

typedef struct MqttFilter MqttFilter;
typedef struct MqttFilters MqttFilters;

struct MqttFilter {
        char *text;
        MqttFilterState state;
        bool is_join;      /* made of others: brings more than is wanted */
        bool may_be_there; /* in the broker's session */
        bool is_refused;   /* as was said, until it is granted */
        bool is_reported;  /* that it is granted with less than we asked for */
};

struct MqttFilters {
        MqttFilter *items;
        size_t n_items, capacity;
        char **patterns; /* with a rest in the middle: judged by us, and brought by an item */
        size_t n_patterns, patterns_capacity;
        size_t n_own;    /* of them; the others count until the session has nothing stale */
        bool is_changed; /* other filters than in the file */
};

/*
 * All wanted; without repetitions. No broker knows a pattern with a rest in the middle (`a/#/b`,
 * topic.h): a filter (`a/#`) brings what it takes, and more, as a join does. Where two meet and
 * neither takes all of the other's, the narrowest one that takes all of both is added, lest a
 * broker sends what both take twice.
 */
MUST_CHECK int mqtt_filters_new(MqttFilters **ret_filters,
                                const char *const texts[],
                                size_t n_texts);
MqttFilters *mqtt_filters_free(MqttFilters *filters);

/* @nextp takes over what @filters knows, and its place. */
MUST_CHECK int mqtt_filters_replace(MqttFilters **filtersp, MqttFilters **nextp);
/* A new connection: whatever is wanted is to be subscribed; a new session has nothing to lose. */
void mqtt_filters_reset(MqttFilters *filters, bool is_session_new);
/*
 * A broker may send a message once for each of our filters that takes it. So those whose topics all
 * belong to a wider one are left out, as long as that one is not refused.
 */
void mqtt_filters_cover(MqttFilters *filters);
bool mqtt_filters_have(const MqttFilters *filters, MqttFilterState state);
size_t mqtt_filters_n_refused(const MqttFilters *filters); /* as was said, and not granted since */
/* Up to @n_max of one state. */
size_t mqtt_filters_pick(MqttFilters *filters,
                         MqttFilterState state,
                         MqttFilter *ret_items[],
                         size_t n_max);
/* What the broker answered: the QoS, or why not. One line of the log when it is refused and one
 * when it is granted, whatever connections lie between. */
void mqtt_filter_answered(MqttFilter *filter, int code, int qos);
void mqtt_filters_drop_gone(MqttFilters *filters);

/* What the session may have, by its owner's name. A file that cannot be written is logged. */
void mqtt_filters_save(MqttFilters *filters, const char *path, const char *client_id);
/* Adds what the file has and is not wanted, as stale. False: the file says nothing. */
bool mqtt_filters_load(MqttFilters *filters, const char *path, const char *client_id);

DEFINE_CLEANUP(MqttFilters *, mqtt_filters_free);
