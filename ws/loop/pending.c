#include "ws/loop/pending.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/queue.h"
#include "model/metrics.h"

#define WS_PENDING_MAX     1024
#define WS_PENDING_LIFE_MS 10000

void ws_pendings_init(WsPendings *pendings) {
        *pendings = (WsPendings){ 0 };
        TAILQ_INIT(&pendings->list);
}

static WsPending *ws_pending_free(WsPendings *pendings, WsPending *pending) {
        TAILQ_REMOVE(&pendings->list, pending, entry);
        --pendings->n;
        buf_done(&pending->id);
        free(pending);
        return NULL;
}

int ws_pendings_add(WsPendings *pendings,
                    Queue *queries,
                    Query **queryp,
                    const WsPendingOwner *owner,
                    Text id) {
        CLEANUP(query_free) Query *query = TAKE(queryp);
        WsPending *pending;
        int r;

        if (pendings->n >= WS_PENDING_MAX || !queries)
                return WS_PENDING_E_FULL;
        pending = calloc(1, sizeof(*pending));
        if (!pending)
                return err_new(-ENOMEM);

        query->party = owner->party;
        query->ticket = pending->ticket = ++pendings->n_tickets | WS_PENDING_TICKET;
        pending->owner = *owner;
        pending->deadline_ms = clock_mono_us() / 1000 + WS_PENDING_LIFE_MS;
        buf_append_text(&pending->id, id);
        TAILQ_INSERT_TAIL(&pendings->list, pending, entry);
        ++pendings->n;
        r = buf_failed(&pending->id) ? -ENOMEM : queue_push(queries, query, 0);
        if (r == 0) {
                query = NULL;
                return 0;
        }

        ws_pending_free(pendings, pending);
        if (r < 0)
                return err_up(r);
        metric_add(METRIC_QUERY_REFUSED, 1);
        return WS_PENDING_E_FULL;
}

void ws_pendings_forget(WsPendings *pendings, const WsClient *client) {
        WsPending *pending, *next;

        for (pending = TAILQ_FIRST(&pendings->list); pending; pending = next) {
                next = TAILQ_NEXT(pending, entry);
                if (pending->owner.client == client)
                        ws_pending_free(pendings, pending);
        }
}

static int ws_pending_end(WsPendings *pendings, WsPending *pending, const Answer *answer) {
        int r;

        r = pending->owner.fn(pending->owner.client, buf_text(&pending->id), answer);
        ws_pending_free(pendings, pending);
        return r < 0 ? err_up(r) : 0;
}

int ws_pendings_answer(WsPendings *pendings, const Answer *answer) {
        WsPending *pending;

        TAILQ_FOREACH(pending, &pendings->list, entry)
        if (pending->ticket == answer->ticket)
                return ws_pending_end(pendings, pending, answer);
        return 0; /* who asked is gone */
}

int ws_pendings_turn(WsPendings *pendings, int64_t now_ms) {
        const Answer late = { .kind = QUERY_COMMAND, .status = 503 };
        WsPending *oldest;
        int r = 0;

        while (r == 0 && (oldest = TAILQ_FIRST(&pendings->list)) && oldest->deadline_ms <= now_ms)
                r = ws_pending_end(pendings, oldest, &late);
        return r < 0 ? err_up(r) : 0;
}
