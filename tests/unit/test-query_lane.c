/* QueryLane: each question is answered once, by turns, and what there is no place for is refused.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/base.h"
#include "base/deadline.h"
#include "gateway/read/query_lane.h"
#include "model/metrics.h"

enum {
        ANA = 1,
        BOB = 2,
        MANY = 64,
        PATIENCE_MS = 60000,
};

/* What was answered, in order; and whether anything is. */
static struct {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool is_shut;
        uint64_t let; /* whom it is open to all the same; 0: nobody */
        int n_busy, n;
        uint64_t parties[MANY];
        int refused[MANY];
} desk;

static int answer(Reader *reader, const Query *query) {
        int r = 0;

        (void)reader;
        pthread_mutex_lock(&desk.lock);
        ++desk.n_busy;
        pthread_cond_broadcast(&desk.changed);
        while (desk.is_shut && query->party != desk.let)
                pthread_cond_wait(&desk.changed, &desk.lock);
        --desk.n_busy;
        if (query->is_guessed && query->refused == 0) {
                r = READER_E_REFUSED;
        } else {
                assert_true(desk.n < MANY);
                desk.refused[desk.n] = query->refused;
                desk.parties[desk.n++] = query->party;
        }
        if (query->minutes == 13) /* which is no good */
                r = -EIO;
        pthread_cond_broadcast(&desk.changed);
        pthread_mutex_unlock(&desk.lock);
        return r;
}

static void shut(bool is_shut, uint64_t let) {
        pthread_mutex_lock(&desk.lock);
        desk.is_shut = is_shut;
        desk.let = let;
        pthread_cond_broadcast(&desk.changed);
        pthread_mutex_unlock(&desk.lock);
}

static void wait_until(const int *what, int n) {
        struct timespec deadline = deadline_in(PATIENCE_MS);

        pthread_mutex_lock(&desk.lock);
        while (*what != n)
                assert_true(deadline_wait(&desk.changed, &desk.lock, &deadline));
        pthread_mutex_unlock(&desk.lock);
}

static int set_up(void **state) {
        (void)state;
        memset(&desk, 0, sizeof(desk));
        pthread_mutex_init(&desk.lock, NULL);
        MUST(pthread_cond_init(&desk.changed, NULL));
        metrics_reset();
        return 0;
}

static QueryLane *new_lane(size_t n_threads, size_t capacity, QueryLane *refused) {
        const QueryLaneOptions options = { .reader = { .name = "test", .database_url = "" },
                                           .n_threads = n_threads,
                                           .capacity = capacity,
                                           .n_share = 4,
                                           .waiting = METRIC_QUERY_WAITING,
                                           .answer = answer,
                                           .refused = refused };
        QueryLane *lane = NULL;

        assert_int_equal(query_lane_new(&lane, &options), 0);
        return lane;
}

static int push_with(QueryLane *lane, uint64_t party, bool is_guessed, int minutes) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        query->party = query->account = party;
        query->is_guessed = is_guessed;
        query->minutes = minutes;
        r = query_lane_push(lane, &query);
        assert_true((r == 0) == !query);
        return r;
}

static int push(QueryLane *lane, uint64_t party) {
        return push_with(lane, party, false, 0);
}

static void test_parties_take_turns_and_no_place_is_no_place(void **state) {
        static const uint64_t in_turn[] = { ANA, ANA, BOB, ANA, BOB, ANA, ANA };
        QueryLane *lane = new_lane(1, 6, NULL);

        (void)state;
        shut(true, 0);
        assert_int_equal(push(lane, ANA), 0);
        wait_until(&desk.n_busy, 1);
        for (int i = 0; i < 4; ++i)
                assert_int_equal(push(lane, ANA), 0);
        assert_int_equal(push(lane, ANA), QUERY_LANE_E_FULL); /* her share */
        assert_int_equal(push(lane, BOB), 0);
        assert_int_equal(push(lane, BOB), 0);
        assert_int_equal(push(lane, BOB), QUERY_LANE_E_FULL); /* all places */
        assert_int_equal(metric_get(METRIC_QUERY_WAITING), 6);
        shut(false, 0);
        wait_until(&desk.n, N_ELEMENTS(in_turn));
        assert_int_equal(metric_get(METRIC_QUERY_WAITING), 0);
        for (size_t i = 0; i < N_ELEMENTS(in_turn); ++i)
                assert_int_equal(desk.parties[i], in_turn[i]);
        query_lane_free(lane);
}

static void test_with_more_than_one_thread_none_has_them_all(void **state) {
        QueryLane *lane = new_lane(3, 16, NULL);

        (void)state;
        shut(true, 0);
        for (int i = 0; i < 4; ++i)
                assert_int_equal(push(lane, ANA), 0);
        wait_until(&desk.n_busy, 2);
        assert_int_equal(push(lane, BOB), 0);
        wait_until(&desk.n_busy, 3);
        shut(false, 0);
        wait_until(&desk.n, 5);
        query_lane_free(lane);
}

static void test_a_fault_costs_the_query_that_met_it_and_nothing_else(void **state) {
        QueryLane *lane = new_lane(1, 16, NULL);

        (void)state;
        assert_int_equal(push_with(lane, ANA, false, 13), 0);
        assert_int_equal(push(lane, ANA), 0);
        wait_until(&desk.n, 2);
        query_lane_free(lane);
}

/* If it came at once, a refusal would tell that there is such an account. */
static void test_who_is_refused_is_told_so_in_the_turn_of_those_nobody_knows(void **state) {
        QueryLane *strangers = new_lane(1, 1, NULL);
        QueryLane *lane = new_lane(1, 16, strangers);

        (void)state;
        assert_int_equal(push_with(lane, ANA, true, 0), 0);
        wait_until(&desk.n, 1);
        assert_int_equal(desk.refused[0], 401);

        shut(true, 0); /* and where there is no place for him, he is told as anybody is */
        assert_int_equal(push(strangers, BOB), 0);
        wait_until(&desk.n_busy, 1);
        assert_int_equal(push(strangers, BOB), 0);
        assert_int_equal(push_with(lane, ANA, true, 0), 0);
        wait_until(&desk.n_busy, 2);
        shut(true, ANA); /* while BOB has the place */
        wait_until(&desk.n, 2);
        shut(false, 0);
        wait_until(&desk.n, 4);
        desk.refused[0] = 0;
        for (int i = 1; i < 4; ++i)
                assert_int_equal(desk.refused[i], desk.parties[i] == ANA ? 503 : 0);
        query_lane_free(lane);
        query_lane_free(strangers);
}

static void test_what_waits_at_the_end_is_answered_or_released_and_nothing_comes_after(
        void **state) {
        QueryLane *lane = new_lane(1, 16, NULL);

        (void)state;
        for (int i = 0; i < 4; ++i)
                assert_int_equal(push(lane, ANA), 0);
        query_lane_stop(lane);
        query_lane_stop(lane); /* twice is once */
        assert_int_equal(push(lane, BOB), QUERY_LANE_E_FULL);
        assert_int_equal(metric_get(METRIC_QUERY_WAITING), 0);
        query_lane_free(lane);
        assert_null(query_lane_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_parties_take_turns_and_no_place_is_no_place, set_up),
                cmocka_unit_test_setup(test_with_more_than_one_thread_none_has_them_all, set_up),
                cmocka_unit_test_setup(test_a_fault_costs_the_query_that_met_it_and_nothing_else,
                                       set_up),
                cmocka_unit_test_setup(
                        test_who_is_refused_is_told_so_in_the_turn_of_those_nobody_knows, set_up),
                cmocka_unit_test_setup(
                        test_what_waits_at_the_end_is_answered_or_released_and_nothing_comes_after,
                        set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
