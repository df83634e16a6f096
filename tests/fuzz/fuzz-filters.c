/*
 * Filters: lines, of which the last is a topic: what covers takes all of what it covers, a join
 * takes all of both, and whatever is subscribed to in their place brings what any of them wants.
 */

#include <string.h>

#include "gateway/base/topic.h"
#include "mqtt/door.h"
#include "mqtt/filters.h"
#include "tests/fuzz/fuzz.h"

#define MAX_FILTERS 6
#define MAX_INPUT   1024

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

static void check_all(const char *const texts[], size_t n_texts, Text topic) {
        MqttFilters *filters = NULL;
        MqttDoor *door = NULL, *before = NULL;
        bool is_wanted = false, is_brought = false;

        FUZZ_CHECK(mqtt_filters_new(&filters, texts, n_texts) == 0);
        mqtt_filters_reset(filters, true);
        mqtt_filters_cover(filters);
        FUZZ_CHECK(mqtt_door_new(&door, filters, &before) == 0);
        for (size_t i = 0; i < n_texts; ++i)
                is_wanted = is_wanted || topic_filter_takes(texts[i], topic);
        for (size_t i = 0; i < filters->n_items; ++i) {
                const MqttFilter *item = &filters->items[i];

                FUZZ_CHECK(topic_filter_is_valid(text_of(item->text)));
                if (item->state == MQTT_FILTER_WANTED && topic_filter_takes(item->text, topic))
                        is_brought = true;
        }
        FUZZ_CHECK(is_brought || !is_wanted);
        FUZZ_CHECK(mqtt_door_takes(door, topic) || !is_wanted);
        mqtt_door_free(door);
        mqtt_filters_free(filters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const char *texts[MAX_FILTERS];
        size_t n_texts = 0;
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
                else if (topic_filter_is_valid(text_of(line)) && n_texts < MAX_FILTERS)
                        texts[n_texts++] = line;
        }
        for (size_t i = 0; i < n_texts; ++i)
                for (size_t k = 0; k < n_texts; ++k)
                        check_pair(texts[i], texts[k], topic);
        check_all(texts, n_texts, topic);
        free(copy);
        return 0;
}
