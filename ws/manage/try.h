#pragma once

/*
 * WsTry: a message that nobody sent, and what routes would make of it; for admins. Counted with
 * changes (http.changes_per_minute), as it is work that one user asks for. Loop thread.
 */

#include "base/base.h"
#include "ws/http/endpoint.h"

MUST_CHECK int ws_try_ask(WsCall *call);
int ws_try_answer(WsCall *call, const Answer *answer);
