#pragma once

/*
 * WsRenewal: a device has come with a token of which we have somebody else's hash: from now on it
 * is stored as ours are. Nobody waits for it, and what does not succeed is tried at its next use.
 * Loop thread.
 */

#include "base/base.h"
#include "model/account.h"

typedef struct WsAccess WsAccess;
typedef struct WsQuestions WsQuestions;

MUST_CHECK int ws_renewal_ask(const WsAccess *access,
                              WsQuestions *questions,
                              const Device *device, /* whose token it is */
                              Text token);
