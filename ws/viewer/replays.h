#pragma once

/*
 * WsReplays: the clients that wait for a page of the database, and the few questions that are under
 * way.
 *
 * Never more than WS_REPLAYS_AT_ONCE questions at a time, so that a crowd that comes back does not
 * fill the query queue nor memory, and of one user never more than WS_REPLAYS_OF_USER. Users take
 * turns, and the clients of a user among themselves: whoever has hundreds of old subscriptions
 * waits for himself. Memory of the hub, zeroed and initialised. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "model/event.h"
#include "ws/viewer/feed.h"

#define WS_REPLAYS_AT_ONCE 2
#define WS_REPLAYS_OF_USER 1

typedef struct Index Index;
typedef struct WsLoop WsLoop;
typedef struct WsReplays WsReplays;
typedef struct WsReplayUser WsReplayUser;

/* One who has something to ask, or an answer to come. */
struct WsReplayUser {
        int64_t id; /* 0: all that are anonymous */
        TAILQ_HEAD(, WsFeed) asking;
        int n_under_way;
        TAILQ_ENTRY(WsReplayUser) entry;
};

struct WsReplays {
        WsLoop *loop;                     /* borrowed */
        TAILQ_HEAD(, WsReplayUser) users; /* whose turn it is comes first */
        Index *by_id;                     /* of them */
        uint64_t n_tickets;
        struct {
                uint64_t ticket;    /* 0 = free */
                WsReplayUser *user; /* while it is not free */
                WsFeed *feed;       /* NULL = it is gone, or does not want it any more */
                int64_t deadline_ms;
        } under_way[WS_REPLAYS_AT_ONCE];
};

MUST_CHECK int ws_replays_init(WsReplays *replays, WsLoop *loop);
void ws_replays_done(WsReplays *replays);

/* For its next page, not before @delay_ms have passed. */
void ws_replays_ask(WsReplays *replays, WsFeed *feed, int delay_ms);
void ws_replays_forget(WsReplays *replays, WsFeed *feed);
MUST_CHECK int ws_replays_answer(WsReplays *replays, Event *event); /* of a QUERY_REPLAY */
MUST_CHECK int ws_replays_turn(WsReplays *replays);                 /* after work, and each tick */
