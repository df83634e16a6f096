/* Explorer: what a route takes or ignores is not looked at. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/decode/route.h"
#include "gateway/explorer.h"
#include "model/metrics.h"

static Routes *make(const char *template, const char *ignore) {
        Route route = { .name = strdup("r"), .kind = KIND_TELEMETRY, .max_bytes = 65536 };
        Routes *routes = NULL;

        assert_int_equal(routes_new(&routes), 0);
        route.ignore = calloc(1, sizeof(*route.ignore));
        assert_non_null(route.ignore);
        route.ignore[route.n_ignore++] = strdup(ignore);
        assert_int_equal(topic_template_new(&route.topic, template), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        return routes;
}

static void hear(Explorer *explorer, const char *topic) {
        explorer_hear(explorer, &(Inbound){ .topic = text_of(topic), .payload = TEXT("1") });
}

static void test_only_what_no_route_takes_is_kept(void **state) {
        CLEANUP(routes_unref) Routes *routes = make("room/{device}/x/#", "room/+/x/no");
        CLEANUP(routes_unref) Routes *others = make("other/{device}", "nothing");
        CLEANUP(explorer_free) Explorer *explorer = NULL;

        char dir[] = "/tmp/tidegate-explorer-XXXXXX", path[64];

        (void)state;
        metrics_reset();
        assert_non_null(mkdtemp(dir));
        assert_int_equal(explorer_new(&explorer, dir, 64), 0);
        assert_int_equal(explorer_set(explorer, "#", routes), 0);
        hear(explorer, "room/a/x");
        hear(explorer, "room/a/x/no");
        hear(explorer, "tidegate/canary/me");
        assert_int_equal(metric_get(METRIC_EXPLORED), 0);
        hear(explorer, "room/a/y");
        hear(explorer, "room/a/y");
        snprintf(path, sizeof(path), "%s/" EXPLORER_FILE, dir);
        assert_int_equal(access(path, F_OK), -1);
        explorer_tick(explorer);
        assert_int_equal(access(path, R_OK), 0);
        hear(explorer, "other/b");
        assert_int_equal(metric_get(METRIC_EXPLORED), 3);
        assert_int_equal(metric_get(METRIC_EXPLORED_SHAPES), 2);

        assert_int_equal(explorer_set(explorer, "#", others), 0);
        assert_int_equal(metric_get(METRIC_EXPLORED_SHAPES), 0);
        assert_int_equal(access(path, F_OK), -1); /* of what may be routed now */
        hear(explorer, "other/b");
        assert_int_equal(metric_get(METRIC_EXPLORED), 3);
        hear(explorer, "room/a/x");
        assert_int_equal(metric_get(METRIC_EXPLORED_SHAPES), 1);
        assert_int_equal(metric_get(METRIC_EXPLORED_DISPLACED), 0);
        assert_int_equal(rmdir(dir), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_what_no_route_takes_is_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
