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
typedef struct WsLoop WsLoop;

struct WsBurst {        /* memory of the client */
        size_t n_bytes; /* beyond its queue */
        uint64_t party; /* out of whose share */
        int64_t moved_ms;
};

void ws_burst_moved(WsBurst *burst); /* the kernel has taken something */
/* Of @n_bytes in all that are to wait for a socket of @party: how much more than the queue there
 * may be. */
size_t ws_burst_room(WsBurst *burst, WsLoop *loop, uint64_t party, size_t n_bytes);
/* So many do: gives back what is not needed any more. */
void ws_burst_settle(WsBurst *burst, WsLoop *loop, size_t n_bytes);
