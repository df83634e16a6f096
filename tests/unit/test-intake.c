/* WsIntake: a turn takes all there is, or a bounded share, and loses nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/queue.h"
#include "model/event.h"
#include "model/metrics.h"
#include "model/query.h"
#include "model/registry.h"
#include "ws/hub/hub.h"
#include "ws/hub/intake.h"

enum {
        SHARE = 256, /* events of one turn, at most */
        N = 1000,
};

static WsOptions options;
static Registry *registry;
static WsIntake intake;

static void free_event(void *event) {
        event_unref(event);
}

static int setup(void **state) {
        (void)state;
        metrics_reset();
        options = (WsOptions){ .queue_bytes = 1 << 20, .epoch = "0" };
        intake.options = &options;
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(queue_new(&intake.outbox, 2 * N, free_event), 0);
        assert_int_equal(ws_hub_new(&intake.hub, registry), 0);
        intake.hub->loop.options = &options;
        assert_int_equal(ws_numbers_open(&intake.hub->loop.numbers, options.epoch), 0);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        intake.outbox = queue_free(intake.outbox);
        intake.hub = ws_hub_free(intake.hub);
        registry = registry_free(registry);
        return 0;
}

/* A user named by his number, so that the registry says what has been published. */
static void push(int64_t id) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        RegistryRow row = { .table = REGISTRY_USER, .user = { .id = id, .is_active = true } };
        Event *event = NULL;
        char name[24];

        snprintf(name, sizeof(name), "u%lld", (long long)id);
        row.user.name = name;
        assert_int_equal(registry_delta_new(&delta, false), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        assert_int_equal(event_new_registry(&event, delta), 0);
        assert_int_equal(queue_push(intake.outbox, event, 0), 0);
}

static bool turn(void) {
        bool has_more;

        assert_int_equal(ws_intake_turn(&intake, &has_more), 0);
        assert_int_equal(metric_get(METRIC_OUTBOX_LENGTH), queue_length(intake.outbox));
        return has_more;
}

static void test_nothing_is_nothing(void **state) {
        (void)state;
        assert_false(turn());
}

static void test_what_is_there_is_taken_in_one_turn(void **state) {
        (void)state;
        for (int64_t id = 1; id <= 5; ++id)
                push(id);
        assert_false(turn());
        assert_non_null(registry_user(registry, 1));
        assert_non_null(registry_user(registry, 5));
}

static void test_of_a_burst_each_turn_takes_a_share_in_order(void **state) {
        int n_turns = 1;

        (void)state;
        for (int64_t id = 1; id <= N; ++id)
                push(id);
        assert_true(turn());
        assert_int_equal(queue_length(intake.outbox), N - SHARE);
        assert_non_null(registry_user(registry, SHARE));
        assert_null(registry_user(registry, SHARE + 1));
        for (; turn(); ++n_turns)
                ;
        assert_in_range(n_turns, 3, 4);
        assert_non_null(registry_user(registry, N));
        assert_int_equal(queue_length(intake.outbox), 0);
}

/* Who asked may have left. */
static void test_an_answer_for_nobody_is_taken_as_well(void **state) {
        Query *query = NULL;
        Answer *answer = NULL;
        Event *event = NULL;

        (void)state;
        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        query->question = 99;
        assert_int_equal(answer_new(&answer, query), 0);
        query_free(query);
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        assert_int_equal(queue_push(intake.outbox, event, 0), 0);
        assert_false(turn());
        assert_int_equal(queue_length(intake.outbox), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_nothing_is_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_is_there_is_taken_in_one_turn,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_of_a_burst_each_turn_takes_a_share_in_order,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_an_answer_for_nobody_is_taken_as_well,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
