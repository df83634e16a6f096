/* SelfCheck: what does not add up, or does not move, is seen; what only is on its way is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"
#include "gateway/self_check.h"
#include "model/metrics.h"
#include "model/record.h"

enum {
        LOOKS = 20, /* until an outbox that does not move is told */
};

static Queue *outbox;
static SelfCheck check;

static void free_nothing(void *item) {
        (void)item;
}

static int setup(void **state) {
        (void)state;
        metrics_reset();
        check = (SelfCheck){ 0 };
        return queue_new(&outbox, 8, free_nothing);
}

static int teardown(void **state) {
        (void)state;
        outbox = queue_free(outbox);
        return 0;
}

static int64_t drift_after(int n_looks) {
        while (n_looks-- > 0)
                self_check_tick(&check, outbox, 0);
        return metric_get(METRIC_ACCOUNTING_DRIFT);
}

static void test_what_came_in_is_stored_set_aside_or_in_the_journal(void **state) {
        (void)state;
        metric_add(METRIC_RECEIVED_MQTT, 4);
        metric_add(METRIC_RECEIVED_WS, 3);
        metric_add(METRIC_RECEIVED_HTTP, 2);
        metric_add(METRIC_RECEIVED_INTERNAL, 1);
        metric_add(METRIC_RECEIVED_RECOVERED, 5);
        metric_add(METRIC_COMMITTED, 7);
        metric_add(METRIC_DUPLICATE, 2);
        metric_add_dead_letter(REASON_BAD_JSON, 3);
        metric_add(METRIC_IN_JOURNAL, 3);
        assert_int_equal(drift_after(3), 0);
}

static void test_one_that_is_missing_is_a_drift_once_all_is_at_rest(void **state) {
        (void)state;
        metric_add(METRIC_RECEIVED_MQTT, 1);
        assert_int_equal(drift_after(1), 0); /* it may be on its way */
        assert_int_equal(drift_after(1), 1);
        metric_add(METRIC_COMMITTED, 1);
        assert_int_equal(drift_after(2), 0);
}

static void test_one_too_many_is_a_drift_as_well(void **state) {
        (void)state;
        metric_add(METRIC_COMMITTED, 1);
        assert_int_equal(drift_after(2), 1);
}

static void test_frames_and_the_books_count_at_once(void **state) {
        (void)state;
        metric_set(METRIC_WS_ACCOUNTING_DRIFT, 2);
        metric_set(METRIC_BOOKS_DRIFT, 3);
        assert_int_equal(drift_after(1), 5);
}

static void test_an_outbox_that_nobody_empties_is_told(void **state) {
        static int item;

        (void)state;
        assert_int_equal(queue_push(outbox, &item, 0), 0);
        for (int i = 0; i < LOOKS; ++i) {
                assert_true(self_check_is_well(&check));
                (void)drift_after(1);
        }
        assert_false(self_check_is_well(&check));
        assert_int_equal(metric_get(METRIC_OUTBOX_LENGTH), 1);
}

static void test_an_outbox_that_gets_shorter_is_well(void **state) {
        static int item;
        void *taken;

        (void)state;
        for (int i = 0; i < 3; ++i)
                assert_int_equal(queue_push(outbox, &item, 0), 0);
        (void)drift_after(LOOKS - 1);
        assert_int_equal(queue_pop(outbox, &taken, 1, 0), 1);
        (void)drift_after(LOOKS);
        assert_true(self_check_is_well(&check));
        (void)drift_after(1);
        assert_false(self_check_is_well(&check));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_what_came_in_is_stored_set_aside_or_in_the_journal, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_one_that_is_missing_is_a_drift_once_all_is_at_rest, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_too_many_is_a_drift_as_well,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_frames_and_the_books_count_at_once,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_an_outbox_that_nobody_empties_is_told,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_an_outbox_that_gets_shorter_is_well,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
