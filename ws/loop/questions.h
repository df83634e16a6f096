#pragma once

/*
 * WsQuestions: what a loop has asked the database, and whom each answer is for.
 *
 * A question is memory of who asks. Its number goes with the Query and comes back with the Answer,
 * which goes to its function; it is used for no other, so that what comes for who has left, or does
 * not want it any more, is for nobody. One that is not answered in time is over, and told so. Loop
 * thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "model/event.h"
#include "model/query.h"

typedef struct Index Index;
typedef struct WsQuestion WsQuestion;
typedef struct WsQuestions WsQuestions;

/* @event: an EVENT_ANSWER, borrowed; NULL: there will be none. Only faults. */
typedef int (*WsQuestionFn)(void *owner, Event *event);

struct WsQuestion {  /* memory of the owner, zeroed */
        uint64_t id; /* 0 = nothing is under way */
        void *owner; /* borrowed */
        WsQuestionFn fn;
        int64_t deadline_ms; /* monotonic */
        bool is_long;        /* its answer comes in pieces, until it is forgotten */
        Query *held;         /* owned: it is not asked yet */
        TAILQ_ENTRY(WsQuestion) entry;
};

struct WsQuestions {   /* memory of the hub */
        QueryFn ask;   /* NULL = nothing is asked */
        void *ask_arg; /* borrowed */
        Index *by_id;
        TAILQ_HEAD(, WsQuestion) list;
        uint64_t n_ids;
};

enum {
        WS_QUESTIONS_E_FULL = 1, /* there is no place for it: later perhaps */
};

MUST_CHECK int ws_questions_init(WsQuestions *questions);
void ws_questions_done(WsQuestions *questions); /* those who asked are gone, or have forgotten */

/* Takes *queryp once it is asked. One at a time of each owner's question. */
MUST_CHECK int ws_questions_ask(WsQuestions *questions,
                                WsQuestion *question,
                                Query **queryp,
                                int timeout_ms,
                                WsQuestionFn fn);
/* As that, but it is asked by _release() only; until then its time is @timeout_ms. */
MUST_CHECK int ws_questions_hold(WsQuestions *questions,
                                 WsQuestion *question,
                                 Query **queryp,
                                 int timeout_ms,
                                 WsQuestionFn fn);
/* Where there is no place for it, it is forgotten. */
MUST_CHECK int ws_questions_release(WsQuestions *questions, WsQuestion *question, int timeout_ms);
void ws_questions_forget(WsQuestions *questions, WsQuestion *question);

MUST_CHECK int ws_questions_answer(WsQuestions *questions, Event *event);
MUST_CHECK int ws_questions_turn(WsQuestions *questions, int64_t now_ms); /* those that are late */
