/* TopicIndex: lines, of which the last is a topic: it finds what each filter says when asked alone.
 */

#include <string.h>

#include "model/topic.h"
#include "model/topic_filter.h"
#include "model/topic_index.h"
#include "tests/fuzz/fuzz.h"

#define MAX_FILTERS 64
#define FEW         3

static size_t n_levels(const char *filter) {
        size_t n = 1;

        for (; *filter; ++filter)
                n += *filter == '/';
        return n;
}

static bool can_be_added(const char *filter) {
        return topic_filter_is_valid(text_of(filter)) && strncmp(filter, "$share/", 7) != 0 &&
               n_levels(filter) <= TOPIC_MAX_LEVELS;
}

static void check(const TopicIndex *index, const char *const filters[], size_t n, Text topic) {
        uint32_t found[MAX_FILTERS], few[FEW];
        size_t n_found = topic_index_find(index, topic, found, MAX_FILTERS), at = 0, n_few;

        for (size_t i = 0; i < n; ++i)
                if (topic_filter_takes(filters[i], topic))
                        FUZZ_CHECK(at < n_found && found[at++] == i);
        FUZZ_CHECK(at == n_found);
        n_few = topic_index_find(index, topic, few, FEW);
        FUZZ_CHECK(n_few == (n_found < FEW ? n_found : FEW));
        FUZZ_CHECK(n_few == 0 || memcmp(few, found, n_few * sizeof(few[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const char *filters[MAX_FILTERS];
        size_t n_filters = 0;
        TopicIndex *index;
        char *copy = malloc(n + 1), *rest = copy, *line;

        FUZZ_CHECK(copy && topic_index_new(&index) == 0);
        memcpy(copy, data, n);
        copy[n] = '\0';
        while ((line = strsep(&rest, "\n"))) {
                if (!rest) {
                        check(index, filters, n_filters, text_of(line));
                } else if (n_filters < MAX_FILTERS && can_be_added(line)) {
                        FUZZ_CHECK(topic_index_add(index, line, (uint32_t)n_filters) == 0);
                        filters[n_filters++] = line;
                }
        }
        topic_index_free(index);
        free(copy);
        return 0;
}
