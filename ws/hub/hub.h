#pragma once

/*
 * WsHub: who listens to what; hands each Event to every client that may see it.
 *
 * Clients are indexed by dialect and by user, vehicle or device (ws/loop/lists.h), so that the cost
 * of an event follows the number of its receivers. Knows clients (ws/viewer/client.h), not sockets.
 * Loop thread.
 */

#include "base/base.h"
#include "model/event.h"
#include "ws/hub/catching.h"
#include "ws/hub/heard.h"
#include "ws/hub/touched.h"
#include "ws/loop/loop.h"
#include "ws/loop/pending.h"
#include "ws/loop/questions.h"
#include "ws/viewer/listing.h"
#include "ws/viewer/replays.h"

typedef struct WsHub WsHub;

struct WsHub {
        WsLoop loop;
        WsQuestions questions;
        WsReplays replays;
        WsPendings pendings;
        WsListings listings; /* of devices, in the making */
        WsTouched touched;
        WsHeard heard;
        WsCatching catching;
};

MUST_CHECK int ws_hub_new(WsHub **ret_hub, Registry *registry); /* borrowed */
WsHub *ws_hub_free(WsHub *hub);                                 /* its clients are gone before */

MUST_CHECK int ws_hub_publish(WsHub *hub, Event *event);
void ws_hub_tick(WsHub *hub); /* pings, silence, slowness, expiry; then all that waits is written */

/* Closes those whose path is open to nobody any more. */
typedef bool (*WsHubOpenFn)(const void *arg, const WsClient *client);
void ws_hub_close_shut(WsHub *hub, WsHubOpenFn is_open, const void *arg);

MUST_CHECK int ws_hub_turn_heard(WsHub *hub); /* after a tick: dialect A, what waits in sums */
MUST_CHECK int ws_hub_second(WsHub *hub);     /* once in one: devices that were touched */

DEFINE_CLEANUP(WsHub *, ws_hub_free);
