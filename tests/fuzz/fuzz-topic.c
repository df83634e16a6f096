/* Topic: a template and a topic, on two lines; what matches can be put together again. */

#include <stdio.h>
#include <string.h>

#include "model/topic.h"
#include "model/topic_filter.h"
#include "tests/fuzz/fuzz.h"

static void check_topic(const TopicTemplate *template, Text topic) {
        char *again = NULL;
        TopicMatch match;

        if (!topic_template_match(template, topic, &match))
                return;
        FUZZ_CHECK(topic_filter_takes(topic_template_filter(template), topic));
        FUZZ_CHECK(!match.user.data || match.user.n > 0);
        FUZZ_CHECK(!match.vehicle.data || match.vehicle.n > 0);
        FUZZ_CHECK(!match.device.data || match.device.n > 0);
        if (topic_template_expand(template, &match, &again) == 0) /* else wildcards in names */
                FUZZ_CHECK(text_equal(text_of(again), topic));
        free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const char *line = n > 0 ? memchr(data, '\n', n) : NULL;
        size_t n_text = line ? (size_t)(line - (const char *)data) : n;
        TopicTemplate *template = NULL;
        char *text = strndup((const char *)data, n_text);

        FUZZ_CHECK(text);
        if (topic_template_new(&template, text) == 0) {
                FUZZ_CHECK(strcmp(topic_template_text(template), text) == 0);
                FUZZ_CHECK(!strchr(topic_template_filter(template), '{'));
                if (line)
                        check_topic(template, (Text){ .data = line + 1, .n = n - n_text - 1 });
        }
        topic_template_free(template);
        free(text);
        return 0;
}
