/* Sessions: what each broker may send again is its own, whoever else has sent since. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/journal/sessions.h"

enum {
        ANA = 7, /* brokers */
        BEA = 8,
        CLU = 9,
        ID = 3, /* a packet id that all of them use */
        SAVED_MAX = 64,
};

static Sessions *opened(void) {
        Sessions *sessions = NULL;

        assert_int_equal(sessions_new(&sessions), 0);
        return sessions;
}

/* A new session with @broker, which sends one message. */
static void meet(Sessions *sessions, uint16_t broker, uint64_t hash) {
        sessions_begin(sessions, broker);
        redelivery_resume(sessions_current(sessions), 10);
        redelivery_note(sessions_current(sessions), ID, hash);
}

static bool has(Sessions *sessions, uint16_t broker, uint64_t hash) {
        sessions_resume(sessions, broker, 10);
        assert_int_equal(sessions_broker(sessions), broker);
        return redelivery_is_last(sessions_current(sessions), ID, hash);
}

static Sessions *again(Sessions *sessions) {
        RedeliveryItem items[SAVED_MAX];
        uint16_t broker = sessions_broker(sessions);
        size_t n = sessions_save(sessions, items, SAVED_MAX);

        sessions_free(sessions);
        sessions = opened();
        sessions_load(sessions, broker, items, n * sizeof(items[0]));
        assert_int_equal(sessions_broker(sessions), broker);
        return sessions;
}

static void test_a_new_session_with_one_says_nothing_of_another_s(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();

        (void)state;
        meet(sessions, ANA, 100);
        meet(sessions, BEA, 200);
        assert_true(has(sessions, ANA, 100));
        assert_true(has(sessions, BEA, 200));
        sessions_begin(sessions, ANA); /* its packet ids start over */
        assert_false(redelivery_is_last(sessions_current(sessions), ID, 100));
        assert_true(has(sessions, BEA, 200));
}

/* It is one of several that share a session. */
static void test_who_resumes_what_it_did_not_begin_goes_on_with_the_last(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();

        (void)state;
        meet(sessions, ANA, 100);
        assert_true(has(sessions, BEA, 100));
}

static void test_what_was_written_before_brokers_had_numbers_is_of_the_first(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();

        (void)state;
        assert_int_equal(sessions_broker(sessions), 0);
        redelivery_note(sessions_current(sessions), ID, 100);
        assert_true(has(sessions, ANA, 100));
}

static void test_the_one_of_longest_ago_is_forgotten(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();

        (void)state;
        for (uint16_t broker = 1; broker <= SESSIONS_MAX; ++broker)
                meet(sessions, broker, broker);
        assert_true(has(sessions, 1, 1)); /* which makes 2 the oldest */
        meet(sessions, ANA * 10, 70);
        for (uint16_t broker = 3; broker <= SESSIONS_MAX; ++broker)
                assert_true(has(sessions, broker, broker));
        assert_true(has(sessions, 1, 1));
        assert_true(has(sessions, ANA * 10, 70));
        sessions_begin(sessions, 2);
        assert_false(redelivery_is_last(sessions_current(sessions), ID, 2));
}

static void test_all_of_them_are_there_after_a_start(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();

        (void)state;
        meet(sessions, ANA, 100);
        meet(sessions, BEA, 200);
        meet(sessions, CLU, 300);
        sessions = again(sessions);
        assert_true(redelivery_is_last(sessions_current(sessions), ID, 300));
        assert_true(has(sessions, ANA, 100));
        assert_true(has(sessions, BEA, 200));
}

/* Which of them is forgotten first does not change by a start, or by a second one. */
static void test_a_start_does_not_make_the_oldest_the_newest(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();

        (void)state;
        for (uint16_t broker = 1; broker <= SESSIONS_MAX; ++broker)
                meet(sessions, broker, broker);
        sessions = again(sessions);
        meet(sessions, ANA * 10, 70); /* 1 gives way */
        for (uint16_t broker = 2; broker <= SESSIONS_MAX; ++broker)
                assert_true(has(sessions, broker, broker));
}

static void test_the_current_one_has_the_first_claim_on_the_room(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();
        RedeliveryItem items[2];

        (void)state;
        meet(sessions, ANA, 100);
        meet(sessions, BEA, 200);
        redelivery_note(sessions_current(sessions), ID + 1, 201);
        assert_int_equal(sessions_save(sessions, items, 1), 1);
        assert_true(items[0].broker == BEA && items[0].hash == 201); /* of these, the newest */
        assert_int_equal(sessions_save(sessions, items, 2), 2);
        assert_true(items[0].broker == BEA && items[1].broker == BEA);
}

static void test_nothing_saved_is_a_session_of_whoever_it_is(void **state) {
        CLEANUP(sessions_free) Sessions *sessions = opened();

        (void)state;
        sessions_load(sessions, ANA, NULL, 0);
        assert_int_equal(sessions_broker(sessions), ANA);
        assert_null(sessions_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_new_session_with_one_says_nothing_of_another_s),
                cmocka_unit_test(test_who_resumes_what_it_did_not_begin_goes_on_with_the_last),
                cmocka_unit_test(test_what_was_written_before_brokers_had_numbers_is_of_the_first),
                cmocka_unit_test(test_the_one_of_longest_ago_is_forgotten),
                cmocka_unit_test(test_all_of_them_are_there_after_a_start),
                cmocka_unit_test(test_a_start_does_not_make_the_oldest_the_newest),
                cmocka_unit_test(test_the_current_one_has_the_first_claim_on_the_room),
                cmocka_unit_test(test_nothing_saved_is_a_session_of_whoever_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
