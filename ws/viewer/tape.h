#pragma once

/*
 * WsTape: where a playback is in the time that it plays, and how fast it goes on.
 *
 * @now_us is of the monotonic clock, as the caller has it; all others are times of receipt. Memory
 * of the owner. Pure.
 */

#include "base/base.h"

#define WS_TAPE_SLACK_US 1000000 /* of our time: later than that, and the tape waits */

typedef struct WsTape WsTape;

struct WsTape {
        int64_t at_us, since_us; /* it was there then */
        double rate;             /* times as fast as it was */
        bool is_held;
};

void ws_tape_move(WsTape *tape, int64_t at_us, int64_t now_us);
void ws_tape_hold(WsTape *tape, int64_t now_us);
void ws_tape_go(WsTape *tape, double rate, int64_t now_us); /* on from where it is */
int64_t ws_tape_at(const WsTape *tape, int64_t now_us);

/* What was received at @time_us is shown at last: if nobody would take it before, all that follows
 * is as much later. */
void ws_tape_show(WsTape *tape, int64_t time_us, int64_t now_us);
