#pragma once

/*
 * WsRights: whether who asked may still have what he asked for.
 *
 * A body, a question and a long answer take time, in which a token can be ended or run out, and a
 * thing be taken out of somebody's sight. What reads the tables does so by the rights of when it
 * was asked; so each answer, and each piece of one, is judged once more when it leaves. Loop
 * thread.
 */

#include "base/base.h"
#include "model/account.h"
#include "ws/http/exchange.h"

typedef struct Registry Registry;

WsAsker ws_rights_of(const WsIdentity *identity); /* as of now */
/* Who asked, if his token holds; NULL: nobody, or not any more. Until the registry's next change.
 */
const User *ws_rights_user(const Registry *registry, const WsWaiter *waiter);
const Device *ws_rights_device(const Registry *registry, const WsWaiter *waiter);

bool ws_rights_are_kept(const Registry *registry, const WsWaiter *waiter);
/* Instead of an answer to who has lost a right meanwhile. False: he has not. */
bool ws_rights_withhold(const Registry *registry, const WsWaiter *waiter, WsResponse *response);
/* Of an answer that is being sent: he may not have the rest. */
bool ws_rights_are_forfeit(const Registry *registry, const WsWaiter *waiter);
