/* WsLimiter: what is meant of all nodes is shared among those that serve. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "ws/access/limiter.h"

#define NOW_US INT64_C(1760800000000000)

static int tries(WsLimiter *limiter, const char *name, int per_minute) {
        int n = 0;

        while (ws_limiter_take(limiter, text_of(name), ws_limiter_part(per_minute), NOW_US) == 0)
                ++n;
        return n;
}

static void test_each_node_has_its_part_rounded_up(void **state) {
        static const struct {
                int64_t n_nodes;
                int per_minute, part;
        } cases[] = { { 0, 10, 10 }, { 1, 10, 10 }, { 2, 10, 5 }, { 3, 10, 4 }, { 64, 10, 1 } };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP(ws_limiter_free) WsLimiter *limiter = NULL;

                assert_int_equal(ws_limiter_new(&limiter, 8), 0);
                metric_set(METRIC_NODES_SERVING, cases[i].n_nodes);
                assert_int_equal(tries(limiter, "source:a", cases[i].per_minute), cases[i].part);
                assert_int_equal(tries(limiter, "source:b", cases[i].per_minute), cases[i].part);
        }
        metrics_reset();
}

static void test_who_has_spent_half_has_half_of_the_part_left(void **state) {
        CLEANUP(ws_limiter_free) WsLimiter *limiter = NULL;

        (void)state;
        assert_int_equal(ws_limiter_new(&limiter, 8), 0);
        metrics_reset();
        for (int i = 0; i < 4; ++i)
                assert_int_equal(ws_limiter_take(limiter, TEXT("a"), ws_limiter_part(8), NOW_US),
                                 0);
        metric_set(METRIC_NODES_SERVING, 2);
        assert_int_equal(tries(limiter, "a", 8), 2);
        metrics_reset();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_node_has_its_part_rounded_up),
                cmocka_unit_test(test_who_has_spent_half_has_half_of_the_part_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
