#pragma once

/*
 * WsBurst: what a socket holds beyond its queue, for as long as it takes what the kernel gives.
 *
 * Between two turns of the loop more can come than a queue and the kernel hold, and who reads well
 * is not to blame for it. So a queue that is full takes more, out of room that all sockets share by
 * party (ws.burst_bytes, ws.user_share), if the kernel has taken something of that socket's within
 * ws.stall_timeout. Who takes nothing, or stays too slow for ws.slow_timeout, is closed as ever;
 * nobody else waits meanwhile. Frames are shared, so that the room is an upper bound of the memory.
 * Loop thread.
 */

#include "base/base.h"

typedef struct WsBurst WsBurst;
typedef struct WsClient WsClient;

struct WsBurst {        /* memory of the client */
        size_t n_bytes; /* beyond its queue */
        uint64_t party; /* out of whose share */
        int64_t moved_ms;
};

void ws_burst_moved(WsClient *client); /* the kernel has taken something */
/* Room for a frame of @n bytes: how much more than the queue there may be. */
size_t ws_burst_room(WsClient *client, size_t n);
void ws_burst_settle(WsClient *client); /* gives back what is not needed any more */
