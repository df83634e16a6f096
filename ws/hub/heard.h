#pragma once

/*
 * WsHeard: what devices heard, for clients that want to be told of each no oftener than so.
 *
 * The first message of a device is shown at once; what comes within the interval after it is summed
 * up and shown at its end, in one. A device that is silent for an interval is forgotten. As many as
 * there are devices that speak; memory of the hub; loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "model/event.h"

typedef struct Index Index;
typedef struct WsHeard WsHeard;
typedef struct WsHeardDevice WsHeardDevice;

struct WsHeardDevice {
        int64_t device_id;
        uint64_t device_key; /* as in Event */
        int64_t shown_ms;    /* monotonic */
        uint64_t seq;        /* of the last that waits */
        int64_t time_us;     /* the newest */
        uint32_t n_items;    /* of all that wait; 0: nothing does */
        TAILQ_ENTRY(WsHeardDevice) entry;
};

struct WsHeard {
        Index *known;                     /* owned */
        TAILQ_HEAD(, WsHeardDevice) list; /* owned: the one shown longest ago first */
};

MUST_CHECK int ws_heard_init(WsHeard *heard);
void ws_heard_done(WsHeard *heard);

/* *ret_is_due: show it now. Else it waits. */
MUST_CHECK int ws_heard_note(WsHeard *heard, const Event *event, int64_t now_ms, bool *ret_is_due);
/* The next sum whose time has come; false: none. */
bool ws_heard_take(WsHeard *heard, int64_t now_ms, int interval_ms, WsHeardDevice *ret_sum);
