/* Queue: bounds, ownership, order, wake-ups and shutdown. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/queue.h"

enum { N_PRODUCERS = 4, N_EACH = 20000 };

static int numbers[100];

static void count_call(void *arg) {
        ++*(int *)arg;
}

static void test_items_come_out_in_the_order_they_went_in(void **state) {
        CLEANUP(queue_free) Queue *queue = NULL;
        void *out[3];

        (void)state;
        assert_int_equal(queue_new(&queue, 3, NULL), 0);
        for (int round = 0; round < 10; ++round) {
                for (int i = 0; i < 3; ++i)
                        assert_int_equal(queue_push(queue, &numbers[i], 0), 0);
                assert_int_equal(queue_length(queue), 3);
                assert_int_equal(queue_pop(queue, out, 2, 0), 2);
                assert_int_equal(queue_pop(queue, out + 2, 3, 0), 1);
                for (int i = 0; i < 3; ++i)
                        assert_ptr_equal(out[i], &numbers[i]);
        }
}

static void test_full_queue_refuses_and_leaves_ownership(void **state) {
        int n_freed = 0, n_refused = 0;
        Queue *queue = NULL;

        (void)state;
        assert_int_equal(queue_new(&queue, 1, count_call), 0);
        assert_int_equal(queue_push(queue, &n_freed, 0), 0);
        assert_int_equal(queue_push(queue, &n_refused, 0), QUEUE_E_FULL);
        assert_int_equal(queue_push(queue, &n_refused, 1), QUEUE_E_FULL);
        assert_int_equal(queue_length(queue), 1);

        queue = queue_free(queue);
        assert_null(queue);
        assert_int_equal(n_freed, 1); /* what was inside is released, what was refused is not */
        assert_int_equal(n_refused, 0);
}

static void test_push_many_says_how_far_it_came(void **state) {
        CLEANUP(queue_free) Queue *queue = NULL;
        void *items[5], *out[5];
        size_t n = 99;

        (void)state;
        for (int i = 0; i < 5; ++i)
                items[i] = &numbers[i];
        assert_int_equal(queue_new(&queue, 3, NULL), 0);
        assert_int_equal(queue_push_many(queue, items, 5, 0, &n), QUEUE_E_FULL);
        assert_int_equal(n, 3);
        assert_int_equal(queue_pop(queue, out, 1, 0), 1);
        assert_int_equal(queue_push_many(queue, items + 3, 1, 0, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(queue_pop(queue, out + 1, 4, 0), 3);
        for (int i = 0; i < 4; ++i)
                assert_ptr_equal(out[i], items[i]);

        assert_int_equal(queue_push_many(queue, items, 0, 0, &n), 0);
        assert_int_equal(n, 0);
        queue_close(queue);
        assert_int_equal(queue_push_many(queue, items, 2, 1000, &n), QUEUE_E_CLOSED);
        assert_int_equal(n, 0);
}

static void test_closed_queue_drains_then_ends(void **state) {
        CLEANUP(queue_free) Queue *queue = NULL;
        void *out[2];

        (void)state;
        assert_int_equal(queue_new(&queue, 2, NULL), 0);
        assert_int_equal(queue_push(queue, &numbers[0], 0), 0);
        assert_false(queue_wait_closed(queue, 0));
        queue_close(queue);

        assert_int_equal(queue_push(queue, &numbers[1], 60000), QUEUE_E_CLOSED);
        assert_false(queue_is_drained(queue));
        assert_int_equal(queue_pop(queue, out, 2, 0), 1);
        assert_true(queue_is_drained(queue));
        assert_int_equal(queue_pop(queue, out, 1, 60000), 0);
        assert_true(queue_wait_closed(queue, 60000));
}

static void test_wake_fires_once_per_burst_and_on_close(void **state) {
        CLEANUP(queue_free) Queue *queue = NULL;
        void *items[3], *out[4];
        int n_wakes = 0;
        size_t n;

        (void)state;
        for (int i = 0; i < 3; ++i)
                items[i] = &numbers[i];
        assert_int_equal(queue_new(&queue, 4, NULL), 0);
        queue_set_wake(queue, count_call, &n_wakes);
        assert_int_equal(queue_push_many(queue, items, 2, 0, &n), 0);
        assert_int_equal(queue_push(queue, items[2], 0), 0);
        assert_int_equal(n_wakes, 1);
        assert_int_equal(queue_pop(queue, out, 2, 0), 2);
        assert_int_equal(queue_push(queue, items[0], 0), 0); /* was not empty */
        assert_int_equal(n_wakes, 1);
        assert_int_equal(queue_pop(queue, out, 4, 0), 2);
        assert_int_equal(queue_push(queue, items[0], 0), 0);
        assert_int_equal(n_wakes, 2);
        queue_close(queue);
        assert_int_equal(n_wakes, 3);
}

static void *wait_for_close(void *arg) {
        return queue_wait_closed(arg, 60000) ? arg : NULL;
}

static void *wait_for_room(void *arg) {
        return queue_push(arg, &numbers[0], 60000) == QUEUE_E_CLOSED ? arg : NULL;
}

static void *wait_for_item(void *arg) {
        void *out;

        return queue_pop(arg, &out, 1, 60000) == 0 ? arg : NULL;
}

static void test_close_releases_everybody_who_waits(void **state) {
        CLEANUP(queue_free) Queue *full = NULL;
        CLEANUP(queue_free) Queue *empty = NULL;
        pthread_t threads[3];
        void *result;

        (void)state;
        assert_int_equal(queue_new(&full, 1, NULL), 0);
        assert_int_equal(queue_new(&empty, 1, NULL), 0);
        assert_int_equal(queue_push(full, &numbers[0], 0), 0);
        assert_int_equal(pthread_create(&threads[0], NULL, wait_for_close, full), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, wait_for_room, full), 0);
        assert_int_equal(pthread_create(&threads[2], NULL, wait_for_item, empty), 0);
        queue_close(full);
        queue_close(empty);
        for (int i = 0; i < 3; ++i) {
                assert_int_equal(pthread_join(threads[i], &result), 0);
                assert_non_null(result);
        }
}

typedef struct Producer Producer;

struct Producer {
        Queue *queue;
        int values[N_EACH];
        bool in_batches;
        int r;
};

static Producer producers[N_PRODUCERS];

static void *produce(void *arg) {
        Producer *producer = arg;
        void *items[7];
        size_t n = 1, n_pushed = 0;

        for (size_t i = 0; i < N_EACH && producer->r == 0; i += n) {
                n = producer->in_batches && N_EACH - i >= 7 ? 7 : 1;
                for (size_t k = 0; k < n; ++k)
                        items[k] = &producer->values[i + k];
                producer->r = queue_push_many(producer->queue, items, n, 60000, &n_pushed);
        }
        return NULL;
}

/* Each producer's numbers must come out in its own order, none twice, none lost. */
static void check_order(void *const items[], size_t n, int next[N_PRODUCERS]) {
        for (size_t i = 0; i < n; ++i) {
                int value = *(int *)items[i];

                assert_int_equal(value % N_EACH, next[value / N_EACH]);
                ++next[value / N_EACH];
        }
}

static void test_nothing_is_lost_or_reordered_between_threads(void **state) {
        CLEANUP(queue_free) Queue *queue = NULL;
        pthread_t threads[N_PRODUCERS];
        int next[N_PRODUCERS] = { 0 };
        size_t n_seen = 0, n;
        void *out[32];

        (void)state;
        assert_int_equal(queue_new(&queue, 64, NULL), 0);
        for (int i = 0; i < N_PRODUCERS; ++i) {
                producers[i].queue = queue;
                producers[i].in_batches = i % 2;
                for (int k = 0; k < N_EACH; ++k)
                        producers[i].values[k] = i * N_EACH + k;
                assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
        }
        for (; n_seen < (size_t)N_PRODUCERS * N_EACH; n_seen += n) {
                n = queue_pop(queue, out, N_ELEMENTS(out), 60000);
                assert_true(n > 0);
                check_order(out, n, next);
        }
        for (int i = 0; i < N_PRODUCERS; ++i) {
                assert_int_equal(pthread_join(threads[i], NULL), 0);
                assert_int_equal(producers[i].r, 0);
        }
        assert_int_equal(queue_length(queue), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_items_come_out_in_the_order_they_went_in),
                cmocka_unit_test(test_full_queue_refuses_and_leaves_ownership),
                cmocka_unit_test(test_push_many_says_how_far_it_came),
                cmocka_unit_test(test_closed_queue_drains_then_ends),
                cmocka_unit_test(test_wake_fires_once_per_burst_and_on_close),
                cmocka_unit_test(test_close_releases_everybody_who_waits),
                cmocka_unit_test(test_nothing_is_lost_or_reordered_between_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
