#pragma once

/*
 * WsReplays: what the feeds and playbacks that wait for a page of the database (ws/loop/turns.h)
 * ask it, and what becomes of the answers.
 *
 * Memory of the hub. Loop thread.
 */

#include "base/base.h"
#include "model/event.h"
#include "ws/loop/questions.h"
#include "ws/loop/turns.h"

typedef struct WsLoop WsLoop;
typedef struct WsReplays WsReplays;

struct WsReplays {
        WsLoop *loop;  /* borrowed */
        WsTurns turns; /* of feeds and playbacks */
        struct WsReplay {
                WsQuestion question;
                WsReplays *replays; /* borrowed */
        } under_way[WS_TURNS_AT_ONCE];
};

MUST_CHECK int ws_replays_init(WsReplays *replays, WsLoop *loop);
void ws_replays_done(WsReplays *replays);

MUST_CHECK int ws_replays_turn(WsReplays *replays); /* after work, and each tick */
