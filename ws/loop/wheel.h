#pragma once

/*
 * WsWheel: when to look at which socket next, without scanning the others.
 *
 * A timing wheel: a link goes into the slot of its due time, a tick visits only the slots that have
 * passed. What is due later than one turn is visited once a turn and put back by its owner. Times
 * are milliseconds of one monotonic clock. Loop thread. Memory of the links belongs to the caller.
 */

#include <sys/queue.h>

#include "base/base.h"

#define WS_WHEEL_N_SLOTS 256

typedef struct WsWheel WsWheel;
typedef struct WsWheelLink WsWheelLink;
typedef void (*WsWheelFn)(WsWheelLink *link, int64_t now_ms);

TAILQ_HEAD(WsWheelSlot, WsWheelLink);

struct WsWheelLink {
        TAILQ_ENTRY(WsWheelLink) entry;
        int slot; /* -1 = in none */
};

struct WsWheel {
        int64_t tick_ms;
        int64_t tick; /* the last one that was visited */
        struct WsWheelSlot slots[WS_WHEEL_N_SLOTS];
};

void ws_wheel_init(WsWheel *wheel, int64_t tick_ms, int64_t now_ms);
void ws_wheel_link_init(WsWheelLink *link);
void ws_wheel_put(WsWheel *wheel, WsWheelLink *link, int64_t due_ms); /* moves it if it is in */
void ws_wheel_take(WsWheel *wheel, WsWheelLink *link);
/* Takes out and visits what is due; @fn may put it back, and may put and take others. */
void ws_wheel_turn(WsWheel *wheel, int64_t now_ms, WsWheelFn fn);
