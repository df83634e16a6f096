#pragma once

/*
 * WsViewer: the life of a WsClient, from the accepted handshake until its connection is gone.
 *
 * Owned by the exchange of its connection. It leaves the loop's lists as soon as a close begins,
 * from either side; after that nothing is offered or written any more. viewer.c writes, incoming.c
 * reads: messages go out while the connection has nothing left of the last, and none once a close
 * began. Functions that return int return faults only. Loop thread.
 */

#include "base/base.h"
#include "model/account.h"
#include "ws/access/access.h"
#include "ws/loop/wheel.h"
#include "ws/viewer/client.h"

MUST_CHECK int ws_viewer_new(WsClient **ret_client, WsLoop *loop, const WsDialect *dialect);
WsClient *ws_viewer_free(WsClient *client);

/* What becomes of its connection. */
MUST_CHECK int ws_viewer_open(WsClient *client, WsConn *conn);
void ws_viewer_writeable(WsClient *client);
void ws_viewer_pong(WsClient *client, Text payload);
/* The peer closes with @code (0: without one), or broke the protocol: it gets that, and the end. */
void ws_viewer_depart(WsClient *client, int code, const char *reason);
void ws_viewer_closed(WsClient *client);

/* Remembers the path that auth.anonymous has opened, if it has. */
MUST_CHECK int ws_viewer_note_open(WsClient *client, const WsIdentity *identity, const char *path);
/* It has said who it is, or says it again. */
MUST_CHECK int ws_viewer_become(WsClient *client, const User *user, int64_t expires_us);
/* The lists of its user and scope; again after a change. */
MUST_CHECK int ws_viewer_join(WsClient *client);
void ws_viewer_flush(WsClient *client);
void ws_viewer_finish(WsClient *client);                /* of a poll: @out is its answer */
void ws_viewer_look(WsWheelLink *link, int64_t now_ms); /* when its time has come: WsWheelFn */
void ws_viewer_farewell(WsClient *client); /* at the very end: 1001, if there is room */

DEFINE_CLEANUP(WsClient *, ws_viewer_free);
