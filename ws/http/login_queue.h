#pragma once

/*
 * The queue of log-ins: of one address as many are under way as may fail in a minute
 * (auth.login_failures_per_minute), as each of them might. Those behind them wait for what becomes
 * of them, for auth.login_wait at the most, and are neither asked nor counted until then: a house
 * full of people may log in at once, and who guesses learns no more than he did.
 *
 * Who waits is a waiter of the exchange, out of the share of its address, whose question is held.
 * Loop thread.
 */

#include "base/base.h"

typedef struct WsCall WsCall;
typedef struct WsWaiters WsWaiters;

/* Is a log-in from the address @source asked, and not answered? */
bool ws_login_queue_is_moving(const WsWaiters *waiters, const char *source);

/* What became of one is known: those of its address that have waited longest go ahead, or are
 * refused. @blank: a call of nobody yet. */
void ws_login_queue_move(WsWaiters *waiters, const char *source, const WsCall *blank);

/* Likewise, of addresses that nobody moves any more: who was asked for has left. */
void ws_login_queue_move_all(WsWaiters *waiters, const WsCall *blank);
