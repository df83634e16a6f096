/* WsPending: who asks is told once, unless he has left. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/queue.h"
#include "tests/fake/asks.h"
#include "ws/loop/pending.h"

#define LATER_MS (INT64_MAX / 2)
#define PLACES   3 /* in the lane */

struct WsClient { /* one that only counts what it is told */
        int n_told, status;
        char id[32];
};

static WsQuestions questions;
static WsPendings pendings;
static Queue *asked;

static int set_up(void **state) {
        (void)state;
        assert_int_equal(ws_questions_init(&questions), 0);
        assert_int_equal(queue_new(&asked, PLACES, asks_free), 0);
        questions.ask = asks_keep;
        questions.ask_arg = asked;
        ws_pendings_init(&pendings, &questions);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        assert_int_equal(pendings.n, 0);
        asked = queue_free(asked);
        ws_questions_done(&questions);
        return 0;
}

static int on_answer(WsClient *client, Text id, const Answer *answer) {
        ++client->n_told;
        client->status = answer->status;
        assert_true(id.n < sizeof(client->id));
        memcpy(client->id, id.data, id.n);
        client->id[id.n] = '\0';
        return 0;
}

static int ask(WsClient *client, const char *id) {
        const WsPendingOwner owner = { .client = client, .party = 77, .fn = on_answer };
        char gone[32]; /* it is copied */
        Query *query = NULL;
        int r;

        strcpy(gone, id);
        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        r = ws_pendings_add(&pendings, &query, &owner, text_of(gone));
        memset(gone, '?', sizeof(gone));
        assert_true((r == 0) == !query);
        query_free(query);
        return r;
}

static void answer_next(int status) {
        Answer *answer = NULL;
        Event *event = NULL;
        void *query = NULL;

        assert_int_equal(queue_pop(asked, &query, 1, 0), 1);
        assert_int_equal(((Query *)query)->party, 77);
        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = status;
        query_free(query);
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        assert_int_equal(ws_questions_answer(&questions, event), 0);
        event_unref(event);
}

static void test_each_request_has_its_own_answer(void **state) {
        WsClient ana = { 0 };

        (void)state;
        assert_int_equal(ask(&ana, "1"), 0);
        assert_int_equal(ask(&ana, "\"two\""), 0);
        answer_next(201);
        assert_true(ana.n_told == 1 && ana.status == 201);
        assert_string_equal(ana.id, "1");
        answer_next(409);
        assert_true(ana.n_told == 2 && ana.status == 409);
        assert_string_equal(ana.id, "\"two\"");
        assert_int_equal(pendings.n, 0);
}

static void test_who_has_left_is_told_nothing_and_others_are(void **state) {
        WsClient ana = { 0 }, bob = { 0 };

        (void)state;
        assert_int_equal(ask(&ana, "1"), 0);
        assert_int_equal(ask(&bob, "2"), 0);
        assert_int_equal(ask(&ana, "3"), 0);
        ws_pendings_forget(&pendings, &ana);
        assert_int_equal(pendings.n, 1);
        for (int i = 0; i < 3; ++i)
                answer_next(201);
        assert_true(ana.n_told == 0 && bob.n_told == 1);
        ws_pendings_forget(&pendings, &ana);
}

static void test_what_is_not_answered_in_time_is_said_to_be_away_once(void **state) {
        WsClient ana = { 0 };

        (void)state;
        assert_int_equal(ask(&ana, "1"), 0);
        assert_int_equal(ws_questions_turn(&questions, LATER_MS), 0);
        assert_true(ana.n_told == 1 && ana.status == 503);
        answer_next(201); /* and now it comes after all */
        assert_true(ana.n_told == 1 && ana.status == 503);
}

/* The lane has no place, or none for him: there is nothing of it here either. */
static void test_what_cannot_be_asked_is_refused_and_stays_with_who_asks(void **state) {
        WsClient ana = { 0 };

        (void)state;
        for (int i = 0; i < PLACES; ++i)
                assert_int_equal(ask(&ana, "1"), 0);
        assert_int_equal(ask(&ana, "2"), WS_PENDING_E_FULL);
        assert_int_equal(pendings.n, PLACES);
        for (int i = 0; i < PLACES; ++i)
                answer_next(201);
        assert_int_equal(ana.n_told, PLACES);
        assert_int_equal(ask(&ana, "2"), 0);
        answer_next(201);
        assert_string_equal(ana.id, "2");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_each_request_has_its_own_answer,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_who_has_left_is_told_nothing_and_others_are,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        test_what_is_not_answered_in_time_is_said_to_be_away_once,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_what_cannot_be_asked_is_refused_and_stays_with_who_asks,
                        set_up,
                        tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
