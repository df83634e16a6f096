/*
 * Filters: lines, of which the last is a topic: what covers takes all of what it covers, a join
 * takes all of both, and whatever is subscribed to in their place brings what any of them wants.
 * Behind a line of `-` are those of the next configuration, which takes the place of this one; the
 * digits of a line that begins with `=` are what has become of the filters before that.
 */

#include <string.h>

#include "model/topic_filter.h"
#include "mqtt/door.h"
#include "mqtt/filters.h"
#include "tests/fuzz/fuzz.h"

#define MAX_FILTERS 6
#define MAX_INPUT   1024

typedef struct Set Set;

struct Set {
        const char *texts[MAX_FILTERS];
        size_t n;
};

static void check_pair(const char *a, const char *b, Text topic) {
        bool is_taken = topic_filter_takes(a, topic), is_other = topic_filter_takes(b, topic);
        bool is_shared = strncmp(a, "$share/", 7) == 0 || strncmp(b, "$share/", 7) == 0;
        char *join = NULL;

        if (topic_filter_covers(a, b))
                FUZZ_CHECK(is_taken || !is_other);
        FUZZ_CHECK(topic_filter_meets(a, b) == topic_filter_meets(b, a));
        if (is_taken && is_other && !is_shared)
                FUZZ_CHECK(topic_filter_meets(a, b));
        if (!topic_filter_meets(a, b))
                return;
        FUZZ_CHECK(topic_filter_join(a, b, &join) == 0);
        FUZZ_CHECK(topic_filter_is_valid(text_of(join)));
        if (is_taken || is_other)
                FUZZ_CHECK(topic_filter_takes(join, topic));
        free(join);
}

/* All that is wanted comes in, whatever was there before. */
static void check_door(MqttFilters *filters, const Set *set, Text topic, MqttDoor **doorp) {
        MqttDoor *before = *doorp;
        bool is_wanted = false, is_brought = false;

        mqtt_filters_cover(filters);
        FUZZ_CHECK(mqtt_door_new(doorp, filters, &before) == 0);
        for (size_t i = 0; i < set->n; ++i)
                is_wanted = is_wanted || topic_filter_takes(set->texts[i], topic);
        for (size_t i = 0; i < filters->n_items; ++i) {
                const MqttFilter *item = &filters->items[i];

                FUZZ_CHECK(topic_filter_is_valid(text_of(item->text)));
                if (item->state == MQTT_FILTER_WANTED && topic_filter_takes(item->text, topic))
                        is_brought = true;
        }
        FUZZ_CHECK(is_brought || !is_wanted);
        FUZZ_CHECK(mqtt_door_takes(*doorp, topic) || !is_wanted);
}

/* What a broker has made of them. */
static void set_states(MqttFilters *filters, const char *states) {
        for (size_t i = 0; i < filters->n_items && states[i]; ++i) {
                filters->items[i].state =
                        (MqttFilterState)((unsigned)states[i] % (MQTT_FILTER_GONE + 1));
                filters->items[i].may_be_there = (states[i] & 8) != 0;
        }
}

static void check_states(MqttFilters *filters) {
        MqttFilter *items[MAX_FILTERS];

        for (int i = 0; i <= MQTT_FILTER_GONE; ++i) {
                MqttFilterState state = (MqttFilterState)i;
                size_t n = mqtt_filters_pick(filters, state, items, MAX_FILTERS);

                FUZZ_CHECK(mqtt_filters_have(filters, state) == (n > 0));
        }
        mqtt_filters_drop_gone(filters);
        FUZZ_CHECK(!mqtt_filters_have(filters, MQTT_FILTER_GONE));
}

static void check_all(const Set *set, const Set *next_set, const char *states, Text topic) {
        MqttFilters *filters = NULL, *next = NULL;
        MqttDoor *door = NULL;

        FUZZ_CHECK(mqtt_filters_new(&filters, set->texts, set->n) == 0);
        mqtt_filters_reset(filters, true);
        check_door(filters, set, topic, &door);
        set_states(filters, states);
        FUZZ_CHECK(mqtt_filters_new(&next, next_set->texts, next_set->n) == 0);
        FUZZ_CHECK(mqtt_filters_replace(&filters, &next) == 0);
        mqtt_filters_reset(filters, set->n % 2 == 0);
        check_door(filters, next_set, topic, &door);
        check_states(filters);
        mqtt_door_free(door);
        mqtt_filters_free(filters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        Set sets[2] = { 0 }, *set = sets;
        const char *states = "";
        Text topic = { 0 };
        char *copy, *rest, *line;

        if (n > MAX_INPUT)
                return 0;
        copy = malloc(n + 1);
        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        copy[n] = '\0';
        rest = copy;
        while ((line = strsep(&rest, "\n"))) {
                if (!rest)
                        topic = text_of(line);
                else if (strcmp(line, "-") == 0)
                        set = &sets[1];
                else if (line[0] == '=')
                        states = line + 1;
                else if (topic_filter_is_valid(text_of(line)) && set->n < MAX_FILTERS)
                        set->texts[set->n++] = line;
        }
        for (size_t i = 0; i < sets[0].n; ++i)
                for (size_t k = 0; k < sets[0].n; ++k)
                        check_pair(sets[0].texts[i], sets[0].texts[k], topic);
        check_all(&sets[0], &sets[1], states, topic);
        free(copy);
        return 0;
}
