#pragma once

/*
 * MqttFilters: which filters are wanted, which have been granted on this connection, and which the
 * broker's session should lose.
 *
 * What each can be in, and how it goes on, is in filter_state.h. Can be kept in a file, so that the
 * next process knows what this one may have left behind. Belongs to the source's thread.
 */

#include "base/base.h"
#include "mqtt/filter_state.h"

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
/* The broker has taken it out of the session. */
void mqtt_filter_unsubscribed(MqttFilter *filter);
void mqtt_filters_drop_gone(MqttFilters *filters);

/* What the session may have, by its owner's name. A file that cannot be written is logged. */
void mqtt_filters_save(MqttFilters *filters, const char *path, const char *client_id);
/* Adds what the file has and is not wanted, as stale. False: the file says nothing. */
bool mqtt_filters_load(MqttFilters *filters, const char *path, const char *client_id);

DEFINE_CLEANUP(MqttFilters *, mqtt_filters_free);
