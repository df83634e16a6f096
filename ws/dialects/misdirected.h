#pragma once

/*
 * WsMisdirected: data that is sent on a socket which takes none.
 *
 * Who sends it would think that all is well: the socket is closed with 1008, which is counted, and
 * told in the log. What pages say to stay, to subscribe or in a language of their own is no data.
 * Loop thread.
 */

#include "base/base.h"

typedef struct WsClient WsClient;
typedef struct WsClientMessage WsClientMessage;

/* Is it what a device says: an object, or a list of such, that has no `type` but one of our kinds,
 * and no other member by which programs talk to each other? Pure. */
bool ws_misdirected_is_data(const WsClientMessage *message);

void ws_misdirected_close(WsClient *client, const char *reason);

/* receive() of a dialect that understands nothing; the same of one that has understood @message. */
int ws_misdirected_receive(WsClient *client, Text message);
void ws_misdirected_judge(WsClient *client, const WsClientMessage *message);
