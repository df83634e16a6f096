#pragma once

/*
 * WsRenewal: a device has come with a token of which we have somebody else's hash: from now on it
 * is stored as ours are. What does not succeed is tried at its next use. Loop thread.
 */

#include "base/base.h"
#include "model/account.h"

typedef struct Query Query;
typedef struct WsAccess WsAccess;
typedef struct WsQuestions WsQuestions;

/* Nobody waits for it. */
MUST_CHECK int ws_renewal_ask(const WsAccess *access,
                              WsQuestions *questions,
                              const Device *device, /* whose token it is */
                              Text token);

/* Of a token that has to be looked at first, as it cannot be looked up: for who waits. */
MUST_CHECK int ws_renewal_proof(Query **ret_query,
                                const WsAccess *access,
                                const Device *device,
                                Text token);
