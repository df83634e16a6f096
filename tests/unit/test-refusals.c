/* WsRefusals: a line for who is refused, and none that he can make of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "model/metrics.h"
#include "ws/http/endpoint.h"
#include "ws/http/refusals.h"

enum {
        OF_ONE = 20, /* a minute */
        OF_ALL = 120,
};

#define MINUTE_US INT64_C(60000000)

static int said(WsRefusals *refusals, const char *source, int64_t now_us, int n_tries) {
        const WsRefused refused = {
                .path = "/ws",
                .origin = "",
                .source = source,
                .status = 403,
                .code = "forbidden",
                .why = "no credential",
        };
        int n = 0;

        while (n_tries-- > 0)
                n += ws_refusals_say(refusals, &refused, now_us);
        return n;
}

static void test_one_source_has_its_share_and_leaves_the_others_theirs(void **state) {
        CLEANUP(ws_refusals_free) WsRefusals *refusals = NULL;

        (void)state;
        assert_int_equal(ws_refusals_new(&refusals), 0);
        assert_int_equal(said(refusals, "192.0.2.1", MINUTE_US, 1000), OF_ONE);
        assert_int_equal(said(refusals, "192.0.2.2", MINUTE_US, 1), 1);
        assert_int_equal(said(refusals, "192.0.2.1", 2 * MINUTE_US, 1), 1);
}

static void test_a_network_of_IPv6_is_one_source(void **state) {
        CLEANUP(ws_refusals_free) WsRefusals *refusals = NULL;
        char source[40];
        int n = 0;

        (void)state;
        assert_int_equal(ws_refusals_new(&refusals), 0);
        for (int i = 0; i < 100; ++i) {
                snprintf(source, sizeof(source), "2001:db8::%x", i + 1);
                n += said(refusals, source, MINUTE_US, 1);
        }
        assert_int_equal(n, OF_ONE);
}

static void test_all_together_have_a_bound(void **state) {
        CLEANUP(ws_refusals_free) WsRefusals *refusals = NULL;
        char source[40];
        int n = 0;

        (void)state;
        assert_int_equal(ws_refusals_new(&refusals), 0);
        for (int i = 0; i < 1000; ++i) {
                snprintf(source, sizeof(source), "198.51.%d.%d", i / 250, i % 250);
                n += said(refusals, source, MINUTE_US, 1);
        }
        assert_int_equal(n, OF_ALL);
}

/* A browser's EventSource tells its page nothing: the log and the counts have to. */
static void test_a_stream_that_is_refused_counts_and_nothing_else_does(void **state) {
        static const struct {
                const char *path, *why;
                int status, n_unauthorized, n_origin;
        } cases[] = {
                { "/api/events", "no credential", 401, 1, 0 },
                { "/api/events/poll", "expired", 401, 2, 0 },
                { "/api/events", NULL, 403, 2, 1 },
                { "/api/events", NULL, 429, 2, 1 },
                { "/api/eventsource", "no credential", 401, 2, 1 },
                { "/api/devices", "no credential", 401, 2, 1 },
        };
        CLEANUP(ws_refusals_free) WsRefusals *refusals = NULL;
        WsResponse response = { 0 };
        WsRequest request = { 0 };
        WsCall call = { .request = &request, .response = &response };

        (void)state;
        metrics_reset();
        assert_int_equal(ws_refusals_new(&refusals), 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                strcpy(request.path, cases[i].path);
                response.status = cases[i].status;
                call.why = cases[i].why;
                ws_refusals_missed(refusals, &call);
                assert_int_equal(metric_get(METRIC_WS_REFUSED_UNAUTHORIZED),
                                 cases[i].n_unauthorized);
                assert_int_equal(metric_get(METRIC_WS_REFUSED_ORIGIN), cases[i].n_origin);
        }
        assert_int_equal(metric_get(METRIC_WS_REFUSED_BAD_REQUEST), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_source_has_its_share_and_leaves_the_others_theirs),
                cmocka_unit_test(test_a_network_of_IPv6_is_one_source),
                cmocka_unit_test(test_all_together_have_a_bound),
                cmocka_unit_test(test_a_stream_that_is_refused_counts_and_nothing_else_does),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
