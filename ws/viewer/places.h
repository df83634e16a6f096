#pragma once

/*
 * WsPlaces: the places of sockets: each party has a share of what the others leave, and an address
 * one of those whose peer has not said yet who it is.
 *
 * A user leaves something to the others, however many addresses he comes from. Loop thread.
 */

#include "base/base.h"

typedef struct WsClient WsClient;

/* A place out of @party's share, in place of the one that it had; false: that is used up. */
MUST_CHECK bool ws_places_take(WsClient *client, uint64_t party);
/* And one of those who have not said yet who they are, for the address that it comes from. */
MUST_CHECK bool ws_places_take_strange(WsClient *client);
void ws_places_make_known(WsClient *client);
void ws_places_give_back(WsClient *client);
