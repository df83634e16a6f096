#pragma once

/*
 * WsListings: lists of devices (dialect C) in the making, a piece in each turn of the loop.
 *
 * However many devices a list has, it takes no more of a turn than replays and snapshots may
 * (ws_loop_may_work()); lists take turns. The sockets of one user, and all that see everything,
 * wait for the same one, and hear nothing before it: behind it come, once, the devices that have
 * changed meanwhile. Whoever comes after the registry changed waits for the next list; where a
 * right was taken away it begins anew. Long lists go uncompressed: that is work in one piece, too.
 * Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"

typedef struct WsClient WsClient;
typedef struct WsLoop WsLoop;
typedef struct WsListing WsListing;
typedef struct WsListings WsListings;

TAILQ_HEAD(WsListings, WsListing); /* memory of the hub */

/* The list goes to @client, now or later: until then client->listing is set. */
MUST_CHECK int ws_listings_join(WsListings *listings, WsClient *client);
void ws_listings_leave(WsListings *listings, WsClient *client);

/* The state of a device has changed. */
MUST_CHECK int ws_listings_note(WsListings *listings, int64_t device_id);
/* The registry has changed; @is_narrowed: somebody sees less. */
void ws_listings_change(WsListings *listings, bool is_narrowed);
void ws_listings_turn(WsListings *listings, WsLoop *loop);
