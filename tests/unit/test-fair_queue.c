/* FairQueue: turns, shares, and workers that wait for a party. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

#include "gateway/read/fair_queue.h"

#define PATIENCE_MS 60000

static size_t n_freed;

static void free_item(void *item) {
        (void)item;
        ++n_freed;
}

static FairQueue *new_queue(size_t n_workers, size_t n_busy) {
        FairQueue *queue = NULL;

        n_freed = 0;
        assert_int_equal(fair_queue_new(&queue,
                                        &(FairQueueOptions){ .capacity = 16,
                                                             .n_share = 8,
                                                             .n_workers = n_workers,
                                                             .n_busy = n_busy,
                                                             .free_item = free_item }),
                         0);
        return queue;
}

/* Items are letters; the party is the letter in upper case. */
static int push_at(FairQueue *queue, const char *name, uint64_t n_behind) {
        static char letters[128][2];
        char *item = letters[(unsigned char)*name];

        item[0] = *name;
        return fair_queue_push(queue,
                               &(FairItem){ .item = item,
                                            .party = (uint64_t)(*name & 0x5f),
                                            .n_behind = n_behind });
}

static int push(FairQueue *queue, const char *name) {
        return push_at(queue, name, 0);
}

static void push_all(FairQueue *queue, const char *names) {
        for (; *names; ++names)
                assert_int_equal(push(queue, names), 0);
}

static char pop(FairQueue *queue) {
        FairItem item = { 0 };

        if (!fair_queue_pop(queue, 0, &item))
                return '-';
        fair_queue_done(queue, &item);
        return *(char *)item.item;
}

static void assert_order(FairQueue *queue, const char *expected) {
        for (; *expected; ++expected)
                assert_int_equal(pop(queue), *expected);
        assert_int_equal(pop(queue), '-');
}

static void test_each_party_gets_its_turn_whoever_came_first(void **state) {
        CLEANUP(fair_queue_free) FairQueue *queue = new_queue(1, 1);

        (void)state;
        push_all(queue, "aaaaabbc");
        assert_order(queue, "abcabaaa");
}

static void test_who_brings_one_at_a_time_starves_nobody(void **state) {
        CLEANUP(fair_queue_free) FairQueue *queue = new_queue(1, 1);
        char seen[8] = { 0 };

        (void)state;
        push_all(queue, "abb");
        for (size_t i = 0; i < 5; ++i) {
                seen[i] = pop(queue);
                if (seen[i] == 'a')
                        push_all(queue, "a");
        }
        assert_string_equal(seen, "abbaa");
}

static void test_one_party_has_its_share_of_the_places_and_no_more(void **state) {
        CLEANUP(fair_queue_free) FairQueue *queue = new_queue(1, 1);

        (void)state;
        push_all(queue, "aaaaaaaa");
        assert_int_equal(push(queue, "a"), FAIR_QUEUE_E_SHARE);
        push_all(queue, "bbbbbbbb");
        assert_int_equal(push(queue, "c"), FAIR_QUEUE_E_FULL);
        assert_int_equal(pop(queue), 'a');
        push_all(queue, "c");
        fair_queue_close(queue);
        assert_int_equal(push(queue, "d"), FAIR_QUEUE_E_CLOSED);
        assert_int_equal(fair_queue_length(queue), 16);
}

static void test_one_party_never_has_all_workers(void **state) {
        CLEANUP(fair_queue_free) FairQueue *queue = new_queue(2, 1);
        FairItem first, second, none;

        (void)state;
        push_all(queue, "aab");
        assert_true(fair_queue_pop(queue, 0, &first));
        assert_true(fair_queue_pop(queue, 0, &second));
        assert_int_equal(*(char *)first.item, 'a');
        assert_int_equal(*(char *)second.item, 'b');
        assert_false(fair_queue_pop(queue, 0, &none)); /* two are busy, and a has one of them */
        fair_queue_done(queue, &second);
        assert_false(fair_queue_pop(queue, 0, &none));
        fair_queue_done(queue, &first);
        assert_true(fair_queue_pop(queue, 0, &none));
        assert_int_equal(*(char *)none.item, 'a');
}

static void push_behind(FairQueue *queue, const char *name) {
        assert_int_equal(push_at(queue, name, 100), 0);
}

/* However many of them there were, and however many have been taken. */
static void test_whoever_stands_back_lets_those_go_first_who_come_later(void **state) {
        CLEANUP(fair_queue_free) FairQueue *queue = new_queue(1, 1);

        (void)state;
        for (const char *names = "xyz"; *names; ++names)
                push_behind(queue, names);
        push_all(queue, "a");
        assert_int_equal(pop(queue), 'a');
        assert_int_equal(pop(queue), 'x');
        push_all(queue, "bb");
        push_behind(queue, "x");
        assert_order(queue, "bbyzx");
}

static void test_whoever_stands_back_gets_his_turn_once(void **state) {
        CLEANUP(fair_queue_free) FairQueue *queue = new_queue(1, 1);
        int n = 0;

        (void)state;
        push_behind(queue, "x");
        do
                push_all(queue, "a");
        while (pop(queue) == 'a' && ++n < 1000);
        assert_int_equal(n, 100);
}

static void *finish(void *arg) {
        void **args = arg;

        fair_queue_done(args[0], args[1]);
        return NULL;
}

static void test_a_worker_that_waits_for_a_party_hears_when_it_is_free(void **state) {
        CLEANUP(fair_queue_free) FairQueue *queue = new_queue(2, 1);
        FairItem first, second;
        void *args[] = { queue, &first };
        pthread_t thread;

        (void)state;
        push_all(queue, "aa");
        assert_true(fair_queue_pop(queue, 0, &first));
        assert_int_equal(pthread_create(&thread, NULL, finish, args), 0);
        assert_true(fair_queue_pop(queue, PATIENCE_MS, &second));
        assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_what_is_left_is_drained_and_then_freed(void **state) {
        FairQueue *queue = new_queue(1, 1);

        (void)state;
        push_all(queue, "ab");
        fair_queue_close(queue);
        assert_false(fair_queue_is_drained(queue));
        assert_int_equal(pop(queue), 'a');
        fair_queue_free(queue);
        assert_int_equal(n_freed, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_party_gets_its_turn_whoever_came_first),
                cmocka_unit_test(test_who_brings_one_at_a_time_starves_nobody),
                cmocka_unit_test(test_one_party_has_its_share_of_the_places_and_no_more),
                cmocka_unit_test(test_one_party_never_has_all_workers),
                cmocka_unit_test(test_whoever_stands_back_lets_those_go_first_who_come_later),
                cmocka_unit_test(test_whoever_stands_back_gets_his_turn_once),
                cmocka_unit_test(test_a_worker_that_waits_for_a_party_hears_when_it_is_free),
                cmocka_unit_test(test_what_is_left_is_drained_and_then_freed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
