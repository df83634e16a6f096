#pragma once

/*
 * The levels of topics, of filters and of patterns, taken off one by one. Pure.
 */

#include "base/base.h"

#define TOPIC_MAX 65535 /* bytes, MQTT 5 section 1.5.4 */

/* Takes the first level off the front of @rest; data is NULL when there is none left. */
Text topic_take_level(Text *rest);
Text topic_take_last(Text *rest); /* and off its end */
/* The last @n levels, and what is before them. False: that is nothing. */
bool topic_split(Text text, size_t n, Text *ret_front, Text *ret_levels);
size_t topic_count_levels(Text text);
bool topic_is_plain(Text text); /* of a length and of characters that brokers take */
