#pragma once

/*
 * WsShares: how much each party has of something that there is not enough of for all.
 *
 * A party may have @percent of what the others leave, so that there is always something left for
 * one more: with 50 one that takes all it gets has a half, two have a third each, and the last
 * third is free. Loop thread.
 */

#include "base/base.h"

typedef struct WsShares WsShares;

MUST_CHECK int ws_shares_new(WsShares **ret_shares);
WsShares *ws_shares_free(WsShares *shares);

size_t ws_shares_total(const WsShares *shares);
size_t ws_shares_of(const WsShares *shares, uint64_t party);

/* May @party have @n more, where there are @most? Within its percentage, and at least one. */
bool ws_shares_fit(const WsShares *shares, uint64_t party, size_t n, size_t most, int percent);
size_t ws_shares_room(const WsShares *shares,
                      uint64_t party,
                      size_t most,
                      int percent);                              /* how many */
bool ws_shares_take(WsShares *shares, uint64_t party, size_t n); /* false: out of memory */
void ws_shares_give_back(WsShares *shares, uint64_t party, size_t n);

DEFINE_CLEANUP(WsShares *, ws_shares_free);
