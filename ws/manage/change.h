#pragma once

/*
 * WsChange: asks for a change of users, devices, vehicles, shares or groups, or acknowledges an
 * alert, and tells what became of it. How often somebody may is bounded (http.changes_per_minute).
 * Loop thread.
 */

#include "base/base.h"
#include "ws/http/endpoint.h"

bool ws_change_may(WsCall *call); /* false: too many of this user's, and the response says so */
MUST_CHECK int ws_change_ask(WsCall *call, ManageKind kind);
/* What was asked (@r) is to be taken in again; no, it is to be forgotten. */
MUST_CHECK int ws_change_discard(WsCall *call, int r);
int ws_change_answer(WsCall *call, const Answer *answer);
int ws_change_minted(WsCall *call, const Answer *answer); /* of a token of a user */
