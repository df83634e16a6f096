#pragma once

/*
 * WsIntake: what the loop takes out of the outbox in one turn: events to publish, and answers.
 *
 * A bounded share, so that a burst cannot starve the sockets: nor may it fill the queue of one that
 * reads well, since the kernel tells only between two turns that it has taken something. Memory of
 * the server; loop thread.
 */

#include "base/base.h"
#include "ws/loop/options.h"

typedef struct Queue Queue;
typedef struct WsHub WsHub;
typedef struct WsIntake WsIntake;

struct WsIntake { /* all borrowed */
        Queue *outbox;
        WsHub *hub;
        const WsOptions *options; /* may change between turns */
};

/* *ret_has_more: perhaps there is more, and another turn is due. Only faults. */
MUST_CHECK int ws_intake_turn(WsIntake *intake, bool *ret_has_more);
