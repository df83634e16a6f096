#pragma once

/*
 * WsReplays: the subscriptions that wait for a page of the database, and the few questions that
 * are under way.
 *
 * First come, first served, and never more than WS_REPLAYS_AT_ONCE questions at a time, so that a
 * crowd that comes back does not fill the query queue nor memory. Memory of the hub, zeroed and
 * initialised. Loop thread.
 */

#include <sys/queue.h>

#include "gateway/base/base.h"
#include "gateway/base/event.h"
#include "ws/feed.h"

#define WS_REPLAYS_AT_ONCE 2

typedef struct WsHub WsHub;
typedef struct WsReplays WsReplays;

struct WsReplays {
        WsHub *hub; /* borrowed */
        TAILQ_HEAD(, WsFollow) asking;
        uint64_t n_tickets;
        struct {
                uint64_t ticket;  /* 0 = free */
                WsFollow *follow; /* NULL = it is gone */
                int64_t deadline_ms;
        } under_way[WS_REPLAYS_AT_ONCE];
};

void ws_replays_init(WsReplays *replays, WsHub *hub);

/* For the page after follow->seq, not before @delay_ms have passed. */
void ws_replays_ask(WsReplays *replays, WsFollow *follow, int delay_ms);
void ws_replays_forget(WsReplays *replays, WsFollow *follow);
MUST_CHECK int ws_replays_answer(WsReplays *replays, Event *event); /* of a QUERY_REPLAY */
MUST_CHECK int ws_replays_turn(WsReplays *replays);                 /* after work, and each tick */
