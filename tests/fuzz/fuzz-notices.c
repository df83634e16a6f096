/* Notices: whatever is announced, what is found of it becomes routes, each of a topic of its own.
 */

#include "gateway/discover/findings.h"
#include "gateway/discover/notices.h"
#include "gateway/discover/points.h"
#include "tests/fuzz/fuzz.h"

/* The first line is the topic behind the prefix. */
static void hear(Notices *notices, Text text) {
        const char *end = memchr(text.data, '\n', text.n);
        size_t n = end ? (size_t)(end - text.data) : text.n;
        CLEANUP_BUF Buf topic = { 0 };

        buf_append_string(&topic, "ha/");
        buf_append(&topic, text.data, n);
        n += end ? 1 : 0;
        (void)notices_hear(notices, buf_text(&topic), (Text){ text.data + n, text.n - n });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        CLEANUP(notices_free) Notices *notices = NULL;
        CLEANUP(findings_free) Findings *findings = NULL;
        CLEANUP(routes_unref) Routes *routes = NULL;
        static char name[] = "ha";
        DiscoverRule rule = {
                .name = name, .max_devices = 2, .max_points = 20, .max_bytes = 65536
        };
        size_t n_topics = 0;

        FUZZ_CHECK(topic_template_new(&rule.topic, "ha/#") == 0);
        FUZZ_CHECK(notices_new(&notices, (size_t)64 << 20) == 0);
        notices_set_rules(notices, &rule, 1);
        hear(notices, (Text){ (const char *)data, n });
        FUZZ_CHECK(notices_read(notices, NULL, &findings) == 0);
        FUZZ_CHECK(findings_n_devices(findings) <= 2 && findings_n_points(findings) <= 40);
        for (const FoundTopic *at = findings_topics(findings); at; at = at->next)
                n_topics += !at->is_refused;
        FUZZ_CHECK(routes_new(&routes) == 0);
        FUZZ_CHECK(points_add_routes(findings, routes) == 0);
        FUZZ_CHECK(routes_length(routes) == n_topics);
        topic_template_free(rule.topic);
        return 0;
}
