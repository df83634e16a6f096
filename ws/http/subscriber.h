#pragma once

/*
 * WsSubscriber: a connection whose request is answered by what comes: an event stream, or a poll.
 * Loop thread.
 */

#include "base/base.h"
#include "ws/http/endpoint.h"

typedef struct WsExchange WsExchange;

/* The connection belongs to call->client from now on: for ever, or until its poll is answered. */
void ws_subscriber_attach(WsExchange *session, WsCall *call);
/* What the poll has gathered, or why there is nothing; its client is gone then. */
void ws_subscriber_answer(WsExchange *session, const WsOptions *options);
