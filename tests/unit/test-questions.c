/* WsQuestions: an answer goes to who asked, once, or to nobody. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/queue.h"
#include "model/event.h"
#include "tests/fake/asks.h"
#include "ws/loop/questions.h"

#define TIMEOUT_MS 1000
#define LATER_MS   (INT64_MAX / 2)

typedef struct Asker Asker;

struct Asker {
        WsQuestion question;
        int n_answers, n_late;
        Asker *other; /* that forgets when this one is told */
};

static WsQuestions questions;
static Queue *asked;

static int setup(void **state) {
        (void)state;
        assert_int_equal(ws_questions_init(&questions), 0);
        assert_int_equal(queue_new(&asked, 2, asks_free), 0);
        questions.ask = asks_keep;
        questions.ask_arg = asked;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        asked = queue_free(asked);
        ws_questions_done(&questions);
        return 0;
}

static int on_answer(void *owner, Event *event) {
        Asker *asker = owner;

        asker->n_answers += event != NULL;
        asker->n_late += event == NULL;
        if (asker->other)
                ws_questions_forget(&questions, &asker->other->question);
        return 0;
}

static int ask(Asker *asker) {
        Query *query = NULL;
        int r;

        asker->question.owner = asker;
        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        r = ws_questions_ask(&questions, &asker->question, &query, TIMEOUT_MS, on_answer);
        assert_true((r == 0) == !query);
        query_free(query);
        return r;
}

static void hold(Asker *asker) {
        Query *query = NULL;

        asker->question.owner = asker;
        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        assert_int_equal(ws_questions_hold(&questions,
                                           &asker->question,
                                           &query,
                                           TIMEOUT_MS,
                                           on_answer),
                         0);
        assert_true(!query && asker->question.held);
}

/* What comes for the question that was asked first of those in the queue. */
static Event *answer_of_next(void) {
        Answer *answer = NULL;
        Event *event = NULL;
        void *query = NULL;

        assert_int_equal(queue_pop(asked, &query, 1, 0), 1);
        assert_int_equal(answer_new(&answer, query), 0);
        query_free(query);
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        return event;
}

static void test_an_answer_goes_to_who_asked_and_once(void **state) {
        Asker one = { 0 }, two = { 0 };
        Event *first, *second;

        (void)state;
        assert_int_equal(ask(&one), 0);
        assert_int_equal(ask(&two), 0);
        first = answer_of_next();
        second = answer_of_next();
        assert_int_equal(ws_questions_answer(&questions, second), 0);
        assert_true(one.n_answers == 0 && two.n_answers == 1);
        assert_int_equal(ws_questions_answer(&questions, second), 0);
        assert_int_equal(ws_questions_answer(&questions, first), 0);
        assert_true(one.n_answers == 1 && two.n_answers == 1);
        assert_true(one.question.id == 0 && two.question.id == 0);
        event_unref(first);
        event_unref(second);
}

static void test_who_has_left_is_not_told(void **state) {
        Asker asker = { 0 };
        Event *event;

        (void)state;
        assert_int_equal(ask(&asker), 0);
        event = answer_of_next();
        ws_questions_forget(&questions, &asker.question);
        ws_questions_forget(&questions, &asker.question); /* twice is once */
        assert_int_equal(ws_questions_answer(&questions, event), 0);
        assert_int_equal(ws_questions_turn(&questions, LATER_MS), 0);
        assert_true(asker.n_answers == 0 && asker.n_late == 0);
        event_unref(event);
}

static void test_what_is_held_is_asked_once_it_is_let_go(void **state) {
        Asker asker = { 0 };
        void *none = NULL;
        Event *event;

        (void)state;
        hold(&asker);
        assert_int_equal(queue_pop(asked, &none, 1, 0), 0);
        assert_int_equal(ws_questions_release(&questions, &asker.question, TIMEOUT_MS), 0);
        assert_null(asker.question.held);
        event = answer_of_next();
        assert_int_equal(ws_questions_answer(&questions, event), 0);
        assert_int_equal(asker.n_answers, 1);
        event_unref(event);
}

static void test_what_is_held_for_too_long_is_over(void **state) {
        Asker asker = { 0 };

        (void)state;
        hold(&asker);
        assert_int_equal(ws_questions_turn(&questions, LATER_MS), 0);
        assert_true(asker.n_late == 1 && asker.question.id == 0 && !asker.question.held);
}

/* A number is never used twice, so that the answer to an earlier question is not taken for it. */
static void test_an_answer_that_is_late_meets_no_later_question(void **state) {
        Asker asker = { 0 };
        Event *late, *event;

        (void)state;
        assert_int_equal(ask(&asker), 0);
        late = answer_of_next();
        assert_int_equal(ws_questions_turn(&questions, 0), 0);
        assert_int_equal(asker.n_late, 0);
        assert_int_equal(ws_questions_turn(&questions, LATER_MS), 0);
        assert_int_equal(asker.n_late, 1);

        assert_int_equal(ask(&asker), 0);
        event = answer_of_next();
        assert_int_equal(ws_questions_answer(&questions, late), 0);
        assert_int_equal(asker.n_answers, 0);
        assert_int_equal(ws_questions_answer(&questions, event), 0);
        assert_int_equal(asker.n_answers, 1);
        event_unref(late);
        event_unref(event);
}

static void test_a_long_answer_comes_in_pieces_until_it_is_forgotten(void **state) {
        Asker asker = { .question.is_long = true };
        Event *event;

        (void)state;
        assert_int_equal(ask(&asker), 0);
        event = answer_of_next();
        for (int i = 0; i < 3; ++i)
                assert_int_equal(ws_questions_answer(&questions, event), 0);
        assert_int_equal(asker.n_answers, 3);
        ws_questions_forget(&questions, &asker.question);
        assert_int_equal(ws_questions_answer(&questions, event), 0);
        assert_int_equal(asker.n_answers, 3);
        event_unref(event);
}

static void test_who_is_told_may_end_another(void **state) {
        Asker one = { 0 }, two = { 0 };

        (void)state;
        one.other = &two;
        assert_int_equal(ask(&one), 0);
        assert_int_equal(ask(&two), 0);
        assert_int_equal(ws_questions_turn(&questions, LATER_MS), 0);
        assert_true(one.n_late == 1 && two.n_late == 0);
}

static void test_a_full_queue_leaves_nothing_under_way(void **state) {
        Asker askers[3] = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(askers); ++i)
                assert_int_equal(ask(&askers[i]), i < 2 ? 0 : WS_QUESTIONS_E_FULL);
        assert_int_equal(askers[2].question.id, 0);
        assert_int_equal(ws_questions_turn(&questions, LATER_MS), 0);
        assert_true(askers[0].n_late == 1 && askers[1].n_late == 1 && askers[2].n_late == 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(test_an_answer_goes_to_who_asked_and_once),
                CASE(test_who_has_left_is_not_told),
                CASE(test_an_answer_that_is_late_meets_no_later_question),
                CASE(test_a_long_answer_comes_in_pieces_until_it_is_forgotten),
                CASE(test_what_is_held_is_asked_once_it_is_let_go),
                CASE(test_what_is_held_for_too_long_is_over),
                CASE(test_who_is_told_may_end_another),
                CASE(test_a_full_queue_leaves_nothing_under_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
