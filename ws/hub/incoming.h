#pragma once

/*
 * What a client says on its WebSocket: frames become messages, messages go to its dialect; control
 * frames are answered. What it may not send closes it, with the code of RFC 6455. Loop thread.
 */

#include "base/base.h"

typedef struct WsClient WsClient;

/* Reads what came, and changes it; how much was used. */
size_t ws_incoming_take(WsClient *client, char *data, size_t n);
