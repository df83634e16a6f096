/* Discovery: without a broker, from what the process before has heard. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/decode/route.h"
#include "gateway/discovery.h"

#define N_TOPICS 100

static char folder[] = "/tmp/test-discovery-XXXXXX";
static char path[64];

static int setup(void **state) {
        FILE *file;

        (void)state;
        strcpy(folder, "/tmp/test-discovery-XXXXXX");
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/" DISCOVERY_FILE, folder);
        file = fopen(path, "we");
        assert_non_null(file);
        fprintf(file, "what another program has written\n");
        for (int i = 0; i < N_TOPICS; ++i)
                fprintf(file,
                        "{\"topic\":\"ha/sensor/n%d/config\",\"payload\":\"{\\\"stat_t\\\":"
                        "\\\"room/%d/t\\\",\\\"dev\\\":{\\\"ids\\\":\\\"n%d\\\"}}\"}\n",
                        i,
                        i,
                        i);
        assert_int_equal(fclose(file), 0);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        (void)unlink(path);
        return rmdir(folder);
}

static void add_own(Routes *routes, const char *topic) {
        Route route = { .name = strdup("own"), .kind = KIND_TELEMETRY, .max_bytes = 1024 };

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        assert_int_equal(routes_add(routes, &route), 0);
}

static void test_it_begins_with_what_was_heard_before(void **state) {
        CLEANUP(discovery_free) Discovery *discovery = NULL;
        CLEANUP(routes_unref) Routes *own = NULL;
        DiscoverRule rule = {
                .name = strdup("ha"), .max_devices = 1000, .max_points = 100, .max_bytes = 4096
        };
        bool is_changed;

        (void)state;
        assert_int_equal(topic_template_new(&rule.topic, "ha/#"), 0);
        assert_int_equal(routes_new(&own), 0);
        add_own(own, "room/7/{device}");
        assert_int_equal(discovery_new(&discovery, folder, (size_t)64 << 20), 0);
        assert_int_equal(discovery_set(discovery, &rule, 1, own), 0);

        assert_int_equal(routes_length(discovery_routes(discovery)), N_TOPICS); /* 7 is our own */
        assert_ptr_equal(routes_get(discovery_routes(discovery), 0), routes_get(own, 0));
        assert_int_equal(discovery_patterns(discovery)->n, 1);
        assert_true(discovery_wants(discovery, TEXT("room/8/t")));
        assert_true(discovery_wants(discovery, TEXT("room/7/other")));
        assert_true(discovery_wants(discovery, TEXT("elsewhere")));
        assert_false(discovery_wants(discovery, TEXT("room/stranger/t")));

        assert_int_equal(discovery_wait_us(discovery), INT64_MAX);
        assert_int_equal(discovery_turn(discovery, &is_changed), 0);
        assert_false(is_changed);

        assert_int_equal(discovery_set(discovery, NULL, 0, own), 0);
        assert_int_equal(routes_length(discovery_routes(discovery)), 1);
        assert_true(discovery_wants(discovery, TEXT("room/stranger/t")));
        discovery_stop(discovery);
        discover_rule_done(&rule);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_it_begins_with_what_was_heard_before,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
