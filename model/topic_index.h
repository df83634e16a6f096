#pragma once

/*
 * TopicIndex: of many MQTT filters, those that take a topic.
 *
 * A trie over levels: what a topic costs grows with its levels and with the filters that take it,
 * not with those that do not. Filters have ids, and several may have the same one. Immutable once
 * it is made; then any thread.
 */

#include "base/base.h"

typedef struct TopicIndex TopicIndex;

MUST_CHECK int topic_index_new(TopicIndex **ret_index);
TopicIndex *topic_index_free(TopicIndex *index);

/* @filter is valid, or the pattern of a template (topic.h), is no shared subscription, and has at
 * most TOPIC_MAX_LEVELS levels. -ENOMEM. */
MUST_CHECK int topic_index_add(TopicIndex *index, const char *filter, uint32_t id);

/* The ids of the filters that take @topic, each once, ascending; of more than @max the lowest. */
size_t topic_index_find(const TopicIndex *index, Text topic, uint32_t ret_ids[], size_t max);

/* Those that may have a topic in common with @filter, each once, ascending: all that do
 * (topic_filter_meets()), and few others. @ret_ids has room for as many as were added. */
size_t topic_index_near(const TopicIndex *index, const char *filter, uint32_t ret_ids[]);

DEFINE_CLEANUP(TopicIndex *, topic_index_free);
