#pragma once

/*
 * MqttFilters: which filters are wanted, which the broker's session has, and which it should lose.
 *
 * Belongs to the source's thread. Can be kept in a file, so that the next process knows what the
 * session of this one has.
 */

#include "gateway/base/base.h"

typedef enum MqttFilterState {
        MQTT_FILTER_WANTED,
        MQTT_FILTER_SUBSCRIBED,
        MQTT_FILTER_REFUSED, /* wanted, and refused by the broker */
        MQTT_FILTER_STALE,   /* not wanted any more, but the session has it */
        MQTT_FILTER_GONE,    /* neither */
} MqttFilterState;

typedef struct MqttFilter MqttFilter;
typedef struct MqttFilters MqttFilters;

struct MqttFilter {
        char *text;
        MqttFilterState state;
};

struct MqttFilters {
        MqttFilter *items;
        size_t n_items;
};

MUST_CHECK int mqtt_filters_new(MqttFilters **ret_filters,
                                const char *const texts[],
                                size_t n_texts); /* all wanted; without repetitions */
MqttFilters *mqtt_filters_free(MqttFilters *filters);

/* @nextp takes over what @filters knows, and its place. */
MUST_CHECK int mqtt_filters_replace(MqttFilters **filtersp, MqttFilters **nextp);
void mqtt_filters_reset(MqttFilters *filters); /* the session is new and has none */
void mqtt_filters_retry(MqttFilters *filters); /* the refused ones are wanted again */
bool mqtt_filters_have(const MqttFilters *filters, MqttFilterState state);
/* Up to @n_max of one state. */
size_t mqtt_filters_pick(MqttFilters *filters,
                         MqttFilterState state,
                         MqttFilter *ret_items[],
                         size_t n_max);
void mqtt_filters_drop_gone(MqttFilters *filters);

/* What the session has, by its owner's name. A file that cannot be read or written is logged. */
void mqtt_filters_save(const MqttFilters *filters, const char *path, const char *client_id);
/* Marks what the file says is subscribed, and adds what is stale. False: it says nothing. */
bool mqtt_filters_load(MqttFilters *filters, const char *path, const char *client_id);

DEFINE_CLEANUP(MqttFilters *, mqtt_filters_free);
