/* The queue of log-ins: of one address as many go ahead as may fail, in their order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/queue.h"
#include "tests/fake/asks.h"
#include "ws/access/limiter.h"
#include "ws/access/party.h"
#include "ws/access/proven.h"
#include "ws/http/exchange.h"
#include "ws/http/login_queue.h"
#include "ws/loop/options.h"

#define N_WAITERS 8
#define LIMIT     2
#define HOUSE     "192.0.2.1"
#define OTHER     "192.0.2.2"

static WsOptions options = { .login_failures_per_min = LIMIT, .login_wait_ms = 1000 };
static WsQuestions questions;
static WsExchange session; /* of all of them: none is answered here */
static WsWaiter places[N_WAITERS];
static WsWaiters waiters = { .options = &options, .questions = &questions };
static WsLimiter *limiter;
static WsProven *proven;
static Queue *asked;

static int setup(void **state) {
        (void)state;
        assert_int_equal(ws_questions_init(&questions), 0);
        assert_int_equal(queue_new(&asked, N_WAITERS, asks_free), 0);
        assert_int_equal(ws_limiter_new(&limiter, 16), 0);
        assert_int_equal(ws_proven_new(&proven, 16), 0);
        questions.ask = asks_keep;
        questions.ask_arg = asked;
        waiters.all = places;
        waiters.n_all = N_WAITERS;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        for (size_t i = 0; i < N_WAITERS; ++i) {
                ws_questions_forget(&questions, &places[i].question);
                places[i] = (WsWaiter){ 0 };
        }
        limiter = ws_limiter_free(limiter);
        proven = ws_proven_free(proven);
        asked = queue_free(asked);
        ws_questions_done(&questions);
        return 0;
}

static int on_answer(void *owner, Event *event) {
        (void)owner;
        (void)event;
        return 0;
}

/* At @place, from @source, for @account: held until its turn comes. */
static void hold(size_t place, const char *source, const char *account) {
        WsWaiter *waiter = &places[place];
        Query *query = NULL;

        assert_int_equal(query_new(&query, QUERY_LOGIN), 0);
        query->username = strdup(account);
        waiter->session = &session;
        waiter->is_login = waiter->is_held = true;
        snprintf(waiter->source, sizeof(waiter->source), "%s", source);
        snprintf(waiter->account, sizeof(waiter->account), "%s", account);
        assert_int_equal(ws_questions_hold(&questions, &waiter->question, &query, 1000, on_answer),
                         0);
        assert_null(query);
}

static WsCall blank(void) {
        return (WsCall){ .options = &options,
                         .limiter = limiter,
                         .proven = proven,
                         .waiters = &waiters,
                         .now_us = 1000000 };
}

/* One of the house was. */
static void be_good(void) {
        char party[WS_PARTY_TEXT_SIZE], name[64];

        ws_party_text(ws_party_address(HOUSE), party);
        snprintf(name, sizeof(name), "source:%s", party);
        ws_limiter_give_back(limiter, text_of(name));
}

static void assert_asked(const char *account) {
        void *query = NULL;

        assert_int_equal(queue_pop(asked, &query, 1, 0), 1);
        assert_string_equal(((Query *)query)->username, account);
        query_free(query);
}

static void assert_none_asked(void) {
        void *query = NULL;

        assert_int_equal(queue_pop(asked, &query, 1, 0), 0);
}

static void test_as_many_go_ahead_as_may_fail_the_first_first(void **state) {
        WsCall call = blank();

        (void)state;
        hold(3, HOUSE, "one");
        hold(1, HOUSE, "two");
        hold(2, HOUSE, "three");
        assert_false(ws_login_queue_is_moving(&waiters, HOUSE));
        ws_login_queue_move(&waiters, HOUSE, &call);
        assert_asked("one");
        assert_asked("two");
        assert_none_asked();
        assert_true(ws_login_queue_is_moving(&waiters, HOUSE));
        assert_true(places[2].is_held && !places[1].is_held && !places[3].is_held);
}

static void test_each_that_was_good_lets_another_one_go(void **state) {
        WsCall call = blank();

        (void)state;
        for (size_t i = 0; i < 4; ++i)
                hold(i, HOUSE, i < 3 ? "early" : "late");
        ws_login_queue_move(&waiters, HOUSE, &call);
        assert_asked("early");
        assert_asked("early");
        ws_questions_forget(&questions, &places[0].question);
        be_good();
        ws_login_queue_move(&waiters, HOUSE, &call);
        assert_asked("early");
        assert_none_asked();
        assert_true(places[3].is_held);
}

static void test_addresses_do_not_wait_for_each_other(void **state) {
        WsCall call = blank();

        (void)state;
        for (size_t i = 0; i < 3; ++i)
                hold(i, HOUSE, "of the house");
        hold(3, OTHER, "another");
        ws_login_queue_move(&waiters, HOUSE, &call);
        assert_asked("of the house");
        assert_asked("of the house");
        assert_none_asked();
        assert_false(ws_login_queue_is_moving(&waiters, OTHER));
        ws_login_queue_move_all(&waiters, &call);
        assert_asked("another");
        assert_none_asked();
}

/* Who is asked for may leave: nobody is told what became of that one. */
static void test_those_behind_one_that_left_are_moved_by_the_clock(void **state) {
        WsCall call = blank();

        (void)state;
        options.login_failures_per_min = 3;
        for (size_t i = 0; i < 3; ++i)
                hold(i, HOUSE, "anybody");
        ws_login_queue_move(&waiters, HOUSE, &call);
        for (size_t i = 0; i < 3; ++i) {
                assert_asked("anybody");
                ws_questions_forget(&questions, &places[i].question);
        }
        be_good();
        hold(4, HOUSE, "behind");
        ws_login_queue_move_all(&waiters, &call);
        assert_asked("behind");
        options.login_failures_per_min = LIMIT;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_as_many_go_ahead_as_may_fail_the_first_first,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_each_that_was_good_lets_another_one_go,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_addresses_do_not_wait_for_each_other,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_those_behind_one_that_left_are_moved_by_the_clock, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
