#include "ws/loop/pending.h"

#include "base/err.h"

#define WS_PENDING_LIFE_MS 10000

void ws_pendings_init(WsPendings *pendings, WsQuestions *questions) {
        *pendings = (WsPendings){ .questions = questions };
        TAILQ_INIT(&pendings->list);
}

static WsPending *ws_pending_free(WsPending *pending) {
        WsPendings *pendings = pending->pendings;

        ws_questions_forget(pendings->questions, &pending->question);
        TAILQ_REMOVE(&pendings->list, pending, entry);
        --pendings->n;
        buf_done(&pending->id);
        free(pending);
        return NULL;
}

static int ws_pending_end(void *owner, Event *event) {
        const Answer late = { .kind = QUERY_COMMAND, .status = 503 };
        WsPending *pending = owner;
        int r;

        r = pending->owner.fn(pending->owner.client,
                              buf_text(&pending->id),
                              event ? event->answer : &late);
        ws_pending_free(pending);
        return err_up(r);
}

int ws_pendings_add(WsPendings *pendings, Query **queryp, const WsPendingOwner *owner, Text id) {
        WsPending *pending;
        int r;

        pending = calloc(1, sizeof(*pending));
        if (!pending)
                return err_new(-ENOMEM);

        pending->pendings = pendings;
        pending->owner = *owner;
        pending->question.owner = pending;
        buf_append_text(&pending->id, id);
        TAILQ_INSERT_TAIL(&pendings->list, pending, entry);
        ++pendings->n;
        (*queryp)->party = owner->party;
        r = buf_failed(&pending->id) ? err_new(-ENOMEM)
                                     : ws_questions_ask(pendings->questions,
                                                        &pending->question,
                                                        queryp,
                                                        WS_PENDING_LIFE_MS,
                                                        ws_pending_end);
        if (r == 0)
                return 0;
        ws_pending_free(pending);
        return r < 0 ? err_up(r) : WS_PENDING_E_FULL;
}

void ws_pendings_forget(WsPendings *pendings, const WsClient *client) {
        WsPending *pending, *next;

        for (pending = TAILQ_FIRST(&pendings->list); pending; pending = next) {
                next = TAILQ_NEXT(pending, entry);
                if (pending->owner.client == client)
                        ws_pending_free(pending);
        }
}
