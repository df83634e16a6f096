#pragma once

/*
 * WsUplink: the socket over which a gateway without a database (an edge) brings its journal, beside
 * its WsClient (model/edge/uplink.h, docs/protocol.md).
 *
 * The edge says which journal it has, and is told how far that is in PostgreSQL: it goes on behind
 * that, whatever it has sent before. Each record goes into our journal with its mark; while that is
 * full nothing more is read from the socket. Once all of a batch is stored it is told the position.
 * An edge has one connection: a newer one closes the older, unless each says that it is another
 * copy of one folder (model/edge/runs.h). What it may bring is judged where it is stored, not here.
 * Loop thread.
 */

#include "base/base.h"
#include "model/account.h"
#include "model/edge/runs.h"
#include "model/edge/uplink.h"
#include "model/event.h"

typedef struct WsClient WsClient;
typedef struct WsLoop WsLoop;
typedef struct WsUplink WsUplink;

/* Makes @client the socket of an edge. @line: which of our journals takes what it brings. */
MUST_CHECK int ws_uplink_new(WsClient *client, const Device *device, unsigned line);
WsUplink *ws_uplink_free(WsUplink *uplink);
int64_t ws_uplink_device(const WsUplink *uplink);

/* It sends what is none of the protocol: that is counted, said, and its end. */
MUST_CHECK int ws_uplink_refuse(WsClient *client, const char *reason);
/* Which journal it brings: what these have numbered. */
MUST_CHECK int ws_uplink_hello(WsClient *client, const Runs *runs);
MUST_CHECK int ws_uplink_batch(WsClient *client, Text message);
/* What it has let go of since it started: messages, and ranges of numbers. */
MUST_CHECK int ws_uplink_lost(WsClient *client, const UplinkLost *lost);
/* What a device of its owner's is to do; where that has no socket of its own. */
MUST_CHECK int ws_uplink_command(WsLoop *loop, const Event *event);
void ws_uplink_left(WsClient *client); /* it receives nothing any more */

/* Is the token with which it came still the device's, and may that bring anything? */
bool ws_uplink_may_stay(const WsClient *client);

/* What is stored by now, and what could not be journalled or asked: again. */
MUST_CHECK int ws_uplink_tick(WsLoop *loop);
