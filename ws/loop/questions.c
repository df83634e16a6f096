#include "ws/loop/questions.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/index.h"
#include "model/metrics.h"

int ws_questions_init(WsQuestions *questions) {
        int r;

        *questions = (WsQuestions){ 0 };
        TAILQ_INIT(&questions->list);
        r = index_new(&questions->by_id);
        return err_up(r);
}

void ws_questions_done(WsQuestions *questions) {
        questions->by_id = index_free(questions->by_id);
}

static int ws_questions_note(WsQuestions *questions, WsQuestion *question) {
        uint64_t id = ++questions->n_ids;
        int r;

        r = index_put(questions->by_id, &id, sizeof(id), question);
        if (r < 0)
                return err_up(r);
        question->id = id;
        TAILQ_INSERT_TAIL(&questions->list, question, entry);
        return 0;
}

void ws_questions_forget(WsQuestions *questions, WsQuestion *question) {
        if (question->id == 0)
                return;
        index_remove(questions->by_id, &question->id, sizeof(question->id));
        TAILQ_REMOVE(&questions->list, question, entry);
        question->held = query_free(question->held);
        question->id = 0;
}

static int ws_questions_send(WsQuestions *questions,
                             WsQuestion *question,
                             Query **queryp,
                             int timeout_ms) {
        int r;

        question->deadline_ms = clock_mono_us() / 1000 + timeout_ms;
        (*queryp)->question = question->id;
        r = questions->ask(questions->ask_arg, queryp);
        if (r == 0)
                return 0;

        ws_questions_forget(questions, question);
        if (r < 0)
                return err_up(r);
        metric_add(METRIC_QUERY_REFUSED, 1);
        return WS_QUESTIONS_E_FULL;
}

/* WS_QUESTIONS_E_FULL: nothing is asked here. */
static int ws_questions_begin(WsQuestions *questions, WsQuestion *question, WsQuestionFn fn) {
        if (!questions->ask)
                return WS_QUESTIONS_E_FULL;
        question->fn = fn;
        return err_up(ws_questions_note(questions, question));
}

int ws_questions_ask(WsQuestions *questions,
                     WsQuestion *question,
                     Query **queryp,
                     int timeout_ms,
                     WsQuestionFn fn) {
        int r = ws_questions_begin(questions, question, fn);

        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return ws_questions_send(questions, question, queryp, timeout_ms);
}

int ws_questions_hold(WsQuestions *questions,
                      WsQuestion *question,
                      Query **queryp,
                      int timeout_ms,
                      WsQuestionFn fn) {
        int r = ws_questions_begin(questions, question, fn);

        if (r != 0)
                return r < 0 ? err_up(r) : r;
        question->deadline_ms = clock_mono_us() / 1000 + timeout_ms;
        question->held = TAKE(queryp);
        return 0;
}

int ws_questions_release(WsQuestions *questions, WsQuestion *question, int timeout_ms) {
        CLEANUP(query_free) Query *query = TAKE(&question->held);

        return ws_questions_send(questions, question, &query, timeout_ms);
}

static int ws_questions_end(WsQuestions *questions, WsQuestion *question, Event *event) {
        int r;

        if (!event || !question->is_long)
                ws_questions_forget(questions, question);
        r = question->fn(question->owner, event); /* it may be gone by then */
        return err_up(r);
}

int ws_questions_answer(WsQuestions *questions, Event *event) {
        uint64_t id = event->answer->question;
        WsQuestion *question = index_get(questions->by_id, &id, sizeof(id));

        return question ? ws_questions_end(questions, question, event) : 0;
}

static WsQuestion *ws_questions_late(const WsQuestions *questions, int64_t now_ms) {
        WsQuestion *question;

        TAILQ_FOREACH(question, &questions->list, entry)
                if (question->deadline_ms <= now_ms)
                        return question;
        return NULL;
}

int ws_questions_turn(WsQuestions *questions, int64_t now_ms) {
        WsQuestion *late;
        int r = 0;

        while (r == 0 && (late = ws_questions_late(questions, now_ms))) /* one may end another */
                r = ws_questions_end(questions, late, NULL);
        return err_up(r);
}
