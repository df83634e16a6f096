#pragma once

/*
 * WsEdge: the socket that a device itself keeps open (dialect B), beside its WsClient.
 *
 * Up: each frame goes into the journal, as telemetry or as the answer to a command; while the
 * journal is full nothing more is read from the socket. Down: commands, those that waited first,
 * each once a socket. A PING follows each, and its PONG proves that the device has it: only then
 * `delivered` is journalled. What is not proven by the end of the connection waits for the next
 * one, until it expires. A device has one connection: a newer one closes the older. Loop thread.
 */

#include "base/base.h"
#include "model/account.h"
#include "model/event.h"
#include "model/query.h"

typedef struct WsClient WsClient;
typedef struct WsEdge WsEdge;
typedef struct WsLoop WsLoop;

/* Makes @client the device's own. */
MUST_CHECK int ws_edge_new(WsClient *client, const Device *device);
WsEdge *ws_edge_free(WsEdge *edge);
int64_t ws_edge_device(const WsEdge *edge);

MUST_CHECK int ws_edge_open(WsClient *client);
MUST_CHECK int ws_edge_receive(WsClient *client, Text message);
MUST_CHECK int ws_edge_pong(WsClient *client, Text payload);
void ws_edge_left(WsClient *client); /* it receives nothing any more */

/* Is the token with which it came still the device's? */
bool ws_edge_may_stay(const WsClient *client);

MUST_CHECK int ws_edge_command(WsLoop *loop, Event *event); /* EVENT_COMMAND */
MUST_CHECK int ws_edge_tick(WsLoop *loop); /* what could not be journalled or asked: again */
