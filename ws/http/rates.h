#pragma once

/*
 * WsRates: messages a second over the last few seconds, from the counters of the whole process.
 * Zeroed to begin with; loop thread.
 */

#include "base/base.h"

typedef struct WsRates WsRates;

struct WsRates {
        double received, committed, offered, sent;

        int64_t at_us; /* monotonic: when they were taken; 0 = never */
        int64_t from[4];
};

void ws_rates_take(WsRates *rates, int64_t now_us); /* as often as one likes */
